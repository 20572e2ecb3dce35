//! Questions to encrypted heads: evaluated here, ciphertext by ciphertext, then a job for the sites, who re-encrypt the answer to
//! whoever asked.
//!
//! An answer is on the disk before its job is in the log. What is evaluated and not submitted is forgotten: the asker asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use blindscope_ckks::{Level, codec};
use blindscope_classify::{EncryptedHead, EvaluationKeys, Plan, Server};
use blindscope_federation::{
    Blob, Circuit, Coordinator, Input, JobId, JobKind, JobSpec, JobStatus, LearnError, Question, Sizes,
    payload,
};
use blindscope_transport::{Admission, Answer, Class, Finishing, Intake, Peer, Refusal, Source, Upload};
use bytes::Bytes;

use super::super::desk::Desk;
use super::super::refusal;
use super::oracle::{Oracle, exact};
use super::usage::Usage;
use crate::documents::{Asked, EncryptedOffer, Wish};
use crate::system;
use blindscope_learn::jobs::Agreed;

/// Heads that are kept ready.
const READY: usize = 2;
/// Longest result that a head starts from, longest head and longest evaluation keys.
const MAX: u64 = 4 << 30;

/// Encrypted heads by the job that made them.
#[derive(Default)]
pub(in crate::coordinator) struct Questions {
    ready: Mutex<BTreeMap<JobId, Arc<Offered>>>,
}

/// A head that is ready to be asked.
struct Offered {
    head: JobId,
    key: JobId,
    circuit: Circuit,
    public_key: Blob,
    plan: Plan,
    server: Server,
    keys: EvaluationKeys,
}

impl Questions {
    /// How an encrypted head is asked, or how far a question is.
    pub(in crate::coordinator) fn offer(&self, desk: &Desk, oracle: &Oracle, wish: &Wish) -> Answer<Bytes> {
        let now = desk.now();
        if let Some(question) = wish.question {
            let view = now.job(question).filter(|view| view.kind == JobKind::Question);
            return json(&view.ok_or_else(|| missing("infer", "there is no such question"))?);
        }
        let offered = self.offered(desk, &now, oracle, &wish.job)?;
        let plan = offered.plan.to_bytes().map_err(|e| refusal::internal(&e))?;
        let plan = String::from_utf8(plan).map_err(|e| refusal::internal(&e))?;
        let (public_key, ceremony) = (offered.public_key, offered.key);
        json(&EncryptedOffer { plan, public_key, ceremony, confirmed: now.confirmed() })
    }

    /// Takes an asker's public key and encrypted tokens.
    pub(in crate::coordinator) fn infer(
        this: &Arc<Self>,
        desk: &Arc<Desk>,
        oracle: &Oracle,
        peer: Peer,
        (wish, upload): (&Wish, &Upload),
    ) -> Answer<Admission<Source>> {
        let offered = this.offered(desk, &desk.now(), oracle, &wish.job)?;
        let (tokens, most) = (wish.tokens, offered.plan.literal().batch);
        if !(1..=most).contains(&tokens) {
            let message = format!("infer: {tokens} tokens in a question, 1 to {most} are taken");
            return Err(Refusal::new(Class::Invalid, "batch", message).fact("most", most as u64));
        }
        let own = codec::public_key_len(offered.plan.params());
        exact("infer", own + offered.plan.upload_len(tokens), upload.len)?;
        let (desk, usage, oracle) = (desk.clone(), oracle.usage(), oracle.turns());
        let bytes = Vec::with_capacity(upload.len as usize);
        Ok(Admission::Take(Box::new(Asking {
            offered,
            desk,
            usage,
            turns: oracle,
            peer,
            own,
            tokens,
            bytes,
        })))
    }

