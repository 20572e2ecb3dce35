//! Encrypted inference: what the asker does, what the server sees, and how both compare with the clear.

use std::time::Instant;

use rand_core::CryptoRng;
use rustix::time::{ClockId, clock_gettime};

use super::error::Result;
use super::evaluate::class;
use super::results::SameClasses;
use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Head, Plan, Policy, Server};

/// Encrypted inferences of one token whose median is given.
pub(super) const LONE: usize = 11;

/// Answers of the encrypted head with how they compare.
pub(super) struct Answers {
    pub(super) logits: Vec<Vec<f64>>,
    pub(super) agreement: SameClasses,
}

/// Bytes of a question of one token, and the median milliseconds of its answer: by the clock, and of the processor.
fn lone(head: &Head, tokens: &[Vec<f64>], rng: &mut impl CryptoRng) -> Result<(usize, [f64; 2])> {
    let plan = Plan::new(head, Policy::new(1))?;
    let secret = AskerSecret::generate(&plan, rng)?;
    let keys = EvaluationKeys::generate(&plan, &secret, rng)?;
    let (server, asker) = (Server::new(head, &plan)?, Asker::new(&plan));
    let (mut times, mut bytes) = ([Vec::new(), Vec::new()], 0);
    for token in tokens.iter().take(LONE) {
        let (start, cpu) = (Instant::now(), processor_ms());
        let question = asker.encrypt(std::slice::from_ref(token), &secret, rng)?;
        let answer = server.answer_bytes(&keys, &question)?;
        asker.open(1, &answer, &secret)?;
        times[0].push(start.elapsed().as_secs_f64() * 1e3);
        times[1].push(processor_ms() - cpu);
        bytes = question.len();
    }
    Ok((bytes, times.map(median)))
}

/// Median milliseconds of the processor for one token, asker and server together.
pub(super) fn lone_processor_ms(head: &Head, tokens: &[Vec<f64>], rng: &mut impl CryptoRng) -> Result<f64> {
    Ok(lone(head, tokens, rng)?.1[1])
}

/// The middle of these times; not a number without any.
pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Milliseconds of this process on the processor.
fn processor_ms() -> f64 {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    t.tv_sec as f64 * 1e3 + t.tv_nsec as f64 * 1e-6
}

/// Smallest lead of a token's class over its next one.
pub(super) fn smallest_lead(clear: &[Vec<f64>]) -> f64 {
    let lead = |row: &Vec<f64>| {
        let at = class(row);
        let next = row.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, v)| *v);
        row.get(at).map_or(f64::INFINITY, |most| most - next.fold(f64::NEG_INFINITY, f64::max))
    };
    clear.iter().map(lead).fold(f64::INFINITY, f64::min)
}

/// Tokens of the same class, and the largest difference of a logit.
pub(super) fn compare(clear: &[Vec<f64>], encrypted: &[Vec<f64>]) -> (usize, f64) {
    let same = clear.iter().zip(encrypted).filter(|(c, e)| class(c) == class(e)).count();
    let pairs = clear.iter().flatten().zip(encrypted.iter().flatten());
    (same, pairs.map(|(c, e)| (c - e).abs()).fold(0.0, f64::max))
}
