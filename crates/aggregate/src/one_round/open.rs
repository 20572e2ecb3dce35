//! Reading a sum with the sum of its keys: `2^d·Σ c_k + |C|·(2^d − 1)/2 − a_k·S = Σ e + 2^b·digits`.
//!
//! Noise is looked at before anything is released: no coefficient beyond its bound, and in each chunk a mean square of at most
//! twice what it should be. A wrong key, part or body makes it uniform.

use std::io::Read;

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::body::Source;
use super::plan::{Plan, RoundId};
use super::recover::SumKey;
use crate::{Error, Result, words};
use blindscope_ring::sample;
use blindscope_ring::{Ntt, Poly};

const OP: &str = "open sum";

/// Chunks decrypted at a time, for each thread.
const PER_THREAD: usize = 2;

/// The integers of a sum, in order, in runs as long as a chunk.
///
/// # Errors
/// [`Error::Noise`] where key, sum and round do not belong together or a body was no body: nothing of that chunk is released, and
/// nothing of any may be used. [`Error::Beyond`] for values that so many sites' cannot add up to: somebody encrypted what the plan
/// does not allow, or altered the sum. [`Error::Mismatch`] for a sum of another number of bodies than keys; [`Error::Wire`] for
/// cut, padded or foreign streams; [`Error::Coefficient`] for altered ones; [`Error::Io`] where reading fails; whatever `sink`
/// answers.
pub fn open_sum(
    plan: &Plan,
    round: RoundId,
    key: &SumKey,
    sum: &mut impl Read,
    sink: &mut dyn FnMut(&[u64]) -> Result<()>,
) -> Result<()> {
    let mut source = Source::sum(plan, OP, sum)?;
    if source.terms != key.terms {
        return Err(Error::Mismatch { what: "bodies in the sum", expected: key.terms, found: source.terms });
    }
    let opening = Opening::new(plan, round, key);
    let batch = (PER_THREAD * rayon::current_num_threads()) as u64;
    let mut index = 0;
    while index < plan.chunks() {
        let next = (index + batch).min(plan.chunks());
        let mut chunks = Vec::with_capacity((next - index) as usize);
        for k in index..next {
            let (shape, width) = (plan.shape(k), opening.width);
            let mut numbers = vec![0; shape.coefficients * width];
            source.chunk(shape, k, |c, v| numbers[c * width..(c + 1) * width].copy_from_slice(v))?;
            chunks.push((k, numbers));
        }
        let opened: Vec<Result<Vec<u64>>> = if chunks.len() == 1 {
            chunks.into_iter().map(|(k, numbers)| opening.chunk(k, numbers)).collect()
        } else {
            chunks.into_par_iter().map(|(k, numbers)| opening.chunk(k, numbers)).collect()
        };
        for values in opened {
            sink(&values?)?;
        }
        index = next;
    }
    source.finish()
}

