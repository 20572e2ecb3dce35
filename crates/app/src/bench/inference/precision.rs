//! What an asked precision takes: questions, keys and time of plans that promise so many bits of the worst logit.

use chacha20::ChaCha20Rng;

use super::{AREA, Case, lower, tokens};
use crate::bench::{Better, Error, Figure, Report};
use crate::clock::milliseconds;
use blindscope_ckks::Security;
use blindscope_classify::{Head, Packing, Policy};
use blindscope_ring::Arithmetic;

/// Bar and aim.
type Must = Option<(f64, f64)>;

/// Name, tokens of a question, row of the security table, bits that are asked for, and bar and aim for bytes a token.
const ASKED: [(&str, usize, Security, u32, Must); 4] = [
    ("lone_classical_8_bits", 1, Security::Classical128, 8, Some((60e3, 38e3))),
    ("lone_8_bits", 1, Security::Quantum128, 8, Some((105e3, 80e3))),
    ("lone_12_bits", 1, Security::Quantum128, 12, None),
    ("eight_8_bits", 8, Security::Quantum128, 8, Some((12e3, 8e3))),
];
/// Questions whose worst logit is given.
const QUESTIONS: usize = 8;

pub(super) fn run(
    head: &Head,
    path: Arithmetic,
    runs: usize,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> Result<(), Error> {
    for (name, batch, security, bits, must) in ASKED {
        let policy = Policy { packing: Some(Packing::Token), security, ..Policy::new(batch) };
        let case = Case::new(head, policy.precise(bits), path, rng)?;
        let mut worst = 0f64;
        for _ in 0..QUESTIONS {
            let asked = tokens(rng, batch);
            let question = case.ask(&asked, rng)?;
            let answer = case.server.answer_bytes(&case.keys, &question, rng)?;
            worst = worst.max(case.worst(head, &asked, &answer)?);
        }
        let question = case.ask(&tokens(rng, batch), rng)?;
        let time = milliseconds(runs.min(31), 1, || case.server.answer_bytes(&case.keys, &question, rng));
        let bytes = question.len() as f64 / batch as f64;
        let row = lower(&of("upload", name), "bytes", &[bytes]);
        report.figures.push(row.must_if(must));
        let promised = -case.plan.literal().error_bound.log2();
        report.figures.extend([
            lower(&of("latency", name), "ms", &time),
            lower(&of("keys", name), "bytes", &[case.plan.keys_len() as f64]),
            Figure::of(AREA, of("bits_promised", name), "bits", Better::Higher, &[promised]),
            Figure::of(AREA, of("bits_measured", name), "bits", Better::Higher, &[-worst.log2()]),
        ]);
    }
    Ok(())
}

fn of(what: &str, name: &str) -> String {
    format!("{what}_{name}")
}
