//! The vector of four doubles, with AVX2 and FMA. Everything above it is written in these operations alone, so another
//! instruction set is another file with the same names.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256d, _mm256_add_pd, _mm256_blendv_pd, _mm256_broadcast_sd, _mm256_floor_pd, _mm256_fmadd_pd,
    _mm256_fmsub_pd, _mm256_fnmadd_pd, _mm256_loadu_pd, _mm256_mul_pd, _mm256_or_pd, _mm256_permute2f128_pd,
    _mm256_round_pd, _mm256_set1_pd, _mm256_setzero_pd, _mm256_storeu_pd, _mm256_sub_pd, _mm256_unpackhi_pd,
    _mm256_unpacklo_pd, _mm256_xor_pd,
};

/// Four doubles.
pub(crate) type V = __m256d;

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn zero() -> V {
    _mm256_setzero_pd()
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn splat(x: f64) -> V {
    _mm256_set1_pd(x)
}

/// [`splat`] from memory.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the instruction reads memory")]
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn broadcast(x: &f64) -> V {
    _mm256_broadcast_sd(x)
}

/// # Safety
/// `a` points to four readable doubles.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn load(a: *const f64) -> V {
    // SAFETY: the caller's.
    unsafe { _mm256_loadu_pd(a) }
}

/// # Safety
/// `a` points to four writable doubles.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn store(a: *mut f64, v: V) {
    // SAFETY: the caller's.
    unsafe { _mm256_storeu_pd(a, v) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn add(a: V, b: V) -> V {
    _mm256_add_pd(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn sub(a: V, b: V) -> V {
    _mm256_sub_pd(a, b)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn mul(a: V, b: V) -> V {
    _mm256_mul_pd(a, b)
}

/// `a·b + c`, rounded once.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn mul_add(a: V, b: V, c: V) -> V {
    _mm256_fmadd_pd(a, b, c)
}

/// `a·b - c`, rounded once.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn mul_sub(a: V, b: V, c: V) -> V {
    _mm256_fmsub_pd(a, b, c)
}

/// `c - a·b`, rounded once.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn sub_mul(a: V, b: V, c: V) -> V {
    _mm256_fnmadd_pd(a, b, c)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn floor(x: V) -> V {
    _mm256_floor_pd(x)
}

/// The nearest integer, for any size.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn round(x: V) -> V {
    _mm256_round_pd::<0x08>(x)
}

/// Of the bits.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn or(a: V, b: V) -> V {
    _mm256_or_pd(a, b)
}

/// Of the bits.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn xor(a: V, b: V) -> V {
    _mm256_xor_pd(a, b)
}

/// `other` where the sign of `x` is set, `x` elsewhere.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn replace_negative(x: V, other: V) -> V {
    _mm256_blendv_pd(x, other, x)
}

/// The transpose of a 4×4 square.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn transpose(r: [V; 4]) -> [V; 4] {
    let (a, b) = (_mm256_unpacklo_pd(r[0], r[1]), _mm256_unpackhi_pd(r[0], r[1]));
    let (d, e) = (_mm256_unpacklo_pd(r[2], r[3]), _mm256_unpackhi_pd(r[2], r[3]));
    [
        _mm256_permute2f128_pd::<0x20>(a, d),
        _mm256_permute2f128_pd::<0x20>(b, e),
        _mm256_permute2f128_pd::<0x31>(a, d),
        _mm256_permute2f128_pd::<0x31>(b, e),
    ]
}
