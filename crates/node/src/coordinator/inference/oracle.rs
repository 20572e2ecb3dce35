//! Questions to heads in the clear, at the coordinator: it offers plans, keeps askers' evaluation keys, counts tokens before they are
//! answered, and evaluates, a few questions at a time.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::super::hands::Hands;
use super::super::refusal::{self, internal};
use super::asked::{exact, in_batch, misplaced, no_head, wish};
use super::evaluating::Evaluating;
use super::heads::{HeadReader, Heads, Offered};
use super::kept::Kept;
use super::usage::Usage;
use crate::documents::{Quotas, Wish};
use crate::error::Result;
use crate::kit::InferenceSettings;
use crate::system;
use blindscope_federation::{Blob, Coordinator, JobId, JobStatus};
use blindscope_store::{BlobStore, Home, Unfinished};
use blindscope_transport::{Answer, Class, Finishing, Intake, Peer, PeerId, Refusal, Source, Upload, Uptake};

/// Longest result that may hold a head: the update of a whole ViT-B ends in one.
pub(super) const MAX_HEAD: u64 = 512 << 20;
/// Most bytes of all askers' keys.
const MAX_KEYS: u64 = 16 << 30;

/// Answers encrypted questions.
pub(in crate::coordinator) struct Oracle {
    settings: InferenceSettings,
    heads: Heads,
    kept: Arc<Kept>,
    usage: Arc<Usage>,
    results: BlobStore,
    /// One evaluation a core of this machine.
    turns: Arc<Semaphore>,
    hands: Hands,
}

impl Oracle {
    /// The oracle whose keys, counts and results are kept at `home`.
    pub(in crate::coordinator) fn open(
        settings: InferenceSettings,
        read: HeadReader,
        home: &Home,
        hands: Hands,
    ) -> Result<Self> {
        let kept = Kept::open(home, settings.keys_each as usize, MAX_KEYS)?;
        let usage = Usage::open(home.document("usage.json"), &settings)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let heads = Heads::new(read, settings.batch, settings.precision);
        let (kept, usage, turns) = (Arc::new(kept), Arc::new(usage), Arc::new(Semaphore::new(cores)));
        Ok(Self { settings, heads, kept, usage, results: home.blobs.clone(), turns, hands })
    }

    /// The plan of a job's head, for an asker.
    pub(in crate::coordinator) fn offer(&self, now: &Coordinator, job: &str) -> Answer<Bytes> {
        Ok(self.offered(now, job)?.bytes.clone())
    }

    /// How a job's head wants the tiles of a slide pooled, for an asker; nothing where it takes tiles as they are.
    pub(in crate::coordinator) fn pooling(&self, now: &Coordinator, job: &str) -> Answer<Bytes> {
        Ok(self.offered(now, job)?.pooling.clone())
    }

    /// Takes an asker's evaluation keys.
    pub(in crate::coordinator) fn put_keys(
        &self,
        now: &Coordinator,
        peer: Peer,
        upload: &Upload,
    ) -> Answer<Uptake<Bytes>> {
        let wish = wish(&upload.header)?;
        let Wish::Head { job } = &wish else { return Err(misplaced("put-keys", &wish)) };
        let offered = self.offered(now, job)?;
        let keys = Blob { digest: upload.digest, len: upload.len };
        exact("put-keys", offered.plan.keys_len() as u64, upload.len)?;
        if self.kept.owns(peer.id, &keys) {
            return Ok(Uptake::Already(Bytes::new()));
        }
        let unfinished = self.kept.begin(keys.len)?;
        Ok(Uptake::Take(Box::new(Keys { kept: self.kept.clone(), peer, blob: keys, unfinished })))
    }

    /// Takes a question of so many tokens to a job's head, and answers it.
    pub(in crate::coordinator) fn infer(
        &self,
        now: &Coordinator,
        peer: Peer,
        (job, keys, tokens): (&str, Blob, usize),
        upload: &Upload,
    ) -> Answer<Uptake<Source>> {
        let offered = self.offered(now, job)?;
        in_batch(&offered.plan, tokens)?;
        exact("infer", offered.plan.upload_len(tokens) as u64, upload.len)?;
        if !self.kept.owns(peer.id, &keys) {
            let message = "infer: the coordinator has no such keys of this asker; send them first";
            return Err(Refusal::new(Class::Missing, "no-keys", message));
        }
        let (kept, usage, turns) = (self.kept.clone(), self.usage.clone(), self.turns.clone());
        let (hands, results) = (self.hands.clone(), self.results.clone());
        let of = (self.settings.batch, self.settings.precision);
        let asked = Evaluating { offered, kept, results, of, keys, bytes: Bytes::new() };
        let bytes = Vec::with_capacity(upload.len as usize);
        Ok(Uptake::Take(Box::new(Question { asked, usage, turns, hands, peer, tokens, bytes })))
    }

