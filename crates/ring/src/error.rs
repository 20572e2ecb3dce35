//! What a ring cannot be built from.

/// What can go wrong while a ring is built. Arithmetic on built rings cannot fail.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The ring degree is outside what the transforms support.
    #[error("ring degree 2^{log_n} is not supported; choose log2 N from {min} to {max}")]
    Degree {
        /// `log2 N` asked for.
        log_n: u32,
        /// Smallest supported.
        min: u32,
        /// Largest supported.
        max: u32,
    },
    /// The modulus is not an odd number of at most 61 bits.
    #[error("modulus {value} has {bits} bits; moduli are odd and have 2 to 61 bits")]
    ModulusSize {
        /// The modulus.
        value: u64,
        /// Its width in bits.
        bits: u32,
    },
    /// The modulus is composite, so its residues are no field.
    #[error("modulus {value} is not prime; take one from `ntt_primes`")]
    NotPrime {
        /// The modulus.
        value: u64,
    },
    /// No primitive `2N`-th root of unity exists modulo the prime.
    #[error(
        "prime {value} is not 1 modulo 2N = {two_n}, so it has no transform of that length; take one from `ntt_primes`"
    )]
    NoRoot {
        /// The prime.
        value: u64,
        /// `2N`.
        two_n: u64,
    },
    /// Fewer primes of that width exist than were asked for.
    #[error(
        "only {found} primes of {bits} bits are 1 modulo 2N = {two_n}, {wanted} were asked for; use another width"
    )]
    TooFewPrimes {
        /// Width in bits.
        bits: u32,
        /// `2N`.
        two_n: u64,
        /// How many were asked for.
        wanted: usize,
        /// How many exist.
        found: usize,
    },
    /// A basis holds the same prime twice.
    #[error("prime {value} stands twice in one basis; residues modulo equal primes hold no new information")]
    RepeatedPrime {
        /// The prime.
        value: u64,
    },
    /// A basis has no prime.
    #[error("a basis needs at least one prime")]
    EmptyBasis,
}
