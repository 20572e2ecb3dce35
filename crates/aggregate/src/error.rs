//! What summing refuses.

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What was refused: the operation, both values, and how to repair it.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
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
    /// A sum that no values of these sites have.
    #[error(
        "open sum: a value of chunk {chunk} is {found}, the sites' largest values make {max}; a body or the sum was altered, \
         or a site sent a value that the plan does not allow"
    )]
    Beyond {
        /// Which chunk.
        chunk: u64,
        /// Value found.
        found: u64,
        /// Largest of so many sites.
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
    /// No ring holds the sum.
    #[error("plan sum: no ring holds sums of {sites} sites × {max}; take fewer sites or fewer bits a value")]
    NoRing {
        /// Sites of the roster.
        sites: u64,
        /// Largest integer of one site.
        max: u64,
    },
    /// Numbers that are no part, check polynomial or opening.
    #[error(
        "{what}: expected {expected}, found {found}; it was altered or its dealer did not keep to the protocol"
    )]
    Part {
        /// What was read.
        what: &'static str,
        /// Length, or largest number, of such a thing.
        expected: u64,
        /// Value found.
        found: u64,
    },
    /// An evaluation that is not in its one form.
    #[error(
        "evaluation: the bytes are no field element in its one form; compute it again from the stored body"
    )]
    Evaluation,
    /// Too few openings, or one holder's twice.
    #[error("recover key: {found} openings, {needed} of different holders are needed; ask other holders")]
    Openings {
        /// The threshold.
        needed: u64,
        /// Openings given.
        found: u64,
    },
    /// Openings that give no sum of keys.
    #[error(
        "recover key: no {needed} of {found} openings give a sum of keys; a holder answered wrongly, ask others"
    )]
    WrongOpenings {
        /// Openings given.
        found: u64,
        /// The threshold.
        needed: u64,
    },
    /// Noise that no sum of bodies has.
    #[error(
        "open sum: noise of chunk {chunk} is {found:.1}, expected about {expected:.1}; a body or an opening was wrong, nothing is released"
    )]
    Noise {
        /// Which chunk.
        chunk: u64,
        /// Root of the mean square found.
        found: f64,
        /// Root of the mean square of a sum.
        expected: f64,
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
    /// A privacy loss that is none.
    #[error("privacy: {what} is {found}, expected {expected}; correct it in the job's file")]
    Privacy {
        /// Which number.
        what: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        expected: &'static str,
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
    /// From the scheme's layer.
    #[error(transparent)]
    Ckks(#[from] blindscope_ckks::Error),
}

pub(crate) fn io(op: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |e| Error::Io { op, kind: e.kind() }
}
