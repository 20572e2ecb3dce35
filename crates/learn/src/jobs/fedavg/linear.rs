//! The linear heads that training may start from: one a family and penalty, on standardised rows, from one sum over all sites.

use crate::jobs::Result;
use crate::jobs::choice::LADDER;
use blindscope_aggregate::statistics::{Head, Statistics, lda, ridge};
use blindscope_vision::head::{LinearHead, Scaling};

/// The families, in the order of the ladder.
const FAMILIES: [&str; 2] = ["ridge", "lda"];

/// Heads of the ladder.
pub(super) const LEN: usize = FAMILIES.len() * LADDER.len();

/// Which head stands where nothing could be measured: LDA at a hundredth.
pub(super) const UNMEASURED: usize = 15;

/// Family and penalty of a head of the ladder: the larger penalty of a family first, so that it is the one of equals.
pub(super) fn named(at: usize) -> (&'static str, f64) {
    (FAMILIES[at % FAMILIES.len()], LADDER[LADDER.len() - 1 - at / FAMILIES.len() % LADDER.len()])
}

/// The common standardisation that the sums say, and every head of the ladder on rows that it standardised.
pub(super) fn ladder(of: &Statistics) -> Result<(Scaling, Vec<LinearHead>)> {
    let mut scaling = Scaling { mean: Vec::new(), deviation: Vec::new() };
    let mut heads = Vec::with_capacity(LEN);
    for at in 0..LEN {
        let (family, lambda) = named(at);
        let head = if family == "lda" { lda(of, lambda / (1.0 + lambda))? } else { ridge(of, lambda)? };
        let Head { mean, deviation, weights, bias } = head;
        heads.push(LinearHead {
            width: mean.len(),
            weight: weights.iter().flatten().map(|w| *w as f32).collect(),
            // A logarithm is in it, whose last bit is the machine's own; what sites make of a sum has to be the same everywhere.
            bias: bias.iter().map(|b| *b as f32).collect(),
        });
        // The same for all of them.
        scaling.mean = mean.iter().map(|m| *m as f32).collect();
        scaling.deviation = deviation.iter().map(|d| *d as f32).collect();
    }
    Ok((scaling, heads))
}

/// The head with its logits multiplied.
pub(super) fn scaled(mut head: LinearHead, gain: f64) -> LinearHead {
    let numbers = head.weight.iter_mut().chain(&mut head.bias);
    numbers.for_each(|v| *v = (f64::from(*v) * gain) as f32);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_every_penalty_once() {
        let mut all: Vec<(&str, u64)> = (0..LEN).map(named).map(|(f, l)| (f, l.to_bits())).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), LEN);
        assert_eq!(named(UNMEASURED), ("lda", 0.01));
    }
}
