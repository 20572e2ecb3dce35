use thiserror::Error;

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, AggregateError>;

/// What was refused: the operation, both values, and how to repair it.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum AggregateError {
    /// A fixed point outside what is supported.
    #[error("fixed point: clip {clip} at {bits} bits; take a positive finite clip and 2 to 32 bits")]
    FixedPoint {
        /// Largest value kept.
        clip: f64,
        /// Bits of one integer.
        bits: u32,
    },
    /// A value that is no number.
    #[error("encode: value {index} is not a number; repair the update before it is sent")]
    NotANumber {
        /// Its place.
        index: usize,
    },
    /// Not even one digit fits between masks and modulus.
    #[error(
        "plan sum: {sites} sites × {max} need digits of {digit} bits, masks {base} bits, the modulus has {modulus:.1}; \
         take fewer sites, fewer bits a value, a smaller decryption budget or a larger modulus"
    )]
    Headroom {
        /// Sites of the cohort.
        sites: u64,
        /// Largest integer of one site, weight included.
        max: u64,
        /// Bits of a digit.
        digit: u32,
        /// Bits below the digits.
        base: u32,
        /// `log2` of the modulus.
        modulus: f64,
    },
    /// More values than a ciphertext holds, or an integer above what headroom was proved for.
    #[error("encode: {what} is {found}, at most {max} was planned for; split the update or plan again")]
    Range {
        /// What is too large.
        what: &'static str,
        /// Value found.
        found: u64,
        /// Largest planned.
        max: u64,
    },
    /// Ciphertexts that do not add.
    #[error(
        "add update: {what} is {found}, expected {expected}; the update is of another plan or was cut short"
    )]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// Value planned.
        expected: u64,
        /// Value found.
        found: u64,
    },
    /// From the protocols' layer.
    #[error(transparent)]
    Threshold(#[from] blindscope_threshold::ThresholdError),
    /// From the scheme's layer.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::CkksError),
}
