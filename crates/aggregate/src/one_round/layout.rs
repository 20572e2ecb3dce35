//! Where integers sit, and the proof that their sums fit.
//!
//! A value is cut into pieces of one width (usually one piece), and pieces are digits of coefficients:
//! `2^b·Σ_j v_j·2^(w·j)`, with `w` wide enough for the whole roster's sum. The `d` low bits of a body are floored away. With
//! noise below `9.5·σ·√n` but with probability 2^-64 a coefficient, rounding gives the digits exactly while
//! `9.5·σ·√n + n·2^(d−1) < 2^(b−1)`.

use zeroize::Zeroizing;

use crate::words;

/// A coefficient as it is planned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// Pieces of a value, and bits of one.
    pub(crate) pieces: usize,
    pub(crate) piece_bits: u32,
    /// Digits of a coefficient, and bits of one.
    pub(crate) digits: usize,
    pub(crate) digit_bits: u32,
    /// `b`
    pub(crate) base_bits: u32,
    /// `d`
    pub(crate) dropped: u32,
    /// Largest coefficient of a body: `(q − 1) >> d`.
    pub(crate) top: Vec<u64>,
}

/// Values as digits. Zeroed on drop where they are a copy.
pub(crate) enum Digits<'v> {
    Whole(&'v [u64]),
    Cut(Zeroizing<Vec<u64>>),
}

impl std::ops::Deref for Digits<'_> {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        match self {
            Self::Whole(values) => values,
            Self::Cut(pieces) => pieces,
        }
    }
}

/// Bits below the digits that are of any use: noise is read from them as one word.
const MAX_BASE: u32 = 62;

impl Layout {
    /// The layout of values up to `max` of `sites` sites in `pieces` pieces, modulo `modulus`; nothing where it does not fit.
    pub(crate) fn plan(modulus: &[u64], sites: u64, max: u64, pieces: usize, noise: f64) -> Option<Self> {
        let value_bits = 64 - max.leading_zeros();
        let piece_bits = value_bits.div_ceil(pieces as u32);
        if piece_bits == 0 || (pieces > 1 && (pieces as u32 - 1) * piece_bits >= value_bits) {
            return None;
        }
        let piece_max = if pieces == 1 { max } else { (1 << piece_bits) - 1 };
        let total = u128::from(sites) * u128::from(piece_max);
        let digit_bits = 128 - total.leading_zeros();
        if digit_bits > 63 {
            return None;
        }
        let least = (2..=MAX_BASE).find(|&b| dropped(noise, sites, b).is_some())?;
        let fits = |base, digits| fits(modulus, total, digit_bits, base, digits);
        let digits = (1..=64 * modulus.len()).take_while(|&d| fits(least, d)).last()?;
        let base_bits = (least..=MAX_BASE).take_while(|&b| fits(b, digits)).last()?;
        let dropped = dropped(noise, sites, base_bits)?;
        let mut top = modulus.to_vec();
        words::sub_multiple(&mut top, &[1], 1);
        words::shift_right(&mut top, dropped);
        Some(Self { pieces, piece_bits, digits, digit_bits, base_bits, dropped, top })
    }

    /// Bits of one coefficient of a body.
    pub(crate) fn body_bits(&self) -> u32 {
        words::bit_len(&self.top)
    }

    /// Largest coefficient in a sum of `terms` bodies, in one word more, and its bits.
    pub(crate) fn sum_top(&self, terms: u64) -> (Vec<u64>, u32) {
        let mut top = self.top.clone();
        top.push(0);
        words::mul_small(&mut top, terms);
        let bits = words::bit_len(&top);
        (top, bits)
    }

    /// Places up to `digits` pieces in a coefficient.
    #[inline]
    pub(crate) fn place(&self, pieces: &[u64], coefficient: &mut [u64]) {
        coefficient.fill(0);
        let mut at = self.base_bits;
        for &v in pieces {
            words::place(coefficient, v, at);
            at += self.digit_bits;
        }
    }

    /// The pieces of values, one value's after the other's.
    pub(crate) fn digits_of<'v>(&self, values: &'v [u64]) -> Digits<'v> {
        if self.pieces == 1 {
            return Digits::Whole(values);
        }
        let pieces = values.iter().flat_map(|&v| (0..self.pieces).map(move |j| self.piece(v, j)));
        Digits::Cut(Zeroizing::new(pieces.collect()))
    }

    /// Piece `j` of a value.
    #[inline]
    fn piece(&self, value: u64, j: usize) -> u64 {
        value >> (j as u32 * self.piece_bits) & ((1 << self.piece_bits) - 1)
    }
}

/// The most bits that may be floored away, if noise leaves room for any rounding at all.
fn dropped(noise: f64, sites: u64, base: u32) -> Option<u32> {
    let room = f64::from(base - 1).exp2();
    if noise >= room {
        return None;
    }
    // 2^-30 of the room is kept for the rounding of doubles.
    let fits = |d: u32| noise + sites as f64 * f64::from(d - 1).exp2() < room * (1.0 - 2f64.powi(-30));
    Some((1..base).rev().find(|&d| fits(d)).unwrap_or(0))
}

/// Whether `2^base·Σ_k total·2^(k·w) + 2^base <= Q`.
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
