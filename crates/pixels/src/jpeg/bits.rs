//! The bits of one entropy-coded segment: stuffed zeros taken out, the next marker never passed.

use super::{Outcome, Problem};

/// A reader between two markers.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the top. Bits below `count` may be set already; they are those that will be read again.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Starts at `at`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, count: 0 }
    }

    /// Brings at least 48 bits into the buffer, or all that are left before the next marker.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.count >= 48 {
            return;
        }
        if let Some(next) = self.bytes.get(self.at..).and_then(|b| b.first_chunk::<8>()) {
            let next = u64::from_be_bytes(*next);
            // A byte of all ones is a zero in the complement.
            let zeros = !next;
            let stuffed = zeros.wrapping_sub(0x0101_0101_0101_0101) & !zeros & 0x8080_8080_8080_8080;
            if stuffed == 0 {
                let whole = (63 - self.count) >> 3;
                self.buffer |= next >> self.count;
                self.at += whole as usize;
                self.count += whole * 8;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            let mut next = self.at + 1;
            if byte == 0xff {
                let fill = self.bytes[next..].iter().take_while(|b| **b == 0xff).count();
                if self.bytes.get(next + fill) != Some(&0) {
                    return;
                }
                next += fill + 1;
            }
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
            self.at = next;
        }
    }

    /// The next `n` bits, 1 to 16, of those that [`Bits::fill`] brought, with zeros where there are none.
    #[inline(always)]
    pub(super) fn peek(&self, n: u32) -> usize {
        (self.buffer >> (64 - n)) as usize
    }

    /// Passes `n` bits.
    #[inline(always)]
    pub(super) fn skip(&mut self, n: u32) -> Outcome<()> {
        if n > self.count {
            return Err(Problem::Damaged("its image data ends before the image does"));
        }
        self.buffer <<= n;
        self.count -= n;
        Ok(())
    }

    /// The value of the next `n` bits, 0 to 16.
    #[inline(always)]
    pub(super) fn take(&mut self, n: u32) -> Outcome<i32> {
        if n == 0 {
            return Ok(0);
        }
        let value = self.peek(n) as i32;
        self.skip(n)?;
        Ok(value)
    }

    /// A signed value of `size` bits: T.81's EXTEND.
    #[inline(always)]
    pub(super) fn signed(&mut self, size: u32) -> Outcome<i32> {
        let value = self.take(size)?;
        let negative = size > 0 && value < 1 << (size - 1);
        Ok(if negative { value - (1 << size) + 1 } else { value })
    }

    /// Ends the segment: fewer than eight bits may be left, and a marker has to follow. Tells where it begins.
    pub(super) fn end(&mut self) -> Outcome<usize> {
        self.fill();
        self.fill_slowly();
        if self.count >= 8 {
            return Err(Problem::Damaged("image data is left over where a marker should be"));
        }
        Ok(self.at)
    }

    /// Passes the restart marker `number` (0 to 7), which has to be next.
    pub(super) fn restart(&mut self, number: u8) -> Outcome<()> {
        let at = self.end()?;
        let fill = self.bytes[at..].iter().take_while(|b| **b == 0xff).count();
        if fill == 0 || self.bytes.get(at + fill) != Some(&(0xd0 + number)) {
            return Err(Problem::Damaged("a restart marker is missing or out of turn"));
        }
        *self = Self::new(self.bytes, at + fill + 1);
        Ok(())
    }
}
