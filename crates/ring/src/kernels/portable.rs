//! Residue vectors on 64-bit words.

use crate::modulus::correct;
use crate::{Modulus, Shoup};

#[inline(always)]
pub(crate) fn add_assign(p: u64, a: &mut [u64], b: &[u64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = correct(*x + y, p);
    }
}

#[inline(always)]
pub(crate) fn sub_assign(p: u64, a: &mut [u64], b: &[u64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = correct(*x + p - y, p);
    }
}

#[inline(always)]
pub(crate) fn neg_assign(p: u64, a: &mut [u64]) {
    for x in a {
        *x = correct(p - *x, p);
    }
}

pub(crate) fn mul_assign(m: &Modulus, a: &mut [u64], b: &[u64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = m.mul(*x, *y);
    }
}

pub(crate) fn mul_into(m: &Modulus, out: &mut [u64], a: &[u64], b: &[u64]) {
    for ((o, x), y) in out.iter_mut().zip(a).zip(b) {
        *o = m.mul(*x, *y);
    }
}

pub(crate) fn mul_add_assign(m: &Modulus, acc: &mut [u64], a: &[u64], b: &[u64]) {
    for ((o, x), y) in acc.iter_mut().zip(a).zip(b) {
        *o = m.add(*o, m.mul(*x, *y));
    }
}

pub(crate) fn mul_sum(m: &Modulus, out: &mut [u64], terms: &[(&[u64], &[u64])]) {
    let Some(((a, b), rest)) = terms.split_first() else { return out.fill(0) };
    mul_into(m, out, a, b);
    for (a, b) in rest {
        mul_add_assign(m, out, a, b);
    }
}

pub(crate) fn mul_rows_add_assign(m: &Modulus, acc: &mut [&mut [u64]], x: &[&[u64]], w: &[u64]) {
    for (row, w) in acc.iter_mut().zip(w.chunks_exact(x.len().max(1))) {
        for (x, &w) in x.iter().zip(w) {
            mul_constant_add_assign(m, row, x, m.shoup(w));
        }
    }
}

pub(crate) fn mul_constant_assign(m: &Modulus, a: &mut [u64], w: Shoup) {
    for x in a {
        *x = m.mul_shoup(*x, w);
    }
}

pub(crate) fn mul_constant_add_assign(m: &Modulus, acc: &mut [u64], a: &[u64], w: Shoup) {
    for (o, x) in acc.iter_mut().zip(a) {
        *o = m.add(*o, m.mul_shoup(*x, w));
    }
}

pub(crate) fn sub_mul_constant_assign(m: &Modulus, a: &mut [u64], b: &[u64], w: Shoup) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = m.mul_shoup(*x + m.value() - y, w);
    }
}

/// `out = x + lift·[x > half]`, the shift that makes a residue of one prime a centred one of another.
#[inline(always)]
pub(crate) fn lift_centred(out: &mut [u64], x: &[u64], half: u64, lift: u64) {
    for (o, x) in out.iter_mut().zip(x) {
        let above = (half.wrapping_sub(*x) as i64 >> 63) as u64;
        *o = x + (lift & above);
    }
}

pub(crate) fn reduce_assign(m: &Modulus, a: &mut [u64]) {
    for x in a {
        *x = m.reduce(*x);
    }
}
