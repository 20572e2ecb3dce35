//! Integers of one width, which may exceed 64 bits, packed without gaps: value `i` in the bits `[i·w, (i+1)·w)`, least
//! significant first, zeros above the last one. The wire crate packs residues the same way.

/// Bytes of `count` values.
pub(crate) fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Appends values of one width.
pub(crate) struct Packer<'o> {
    out: &'o mut Vec<u8>,
    width: u32,
    pending: u64,
    held: u32,
}

impl<'o> Packer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, width: u32) -> Self {
        Self { out, width, pending: 0, held: 0 }
    }

    /// Appends one value. Range: below `2^width`.
    #[inline]
    pub(crate) fn push(&mut self, value: &[u64]) {
        let mut left = self.width;
        for &word in value {
            let bits = left.min(64);
            if bits == 0 {
                break;
            }
            self.pending |= word << self.held;
            if self.held + bits >= 64 {
                self.out.extend_from_slice(&self.pending.to_le_bytes());
                // What of the word did not fit; a shift by 64 is none.
                self.pending = (word >> 1) >> (63 - self.held);
                self.held = self.held + bits - 64;
            } else {
                self.held += bits;
            }
            left -= bits;
        }
    }

    /// Ends the packing.
    pub(crate) fn finish(self) {
        self.out.extend_from_slice(&self.pending.to_le_bytes()[..self.held.div_ceil(8) as usize]);
    }
}

/// Reads values of one width back.
pub(crate) struct Unpacker<'b> {
    bytes: &'b [u8],
    width: u32,
    bit: usize,
}

impl<'b> Unpacker<'b> {
    /// Range: `bytes` holds whole values.
    pub(crate) fn new(bytes: &'b [u8], width: u32) -> Self {
        Self { bytes, width, bit: 0 }
    }

    /// The next value into `out`, zeros above it.
    #[inline]
    pub(crate) fn next_into(&mut self, out: &mut [u64]) {
        let mut left = self.width;
        for word in out {
            let bits = left.min(64);
            *word = if bits == 0 { 0 } else { self.take(bits) };
            left -= bits;
        }
    }

    #[inline]
    fn take(&mut self, bits: u32) -> u64 {
        let (at, shift) = (self.bit / 8, (self.bit % 8) as u32);
        self.bit += bits as usize;
        let ahead = self.bytes.get(at..).unwrap_or(&[]);
        let window = ahead.first_chunk::<16>().copied().unwrap_or_else(|| {
            let mut short = [0; 16];
            let len = ahead.len().min(16);
            short[..len].copy_from_slice(&ahead[..len]);
            short
        });
        (u128::from_le_bytes(window) >> shift) as u64 & u64::MAX >> (64 - bits)
    }

    /// Whether the bits above the last value are zero.
    pub(crate) fn padding_is_zero(&self) -> bool {
        let used = (self.bit % 8) as u32;
        used == 0 || self.bytes.get(self.bit / 8).is_none_or(|b| b >> used == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_at_every_width() {
        for width in [1u32, 7, 8, 23, 63, 64, 65, 127, 128, 129, 164, 172, 191, 192, 250] {
            let words = (width as usize).div_ceil(64);
            let top = u64::MAX >> (words as u32 * 64 - width);
            let values: Vec<Vec<u64>> = (0..13u64)
                .map(|i| {
                    let mut v: Vec<u64> = (0..words as u64)
                        .map(|j| (i * 31 + j + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                        .collect();
                    if i == 3 {
                        v.fill(u64::MAX);
                    }
                    v[words - 1] &= top;
                    v
                })
                .collect();
            let mut out = Vec::new();
            let mut packer = Packer::new(&mut out, width);
            for v in &values {
                packer.push(v);
            }
            packer.finish();
            assert_eq!(out.len(), packed_len(13, width));
            let mut unpacker = Unpacker::new(&out, width);
            for v in &values {
                let mut got = vec![9; words + 1];
                unpacker.next_into(&mut got);
                assert_eq!((&got[..words], got[words]), (&v[..], 0), "width {width}");
            }
            assert!(unpacker.padding_is_zero());
            if !(13 * width).is_multiple_of(8) {
                *out.last_mut().unwrap() |= 0x80;
                let mut unpacker = Unpacker::new(&out, width);
                let mut got = vec![0; words];
                (0..13).for_each(|_| unpacker.next_into(&mut got));
                assert!(!unpacker.padding_is_zero());
            }
        }
    }
}
