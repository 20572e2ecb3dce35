//! Parameters as plain data, before any check.

use super::Security;

/// How one list of primes is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModulusLiteral {
    /// Widths in bits. Each takes the largest prime of that width that is 1 modulo `2N` and not taken yet,
    /// ciphertext primes first.
    Bits(Vec<u32>),
    /// The primes themselves.
    Primes(Vec<u64>),
}

impl ModulusLiteral {
    /// Widths in bits.
    pub fn bits(widths: &[u32]) -> Self {
        Self::Bits(widths.to_vec())
    }
}

/// What a parameter set is made from. Check it with [`crate::Parameters::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersLiteral {
    /// `log2` of the ring degree `N`; there are `N/2` complex slots.
    pub log_n: u32,
    /// Ciphertext primes: the first is the last level's, each further one is a level.
    pub ciphertext: ModulusLiteral,
    /// Special primes for key switching; as many ciphertext primes form one digit. May be empty where nothing is
    /// relinearised or rotated.
    pub special: ModulusLiteral,
    /// `log2` of the default scale.
    pub log2_scale: u32,
    /// Which row of the 128-bit table the moduli have to meet.
    pub security: Security,
}
