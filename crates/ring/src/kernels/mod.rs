//! Word-by-word operations on residue vectors, in equal implementations, one a path of arithmetic.

#[cfg(target_arch = "x86_64")]
pub(crate) mod doubles;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod portable;

/// How many products [`crate::Prime::mul_sum`] adds with IFMA before it reduces.
pub(crate) const MAX_TERMS: usize = 16;

/// How many products [`crate::Prime::mul_rows_add_assign`] adds before it reduces.
pub(crate) const MAX_ROW_TERMS: usize = 4095;
