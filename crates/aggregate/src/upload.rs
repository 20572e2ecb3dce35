//! A site's part: integers, encrypted chunk by chunk.

use std::io::Write;

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::fields::Packer;
use crate::stream::{UPLOAD, ciphertext_head, put};
use crate::{Error, Result, SumPlan};
use blindscope_threshold::WideKey;

const OP: &str = "write upload";

/// Chunks encrypted at a time, for each thread.
const PER_THREAD: usize = 2;

/// Writes one site's encrypted update, [`SumPlan::upload_len`] bytes.
///
/// `values` has to give exactly as many integers as planned, none above the planned maximum. A few chunks for each thread are in
/// memory at a time. `progress` is told how many values are done.
///
/// # Errors
/// [`Error::Mismatch`] for a key that does not fit or another number of values, [`Error::Range`],
/// [`Error::Io`]. What was written until then is worthless, not dangerous.
pub fn write_upload(
    plan: &SumPlan,
    key: &WideKey,
    values: impl Iterator<Item = u64>,
    rng: &mut impl CryptoRng,
    out: &mut impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    check_key(plan, key)?;
    put(OP, out, &ciphertext_head(plan, UPLOAD, 1))?;
    let mut values = values.fuse();
    let (mut index, mut done) = (0, 0);
    let batch = (PER_THREAD * rayon::current_num_threads()) as u64;
    while index < plan.chunks() {
        let next = (index + batch).min(plan.chunks());
        let work: Result<Vec<Work>> =
            (index..next).map(|i| Work::take(plan, i, &mut values, &mut done, rng)).collect();
        let work = work?;
        // A lone chunk is not worth waking another thread.
        let chunks: Vec<Vec<u8>> = if work.len() == 1 {
            work.into_iter().map(|w| w.encrypt(plan, key)).collect()
        } else {
            work.into_par_iter().map(|w| w.encrypt(plan, key)).collect()
        };
        for bytes in chunks {
            put(OP, out, &bytes)?;
        }
        index = next;
        progress(done);
    }
    match values.next() {
        None => Ok(()),
        Some(_) => Err(count_error(plan, done + 1)),
    }
}

/// Writes encryptions of zero in the form of an upload: added to a sum, they give it another uniform half.
///
/// # Errors
/// [`Error::Mismatch`] for a key that does not fit, [`Error::Io`].
pub fn write_zeros(
    plan: &SumPlan,
    key: &WideKey,
    rng: &mut impl CryptoRng,
    out: &mut impl Write,
) -> Result<()> {
    let zeros = std::iter::repeat_n(0, plan.literal().values as usize);
    write_upload(plan, key, zeros, rng, out, &mut |_| {})
}

fn check_key(plan: &SumPlan, key: &WideKey) -> Result<()> {
    if key.params() != plan.params() {
        let (expected, found) =
            (plan.params().fingerprint().to_string(), key.params().fingerprint().to_string());
        return Err(Error::Foreign { op: OP, what: "parameters of the key", expected, found });
    }
    let (expected, found) = (u64::from(plan.literal().width), key.width() as u64);
    if found < expected {
        return Err(Error::Mismatch { what: "width of the key", expected, found });
    }
    Ok(())
}

fn count_error(plan: &SumPlan, found: u64) -> Error {
    Error::Mismatch { what: "number of values", expected: plan.literal().values, found }
}

/// One chunk before it is encrypted.
struct Work {
    index: u64,
    values: Zeroizing<Vec<u64>>,
    seed: Zeroizing<[u8; 32]>,
}

impl Work {
    fn take(
        plan: &SumPlan,
        index: u64,
        from: &mut impl Iterator<Item = u64>,
        done: &mut u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Self> {
        let shape = plan.chunk(index);
        let mut values = Zeroizing::new(Vec::with_capacity(shape.values));
        values.extend(from.take(shape.values));
        *done += values.len() as u64;
        if values.len() != shape.values {
            return Err(count_error(plan, *done));
        }
        let (found, max) = (values.iter().copied().max().unwrap_or(0), plan.layout().max());
        if found > max {
            return Err(Error::Range { what: "integer", found, max });
        }
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Ok(Self { index, values, seed })
    }

    fn encrypt(self, plan: &SumPlan, key: &WideKey) -> Vec<u8> {
        let (layout, shape) = (plan.layout(), plan.chunk(self.index));
        let mut rng = ChaCha20Rng::from_seed(*self.seed);
        let (shared, halves) = key.encrypt_zero(shape.coefficients.len(), &mut rng);
        let head = blindscope_threshold::SharedHalf::byte_len(plan.params());
        let mut out = Vec::with_capacity(shape.len(head, layout.half_bits()));
        shared.write(plan.params(), &mut out);
        let mut message = Zeroizing::new(vec![0; layout.words()]);
        for (mut half, values) in halves.into_iter().zip(self.values.chunks(plan.half_values())) {
            let mut packer = Packer::new(&mut out, layout.half_bits());
            for (c, digits) in values.chunks(layout.digits()).enumerate() {
                layout.place(digits, &mut message);
                let coefficient = half.add_at(c, &message);
                layout.round(coefficient);
                packer.push(coefficient);
            }
            packer.finish();
            half.zeroize();
        }
        out
    }
}
