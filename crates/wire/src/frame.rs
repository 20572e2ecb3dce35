//! The header in front of every object.
//!
//! | offset | bytes | field |
//! | ---: | ---: | --- |
//! | 0 | 4 | magic `42 53 43 50` (`BSCP`) |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | kind of object, assigned by the crate that owns it |
//! | 8 | 16 | fingerprint of the parameters the object belongs to |
//! | 24 | 8 | payload length in bytes |
//! | 32 | – | payload |

use std::fmt;

use crate::digest::Fingerprint;
use crate::error::{Error, Result};
use crate::read::Reader;
use crate::write::Writer;

/// What an object is. The owning crate defines its constants; this crate only compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub u16);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// The fields in front of a payload: [`Header::LEN`] bytes, laid out as in the module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the payload is.
    pub kind: Kind,
    /// The parameters it belongs to.
    pub params: Fingerprint,
    /// Bytes that follow the header.
    pub payload_len: u64,
}

impl Header {
    /// Bytes a header takes.
    pub const LEN: usize = 32;
    /// First bytes of every object.
    pub const MAGIC: [u8; 4] = *b"BSCP";
    /// Version this build writes, and the only one it reads.
    pub const VERSION: u16 = 1;

    /// Appends the header.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.bytes(&Self::MAGIC);
        w.u16(Self::VERSION);
        w.u16(self.kind.0);
        w.bytes(&self.params.0);
        w.u64(self.payload_len);
    }

    /// Reads a header. Kind, parameters and length are returned unjudged: see [`Header::require`].
    ///
    /// # Errors
    /// [`Error::Short`] for fewer bytes than a header; [`Error::Magic`] where the first bytes are not those of an
    /// object; [`Error::Version`] for another format version.
    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        let found = r.array("magic")?;
        if found != Self::MAGIC {
            return Err(Error::Magic { expected: Self::MAGIC, found });
        }
        let found = r.u16("format version")?;
        if found != Self::VERSION {
            return Err(Error::Version { expected: Self::VERSION, found });
        }
        Ok(Self {
            kind: Kind(r.u16("kind")?),
            params: Fingerprint(r.array("parameter fingerprint")?),
            payload_len: r.u64("payload length")?,
        })
    }

    /// Refuses an object of another kind or of other parameters.
    ///
    /// # Errors
    /// [`Error::Kind`] for an object of another kind; [`Error::Params`] for one made under other parameters.
    pub fn require(&self, kind: Kind, params: Fingerprint) -> Result<()> {
        if self.kind != kind {
            return Err(Error::Kind { expected: kind, found: self.kind });
        }
        if self.params != params {
            return Err(Error::Params { expected: params, found: self.params });
        }
        Ok(())
    }

    /// Refuses a payload of another length than `expected` bytes. When reading from a stream, call this before
    /// allocating for the payload.
    ///
    /// # Errors
    /// [`Error::PayloadLen`] for a payload of another length.
    pub fn require_payload(&self, expected: usize) -> Result<()> {
        if self.payload_len != expected as u64 {
            return Err(Error::PayloadLen { expected: expected as u64, found: self.payload_len });
        }
        Ok(())
    }

    /// Opens `bytes`, which hold one object and nothing else: checks header, kind, parameters and that the payload
    /// is exactly as long as the header says, and returns a reader of the payload.
    ///
    /// # Errors
    /// Any of the errors of [`Header::read`], [`Header::require`] and [`Header::require_payload`].
    pub fn open(bytes: &[u8], kind: Kind, params: Fingerprint) -> Result<Reader<'_>> {
        let mut r = Reader::new(bytes);
        let header = Self::read(&mut r)?;
        header.require(kind, params)?;
        header.require_payload(r.remaining())?;
        Ok(r)
    }
}
