//! The calling end.

mod backoff;
mod connect;
mod down;
mod up;

use std::io::{Read, Write};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::error::{Error, Result};
use crate::handler::{Command, Errand, Join, Joined, Stream, Upload};
use crate::limits::Limits;
use crate::message::{Document, HealthQuery, Hello, PIECE, Poll, VERSION, Wanted};
use crate::refusal::Refusal;
use crate::stubs::admin::admin_client::AdminClient;
use crate::stubs::federation::federation_client::FederationClient;
use crate::stubs::health::health_client::HealthClient;
use crate::stubs::predict::predict_client::PredictClient;
use crate::tls::ClientTls;
use blindscope_wire::Digest;

pub use backoff::Backoff;

/// Longest message from a server: a study, or a page of jobs.
const LONGEST: usize = (4 << 20) + PIECE;

/// Calls one coordinator. Cheap to clone; connects at the first call and again after each loss.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    address: String,
    limits: Limits,
}

/// A blob that was fetched and has the digest asked for.
#[derive(Debug)]
pub struct Found<W> {
    /// Where it was written.
    pub sink: W,
    /// Its bytes.
    pub len: u64,
}

impl Client {
    /// A client of the coordinator at `HOST:PORT`, or at the first of several, with commas between them, that answers. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Address`] for an address that is none.
    pub fn new(address: &str, tls: ClientTls, limits: Limits) -> Result<Self> {
        let channel = connect::channel(address, tls, &limits)?;
        Ok(Self { channel, address: address.to_owned(), limits })
    }

    /// Whom it calls.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Says hello.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, the certificate is of no party of the study, or this version is not spoken there.
    pub async fn join(&self, join: Join) -> Result<Joined> {
        let study = join.study.map_or_else(Bytes::new, |digest| Bytes::copy_from_slice(&digest.0));
        let request =
            self.timed(Hello { version: VERSION, software: join.software, study, has_study: join.has_study });
        let welcome = self.answer("join", self.federation().join(request).await)?;
        Ok(Joined { software: welcome.software, now_ms: welcome.now_ms, study: welcome.study })
    }

    /// Something to do, waited for up to `wait`.
    ///
    /// # Errors
    /// [`Error`] where nobody answers in `wait` and the limit of an answer, or the site has not said hello.
    pub async fn next(&self, state: Bytes, wait: Duration) -> Result<Option<Errand>> {
        let mut request = Request::new(Poll { wait_ms: wait.as_millis() as u64, state });
        request.set_timeout(wait + self.limits.answer);
        let polled = self.answer("next", self.federation().next(request).await)?;
        Ok(polled.task.map(|task| Errand { task, blobs: polled.blobs }))
    }

