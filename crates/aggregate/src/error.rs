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
    /// A plan outside its ranges.
    #[error("plan sum: {what} is {found}, from {min} to {max} is supported; change the plan")]
    Plan {
        /// Which part.
        what: &'static str,
        /// Value given.
        found: u64,
        /// Least supported.
        min: u64,
        /// Most supported.
        max: u64,
    },
    /// A coefficient on the wire that no ciphertext has.
    #[error("{op}: coefficient {index} of chunk {chunk} is above the modulus; the stream was altered")]
    Coefficient {
        /// The operation.
        op: &'static str,
        /// Which chunk.
        chunk: u64,
        /// Place within it.
        index: usize,
    },
    /// A share that answers another sum.
    #[error("open sum: {party} answered another ciphertext in chunk {chunk}; fetch its shares again")]
    ForeignShare {
        /// Who sent it.
        party: blindscope_threshold::PartyId,
        /// Which chunk.
        chunk: u64,
    },
    /// A stream of another plan or round.
    #[error("{op}: {what} is {found}, expected {expected}; the stream is of another plan or round")]
    Foreign {
        /// The operation.
        op: &'static str,
        /// What differs.
        what: &'static str,
        /// Fingerprint planned.
        expected: String,
        /// Fingerprint found.
        found: String,
    },
    /// A weighted mean of no weight.
    #[error("weighted mean: the weights sum to 0; no site had anything to contribute")]
    NoWeight,
    /// A class without samples.
    #[error("head: class {class} has no sample at any site; leave it out of the study's classes")]
    EmptyClass {
        /// Which.
        class: usize,
    },
    /// Opened sums that no samples give.
    #[error(
        "open statistics: {what} is {found}, at most {max} is possible; a site did not keep to the protocol, ask the sites again"
    )]
    Impossible {
        /// Which sum.
        what: &'static str,
        /// Value opened.
        found: u64,
        /// Largest that samples give.
        max: u64,
    },
    /// Linear algebra on opened sums failed.
    #[error("{op}: the matrix of {size} rows is not positive definite at row {row}; take a larger ridge")]
    Singular {
        /// The operation.
        op: &'static str,
        /// Rows.
        size: usize,
        /// Where the pivot vanished.
        row: usize,
    },
    /// A stream that could not be read or written.
    #[error("{op}: {kind}; a stream that ends early was cut, fetch it again")]
    Io {
        /// The operation.
        op: &'static str,
        /// What the system says.
        kind: std::io::ErrorKind,
    },
    /// From the bytes.
    #[error(transparent)]
    Wire(#[from] blindscope_wire::Error),
    /// From the protocols' layer.
    #[error(transparent)]
    Threshold(#[from] blindscope_threshold::ThresholdError),
    /// From the scheme's layer.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::CkksError),
}
