//! The gRPC calls, each turned into one call of the handler.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::download::{self, Pieces, UnderWay};
use super::stop::Stop;
use super::upload::Reception;
use crate::handler::{Answer, Command, Errand, Handler, Join, Joined, Stream};
use crate::identity::Peer;
use crate::limits::Limits;
use crate::message::{
    Document, HealthQuery, HealthReply, Hello, Piece, Poll, Polled, Receipt, VERSION, Wanted, Welcome,
};
use crate::refusal::{Class, Refusal};
use crate::stubs::admin::admin_server::Admin;
use crate::stubs::federation::federation_server::Federation;
use crate::stubs::health::health_server::Health;
use crate::stubs::predict::predict_server::Predict;
use blindscope_wire::Digest;

/// All services of the port.
pub(super) struct Service {
    handler: Arc<dyn Handler>,
    reception: Reception,
    under_way: UnderWay,
    limits: Limits,
    stop: Stop,
}

type Reply<T> = Result<Response<T>, Status>;
type Row = Pin<Box<dyn tokio_stream::Stream<Item = Result<Document, Status>> + Send>>;

impl Service {
    pub(super) fn new(handler: Arc<dyn Handler>, limits: Limits, stop: Stop) -> Self {
        Self {
            handler,
            reception: Reception::new(limits.clone()),
            under_way: UnderWay::default(),
            limits,
            stop,
        }
    }

    /// The handler's answer, unless it takes too long.
    async fn within<T>(&self, answer: impl Future<Output = Answer<T>>) -> Answer<T> {
        timeout(self.limits.answer, answer).await.map_err(|_| {
            Refusal::new(
                Class::Unavailable,
                "busy",
                "the coordinator did not answer in time; try again later",
            )
            .retry_after(Duration::from_secs(2))
        })?
    }

    fn document(&self, Document { json }: Document) -> Answer<Bytes> {
        let (found, most) = (json.len(), self.limits.header);
        if found > most {
            let message = format!("document: {found} bytes, at most {most} are taken");
            return Err(Refusal::new(Class::Invalid, "too-long", message)
                .fact("found", found as u64)
                .fact("most", most as u64));
        }
        Ok(json)
    }

    /// An answer on its way out. The handler hears of refusals, whoever made them.
    async fn reply<T>(&self, call: &'static str, answer: impl Future<Output = Answer<T>>) -> Reply<T> {
        answer.await.map(Response::new).map_err(|refusal| {
            self.handler.refused(call, &refusal);
            refusal.into()
        })
    }

    async fn command(&self, command: Command, request: Request<Document>) -> Reply<Document> {
        let answering = async {
            let peer = caller(&request)?;
            let document = self.document(request.into_inner())?;
            let json = self.within(self.handler.command(peer, command, document)).await?;
            Ok(Document { json })
        };
        self.reply(command.name(), answering).await
    }

    async fn stream(&self, stream: Stream, request: Request<Document>) -> Reply<Row> {
        let answering = async {
            let peer = caller(&request)?;
            let document = self.document(request.into_inner())?;
            let documents = self.within(self.handler.stream(peer, stream, document)).await?;
            let row = ReceiverStream::new(documents).map(|json| Ok(Document { json: json? }));
            Ok(Box::pin(row) as Row)
        };
        self.reply(stream.name(), answering).await
    }
}

impl Service {
    /// The answer to a site's hello.
    async fn welcome(&self, request: Request<Hello>) -> Answer<Welcome> {
        let peer = caller(&request)?;
        let Hello { version, software, study, has_study } = request.into_inner();
        if version != VERSION {
            let message = format!(
                "join: protocol version {version}, this coordinator speaks {VERSION}; update the older side"
            );
            return Err(Refusal::new(Class::Conflict, "wrong-version", message)
                .fact("found", version.into())
                .fact("expected", VERSION.into()));
        }
        let study = if study.is_empty() { None } else { Some(digest(&study)?) };
        let joined = self.within(self.handler.join(peer, Join { software, study, has_study })).await?;
        let Joined { software, now_ms, study } = joined;
        Ok(Welcome { version: VERSION, software, now_ms, study })
    }
}

#[tonic::async_trait]
impl Federation for Service {
    async fn join(&self, request: Request<Hello>) -> Reply<Welcome> {
        self.reply("join", self.welcome(request)).await
    }

    async fn next(&self, request: Request<Poll>) -> Reply<Polled> {
        let answering = async {
            let peer = caller(&request)?;
            let Poll { wait_ms, state } = request.into_inner();
            let wait = Duration::from_millis(wait_ms).min(self.limits.poll);
            tokio::select! {
                errand = self.handler.next(peer, state, wait) => Ok(match errand? {
                    Some(Errand { task, blobs }) => Polled { task: Some(task), blobs },
                    None => Polled::default(),
                }),
                () = self.stop.clone().stopped() => Err(stopping()),
                () = tokio::time::sleep(wait + self.limits.answer) => Err(stopping()),
            }
        };
        self.reply("next", answering).await
    }

