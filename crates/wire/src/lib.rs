//! Bounded byte readers and writers, bit packing, framing and digests.
//!
//! Everything that crosses a process boundary passes through this crate. It knows bytes and lengths, nothing of
//! rings or ciphertexts. Reading never panics and never allocates: the caller computes the length it expects from
//! its own parameters, allocates that much, and the reader fills it or says what was wrong.
//!
//! All integers are little endian. An object on the wire is a [`Header`] of [`Header::LEN`] bytes followed by its
//! payload; polynomials inside the payload are bit-packed with [`pack()`].

#![forbid(unsafe_code)]

mod digest;
mod error;
mod frame;
mod hex;
mod pack;
mod read;
mod write;

pub use digest::{Digest, Fingerprint, Hasher};
pub use error::{Error, Result};
pub use frame::{Header, Kind};
pub use hex::{hex, hex_into, unhex, unhex_into};
pub use pack::{MAX_WIDTH, pack, packed_len, unpack};
pub use read::Reader;
pub use write::Writer;
