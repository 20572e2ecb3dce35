//! Questions to encrypted heads: taken as an asker dealt them, and made a job. Sites encrypt the shares, the coordinator adds them up
//! and evaluates, sites evaluate again and re-encrypt the answer to whoever asked.
//!
//! What an asker sent is on the disk before its job is in the log. What is not submitted is forgotten: the asker asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rand_core::Rng as _;

use super::super::desk::Desk;
use super::super::refusal;
use super::asked::{exact, in_batch, no_head};
use super::oracle::Oracle;
use super::places::{Place, Places};
use super::usage::Usage;
use crate::documents::{Asked, EncryptedOffer};
use crate::system;
use blindscope_ckks::codec;
use blindscope_classify::Plan;
use blindscope_federation::{
    Blob, Circuit, Coordinator, Input, JobId, JobKind, JobSpec, JobStatus, LearnError, Line, Question,
    SiteId, Sizes, Study, payload,
};
use blindscope_learn::jobs::CommonHead;
use blindscope_transport::{Answer, Class, Finishing, Intake, Peer, PeerId, Refusal, Source, Upload, Uptake};
use blindscope_wire::{Digest, Hasher};

/// Plans that are kept ready.
const READY: usize = 8;
/// Longest result that a head starts from.
const MAX: u64 = 4 << 30;

/// Why a head of an earlier release is not asked any more.
const FORMER: &str = "it was learned as earlier releases did it, of ciphertexts that each site made itself: one site and an asker may read the key \
     in its answers; make a new key and learn the head anew";

/// How encrypted heads are asked, by the job that made them.
#[derive(Default)]
pub(in crate::coordinator) struct Questions {
    ready: Mutex<BTreeMap<JobId, Arc<Offered>>>,
    /// Uploads of each asker that are no questions yet.
    places: Arc<Places>,
}

/// A head that can be asked.
struct Offered {
    head: JobId,
    key: JobId,
    circuit: Circuit,
    public_key: Blob,
    plan: Plan,
}

impl Questions {
    /// How far a question is.
    pub(in crate::coordinator) fn progress(desk: &Desk, question: JobId) -> Answer<Bytes> {
        let view = desk.now().job(question).filter(|view| view.kind == JobKind::Question);
        let gone =
            || Refusal::new(Class::Missing, "no-question", "infer: there is no such question; ask again");
        json(&view.ok_or_else(gone)?)
    }

    /// How a job's encrypted head is asked.
    pub(in crate::coordinator) fn offer(&self, desk: &Desk, oracle: &Oracle, job: &str) -> Answer<Bytes> {
        let now = desk.now();
        let offered = self.offered(desk, &now, oracle, job)?;
        let plan = offered.plan.to_bytes().map_err(|e| refusal::internal(&e))?;
        let plan = String::from_utf8(plan).map_err(|e| refusal::internal(&e))?;
        let (public_key, ceremony, head) = (offered.public_key, offered.key, offered.head);
        let count = payload::holding(now.study()).map_err(|e| no_head(job, &e.to_string()))?.holders();
        let holders = desk.presences.newest(now.study(), count);
        json(&EncryptedOffer { plan, public_key, ceremony, confirmed: now.confirmed(), head, holders })
    }

    /// Takes an asker's public key, and a question of so many tokens to a job's head, as it was dealt to these holders.
    pub(in crate::coordinator) fn infer(
        this: &Arc<Self>,
        desk: &Arc<Desk>,
        oracle: &Oracle,
        peer: Peer,
        (job, tokens, (holders, avoided)): (&str, usize, (Vec<SiteId>, Vec<SiteId>)),
        upload: &Upload,
    ) -> Answer<Uptake<Source>> {
        let offered = this.offered(desk, &desk.now(), oracle, job)?;
        in_batch(&offered.plan, tokens)?;
        let pieces = offered.plan.pieces(tokens) as u32;
        let lengths = payload::question_lengths(desk.now().study(), &offered.circuit, pieces);
        let lengths = lengths.map_err(|e| no_head(job, &e.to_string()))?;
        exact("infer", lengths.iter().sum(), upload.len)?;
        let line = line_of(desk.now().study(), peer.id);
        // From here on the question counts, however many more uploads its asker begins before this one is here.
        let place = Places::take(&this.places, desk, line, oracle.questions_each())?;
        let (desk, usage) = (desk.clone(), oracle.usage());
        let bytes = Vec::with_capacity(upload.len as usize);
        Ok(Uptake::Take(Box::new(Asking {
            line,
            place,
            offered,
            desk,
            usage,
            peer,
            lengths,
            holders,
            avoided,
            tokens,
            pieces,
            bytes,
        })))
    }

