//! What the service behind the sockets has to provide.

use std::fmt;
use std::io::Read;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::identity::Peer;
use crate::refusal::{Class, Refusal};
use blindscope_wire::Digest;

/// What a handler answers.
pub type Answer<T> = Result<T, Refusal>;

/// The end of an upload: a future, since it waits for the disk.
pub type Finishing<T> = Pin<Box<dyn Future<Output = Answer<T>> + Send>>;

/// The head of an upload, before its body is read. The lengths of header and body are the caller's claims: the handler
/// holds them against what it computed itself, and refuses or takes exactly as many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What the body is, signed by the site; opaque here.
    pub header: Bytes,
    /// Exact bytes of the body.
    pub len: u64,
    /// SHA-256 of the body.
    pub digest: Digest,
}

/// Where an upload's body goes. Dropped before [`finish`](Intake::finish), it leaves nothing behind.
pub trait Intake<T>: Send {
    /// Takes the next bytes. Called on a thread that may block.
    ///
    /// # Errors
    /// A refusal ends the upload: the disk is full, the contents are no such thing.
    fn write(&mut self, bytes: &[u8]) -> Answer<()>;

    /// Called once, when as many bytes as announced have come and their digest is the announced one. What it returns
    /// goes to the caller as the acknowledgement, so it must be durable by then.
    fn finish(self: Box<Self>) -> Finishing<T>;
}

/// What becomes of an announced upload.
pub enum Uptake<T> {
    /// Send the body.
    Take(Box<dyn Intake<T>>),
    /// It is here already; the answer is the one given then.
    Already(T),
}

/// A blob on its way out.
pub struct Source {
    /// Exact bytes.
    pub len: u64,
    /// SHA-256 of them.
    pub digest: Digest,
    /// The bytes. Read on a thread that may block.
    pub bytes: Box<dyn Read + Send>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("len", &self.len).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Documents on their way out, one after the other.
pub type Documents = mpsc::Receiver<Answer<Bytes>>;

/// The first call of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The caller's program.
    pub software: String,
    /// The study that the caller believes in.
    pub study: Option<Digest>,
    /// Whether the caller has that study, and does without it in the answer: a thousand sites' keys are megabytes.
    pub has_study: bool,
}

/// What a site gets for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// This program.
    pub software: String,
    /// This clock, milliseconds since 1970.
    pub now_ms: u64,
    /// The study in its canonical form.
    pub study: Bytes,
}

/// Something to do, as it reaches a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errand {
    /// The task; opaque here.
    pub task: Bytes,
    /// Small blobs that it needs, which are not fetched then. Whoever gets them names them itself.
    pub blobs: Vec<Bytes>,
}

/// A coordinator behind the sockets. Every call names the peer by the key of its certificate; whether that key may do
/// what it asks is decided here.
#[tonic::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// A site says hello.
    async fn join(&self, peer: Peer, join: Join) -> Answer<Joined>;

    /// A site asks for something to do and is willing to wait this long; `state` is what it says of itself.
    async fn next(&self, peer: Peer, state: Bytes, wait: Duration) -> Answer<Option<Errand>>;

    /// Somebody wants a blob of this digest and length.
    async fn fetch(&self, peer: Peer, digest: Digest, len: u64) -> Answer<Source>;

    /// A site announces an upload.
    async fn submit(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Bytes>>;

    /// An administrator's call with an answer.
    async fn command(&self, peer: Peer, command: Command, document: Bytes) -> Answer<Bytes>;

    /// An administrator's call with a row of answers.
    async fn stream(&self, peer: Peer, stream: Stream, document: Bytes) -> Answer<Documents>;

    /// An asker wants to know how a head is asked.
    async fn offer(&self, peer: Peer, document: Bytes) -> Answer<Bytes> {
        let _ = (peer, document);
        Err(not_offered("predictions"))
    }

    /// An asker announces its evaluation keys.
    async fn put_keys(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Bytes>> {
        let _ = (peer, upload);
        Err(not_offered("predictions"))
    }

    /// An asker announces encrypted tokens; the answer is encrypted as well.
    async fn infer(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Source>> {
        let _ = (peer, upload);
        Err(not_offered("predictions"))
    }

    /// A call was refused, for this cause: by the handler itself, or before it was asked. `handshake` stands for a connection that
    /// came to no call.
    fn refused(&self, call: &'static str, refusal: &Refusal) {
        let _ = (call, refusal);
    }

    /// Whether the service does its work.
    async fn healthy(&self) -> bool {
        true
    }
}

/// An administrator's call with one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Puts a job in the queue.
    SubmitJob,
    /// All jobs, or one.
    ListJobs,
    /// Ends a job without a result.
    AbortJob,
    /// How each site was last heard.
    ListSites,
    /// Sees the roster, proposes a change of it, says a word on one: a site's call, too.
    Roster,
    /// What askers may do, and have done.
    Quotas,
}

/// An administrator's call with a row of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// A job's events until it ends.
    WatchJob,
    /// The records of the audit log.
    Log,
}

impl Command {
    /// The call's name, as in messages and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubmitJob => "submit-job",
            Self::ListJobs => "list-jobs",
            Self::AbortJob => "abort-job",
            Self::ListSites => "list-sites",
            Self::Roster => "roster",
            Self::Quotas => "quotas",
        }
    }
}

impl Stream {
    /// The call's name, as in messages and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WatchJob => "watch-job",
            Self::Log => "log",
        }
    }
}

fn not_offered(what: &str) -> Refusal {
    Refusal::new(Class::Missing, "not-offered", format!("this coordinator does not offer {what}"))
}
