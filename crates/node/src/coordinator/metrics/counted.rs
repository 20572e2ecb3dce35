//! A handler whose calls and bytes are counted. What is counted of a body is what came or went, not what was announced.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Meters;
use blindscope_transport::{
    Answer, Command, Documents, Errand, Finishing, Handler, Intake, Join, Joined, Peer, Refusal, Source,
    Stream, Upload, Uptake,
};
use blindscope_wire::Digest;

/// A handler, and where its calls are counted.
pub(in crate::coordinator) struct Counted<H> {
    pub(in crate::coordinator) inner: H,
    pub(in crate::coordinator) meters: Arc<Meters>,
}

impl<H> Counted<H> {
    fn counted<T>(&self, call: &'static str, answer: Answer<T>) -> Answer<T> {
        if answer.is_ok() {
            self.meters.answered(call);
        }
        answer
    }

    fn document(&self, call: &'static str, asked: usize, answer: Answer<Bytes>) -> Answer<Bytes> {
        self.meters.received(call, asked as u64);
        if let Ok(document) = &answer {
            self.meters.sent(call, document.len() as u64);
        }
        self.counted(call, answer)
    }

    fn source(&self, call: &'static str, source: Source) -> Source {
        let Source { len, digest, bytes } = source;
        let bytes = Box::new(Outgoing { bytes, meters: self.meters.clone(), call });
        Source { len, digest, bytes }
    }

    fn admission<T: 'static>(&self, call: &'static str, admission: Answer<Uptake<T>>) -> Answer<Uptake<T>> {
        self.counted(call, admission).map(|admission| match admission {
            Uptake::Already(answer) => Uptake::Already(answer),
            Uptake::Take(intake) => {
                self.meters.uploads.inc();
                Uptake::Take(Box::new(Incoming { intake: Some(intake), meters: self.meters.clone(), call }))
            }
        })
    }
}

#[blindscope_transport::async_trait]
impl<H: Handler> Handler for Counted<H> {
    async fn join(&self, peer: Peer, join: Join) -> Answer<Joined> {
        self.counted("join", self.inner.join(peer, join).await)
    }

    async fn next(&self, peer: Peer, state: Bytes, wait: Duration) -> Answer<Option<Errand>> {
        let answer = self.inner.next(peer, state, wait).await;
        if let Ok(Some(Errand { task, blobs })) = &answer {
            self.meters.sent("next", (task.len() + blobs.iter().map(Bytes::len).sum::<usize>()) as u64);
        }
        self.counted("next", answer)
    }

    async fn fetch(&self, peer: Peer, digest: Digest, len: u64) -> Answer<Source> {
        let answer = self.inner.fetch(peer, digest, len).await;
        self.counted("fetch", answer).map(|source| self.source("fetch", source))
    }

    async fn submit(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Bytes>> {
        self.admission("submit", self.inner.submit(peer, upload).await)
    }

    async fn command(&self, peer: Peer, command: Command, document: Bytes) -> Answer<Bytes> {
        let asked = document.len();
        self.document(command.name(), asked, self.inner.command(peer, command, document).await)
    }

    async fn stream(&self, peer: Peer, stream: Stream, document: Bytes) -> Answer<Documents> {
        self.meters.received(stream.name(), document.len() as u64);
        self.counted(stream.name(), self.inner.stream(peer, stream, document).await)
    }

    async fn offer(&self, peer: Peer, document: Bytes) -> Answer<Bytes> {
        let asked = document.len();
        self.document("offer", asked, self.inner.offer(peer, document).await)
    }

    async fn put_keys(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Bytes>> {
        self.admission("put-keys", self.inner.put_keys(peer, upload).await)
    }

    async fn infer(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Source>> {
        let admission = self.inner.infer(peer, upload).await;
        let intake = match self.admission("infer", admission)? {
            Uptake::Already(source) => return Ok(Uptake::Already(self.source("infer", source))),
            Uptake::Take(intake) => intake,
        };
        Ok(Uptake::Take(Box::new(Answering { intake, meters: self.meters.clone() })))
    }

    fn refused(&self, call: &'static str, refusal: &Refusal) {
        self.meters.refused(call, &refusal.code);
        self.inner.refused(call, refusal);
    }

    async fn healthy(&self) -> bool {
        self.inner.healthy().await
    }
}

/// A body on its way in.
struct Incoming<T> {
    intake: Option<Box<dyn Intake<T>>>,
    meters: Arc<Meters>,
    call: &'static str,
}

impl<T> Intake<T> for Incoming<T> {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.meters.received(self.call, bytes.len() as u64);
        self.intake.as_mut().map_or(Ok(()), |intake| intake.write(bytes))
    }

    fn finish(mut self: Box<Self>) -> Finishing<T> {
        match self.intake.take() {
            Some(intake) => intake.finish(),
            None => {
                Box::pin(async { Err(crate::coordinator::refusal::internal(&"an upload that ended twice")) })
            }
        }
    }
}

impl<T> Drop for Incoming<T> {
    /// Ended or cut.
    fn drop(&mut self) {
        self.meters.uploads.dec();
    }
}

/// A question on its way in, whose answer is a body.
struct Answering {
    intake: Box<dyn Intake<Source>>,
    meters: Arc<Meters>,
}

impl Intake<Source> for Answering {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.intake.write(bytes)
    }

    fn finish(self: Box<Self>) -> Finishing<Source> {
        Box::pin(async move {
            let Source { len, digest, bytes } = self.intake.finish().await?;
            let bytes = Box::new(Outgoing { bytes, meters: self.meters, call: "infer" });
            Ok(Source { len, digest, bytes })
        })
    }
}

/// A body on its way out.
struct Outgoing {
    bytes: Box<dyn Read + Send>,
    meters: Arc<Meters>,
    call: &'static str,
}

impl Read for Outgoing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.meters.sent(self.call, read as u64);
        Ok(read)
    }
}