/// Whether a sum's first chunk opens under this key.
///
/// # Errors
/// As [`open_sum`], but for noise.
pub fn opens_first_chunk(plan: &Plan, round: RoundId, key: &SumKey, sum: &mut impl Read) -> Result<bool> {
    let mut source = Source::sum(plan, OP, sum)?;
    let opening = Opening::new(plan, round, key);
    let (shape, width) = (plan.shape(0), opening.width);
    let mut numbers = vec![0; shape.coefficients * width];
    source.chunk(shape, 0, |c, v| numbers[c * width..(c + 1) * width].copy_from_slice(v))?;
    match opening.chunk(0, numbers) {
        // Values that no sites have stand above noise that only the right key leaves.
        Ok(_) | Err(Error::Beyond { .. }) => Ok(true),
        Err(Error::Noise { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

/// What the square of a coefficient's noise in a sum of so many bodies is on average.
pub(super) fn expected_square(plan: &Plan, terms: u64) -> f64 {
    let rounding = (f64::from(2 * plan.layout().dropped).exp2() - 1.0) / 12.0;
    terms as f64 * (plan.deviation() * plan.deviation() + rounding)
}

/// Largest noise of a coefficient of a sum of so many bodies.
pub(super) fn largest_noise(plan: &Plan, terms: u64) -> f64 {
    let (dropped, terms) = (plan.layout().dropped, terms as f64);
    let half = if dropped == 0 { 0.0 } else { terms * f64::from(dropped - 1).exp2() };
    9.5 * plan.deviation() * terms.sqrt() + half + 1.0
}

/// The opening of a sum, of which everything is public but its key while it is used: the numbers are those that come out.
pub(super) struct Opening<'p> {
    plan: &'p Plan,
    round: RoundId,
    key: Zeroizing<Poly<Ntt>>,
    terms: u64,
    /// Words of one coefficient of a sum.
    pub(super) width: usize,
    /// `⌊|C|·(2^d − 1)/2⌋ + 2^(b−1)`: what flooring took on average, and what makes noise positive.
    offset: Vec<u64>,
}

impl<'p> Opening<'p> {
    pub(super) fn new(plan: &'p Plan, round: RoundId, key: &SumKey) -> Self {
        let layout = plan.layout();
        let mut negated = Zeroizing::new(key.coefficients.to_vec());
        negated.iter_mut().for_each(|v| *v = -*v);
        let width = layout.top.len() + 1;
        let mut offset = vec![0; width];
        let lost = (u128::from(key.terms) * ((1u128 << layout.dropped) - 1)) / 2;
        words::add(&mut offset, &[lost as u64, (lost >> 64) as u64]);
        words::add_bit(&mut offset, layout.base_bits - 1);
        let key_ntt = Zeroizing::new(plan.basis().signed_to_ntt(&negated));
        Self { plan, round, key: key_ntt, terms: key.terms, width, offset }
    }

    fn chunk(&self, index: u64, numbers: Vec<u64>) -> Result<Vec<u64>> {
        let shape = self.plan.shape(index);
        let (mut digits, noise) = self.digits(index, numbers);
        self.judge(index, shape.coefficients, &noise)?;
        let used = shape.values * self.plan.layout().pieces;
        if digits.iter().skip(used).any(|&d| d != 0) {
            return Err(Error::Noise { chunk: index, found: f64::INFINITY, expected: 0.0 });
        }
        digits.truncate(used);
        self.values(index, digits)
    }

    /// The digits of a chunk as this key reads them, right or wrong, and the noise below and above them.
    pub(super) fn digits(&self, index: u64, mut numbers: Vec<u64>) -> (Vec<u64>, Noise) {
        let (plan, layout, tables) = (self.plan, self.plan.layout(), self.plan.tables());
        let shape = plan.shape(index);
        let mut masked = sample::uniform(plan.basis(), &self.round.seed(), index);
        plan.basis().mul_assign(&mut masked, &self.key);
        let mask = tables.lift.to_integers(plan.basis().to_coeff(masked));
        let mut digits = Vec::with_capacity(shape.coefficients * layout.digits);
        let mut noise = Noise::default();
        for (sum, mask) in numbers.chunks_exact_mut(self.width).zip(mask.words().chunks_exact(mask.width())) {
            words::shift_left(sum, layout.dropped);
            words::add(sum, mask);
            words::add(sum, &self.offset);
            reduce(sum, &tables.modulus);
            noise.add(words::bits(sum, 0) & ((1 << layout.base_bits) - 1), layout.base_bits);
            let digit_mask = u64::MAX >> (64 - layout.digit_bits);
            for k in 0..layout.digits {
                let at = layout.base_bits + k as u32 * layout.digit_bits;
                digits.push(words::bits(sum, at) & digit_mask);
            }
            // Above the digits there is nothing.
            let end = layout.base_bits + layout.digits as u32 * layout.digit_bits;
            noise.above |= words::bit_len(sum) > end;
        }
        (digits, noise)
    }

    /// The values of these digits, as long as the sites' values can add up to them.
    fn values(&self, chunk: u64, digits: Vec<u64>) -> Result<Vec<u64>> {
        let layout = self.plan.layout();
        let max = self.plan.literal().max;
        let within = |values: &[u64], each: u64| {
            let max = each.saturating_mul(self.terms);
            match values.iter().find(|&&v| v > max) {
                Some(&found) => Err(Error::Beyond { chunk, found, max }),
                None => Ok(()),
            }
        };
        if layout.pieces == 1 {
            within(&digits, max)?;
            return Ok(digits);
        }
        within(&digits, (1 << layout.piece_bits) - 1)?;
        // Pieces that are each within their bound can still make more than a word holds, which is more than `max` too.
        let value = |pieces: &[u64]| {
            (0..).zip(pieces).fold(0u64, |v, (j, p): (u32, _)| {
                v.saturating_add(p.saturating_mul(1 << (j * layout.piece_bits)))
            })
        };
        let values: Vec<u64> = digits.chunks_exact(layout.pieces).map(value).collect();
        within(&values, max)?;
        Ok(values)
    }

    /// Whether the noise is that of a sum of bodies under these keys.
    fn judge(&self, chunk: u64, count: usize, noise: &Noise) -> Result<()> {
        let expected = expected_square(self.plan, self.terms);
        let mean = noise.squares / count as f64;
        let bound = largest_noise(self.plan, self.terms);
        if mean > 2.0 * expected || noise.largest > bound || noise.above {
            return Err(Error::Noise { chunk, found: mean.sqrt(), expected: expected.sqrt() });
        }
        Ok(())
    }
}

#[derive(Default)]
pub(super) struct Noise {
    squares: f64,
    largest: f64,
    above: bool,
}

impl Noise {
    /// The low bits of a coefficient, half of their range added.
    fn add(&mut self, low: u64, bits: u32) {
        let v = low as f64 - f64::from(bits - 1).exp2();
        self.squares += v * v;
        self.largest = self.largest.max(v.abs());
    }
}

/// `sum mod q`. All of it is public here; a site's own body is looked at elsewhere. Range: one word more than `q` has, below `2^11·q`.
fn reduce(sum: &mut [u64], q: &[u64]) {
    let quotient = (words::to_f64(sum) / words::to_f64(q)) as u64;
    words::sub_multiple(sum, q, quotient.saturating_sub(1));
    while sum.last().is_some_and(|&top| top >> 63 == 0) {
        words::sub_multiple(sum, q, 1);
    }
    words::add(sum, q);
}
