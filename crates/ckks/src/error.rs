//! What the scheme refuses.

use crate::Level;

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What was refused: the operation, both values, and how to repair it. Nothing is written when one is returned.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The modulus is too large for 128-bit security at this ring degree.
    #[error(
        "parameters: log2 QP = {log_qp:.1} bits at N = 2^{log_n} exceeds the {row} limit of {limit}; \
         take fewer or narrower primes, or log_n = {}", log_n + 1
    )]
    Insecure {
        /// `log2 N`
        log_n: u32,
        /// Bits of all ciphertext and special primes together.
        log_qp: f64,
        /// Bits that 128-bit security allows.
        limit: u32,
        /// Which row of the table: "classical-128" or "quantum-128".
        row: &'static str,
    },
    /// The table has no row for this degree.
    #[error("parameters: no 128-bit security row for N = 2^{log_n}; choose log_n from 10 to 16")]
    NoSecurityRow {
        /// `log2 N`
        log_n: u32,
    },
    /// A list of primes has a length outside what is supported.
    #[error("parameters: {found} {what} primes, {min} to {max} are supported")]
    PrimeCount {
        /// "ciphertext" or "special".
        what: &'static str,
        /// How many were given.
        found: usize,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// The default scale leaves no room under the modulus of the lowest level.
    #[error(
        "parameters: scale 2^{log2_scale} leaves no room in the {q0_bits}-bit first prime; \
         choose a first prime at least 2 bits wider than the scale"
    )]
    ScaleTooLarge {
        /// `log2` of the default scale.
        log2_scale: u32,
        /// Width of the first prime.
        q0_bits: u32,
    },
    /// A special prime is so narrow that key switching noise would swamp the message.
    #[error(
        "parameters: special primes hold {special:.1} bits, the widest digit {digit:.1}; \
         make the special primes at least as wide as any run of as many ciphertext primes"
    )]
    SpecialTooNarrow {
        /// Bits of the product of the special primes.
        special: f64,
        /// Bits of the widest key-switching digit.
        digit: f64,
    },
    /// The ring could not be built.
    #[error("parameters: {0}")]
    Ring(#[from] blindscope_ring::Error),
    /// Operands belong to different parameters.
    #[error(
        "{op}: operands belong to different parameters ({left} and {right}); use one parameter set throughout"
    )]
    Parameters {
        /// The operation.
        op: &'static str,
        /// Fingerprint on the left.
        left: String,
        /// Fingerprint on the right.
        right: String,
    },
    /// A level above the parameters' top.
    #[error("{op}: level {found} does not exist, the highest is {top}")]
    NoSuchLevel {
        /// The operation.
        op: &'static str,
        /// Level asked for.
        found: Level,
        /// Highest level.
        top: Level,
    },
    /// Operands at different levels.
    #[error(
        "{op}: left is at level {left}, right at level {right}; call drop_to_level on the higher one first"
    )]
    LevelMismatch {
        /// The operation.
        op: &'static str,
        /// Level on the left.
        left: Level,
        /// Level on the right.
        right: Level,
    },
    /// No level is left to give up.
    #[error(
        "{op}: the ciphertext is at level 0 and has no prime to give up; plan more levels or rescale less"
    )]
    NoLevelLeft {
        /// The operation.
        op: &'static str,
    },
    /// Operands at different scales.
    #[error(
        "{op}: left has scale 2^{left:.6}, right 2^{right:.6}; \
         encode the right side at the left side's scale, or rescale to meet"
    )]
    ScaleMismatch {
        /// The operation.
        op: &'static str,
        /// `log2` of the left scale.
        left: f64,
        /// `log2` of the right scale.
        right: f64,
    },
    /// A scale does not fit the modulus of its level.
    #[error(
        "{op}: scale 2^{log2_scale:.1} does not fit the {log_q:.1}-bit modulus of level {level}; \
         rescale first or use a higher level"
    )]
    ScaleOverflow {
        /// The operation.
        op: &'static str,
        /// `log2` of the resulting scale.
        log2_scale: f64,
        /// Bits of the modulus.
        log_q: f64,
        /// The level.
        level: Level,
    },
    /// A scale has become a product of more primes than its exact form counts.
    #[error(
        "{op}: the scale's exponents leave their range of ±127; set_scale to a nearby simpler one and plan its error"
    )]
    ScaleExponent {
        /// The operation.
        op: &'static str,
    },
    /// A ciphertext has more or fewer polynomials than the operation takes.
    #[error("{op}: the ciphertext has {found} components, {expected} are needed; {hint}")]
    Components {
        /// The operation.
        op: &'static str,
        /// Components found.
        found: usize,
        /// Components needed.
        expected: usize,
        /// How to repair it.
        hint: &'static str,
    },
    /// More values than slots or coefficients.
    #[error("{op}: {found} values do not fit {room} places; split them over several plaintexts")]
    TooManyValues {
        /// The operation.
        op: &'static str,
        /// Values given.
        found: usize,
        /// Places there are.
        room: usize,
    },
    /// A value is not finite, or does not fit the modulus at this scale.
    #[error("{op}: value {value:e} at index {index} does not fit 2^{log2_room:.1} at this scale and level")]
    ValueOutOfRange {
        /// The operation.
        op: &'static str,
        /// Where.
        index: usize,
        /// The value, scaled.
        value: f64,
        /// `log2` of the largest size that fits.
        log2_room: f64,
    },
    /// No key for a needed automorphism.
    #[error("{op}: no Galois key for element {element} ({what}); generate it with KeyGenerator::galois_keys")]
    MissingGaloisKey {
        /// The operation.
        op: &'static str,
        /// The Galois element.
        element: usize,
        /// The rotation or conjugation it stands for.
        what: String,
    },
    /// The parameters have no special prime, so nothing can be switched.
    #[error("{op}: these parameters have no special prime; add one to `special` in the literal")]
    NoSpecialPrime {
        /// The operation.
        op: &'static str,
    },
    /// A key's shape does not match the parameters.
    #[error("{op}: a switching key needs {expected} digits, {found} were given")]
    KeyShape {
        /// The operation.
        op: &'static str,
        /// Digits needed.
        expected: usize,
        /// Digits found.
        found: usize,
    },
    /// A key was cut to lower levels than the ciphertext's.
    #[error(
        "{op}: the ciphertext is at level {level}, the key serves up to level {key}; make the key for level {level}"
    )]
    KeyLevel {
        /// The operation.
        op: &'static str,
        /// The ciphertext's level.
        level: Level,
        /// The key's highest level.
        key: Level,
    },
    /// A sum over slots with an impossible span.
    #[error("{op}: span {span} is not a power of two between 1 and the {slots} slots")]
    Span {
        /// The operation.
        op: &'static str,
        /// Span asked for.
        span: usize,
        /// Number of slots.
        slots: usize,
    },
    /// Bytes were refused.
    #[error("decode {object}: {source}")]
    Wire {
        /// What was being decoded.
        object: &'static str,
        /// What is wrong with the bytes.
        source: blindscope_wire::Error,
    },
    /// A residue on the wire is not below its prime.
    #[error(
        "decode {object}: residue {found} at index {index} is not below its modulus {modulus}; the sender is faulty"
    )]
    Residue {
        /// What was being decoded.
        object: &'static str,
        /// Which word.
        index: usize,
        /// The word.
        found: u64,
        /// The modulus.
        modulus: u64,
    },
    /// A field on the wire has an impossible value.
    #[error("decode {object}: {field} is {found}, expected {expected}")]
    Field {
        /// What was being decoded.
        object: &'static str,
        /// The field.
        field: &'static str,
        /// Its value.
        found: i64,
        /// What it may be.
        expected: String,
    },
    /// Digits of a ring-switching key that are too narrow or too wide.
    #[error("ring switch: digits of {found} bits; take two to eight")]
    DigitBits {
        /// Bits asked for.
        found: u32,
    },
    /// A coefficient that the ring does not have.
    #[error("{op}: there is no coefficient {found} in a ring of degree {degree}; they count from 0")]
    NoSuchCoefficient {
        /// The operation.
        op: &'static str,
        /// The coefficient.
        found: usize,
        /// Coefficients there are.
        degree: usize,
    },
    /// More low bits were to be dropped than the modulus has.
    #[error("{op}: cannot drop {drop} of {bits} bits; the noise allows far fewer")]
    DropBits {
        /// The operation.
        op: &'static str,
        /// Bits to drop.
        drop: u32,
        /// Bits there are.
        bits: u32,
    },
}
