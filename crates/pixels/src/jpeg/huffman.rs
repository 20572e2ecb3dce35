//! Huffman tables: T.81, annex C and F.2.2.3.

use super::bits::Bits;
use super::{Outcome, Problem};

/// Codes up to this length are looked up at once.
const FAST: u32 = 9;

/// A table that decodes symbols.
#[derive(Clone, Debug)]
pub(super) struct Huffman {
    /// `length << 8 | symbol` for each beginning; zero where the code is longer.
    fast: Box<[u16; 1 << FAST]>,
    /// For each length, one more than the last code, aligned to 16 bits; zero for none.
    limit: [u32; 17],
    /// For each length, place of its first symbol less its first code.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// From the number of codes of each length, 1 to 16, and their symbols.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Outcome<Self> {
        let mut table = Self {
            fast: Box::new([0; 1 << FAST]),
            limit: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0u32, 0usize);
        for length in 1..=16u32 {
            let count = u32::from(counts[length as usize - 1]);
            if code + count > 1 << length {
                return Err(Problem::Damaged("a Huffman table has more codes than its lengths allow"));
            }
            table.offset[length as usize] = place as i32 - code as i32;
            for _ in 0..count {
                if length <= FAST {
                    let first = (code << (FAST - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbols[place]);
                    table.fast[first..first + (1 << (FAST - length))].fill(entry);
                }
                code += 1;
                place += 1;
            }
            if count > 0 {
                table.limit[length as usize] = code << (16 - length);
            }
            code <<= 1;
        }
        Ok(table)
    }

    /// The next symbol. The caller has filled the bits.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Outcome<u8> {
        let entry = self.fast[bits.peek(FAST)];
        if entry != 0 {
            bits.skip(u32::from(entry >> 8))?;
            return Ok(entry as u8);
        }
        self.long(bits)
    }

    #[cold]
    fn long(&self, bits: &mut Bits<'_>) -> Outcome<u8> {
        let next = bits.peek(16) as u32;
        let length = (FAST + 1..=16).find(|length| next < self.limit[*length as usize]);
        let length = length.ok_or(Problem::Damaged("its image data holds a code that no table has"))?;
        bits.skip(length)?;
        let place = (next >> (16 - length)) as i32 + self.offset[length as usize];
        let symbol = self.symbols.get(place as usize);
        symbol.copied().ok_or(Problem::Damaged("its image data holds a code that no table has"))
    }
}
