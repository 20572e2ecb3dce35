//! Evaluating questions to encrypted heads: the same bytes at the coordinator and at every site.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use chacha20::ChaCha20Rng;
use rand::SeedableRng;

use super::counted::Counted;
use super::encrypted_head::CommonHead;
use blindscope_ckks::{Ciphertext, Level};
use blindscope_classify::{EncryptedHead, EvaluationKeys, Plan, Server, question_of};
use blindscope_federation::{Asked, Blob, Blobs, Evaluation, JobSpec, LearnError, Study, payload};

/// Heads that are kept ready.
const READY: usize = 2;
/// Longest result that a head starts from, longest head and longest evaluation keys.
const MAX: u64 = 4 << 30;

/// Encrypted heads, read once and kept ready.
#[derive(Default)]
pub struct EncryptedHeads {
    ready: Mutex<BTreeMap<[u8; 32], Arc<Ready>>>,
}

/// A head that is ready to be asked.
struct Ready {
    plan: Plan,
    server: Server,
    keys: EvaluationKeys,
}

impl EncryptedHeads {
    /// The answer to a question. Coefficients that hold no logit are masked by what follows from the question's `masks`, so that
    /// whoever computes it again gets the same ciphertexts.
    ///
    /// # Errors
    /// What makes a head unreadable, or the question another one than its job announces.
    pub fn evaluate(&self, asked: Asked<'_>, blobs: &dyn Blobs) -> Result<Vec<Ciphertext>, LearnError> {
        let question = asked.job.question.as_deref().ok_or("the job is no question")?;
        let ready = self.ready(asked.study, asked.evaluation, blobs)?;
        let bytes = question_of(&ready.plan, question.tokens as usize, asked.question)?;
        let mut rng = ChaCha20Rng::from_seed(question.seed(asked.job.id(asked.study)));
        Ok(ready.server.logits(&ready.keys, &bytes[..], &mut rng)?.1)
    }

    /// Of each ciphertext of a question's answer the coefficients that hold logits.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn shown(
        &self,
        study: &Study,
        job: &JobSpec,
        evaluation: &Evaluation,
        blobs: &dyn Blobs,
    ) -> Result<Vec<Vec<usize>>, LearnError> {
        let question = job.question.as_deref().ok_or("the job is no question")?;
        Ok(self.ready(study, evaluation, blobs)?.plan.shown(question.tokens as usize))
    }

    fn ready(
        &self,
        study: &Study,
        evaluation: &Evaluation,
        blobs: &dyn Blobs,
    ) -> Result<Arc<Ready>, LearnError> {
        let of = evaluation.digest().0;
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = ready.get(&of) {
            return Ok(found.clone());
        }
        let made = Arc::new(read(study, evaluation, blobs)?);
        if ready.len() >= READY {
            ready.pop_first();
        }
        ready.insert(of, made.clone());
        Ok(made)
    }
}

fn read(study: &Study, evaluation: &Evaluation, blobs: &dyn Blobs) -> Result<Ready, LearnError> {
    let Evaluation { head, start, opening, keys } = evaluation;
    let circuit = head.circuit.as_deref().ok_or("the head's job has no circuit")?;
    let common = CommonHead::of(head, &whole(blobs, start)?)?;
    Counted::check(head, &common.settings, study)?;
    let levels: Vec<Level> = common.levels()?.into_iter().map(|l| Level(l as usize)).collect();
    let first = payload::read_ciphertexts(study, circuit, &levels, &whole(blobs, &opening.sum)?)?;
    let first = EncryptedHead::at_scales(&common.plan, first)?;
    let server = Server::encrypted(&common.served(opening.committed.len())?, &common.plan, first)?;
    let (galois, relin) = payload::read_evaluation_keys(study, circuit, &whole(blobs, keys)?)?;
    let keys = EvaluationKeys { galois, relin: Some(relin), ring_switch: None, zeros: None };
    Ok(Ready { plan: common.plan, server, keys })
}

fn whole(blobs: &dyn Blobs, blob: &Blob) -> Result<Vec<u8>, LearnError> {
    if blob.len > MAX {
        return Err(format!("read {blob}: at most {MAX} bytes are read").into());
    }
    let mut bytes = Vec::with_capacity(blob.len as usize);
    blobs.open(blob)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
