//! Integers of several 64-bit words, least significant first.

/// `v <<= by`, into as many words as `v` has. Range: what leaves the top is zero.
pub(crate) fn shift_left(v: &mut [u64], by: u32) {
    let (whole, bits) = ((by / 64) as usize, by % 64);
    for i in (0..v.len()).rev() {
        let low = i.checked_sub(whole).map_or(0, |j| v[j]);
        let lower = i.checked_sub(whole + 1).map_or(0, |j| v[j]);
        v[i] = if bits == 0 { low } else { low << bits | lower >> (64 - bits) };
    }
}

/// `v >>= by`
#[inline]
pub(crate) fn shift_right(v: &mut [u64], by: u32) {
    let (whole, bits) = ((by / 64) as usize, by % 64);
    for i in 0..v.len() {
        let high = v.get(i + whole).copied().unwrap_or(0);
        let higher = v.get(i + whole + 1).copied().unwrap_or(0);
        v[i] = high >> bits | (higher << 1) << (63 - bits);
    }
}

/// `v += other`, the carry dropped.
#[inline]
pub(crate) fn add(v: &mut [u64], other: &[u64]) {
    let mut carry = 0u128;
    for (i, w) in v.iter_mut().enumerate() {
        carry += u128::from(*w) + u128::from(other.get(i).copied().unwrap_or(0));
        *w = carry as u64;
        carry >>= 64;
    }
}

/// `v += 2^at`, the carry dropped.
#[inline]
pub(crate) fn add_bit(v: &mut [u64], at: u32) {
    let mut carry = false;
    for (i, w) in v.iter_mut().enumerate() {
        let one = if i == (at / 64) as usize { 1u64 << (at % 64) } else { 0 };
        let (sum, c) = w.overflowing_add(one);
        let (sum, d) = sum.overflowing_add(u64::from(carry));
        (*w, carry) = (sum, c | d);
    }
}

/// `v -= q·k`, wrapping.
pub(crate) fn sub_multiple(v: &mut [u64], q: &[u64], k: u64) {
    let (mut product, mut borrow) = (0u128, false);
    for (i, w) in v.iter_mut().enumerate() {
        product += u128::from(q.get(i).copied().unwrap_or(0)) * u128::from(k);
        let (a, b) = w.overflowing_sub(product as u64);
        let (a, c) = a.overflowing_sub(u64::from(borrow));
        (*w, borrow) = (a, b | c);
        product >>= 64;
    }
}

/// `v *= k`, what leaves the top dropped.
pub(crate) fn mul_small(v: &mut [u64], k: u64) {
    let mut carry = 0u128;
    for w in v {
        carry += u128::from(*w) * u128::from(k);
        *w = carry as u64;
        carry >>= 64;
    }
}

/// Which is larger. Range: equal lengths.
pub(crate) fn compare(a: &[u64], b: &[u64]) -> std::cmp::Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

/// Bits of a number.
pub(crate) fn bit_len(v: &[u64]) -> u32 {
    let top = v.iter().rposition(|&w| w != 0);
    top.map_or(0, |i| 64 * i as u32 + 64 - v[i].leading_zeros())
}

/// The value as a double, rounded.
pub(crate) fn to_f64(v: &[u64]) -> f64 {
    v.iter().rev().fold(0.0, |acc, &w| acc * 2f64.powi(64) + w as f64)
}

/// Up to 64 bits of `v` from bit `at` on.
#[inline]
pub(crate) fn bits(v: &[u64], at: u32) -> u64 {
    let (word, shift) = ((at / 64) as usize, at % 64);
    let low = v.get(word).map_or(0, |w| w >> shift);
    let high = v.get(word + 1).map_or(0, |w| (w << 1) << (63 - shift));
    low | high
}

/// `v |= x << at`. Range: those bits are zero.
#[inline]
pub(crate) fn place(v: &mut [u64], x: u64, at: u32) {
    let (word, shift) = ((at / 64) as usize, at % 64);
    if let Some(w) = v.get_mut(word) {
        *w |= x << shift;
    }
    if let Some(w) = v.get_mut(word + 1) {
        *w |= (x >> 1) >> (63 - shift);
    }
}
