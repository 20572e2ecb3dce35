//! The calls of sites and administrators.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::callers::{Caller, Callers};
use super::desk::Desk;
use super::inference::{Oracle, Questions, misplaced, wish};
use super::{admin, refusal, uploads};
use crate::documents::{Machine, Presence, REFUSED, Room, Wish};
use crate::system;
use blindscope_federation::{Blob, JobKind, JobStatus, JobView, SiteId, Task};
use blindscope_transport::{
    Answer, Class, Command, Documents, Errand, Handler, Join, Joined, Peer, Refusal, Source, Stream, Upload,
    Uptake,
};
use blindscope_wire::Digest;

/// The coordinator behind the sockets.
pub(super) struct Coordinating {
    pub(super) desk: Arc<Desk>,
    pub(super) callers: Callers,
    /// `study.toml`, byte for byte.
    pub(super) study_file: Bytes,
    /// Encrypted predictions, if the settings offer them.
    pub(super) oracle: Option<Oracle>,
    /// Encrypted heads that are ready to be asked.
    pub(super) questions: Arc<Questions>,
}

#[blindscope_transport::async_trait]
impl Handler for Coordinating {
    async fn join(&self, peer: Peer, join: Join) -> Answer<Joined> {
        let caller = self.callers.known(peer)?;
        let study = self.desk.now().study().digest();
        if let Some(found) = join.study.filter(|found| *found != study) {
            let message = format!(
                "join: this is study {}, the caller's is {}; install the newest kit",
                study.fingerprint(),
                found.fingerprint()
            );
            return Err(Refusal::new(Class::Conflict, "wrong-study", message));
        }
        tracing::info!(?caller, software = %join.software, address = %peer.address, "joined");
        let software = env!("CARGO_PKG_VERSION").to_owned();
        let known = join.has_study && join.study == Some(study);
        let study = if known { Bytes::new() } else { self.study_file.clone() };
        Ok(Joined { software, now_ms: system::now_ms(), study })
    }

    async fn next(&self, peer: Peer, state: Bytes, wait: Duration) -> Answer<Option<Errand>> {
        let site = self.callers.site(peer)?;
        if state == REFUSED {
            tracing::warn!(%site, "a site has ended at its start; its own log says why");
            self.desk.presences.hear(site, Presence::Refused, Machine::default());
            return Ok(None);
        }
        self.desk.presences.hear(site, Presence::Asks, Machine::of(&state, system::now_ms()));
        let room = Room::of(&state);
        Ok(tokio::time::timeout(wait, self.task(site, &room)).await.ok().flatten())
    }

    async fn fetch(&self, peer: Peer, digest: Digest, len: u64) -> Answer<Source> {
        let now = self.desk.now();
        let allowed = match self.callers.known(peer)? {
            Caller::Site(site) => now.may_fetch(site, &digest) || now.may_ask_for(&digest),
            Caller::Admin => now.jobs().iter().any(|job| is_result(job, &digest)),
            Caller::Asker => now.may_ask_for(&digest),
        };
        let blob = Blob { digest, len };
        if !allowed {
            let message = format!("fetch: {blob} is nothing that this caller needs now");
            return Err(Refusal::new(Class::Missing, "no-blob", message));
        }
        let bytes = self.desk.blobs.reader(&blob).map_err(|e| refusal::store(&e))?;
        Ok(Source { len, digest, bytes: Box::new(bytes) })
    }

