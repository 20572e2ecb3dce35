//! Word-by-word operations on residue vectors, in two equal implementations.

#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod portable;

/// Which implementation a [`crate::Prime`] uses. Both give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// 64-bit scalar arithmetic; every processor, primes up to 61 bits.
    Portable,
    /// AVX-512 IFMA, lazily modulo `2^52`; primes up to 46 bits.
    Ifma,
}

/// How many products [`crate::Prime::mul_sum`] may add before it reduces.
pub(crate) const MAX_TERMS: usize = 16;

/// How many products [`crate::Prime::mul_rows_add_assign`] adds before it reduces.
pub(crate) const MAX_ROW_TERMS: usize = 4095;