    fn offered(&self, desk: &Desk, now: &Coordinator, oracle: &Oracle, name: &str) -> Answer<Arc<Offered>> {
        let id = oracle.released(now, name)?;
        if now.spec(id).is_some_and(JobSpec::is_former_head) {
            return Err(no_head(name, FORMER));
        }
        let head = now.encrypted_head(id);
        head.ok_or_else(|| no_head(name, "no encrypted head under the key in use came of it yet"))?;
        let key = now.inference_key().ok_or_else(|| no_head(name, "there is no inference key"))?;
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = ready.get(&id).filter(|found| found.key == key.ceremony) {
            return Ok(found.clone());
        }
        let made = tokio::task::block_in_place(|| {
            let spec = now.spec(id).ok_or("its file is gone")?;
            let start = start(now, spec).ok_or("what it starts from is gone")?;
            let plan = CommonHead::of(spec, &desk.blobs.read(&start, MAX)?)?.plan;
            let (circuit, public_key) = (key.circuit.clone(), key.public_key);
            Ok(Offered { head: id, key: key.ceremony, circuit, public_key, plan })
        });
        let made = Arc::new(made.map_err(|e: LearnError| no_head(name, &e.to_string()))?);
        if ready.len() >= READY {
            ready.pop_first();
        }
        ready.insert(id, made.clone());
        Ok(made)
    }
}

/// The result that a job started from.
fn start(now: &Coordinator, spec: &JobSpec) -> Option<Blob> {
    match now.job(now.job_named(spec.start.as_deref()?)?)?.status {
        JobStatus::Done { result } => Some(result),
        _ => None,
    }
}

fn json(value: &impl serde::Serialize) -> Answer<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| refusal::internal(&e))
}

struct Asking {
    line: Line,
    /// Kept until the question is in the log, or is none.
    place: Place,
    offered: Arc<Offered>,
    desk: Arc<Desk>,
    usage: Arc<Usage>,
    peer: Peer,
    /// Bytes of the asker's public key, the remainder and the dealt seeds, in this order.
    lengths: [u64; 3],
    holders: Vec<SiteId>,
    avoided: Vec<SiteId>,
    tokens: usize,
    pieces: u32,
    bytes: Vec<u8>,
}

impl Intake<Source> for Asking {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Finishing<Source> {
        Box::pin(async move {
            let (desk, line) = (self.desk.clone(), self.line);
            // A task of its own: a call that is cut must not let a blob be deleted between its arrival and its job's record.
            let asking = tokio::spawn(async move {
                let _hold = desk.blobs.hold(&[]);
                let keeping = tokio::task::spawn_blocking(move || {
                    let spec = self.keep();
                    (spec, self.place)
                });
                let (spec, _place) = keeping.await.map_err(|e| refusal::internal(&e))?;
                let spec = spec?;
                let sizes = Sizes::of(desk.now().study(), &spec).map_err(|e| bad(&e))?;
                let done = desk.handle(Input::Ask { spec, sizes, line }).await?;
                done.job.ok_or_else(|| refusal::internal(&"a question without a job"))
            });
            let question = asking.await.map_err(|e| refusal::internal(&e))??;
            let receipt = serde_json::to_vec(&Asked { question }).map_err(|e| refusal::internal(&e))?;
            let Blob { digest, len } = Blob::of(&receipt);
            Ok(Source { len, digest, bytes: Box::new(std::io::Cursor::new(receipt)) })
        })
    }
}

/// The line that an asker's questions stand in. The log tells whether two questions have one asker, and not who that is to somebody who
/// does not know the certificates.
fn line_of(study: &Study, peer: PeerId) -> Line {
    let mut h = Hasher::new("blindscope/node/line/v1");
    Line(h.absorb(&study.digest().0).absorb(&peer.0).finish())
}

fn bad(e: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Class::Invalid, "bad-question", e.to_string())
}

impl Asking {
    /// Counts the question, keeps what was sent and names the job.
    fn keep(&self) -> Answer<JobSpec> {
        let Offered { head, circuit, plan, .. } = &*self.offered;
        let [asker, remainder, _] = self.lengths.map(|len| len as usize);
        let short = || bad(&"it is shorter than announced");
        let (asker, rest) = self.bytes.split_at_checked(asker).ok_or_else(short)?;
        let (remainder, dealt) = rest.split_at_checked(remainder).ok_or_else(short)?;
        codec::decode_public_key(plan.params(), asker).map_err(|e| bad(&e))?;
        // What an answer can carry is counted, not what the asker says it holds.
        self.usage.count(self.peer.id, plan.capacity(self.tokens) as u64, system::now_ms())?;
        let keep = |bytes: &[u8]| self.desk.blobs.keep(bytes).map_err(|e| refusal::store(&e));
        let (asker, remainder, dealt) = (keep(asker)?, keep(remainder)?, keep(dealt)?);
        let mut masks = Digest([0; 32]);
        system::rng().map_err(|e| refusal::internal(&e))?.fill_bytes(&mut masks.0);
        let question = Question {
            head: *head,
            asker,
            remainder,
            dealt,
            holders: self.holders.clone(),
            tokens: self.tokens as u32,
            pieces: self.pieces,
            ciphertexts: plan.answer_pieces(self.tokens) as u32,
            masks,
            avoided: self.avoided.clone(),
        };
        let name = format!("question-{}", question.digest().fingerprint());
        let (circuit, question) = (Some(Box::new(circuit.clone())), Some(Box::new(question)));
        let spec = JobSpec { kind: JobKind::Question, circuit, question, ..JobSpec::named(&name) };
        spec.checked().map_err(|e| bad(&e))
    }
}