    async fn submit(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Bytes>> {
        let site = self.callers.site(peer)?;
        uploads::admit(&self.desk, site, &upload)
    }

    async fn command(&self, peer: Peer, command: Command, document: Bytes) -> Answer<Bytes> {
        match command {
            Command::ListJobs => self.callers.reader(peer)?,
            Command::SubmitJob | Command::AbortJob | Command::ListSites => self.callers.admin(peer)?,
            Command::Roster => {
                return super::roster::call(&self.desk, (&self.callers, peer), &document).await;
            }
            Command::Quotas => {
                self.callers.admin(peer)?;
                return self.quotas();
            }
        }
        admin::command(&self.desk, command, &document).await
    }

    async fn stream(&self, peer: Peer, stream: Stream, document: Bytes) -> Answer<Documents> {
        match stream {
            Stream::WatchJob | Stream::Log => self.callers.reader(peer)?,
        }
        admin::stream(&self.desk, stream, &document)
    }

    async fn offer(&self, peer: Peer, document: Bytes) -> Answer<Bytes> {
        let oracle = self.oracle(peer)?;
        match wish(&document)? {
            Wish::Head { job } => oracle.offer(&self.desk.now(), &job),
            Wish::Pooling { job } => oracle.pooling(&self.desk.now(), &job),
            Wish::EncryptedHead { job } => self.questions.offer(&self.desk, oracle, &job),
            Wish::Progress { question } => Questions::progress(&self.desk, question),
            other => Err(misplaced("offer", &other)),
        }
    }

    async fn put_keys(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Bytes>> {
        self.oracle(peer)?.put_keys(&self.desk.now(), peer, &upload)
    }

    async fn infer(&self, peer: Peer, upload: Upload) -> Answer<Uptake<Source>> {
        let oracle = self.oracle(peer)?;
        match wish(&upload.header)? {
            Wish::Answers { job, keys, tokens } => {
                oracle.infer(&self.desk.now(), peer, (&job, keys, tokens), &upload)
            }
            Wish::EncryptedAnswers { job, tokens, holders, avoided } => {
                let asked = (&*job, tokens, (holders, avoided));
                Questions::infer(&self.questions, &self.desk, oracle, peer, asked, &upload)
            }
            other => Err(misplaced("infer", &other)),
        }
    }
}

impl Coordinating {
    fn oracle(&self, peer: Peer) -> Answer<&Oracle> {
        self.callers.asker(peer)?;
        self.oracle.as_ref().ok_or_else(|| {
            let message =
                "this coordinator offers no predictions: the table inference is not in its settings";
            Refusal::new(Class::Missing, "not-offered", message)
        })
    }

    /// What askers may do, and have done.
    fn quotas(&self) -> Answer<Bytes> {
        let names = self.callers.names(self.desk.now().study())?;
        let quotas = self.oracle.as_ref().map(|oracle| oracle.quotas(&names, system::now_ms()));
        let document = serde_json::to_vec(&quotas.unwrap_or_default()).map_err(|e| refusal::internal(&e))?;
        Ok(document.into())
    }

    /// Small blobs that a sum's task needs. What cannot be read here is fetched, or said to be missing then.
    fn with_it(&self, task: &Task) -> Vec<Bytes> {
        let mut left = WITH_IT.1;
        let inputs = if task.spec.kind.is_sum() { task.inputs() } else { Vec::new() };
        let small = inputs.into_iter().filter(|blob| {
            let goes = blob.len <= WITH_IT.0.min(left);
            left -= if goes { blob.len } else { 0 };
            goes
        });
        small.filter_map(|blob| self.desk.blobs.read(&blob, WITH_IT.0).ok().map(Bytes::from)).collect()
    }

    /// The site's next task, as soon as there is one; `None` when the service ends, or the roster awaits the site's word.
    async fn task(&self, site: SiteId, room: &Room) -> Option<Errand> {
        let mut state = self.desk.watch();
        loop {
            let now = state.borrow_and_update().clone();
            if let Some(task) =
                now.task_among(site, |job, spec| room.has(job, spec.kind == JobKind::Question))
            {
                return Some(Errand { blobs: self.with_it(&task), task: task.to_bytes().into() });
            }
            // Whoever has a word to say on the roster asks about it when there is nothing else; who has left hears that.
            if now.awaits_word(site, room.seen()) || now.study().place(site).is_none() {
                return None;
            }
            state.changed().await.ok()?;
        }
    }
}

/// Longest blob that goes with a task, and most bytes of all of them: a site that has one already gets it for nothing.
const WITH_IT: (u64, u64) = (32 << 10, 64 << 10);

fn is_result(job: &JobView, digest: &Digest) -> bool {
    matches!(&job.status, JobStatus::Done { result } if result.digest == *digest)
}
