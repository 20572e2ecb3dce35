//! Membership by likelihood ratio (`LiRA`, Carlini et al., arXiv 2112.03570): an attacker who can train models like the attacked one
//! learns, candidate by candidate, what a model says of it that was trained with it, and without.

use crate::error::{Error, Result};

/// What one model says of every candidate, and who was in its training.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// A score a candidate: larger where the model is surer of its label.
    pub scores: Vec<f64>,
    /// Whether each candidate was a member.
    pub members: Vec<bool>,
}

/// Mean, and how many it is of.
#[derive(Default, Clone, Copy)]
struct Mean(f64, usize);

impl Mean {
    fn add(&mut self, value: f64) {
        self.1 += 1;
        self.0 += (value - self.0) / self.1 as f64;
    }
}

/// For each candidate, how much likelier `attacked`'s score is of a model with the candidate than of one without: the logarithm of the
/// ratio of two normal distributions, whose means are the candidate's own over `shadows` and whose variances are those of all candidates
/// together. Zero for a candidate that no shadow, or every shadow, was trained with.
///
/// # Errors
/// [`Error::Shape`] for trials of different numbers of candidates, or fewer than two shadows.
pub fn likelihood_ratios(attacked: &[f64], shadows: &[&Trial]) -> Result<Vec<f64>> {
    const OPERATION: &str = "membership by likelihood ratio";
    let n = attacked.len();
    if shadows.len() < 2 {
        return Err(Error::shape(OPERATION, "two models at least", shadows.len()));
    }
    for trial in shadows {
        for found in [trial.scores.len(), trial.members.len()] {
            if found != n {
                return Err(Error::shape(OPERATION, format!("{n} candidates"), found));
            }
        }
    }
    let mut means = vec![[Mean::default(); 2]; n];
    let all = || shadows.iter().flat_map(|t| t.scores.iter().zip(&t.members).enumerate());
    all().for_each(|(at, (score, member))| means[at][usize::from(*member)].add(*score));
    let mut variances = [Mean::default(); 2];
    for (at, (score, member)) in all() {
        let side = usize::from(*member);
        let Mean(mean, of) = means[at][side];
        if of > 1 {
            // Unbiased: the mean is the candidate's own.
            variances[side].add((score - mean).powi(2) * of as f64 / (of - 1) as f64);
        }
    }
    let [without, with] = variances.map(|v| v.0.max(1e-12));
    let ratio = |(score, [out, inside]): (&f64, &[Mean; 2])| {
        if out.1 == 0 || inside.1 == 0 {
            return 0.0;
        }
        let log =
            |mean: &Mean, variance: f64| -(score - mean.0).powi(2) / (2.0 * variance) - 0.5 * variance.ln();
        log(inside, with) - log(out, without)
    };
    Ok(attacked.iter().zip(&means).map(ratio).collect())
}

#[cfg(test)]
mod tests {
    use super::super::auc;
    use super::*;

    /// Candidates of different difficulty; a model that was trained with one is `lift` surer of it.
    fn trials(count: u64, lift: f64) -> Vec<Trial> {
        let number = |a: u64, b: u64| {
            let x = (a * 1_000_003 + b * 7919 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11
        };
        let unit = |a, b| number(a, b) as f64 / (1u64 << 53) as f64;
        let trial = |t: u64| {
            let members: Vec<bool> = (0..200).map(|i| number(t, 1000 + i) % 2 == 0).collect();
            let score = |(i, m): (usize, &bool)| {
                let noise: f64 = (0..12).map(|k| unit(t * 200 + i as u64, 5000 + k)).sum::<f64>() - 6.0;
                20.0 * unit(7, i as u64) + noise + if *m { lift } else { 0.0 }
            };
            Trial { scores: members.iter().enumerate().map(score).collect(), members }
        };
        (0..count).map(trial).collect()
    }

    fn reached(lift: f64) -> (f64, f64) {
        let all = trials(33, lift);
        let shadows: Vec<&Trial> = all[1..].iter().collect();
        let side = |scores: &[f64], member: bool| -> Vec<f64> {
            let own = scores.iter().zip(&all[0].members).filter(|(_, m)| **m == member);
            own.map(|(s, _)| *s).collect()
        };
        let ratios = likelihood_ratios(&all[0].scores, &shadows).unwrap_or_default();
        let by_ratio = auc(&side(&ratios, true), &side(&ratios, false));
        (by_ratio, auc(&side(&all[0].scores, true), &side(&all[0].scores, false)))
    }

    #[test]
    fn each_candidate_is_held_against_itself() {
        let (ratio, plain) = reached(2.0);
        assert!(ratio > 0.85 && plain < 0.62, "by ratio {ratio}, by score alone {plain}");
        let (ratio, _) = reached(0.0);
        assert!((ratio - 0.5).abs() < 0.1, "nothing to tell: {ratio}");
    }

    #[test]
    fn trials_of_other_candidates_are_refused() {
        let all = trials(3, 1.0);
        let shadows: Vec<&Trial> = all.iter().collect();
        assert!(likelihood_ratios(&all[0].scores[1..], &shadows).is_err());
        assert!(likelihood_ratios(&all[0].scores, &shadows[..1]).is_err());
    }
}
