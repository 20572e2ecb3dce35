//! Reproducible test data. The seed is printed, so that a failure can be run again.

use chacha20::ChaCha20Rng;
use num_complex::Complex64;
use rand_core::{Rng, SeedableRng};

/// A generator for one test, its seed printed.
pub fn rng(seed: u64) -> ChaCha20Rng {
    println!("seed {seed}");
    ChaCha20Rng::seed_from_u64(seed)
}

/// `count` values uniform in `[-bound, bound]`, the two ends first.
pub fn real_values(rng: &mut impl Rng, count: usize, bound: f64) -> Vec<f64> {
    let mut values: Vec<f64> =
        (0..count).map(|_| (rng.next_u64() >> 11) as f64 * 2f64.powi(-52) * bound - bound).collect();
    for (v, end) in values.iter_mut().zip([bound, -bound]) {
        *v = end;
    }
    values
}

/// `count` values with both parts uniform in `[-bound, bound]`.
pub fn complex_slots(rng: &mut impl Rng, count: usize, bound: f64) -> Vec<Complex64> {
    let parts = real_values(rng, 2 * count, bound);
    parts.chunks_exact(2).map(|p| Complex64::new(p[0], p[1])).collect()
}
