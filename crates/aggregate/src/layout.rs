//! Where integers sit: value `i` of a chunk is digit `i mod D` of coefficient `(i / D) mod N` of message half `i / (D·N)`.
//! A coefficient is `Σ_k v_k·2^(base + k·w)`.
//!
//! With every digit of a sum below `2^w` no carry leaves it. Errors stay below `2^(base−1)`, so adding `2^(base−1)` and
//! cutting `base` bits gives the digits exactly, and the largest sum with that addition stays below `Q`; this last claim is
//! checked with integers, not logarithms.
//!
//! The low bits of a message half drown in the masks anyway, so they do not travel: each half, and each site's share of
//! an opening, is rounded to multiples of `2^d`. Rounding is a function of a public ciphertext, so it needs no flooding; its
//! error, at most `2^(d−1)` for each of `terms` ciphertexts and each share, counts against the room.

use crate::{Error, Result, words};
use blindscope_ckks::Parameters;
use blindscope_threshold::Flooding;

/// A planned coefficient: its digits and the proof that they hold the sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    max: u64,
    digit_bits: u32,
    digits: usize,
    base_bits: u32,
    dropped: u32,
    room_log2: f64,
    modulus: Vec<u64>,
    /// Largest rounded half.
    top: Vec<u64>,
}

/// What a layout is planned for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) sites: u64,
    pub(crate) max: u64,
    /// Ciphertexts in a sum, encryptions of zero included.
    pub(crate) terms: u64,
    pub(crate) committee: u64,
}

impl Layout {
    pub(crate) fn plan(params: &Parameters, demand: Demand, flooding: &Flooding) -> Result<Self> {
        let modulus = blindscope_threshold::modulus_words(params);
        let error = flooding.error_log2();
        flooding.require_room(f64::INFINITY)?;
        let mut base_bits = error.floor() as u32 + 2;
        let total = u128::from(demand.sites) * u128::from(demand.max);
        let digit_bits = 128 - total.leading_zeros();
        let fits = |base, digits| fits(&modulus, total, digit_bits, base, digits);
        if total == 0 || digit_bits > 63 || !fits(base_bits, 1) {
            let Demand { sites, max, .. } = demand;
            let (digit, base) = (digit_bits, base_bits);
            let modulus = params.log_q(params.top_level());
            return Err(Error::Headroom { sites, max, digit, base, modulus });
        }
        let digits = (1..=64 * modulus.len()).take_while(|&d| fits(base_bits, d)).last().unwrap_or(1);
        while fits(base_bits + 1, digits) {
            base_bits += 1;
        }
        let roundings = (demand.terms + demand.committee) as f64;
        let slack = f64::from(base_bits - 1).exp2() - error.exp2();
        // 2^-20 of a bit for the rounding of the logarithms.
        let dropped = ((slack / roundings).log2() - 2f64.powi(-20)).floor().max(-1.0) as i32 + 1;
        let dropped = dropped as u32;
        let rounding = if dropped == 0 { 0.0 } else { roundings * f64::from(dropped - 1).exp2() };
        let room_log2 = (f64::from(base_bits - 1).exp2() - rounding).log2();
        let top = top(&modulus, dropped);
        Ok(Self { max: demand.max, digit_bits, digits, base_bits, dropped, room_log2, modulus, top })
    }

    /// Largest integer of one site.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Values of one coefficient.
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Bits of one value's sum.
    pub fn digit_bits(&self) -> u32 {
        self.digit_bits
    }

    /// Bits below the digits, for noise, masks and roundings.
    pub fn base_bits(&self) -> u32 {
        self.base_bits
    }

    /// Low bits of message halves and shares that do not travel.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// `log2` of the largest noise and mask that still round away, roundings set aside.
    pub fn room_log2(&self) -> f64 {
        self.room_log2
    }

    /// Bits of one coefficient of an upload or a share.
    pub fn half_bits(&self) -> u32 {
        words::bit_len(&self.top)
    }

    /// Largest coefficient in a sum of `terms`, and its bits.
    pub(crate) fn sum_top(&self, terms: u64) -> (Vec<u64>, u32) {
        let mut top = self.top.clone();
        top.push(0);
        words::mul_small(&mut top, terms);
        let bits = words::bit_len(&top);
        (top, bits)
    }

    /// Places the digits of up to `digits` values in a zeroed coefficient.
    #[inline]
    pub(crate) fn place(&self, values: &[u64], coefficient: &mut [u64]) {
        coefficient.fill(0);
        let mut at = self.base_bits;
        for &v in values {
            words::place(coefficient, v, at);
            at += self.digit_bits;
        }
    }

    /// Rounds a coefficient below `Q` to a multiple of `2^d`, as its quotient.
    #[inline]
    pub(crate) fn round(&self, coefficient: &mut [u64]) {
        if let Some(half) = self.dropped.checked_sub(1) {
            words::add_bit(coefficient, half);
            words::shift_right(coefficient, self.dropped);
        }
    }

    /// The digits behind a sum of rounded halves and shares. Its words are overwritten. All of it is public here.
    ///
    /// Range: one word more than `Q` has; at most `2^20` summands.
    #[inline]
    pub(crate) fn digits_of(&self, sum: &mut [u64], out: &mut [u64]) {
        words::shift_left(sum, self.dropped);
        words::add_bit(sum, self.base_bits - 1);
        // The quotient is small: a double is off by one at most.
        let quotient = (words::to_f64(sum) / words::to_f64(&self.modulus)) as u64;
        words::sub_multiple(sum, &self.modulus, quotient.saturating_sub(1));
        while sum.last().is_some_and(|&top| top >> 63 == 0) {
            words::sub_multiple(sum, &self.modulus, 1);
        }
        words::add(sum, &self.modulus);
        let mask = u64::MAX >> (64 - self.digit_bits);
        let mut at = self.base_bits;
        for o in out {
            *o = words::bits(sum, at) & mask;
            at += self.digit_bits;
        }
    }

    /// Words of one coefficient.
    pub(crate) fn words(&self) -> usize {
        self.modulus.len()
    }

    /// Largest rounded coefficient.
    pub(crate) fn top(&self) -> &[u64] {
        &self.top
    }
}

/// Whether `Σ_k total·2^(base + k·w) + 2^base <= Q`.
fn fits(modulus: &[u64], total: u128, digit_bits: u32, base: u32, digits: usize) -> bool {
    let reach = u64::from(base) + digits as u64 * u64::from(digit_bits);
    if reach > 64 * modulus.len() as u64 {
        return false;
    }
    let mut largest = vec![0; modulus.len() + 3];
    for _ in 0..digits {
        words::shift_left(&mut largest, digit_bits);
        words::add(&mut largest, &[total as u64, (total >> 64) as u64]);
    }
    words::add_bit(&mut largest, 0);
    words::shift_left(&mut largest, base);
    let mut q = modulus.to_vec();
    q.resize(largest.len(), 0);
    words::compare(&largest, &q).is_le()
}

/// `(Q − 1 + 2^(d−1)) >> d`
fn top(modulus: &[u64], dropped: u32) -> Vec<u64> {
    let mut top = modulus.to_vec();
    words::sub_multiple(&mut top, &[1], 1);
    if let Some(half) = dropped.checked_sub(1) {
        words::add_bit(&mut top, half);
        words::shift_right(&mut top, dropped);
    }
    top
}
