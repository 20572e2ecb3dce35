//! The figures of encrypted sums, measured where this runs.

use crate::{ChunkEncryptor, FixedPoint, Layout, Result, presets};
use blindscope_ckks::{KeyGenerator, Parameters};
use blindscope_threshold::{Flooding, fresh_sum_noise_log2};
use rand_core::CryptoRng;
use std::time::Instant;

/// One measured figure, beside what must hold and what is aimed for. Lower is better for all of this crate's.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Part of the product.
    pub area: &'static str,
    /// What was measured: a stable key.
    pub figure: &'static str,
    /// The median.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Which direction is better.
    pub better: &'static str,
    /// What must hold.
    pub bar: f64,
    /// Where it should go, if that is a number.
    pub aim: Option<f64>,
    /// Whether the bar holds.
    pub holds: bool,
    /// How many runs the median is of.
    pub runs: usize,
    /// Largest less smallest value.
    pub spread: f64,
}

/// Values of a vision transformer's base size.
const UPDATE: f64 = 86.6e6;

/// Sums of 16-bit integers over 64 sites: bytes a value, and wall seconds on one thread for an update of 86.6 million values,
/// extrapolated from the median ciphertext of `runs` (at least one). Neither packing nor reading bytes is in it, and the
/// ciphertexts added are warm in cache: these are costs of the arithmetic, below those of a whole update.
///
/// # Errors
/// Of planning and encryption; none on the built-in parameters.
pub fn sums(runs: usize, rng: &mut impl CryptoRng) -> Result<Vec<Figure>> {
    let params = Parameters::new(presets::sum())?;
    let generator = KeyGenerator::new(&params);
    // The collective key has the same form and cost as one party's.
    let key = generator.public_key(&generator.secret_key(rng), rng);
    let noise = fresh_sum_noise_log2(params.n(), 64, 64);
    let flooding = Flooding::derive(noise, params.n(), 1 << 11, 64, 30)?;
    let layout = Layout::plan(&params, 64, (1 << 16) - 1, &flooding)?;
    let fixed = FixedPoint::new(1.0, 16)?;
    let values: Vec<f64> = (0..layout.capacity()).map(|k| (k as f64 * 0.618).sin()).collect();
    let ciphertexts = (UPDATE / layout.capacity() as f64).ceil();
    let encryptor = ChunkEncryptor::new(&layout, &key);
    let mut encrypt = Vec::new();
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        let integers = fixed.encode(&values)?;
        let chunks: Result<Vec<_>> = encryptor.encrypt(&integers, rng).collect();
        encrypt.push(start.elapsed().as_secs_f64() * ciphertexts);
        chunks?;
    }
    Ok(vec![
        figure("bytes_per_16_bit_value_64_sites", "bytes", (8.0, Some(5.4)), vec![layout.bytes_per_value()]),
        figure("encode_encrypt_86_6m_extrapolated", "s wall, one thread", (30.0, Some(8.0)), encrypt),
    ])
}

fn figure(
    name: &'static str,
    unit: &'static str,
    (bar, aim): (f64, Option<f64>),
    mut seen: Vec<f64>,
) -> Figure {
    seen.sort_by(f64::total_cmp);
    let value = seen[seen.len() / 2];
    let (holds, runs, spread) = (value <= bar, seen.len(), seen[seen.len() - 1] - seen[0]);
    Figure { area: "sum", figure: name, value, unit, better: "lower", bar, aim, holds, runs, spread }
}