    fn offered(&self, desk: &Desk, now: &Coordinator, oracle: &Oracle, name: &str) -> Answer<Arc<Offered>> {
        if !oracle.releases(name) {
            return Err(missing(name, "the coordinator's settings do not release it"));
        }
        let id = now.job_named(name).ok_or_else(|| missing(name, "there is no such job"))?;
        let head = now.encrypted_head(id);
        let head =
            head.ok_or_else(|| missing(name, "no encrypted head under the key in use came of it yet"))?;
        let key = now.inference_key().ok_or_else(|| missing(name, "there is no inference key"))?;
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = ready.get(&id).filter(|found| found.key == key.ceremony) {
            return Ok(found.clone());
        }
        let made = tokio::task::block_in_place(|| {
            let spec = now.spec(id).ok_or("its file is gone")?;
            let start = start(now, spec).ok_or("what it starts from is gone")?;
            let agreed = Agreed::of(spec, &desk.blobs.read(&start, MAX)?)?;
            let levels: Vec<Level> = agreed.levels()?.into_iter().map(|l| Level(l as usize)).collect();
            let bytes = desk.blobs.read(&head.sum, MAX)?;
            let first = payload::read_ciphertexts(&desk.study, &key.circuit, &levels, &bytes)?;
            let first = EncryptedHead::from_ciphertexts(&agreed.plan, first)?;
            let server = Server::encrypted(&agreed.served(head.committed.len())?, &agreed.plan, first)?;
            let bytes = desk.blobs.read(&key.evaluation_keys, MAX)?;
            let (galois, relin) = payload::read_evaluation_keys(&desk.study, &key.circuit, &bytes)?;
            let keys = EvaluationKeys { galois, relin: Some(relin), ring_switch: None };
            let (circuit, public_key, plan) = (key.circuit.clone(), key.public_key, agreed.plan);
            Ok(Offered { head: id, key: key.ceremony, circuit, public_key, plan, server, keys })
        });
        let made = Arc::new(made.map_err(|e: LearnError| missing(name, &e.to_string()))?);
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

fn missing(name: &str, why: &str) -> Refusal {
    Refusal::new(Class::Missing, "no-head", format!("no encrypted head of {name} is offered: {why}"))
}

fn json(value: &impl serde::Serialize) -> Answer<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| refusal::internal(&e))
}

struct Asking {
    offered: Arc<Offered>,
    desk: Arc<Desk>,
    usage: Arc<Usage>,
    turns: Arc<tokio::sync::Semaphore>,
    peer: Peer,
    /// Bytes of the asker's public key, which stand first.
    own: usize,
    tokens: usize,
    bytes: Vec<u8>,
}

impl Intake<Source> for Asking {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Finishing<Source> {
        Box::pin(async move {
            let desk = self.desk.clone();
            let turn = self.turns.clone().acquire_owned().await.map_err(|e| refusal::internal(&e))?;
            // A task of its own: a call that is cut must not let a blob be deleted between its arrival and its job's record.
            let asking = tokio::spawn(async move {
                let _arrival = desk.arrivals.read().await;
                let evaluating = tokio::task::spawn_blocking(move || {
                    let _turn = turn;
                    self.evaluate()
                });
                let spec = evaluating.await.map_err(|e| refusal::internal(&e))??;
                let sizes = Sizes::of(&desk.study, &spec).map_err(|e| refusal::internal(&e))?;
                let done = desk.handle(Input::Submit { spec, sizes }).await?;
                done.job.ok_or_else(|| refusal::internal(&"a question without a job"))
            });
            let question = asking.await.map_err(|e| refusal::internal(&e))??;
            let receipt = serde_json::to_vec(&Asked { question }).map_err(|e| refusal::internal(&e))?;
            let Blob { digest, len } = Blob::of(&receipt);
            Ok(Source { len, digest, bytes: Box::new(std::io::Cursor::new(receipt)) })
        })
    }
}

impl Asking {
    /// Evaluates the question, keeps its answer and who asked, and names the job.
    fn evaluate(&self) -> Answer<JobSpec> {
        let bad = |e: &dyn std::fmt::Display| Refusal::new(Class::Invalid, "bad-question", e.to_string());
        let Offered { head, circuit, plan, server, keys, .. } = &*self.offered;
        let Some((asker, question)) = self.bytes.split_at_checked(self.own) else {
            return Err(bad(&"it is shorter than a public key"));
        };
        codec::decode_public_key(plan.params(), asker).map_err(|e| bad(&e))?;
        self.usage.count(self.peer.id, self.tokens as u64, system::now_ms())?;
        let mut rng = system::rng().map_err(|e| refusal::internal(&e))?;
        let (tokens, answers) = server.logits(keys, question, &mut rng).map_err(|e| bad(&e))?;
        if tokens != self.tokens {
            return Err(bad(&format!("it holds {tokens} tokens, {} were announced", self.tokens)));
        }
        let ciphertexts = answers.len() as u32;
        let answers: Vec<u8> = answers.iter().flat_map(codec::encode_ciphertext).collect();
        let keep = |bytes: &[u8]| self.desk.blobs.keep(bytes).map_err(|e| refusal::store(&e));
        let (asker, answers, tokens) = (keep(asker)?, keep(&answers)?, Blob::of(question));
        let question = Question { head: *head, asker, tokens, answers, ciphertexts };
        let name = format!("question-{}", question.digest().fingerprint());
        let (circuit, question) = (Some(Box::new(circuit.clone())), Some(Box::new(question)));
        let spec = JobSpec { kind: JobKind::Question, circuit, question, ..JobSpec::ceremony(&name) };
        spec.checked().map_err(|e| refusal::internal(&e))
    }
}
