//! Welch's t of two classes of times, as dudect looks at them.
//!
//! Times of a busy machine have a long tail, so besides all times the statistic is taken of those below several quantiles of both
//! classes together. The largest of these says whether the two classes differ; above [`LEAK`] they do, beyond what chance gives in a
//! lifetime of tests. Reference: Reparaz, Balasch, Verbauwhede, *Dude, is my code constant time?*, 2017.

/// Above it the classes differ; dudect's own bound is 4.5 for one look, more for many.
pub(super) const LEAK: f64 = 10.0;
/// Shares of all times, the fastest first, that a look is taken at.
const CROPS: [f64; 6] = [1.0, 0.99, 0.95, 0.9, 0.75, 0.5];

/// Mean and variance, as they come in.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn push(&mut self, x: f64) {
        self.count += 1.0;
        let off = x - self.mean;
        self.mean += off / self.count;
        self.squares += off * (x - self.mean);
    }

    fn of(times: &[f64], most: f64) -> Self {
        let mut moments = Self::default();
        times.iter().filter(|t| **t <= most).for_each(|t| moments.push(*t));
        moments
    }

    /// The variance of the mean.
    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0).max(1.0) / self.count.max(1.0)
    }
}

/// The largest |t| of the two classes over all crops. Zero for fewer than two times in a class, or classes without any spread that are
/// equal; infinite for such that are not.
pub(super) fn largest(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let Some(last) = all.len().checked_sub(1) else { return 0.0 };
    let look = |crop: f64| {
        let most = all[(crop * last as f64).round() as usize];
        let (a, b) = (Moments::of(a, most), Moments::of(b, most));
        if a.count < 2.0 || b.count < 2.0 {
            return 0.0;
        }
        let (off, error) = ((a.mean - b.mean).abs(), (a.error() + b.error()).sqrt());
        if off == 0.0 { 0.0 } else { off / error }
    };
    CROPS.into_iter().map(look).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscope_testkit::{real_values, rng};

    /// Times around `mean` with a long tail: each tenth up to ten times as long.
    fn times(mean: f64, seed: u64) -> Vec<f64> {
        let mut r = rng(seed);
        let (noise, tail) = (real_values(&mut r, 4000, 5.0), real_values(&mut r, 4000, 1.0));
        let slow = |(k, (noise, tail)): (usize, (&f64, &f64))| {
            (mean + noise) * if k % 10 == 3 { 1.0 + 9.0 * tail.abs() } else { 1.0 }
        };
        noise.iter().zip(&tail).enumerate().map(slow).collect()
    }

    #[test]
    fn a_leak_shows_through_a_long_tail_and_noise_does_not() {
        for seed in 0..20 {
            let equal = largest(&times(100.0, 2 * seed), &times(100.0, 2 * seed + 1));
            assert!(equal < LEAK / 2.0, "seed {seed}: {equal} without a leak");
        }
        // One part in a hundred, a fifth of the noise.
        let leaky = largest(&times(100.0, 101), &times(101.0, 102));
        assert!(leaky > LEAK, "{leaky} with a leak");
        // Without crops the tail hides it.
        let (a, b) = (times(100.0, 101), times(101.0, 102));
        let (a, b) = (Moments::of(&a, f64::INFINITY), Moments::of(&b, f64::INFINITY));
        let whole = (a.mean - b.mean).abs() / (a.error() + b.error()).sqrt();
        assert!(whole < leaky / 2.0, "{whole} of all times");
    }

    #[test]
    fn moments_are_those_of_the_definition() {
        let values = [1.0, 2.0, 4.0, 9.0];
        let m = Moments::of(&values, f64::INFINITY);
        assert!((m.mean - 4.0).abs() < 1e-12 && (m.squares - 38.0).abs() < 1e-12);
        // Welch's t of these two by hand: 3/√(38/3/4 + 2/3/4·…).
        let other = [6.0, 7.0, 8.0, 7.0];
        let t = (7.0 - 4.0) / (38.0 / 3.0 / 4.0 + 2.0 / 3.0 / 4.0f64).sqrt();
        assert!((largest(&values, &other) - t).abs() < 1e-9 || largest(&values, &other) > t);
        for (a, b) in [(&[1.0][..], &[2.0, 3.0][..]), (&[], &[]), (&[1.0; 8], &[1.0; 8])] {
            assert!(largest(a, b) <= 0.0, "{a:?} and {b:?} tell nothing");
        }
        assert!(largest(&[1.0; 8], &[2.0; 8]).is_infinite());
    }
}
