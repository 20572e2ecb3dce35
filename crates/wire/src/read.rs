//! A cursor over bytes from outside.

use crate::error::{Error, Result};
use crate::pack::{packed_len, unpack};

/// Reads fields from a byte slice; every read is checked and borrows, none allocates.
///
/// Each method takes the field's name, which the error repeats. On an error the cursor stays where it was.
///
/// ```
/// use blindscope_wire::Reader;
/// let mut r = Reader::new(&[2, 0, 7]);
/// assert_eq!(r.u16("level")?, 2);
/// assert!(r.u32("slots").is_err());
/// assert_eq!(r.u8("flags")?, 7);
/// r.finish()?;
/// # Ok::<(), blindscope_wire::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer are left.
    pub fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(Error::Short { field, needed: len, available: self.rest.len() });
        };
        self.rest = rest;
        Ok(head)
    }

    /// The next `LEN` bytes as an array.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer are left.
    pub fn array<const LEN: usize>(&mut self, field: &'static str) -> Result<[u8; LEN]> {
        let Some((head, rest)) = self.rest.split_first_chunk::<LEN>() else {
            return Err(Error::Short { field, needed: LEN, available: self.rest.len() });
        };
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Error::Short`] when none is left.
    pub fn u8(&mut self, field: &'static str) -> Result<u8> {
        self.array(field).map(u8::from_le_bytes)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer are left.
    pub fn u16(&mut self, field: &'static str) -> Result<u16> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer are left.
    pub fn u32(&mut self, field: &'static str) -> Result<u32> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer are left.
    pub fn u64(&mut self, field: &'static str) -> Result<u64> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Eight bytes as an IEEE 754 double. Any bit pattern is returned, infinities and NaN included: the caller
    /// states which values it accepts.
    ///
    /// # Errors
    /// [`Error::Short`] when fewer are left.
    pub fn f64(&mut self, field: &'static str) -> Result<f64> {
        self.array(field).map(f64::from_le_bytes)
    }

    /// A count of things, four bytes on the wire, at most `max`. Check a count with this before anything is
    /// allocated for it.
    ///
    /// # Errors
    /// [`Error::Short`] where fewer bytes are left; [`Error::Bound`] above `max`.
    pub fn count(&mut self, field: &'static str, max: usize) -> Result<usize> {
        let mut ahead = self.clone();
        let found = ahead.u32(field)?;
        let count = found as usize;
        if count > max {
            return Err(Error::Bound { field, max: max as u64, found: u64::from(found) });
        }
        *self = ahead;
        Ok(count)
    }

    /// Fills `out` with values packed at `width` bits; see [`unpack`].
    ///
    /// # Errors
    /// [`Error::Short`] where fewer bytes are left; [`Error::Width`] outside 1 to 64 bits; [`Error::Padding`] for bits behind the
    /// last value that are not zero; then `out` is unchanged.
    pub fn packed(&mut self, field: &'static str, width: u32, out: &mut [u64]) -> Result<()> {
        let mut ahead = self.clone();
        let bytes = ahead.bytes(field, packed_len(out.len(), width))?;
        unpack(bytes, width, out)?;
        *self = ahead;
        Ok(())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Error::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            found => Err(Error::Trailing { found }),
        }
    }
}