    /// The job of a head that the settings release, by its name.
    pub(super) fn released(&self, now: &Coordinator, name: &str) -> Answer<JobId> {
        if !self.settings.jobs.iter().any(|released| released == name) {
            return Err(no_head(name, "the coordinator's settings do not release it"));
        }
        now.job_named(name).ok_or_else(|| no_head(name, "there is no such job"))
    }

    /// Questions of one asker to encrypted heads at a time.
    pub(super) fn questions_each(&self) -> u32 {
        self.settings.questions_each
    }

    /// What askers may do, and have done, each under the name that `names` has for its key.
    pub(in crate::coordinator) fn quotas(&self, names: &HashMap<PeerId, String>, now_ms: u64) -> Quotas {
        let (study, mut askers) = self.usage.answered(now_ms);
        for (key, _) in &mut askers {
            if let Some((_, name)) = names.iter().find(|(id, _)| id.to_string() == *key) {
                key.clone_from(name);
            }
        }
        Quotas { limits: Some(self.settings.clone()), study, askers }
    }

    /// Where tokens are counted before they are answered.
    pub(in crate::coordinator) fn usage(&self) -> Arc<Usage> {
        self.usage.clone()
    }

    fn offered(&self, now: &Coordinator, name: &str) -> Answer<Arc<Offered>> {
        let id = self.released(now, name)?;
        let missing = |why: &str| no_head(name, why);
        let job = now.job(id).ok_or_else(|| missing("there is no such job"))?;
        let JobStatus::Done { result } = job.status else { return Err(missing("the job is not done")) };
        if let Some(ready) = self.heads.ready(job.id) {
            return Ok(ready);
        }
        let bytes = self.results.read(&result, MAX_HEAD).map_err(|e| refusal::store(&e))?;
        let spec = now.spec(job.id).ok_or_else(|| missing("there is no such job"))?;
        tokio::task::block_in_place(|| self.heads.make(job.id, (spec, result), &bytes))
            .map_err(|e| missing(&e.to_string()))
    }
}

struct Keys {
    kept: Arc<Kept>,
    peer: Peer,
    blob: Blob,
    unfinished: Unfinished,
}

impl Intake<Bytes> for Keys {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.unfinished.push(bytes).map_err(|e| refusal::store(&e))
    }

    fn finish(self: Box<Self>) -> Finishing<Bytes> {
        Box::pin(async move {
            let Self { kept, peer, blob, unfinished } = *self;
            let keeping = tokio::task::spawn_blocking(move || kept.keep(peer.id, blob, unfinished));
            keeping.await.map_err(|e| internal(&e))??;
            Ok(Bytes::new())
        })
    }
}

struct Question {
    asked: Evaluating,
    usage: Arc<Usage>,
    turns: Arc<Semaphore>,
    hands: Hands,
    peer: Peer,
    tokens: usize,
    bytes: Vec<u8>,
}

impl Intake<Source> for Question {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Finishing<Source> {
        Box::pin(async move {
            self.asked.bytes = std::mem::take(&mut self.bytes).into();
            let (turns, hands) = (self.turns.clone(), self.hands.clone());
            let counting = tokio::task::spawn_blocking(move || self.counted());
            let question = Arc::new(counting.await.map_err(|e| internal(&e))??);
            if let Some(answer) = hands.answer(&question).await {
                return Ok(source(answer));
            }
            let turn = turns.acquire_owned().await.map_err(|e| internal(&e))?;
            let evaluating = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                question.answer()
            });
            let answer = evaluating.await.map_err(|e| internal(&e))??;
            Ok(source(answer.into()))
        })
    }
}

fn source(answer: Bytes) -> Source {
    let Blob { digest, len } = Blob::of(&answer);
    Source { len, digest, bytes: Box::new(std::io::Cursor::new(answer)) }
}

impl Question {
    /// The question, once its tokens are counted. Blocks for the disk.
    fn counted(self) -> Answer<Evaluating> {
        let question = self.asked;
        // Keys that are none cost their asker nothing.
        question.decoded()?;
        let plan = &question.offered.plan;
        let refuse = |e: &dyn std::fmt::Display| Refusal::new(Class::Invalid, "bad-question", e.to_string());
        let found = blindscope_classify::announced(plan, &question.bytes).map_err(|e| refuse(&e))?;
        if found != self.tokens {
            return Err(refuse(&format!("it holds {found} tokens, {} were announced", self.tokens)));
        }
        // What an answer can carry is counted: an asker may fill places that it does not announce.
        self.usage.count(self.peer.id, plan.capacity(found) as u64, system::now_ms())?;
        Ok(question)
    }
}