    type FetchStream = Pieces;

    async fn fetch(&self, request: Request<Wanted>) -> Reply<Pieces> {
        let answering = async {
            let peer = caller(&request)?;
            let wanted = request.into_inner();
            let source = self.within(self.handler.fetch(peer, digest(&wanted.digest)?, wanted.len)).await?;
            Ok(download::send(source, self.limits.clone(), &self.under_way))
        };
        self.reply("fetch", answering).await
    }

    async fn submit(&self, request: Request<Streaming<Piece>>) -> Reply<Receipt> {
        let answering = async {
            let peer = caller(&request)?;
            let admit = |upload| self.handler.submit(peer, upload);
            let note = self.reception.receive(peer, request.into_inner(), admit).await?;
            Ok(Receipt { note })
        };
        self.reply("submit", answering).await
    }
}

#[tonic::async_trait]
impl Admin for Service {
    async fn submit_job(&self, request: Request<Document>) -> Reply<Document> {
        self.command(Command::SubmitJob, request).await
    }

    async fn list_jobs(&self, request: Request<Document>) -> Reply<Document> {
        self.command(Command::ListJobs, request).await
    }

    async fn abort_job(&self, request: Request<Document>) -> Reply<Document> {
        self.command(Command::AbortJob, request).await
    }

    async fn list_sites(&self, request: Request<Document>) -> Reply<Document> {
        self.command(Command::ListSites, request).await
    }

    async fn roster(&self, request: Request<Document>) -> Reply<Document> {
        self.command(Command::Roster, request).await
    }

    async fn quotas(&self, request: Request<Document>) -> Reply<Document> {
        self.command(Command::Quotas, request).await
    }

    type WatchJobStream = Row;

    async fn watch_job(&self, request: Request<Document>) -> Reply<Row> {
        self.stream(Stream::WatchJob, request).await
    }

    type LogStream = Row;

    async fn log(&self, request: Request<Document>) -> Reply<Row> {
        self.stream(Stream::Log, request).await
    }
}

#[tonic::async_trait]
impl Predict for Service {
    async fn offer(&self, request: Request<Document>) -> Reply<Document> {
        let answering = async {
            let peer = caller(&request)?;
            let document = self.document(request.into_inner())?;
            let json = self.within(self.handler.offer(peer, document)).await?;
            Ok(Document { json })
        };
        self.reply("offer", answering).await
    }

    async fn put_keys(&self, request: Request<Streaming<Piece>>) -> Reply<Receipt> {
        let answering = async {
            let peer = caller(&request)?;
            let admit = |upload| self.handler.put_keys(peer, upload);
            let note = self.reception.receive(peer, request.into_inner(), admit).await?;
            Ok(Receipt { note })
        };
        self.reply("put-keys", answering).await
    }

    type InferStream = Pieces;

    async fn infer(&self, request: Request<Streaming<Piece>>) -> Reply<Pieces> {
        let answering = async {
            let peer = caller(&request)?;
            let admit = |upload| self.handler.infer(peer, upload);
            let answer = self.reception.receive(peer, request.into_inner(), admit).await?;
            Ok(download::send(answer, self.limits.clone(), &self.under_way))
        };
        self.reply("infer", answering).await
    }
}

#[tonic::async_trait]
impl Health for Service {
    async fn check(&self, _: Request<HealthQuery>) -> Reply<HealthReply> {
        let serving = !self.stop.is_stopped() && self.handler.healthy().await;
        Ok(Response::new(HealthReply { status: if serving { 1 } else { 2 } }))
    }
}

/// Who calls; every connection has shown a certificate before it gets here.
fn caller<T>(request: &Request<T>) -> Answer<Peer> {
    request.extensions().get::<Peer>().copied().ok_or_else(|| {
        Refusal::new(Class::Unauthenticated, "no-certificate", "the connection carries no certificate")
    })
}

fn digest(bytes: &Bytes) -> Answer<Digest> {
    bytes.as_ref().try_into().map(Digest).map_err(|_| {
        let message = format!("digest: {} bytes, 32 are expected", bytes.len());
        Refusal::new(Class::Invalid, "no-digest", message).fact("found", bytes.len() as u64)
    })
}

fn stopping() -> Refusal {
    Refusal::new(Class::Unavailable, "stopping", "the coordinator stops; call again when it is back")
        .retry_after(Duration::from_millis(200))
}