    /// Fetches a blob of exactly `len` bytes into `sink` and checks its digest.
    ///
    /// # Errors
    /// [`Error`] where the server cannot be reached, refuses, or sends other bytes; then `sink` may hold a part of it.
    pub async fn fetch<W: Write + Send + 'static>(
        &self,
        digest: Digest,
        len: u64,
        sink: W,
    ) -> Result<Found<W>> {
        let request = self.timed(Wanted { digest: Bytes::copy_from_slice(&digest.0), len });
        let pieces = self.answer("fetch", self.federation().fetch(request).await)?;
        down::receive(self, "fetch", pieces, Some(digest), len, sink).await
    }

    /// Sends a blob; returns the coordinator's note once it is on its disk.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, `body` ends early or late, the bytes have another digest, or nobody waits for them.
    pub async fn submit(&self, upload: Upload, body: Box<dyn Read + Send>) -> Result<Bytes> {
        let len = upload.len;
        let (pieces, sent) = up::send(upload, body);
        let mut client = self.federation();
        let call = async move { client.submit(pieces).await };
        Ok(self.sent("submit", len, call, sent).await?.note)
    }

    /// How a head is asked.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, or the head is not released to this asker.
    pub async fn offer(&self, json: Bytes) -> Result<Bytes> {
        let request = self.timed(Document { json });
        Ok(self.answer("offer", self.predict().offer(request).await)?.json)
    }

    /// Sends an asker's evaluation keys.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, `body` ends early or late, the bytes have another digest, or they are no keys of the
    /// plan.
    pub async fn put_keys(&self, upload: Upload, body: Box<dyn Read + Send>) -> Result<Bytes> {
        let len = upload.len;
        let (pieces, sent) = up::send(upload, body);
        let mut client = self.predict();
        let call = async move { client.put_keys(pieces).await };
        Ok(self.sent("put-keys", len, call, sent).await?.note)
    }

    /// Sends encrypted tokens and receives at most `max` bytes of encrypted answers.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, the keys are not there any more, the asker has used up its tokens, or the answer is
    /// longer than `max`.
    pub async fn infer(&self, upload: Upload, body: Box<dyn Read + Send>, max: u64) -> Result<Vec<u8>> {
        let len = upload.len;
        let (pieces, sent) = up::send(upload, body);
        let mut client = self.predict();
        let call = async move { client.infer(pieces).await };
        let answer = self.sent("infer", len, call, sent).await?;
        Ok(down::receive(self, "infer", answer, None, max, Vec::new()).await?.sink)
    }

    /// An administrator's call.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, the caller is no administrator, or the coordinator refuses the document.
    pub async fn command(&self, command: Command, json: Bytes) -> Result<Bytes> {
        let request = self.timed(Document { json });
        let mut admin = AdminClient::new(self.channel.clone()).max_decoding_message_size(LONGEST);
        let answer = match command {
            Command::SubmitJob => admin.submit_job(request).await,
            Command::ListJobs => admin.list_jobs(request).await,
            Command::AbortJob => admin.abort_job(request).await,
            Command::ListSites => admin.list_sites(request).await,
            Command::Roster => admin.roster(request).await,
            Command::Quotas => admin.quotas(request).await,
        };
        Ok(self.answer(command.name(), answer)?.json)
    }

    /// An administrator's call with a row of answers; the channel closes after the last.
    ///
    /// # Errors
    /// [`Error`] where nobody answers, the caller is no administrator, or the coordinator refuses the document; later ones come
    /// through the channel.
    pub async fn stream(&self, stream: Stream, json: Bytes) -> Result<mpsc::Receiver<Result<Bytes>>> {
        let request = Request::new(Document { json });
        let mut admin = AdminClient::new(self.channel.clone()).max_decoding_message_size(LONGEST);
        let name = stream.name();
        let answer = match stream {
            Stream::WatchJob => admin.watch_job(request).await,
            Stream::Log => admin.log(request).await,
        };
        let mut row = self.answer(name, answer)?;
        let (out, documents) = mpsc::channel(16);
        let client = self.clone();
        tokio::spawn(async move {
            while let Some(next) = row.message().await.transpose() {
                let next = next.map(|document| document.json).map_err(|status| client.failure(name, &status));
                if out.send(next).await.is_err() {
                    return;
                }
            }
        });
        Ok(documents)
    }

    /// Whether the coordinator says that it works.
    ///
    /// # Errors
    /// [`Error`] where nobody answers.
    pub async fn healthy(&self) -> Result<bool> {
        let request = self.timed(HealthQuery::default());
        Ok(self.answer("health", HealthClient::new(self.channel.clone()).check(request).await)?.status == 1)
    }

    fn federation(&self) -> FederationClient<Channel> {
        FederationClient::new(self.channel.clone()).max_decoding_message_size(LONGEST)
    }

    fn predict(&self) -> PredictClient<Channel> {
        PredictClient::new(self.channel.clone()).max_decoding_message_size(LONGEST)
    }

    fn timed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.limits.answer);
        request
    }

    /// The answer to an upload of `len` bytes, within the time that the slowest allowed rate gives it.
    async fn sent<T>(
        &self,
        call: &'static str,
        len: u64,
        answer: impl Future<Output = std::result::Result<Response<T>, Status>>,
        sent: up::Sent,
    ) -> Result<T> {
        let within = self.limits.answer + self.limits.due(len).min(Duration::from_secs(1 << 30));
        let answer = match tokio::time::timeout(within, answer).await {
            Ok(answer) => self.answer(call, answer),
            Err(_) => Err(self.unreachable(call, "no acknowledgement in time")),
        };
        // A source that failed explains a stream that broke.
        match answer {
            Err(error) => Err(sent.failure().unwrap_or(error)),
            done => done,
        }
    }

    fn answer<T>(&self, call: &'static str, answer: std::result::Result<Response<T>, Status>) -> Result<T> {
        answer.map(Response::into_inner).map_err(|status| self.failure(call, &status))
    }

    fn failure(&self, call: &'static str, status: &Status) -> Error {
        if let Some(refusal) = Refusal::from_status(status) {
            return refusal.into();
        }
        match status.code() {
            Code::Unimplemented | Code::OutOfRange => {
                Error::Protocol { call, expected: "answer to this call" }
            }
            _ => self.unreachable(call, &causes(status)),
        }
    }

    fn unreachable(&self, call: &'static str, cause: &str) -> Error {
        Error::Unreachable { call, address: self.address.clone(), cause: cause.to_owned() }
    }
}

/// A stream of pieces from a server.
type Pieces = Streaming<crate::message::Piece>;

/// The innermost reasons are the useful ones: "transport error" alone helps nobody.
fn causes(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
