//! The reader's counterpart: fields appended to a vector whose final length is known.

use crate::pack::{pack, packed_len};

/// Appends fields to a vector.
///
/// The length is announced first, from the same formula the reader checks against; [`Writer::finish`] asserts in
/// debug builds that exactly that much was written, so formula and code cannot drift apart unseen.
///
/// ```
/// use blindscope_wire::Writer;
/// let mut out = Vec::new();
/// let mut w = Writer::new(&mut out, 6);
/// w.u16(3);
/// w.u32(4096);
/// w.finish();
/// assert_eq!(out, [3, 0, 0, 16, 0, 0]);
/// ```
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
}

impl<'a> Writer<'a> {
    /// Reserves `len` bytes after those already in `out`.
    pub fn new(out: &'a mut Vec<u8>, len: usize) -> Self {
        out.reserve_exact(len);
        let end = out.len() + len;
        Self { out, end }
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends eight bytes, the bit pattern of `value`.
    pub fn f64(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Appends `values` at `width` bits each; see [`pack()`] for the range and for the panic on a bad width.
    pub fn packed(&mut self, values: &[u64], width: u32) {
        debug_assert!(
            self.out.len() + packed_len(values.len(), width) <= self.end,
            "more written than announced"
        );
        pack(values, width, self.out);
    }

    /// Ends the writing. Asserts in debug builds that the announced length was written.
    pub fn finish(self) {
        debug_assert_eq!(self.out.len(), self.end, "written length differs from the announced one");
    }
}
