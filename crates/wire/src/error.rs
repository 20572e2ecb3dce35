//! What can be wrong with bytes, said with the values that disagree.

use crate::digest::Fingerprint;
use crate::frame::Kind;

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why bytes were refused. Nothing is consumed or written when an operation returns one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Fewer bytes are left than the next field takes.
    #[error("read {field}: needs {needed} bytes, {available} left; the object was cut short, fetch it again")]
    Short {
        /// The field that was being read.
        field: &'static str,
        /// Bytes the field takes.
        needed: usize,
        /// Bytes that were left.
        available: usize,
    },
    /// Bytes follow the last field.
    #[error(
        "finish: expected no further bytes, found {found}; the object was padded or made by another version"
    )]
    Trailing {
        /// Bytes left over.
        found: usize,
    },
    /// A number on the wire is larger than the reader's bound.
    #[error("read {field}: expected at most {max}, found {found}; the object does not fit these parameters")]
    Bound {
        /// The field that was being read.
        field: &'static str,
        /// Largest value accepted.
        max: u64,
        /// Value found.
        found: u64,
    },
    /// A bit width outside `1..=64`.
    #[error(
        "{operation}: expected a width of 1 to 64 bits, found {found}; take the bit length of the modulus"
    )]
    Width {
        /// The operation that was asked for.
        operation: &'static str,
        /// Width given.
        found: u32,
    },
    /// Packed residues of another length than `packed_len(count, width)`.
    #[error(
        "unpack: {count} values of {width} bits take {expected} bytes, found {found}; compute the length with packed_len"
    )]
    PackedLen {
        /// Values asked for.
        count: usize,
        /// Bits a value.
        width: u32,
        /// Bytes they take.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// Bits above the last packed value are set, so two byte strings would mean the same values.
    #[error(
        "unpack: expected zero in the bits above the last value, found {found:#04x}; the object was altered or badly packed"
    )]
    Padding {
        /// The last byte's bits above the last value, in place.
        found: u8,
    },
    /// The first bytes are not those of a Blindscope object.
    #[error(
        "open frame: expected magic {expected:02x?}, found {found:02x?}; this is not a Blindscope object"
    )]
    Magic {
        /// Magic of this format.
        expected: [u8; 4],
        /// Bytes found in its place.
        found: [u8; 4],
    },
    /// An object of another format version.
    #[error(
        "open frame: expected format version {expected}, found {found}; use the same Blindscope release on both sides"
    )]
    Version {
        /// Version this build reads.
        expected: u16,
        /// Version found.
        found: u16,
    },
    /// An object of another kind than the one asked for.
    #[error(
        "open frame: expected kind {expected}, found {found}; a different object was sent or stored here"
    )]
    Kind {
        /// Kind asked for.
        expected: Kind,
        /// Kind found.
        found: Kind,
    },
    /// An object made under other parameters.
    #[error(
        "open frame: expected parameters {expected}, found {found}; use the parameters the object was made with"
    )]
    Params {
        /// Fingerprint of the reader's parameters.
        expected: Fingerprint,
        /// Fingerprint in the header.
        found: Fingerprint,
    },
    /// A payload of another length than the parameters say.
    #[error(
        "open frame: expected a payload of {expected} bytes, found {found}; the object was cut, padded or made by another version"
    )]
    PayloadLen {
        /// Bytes the parameters (or the bytes at hand) say.
        expected: u64,
        /// Bytes the header says.
        found: u64,
    },
}
