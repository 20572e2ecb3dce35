//! One scan: its units in order, restarts between them, and the blocks of sequential coding (T.81, annex F).

use super::bits::Bits;
use super::frame::Frame;
use super::huffman::Huffman;
use super::progressive;
use super::segments::{Decoder, NATURAL};
use super::{Outcome, Problem};

/// A scan's header.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    /// First and last coefficient.
    pub(super) start: u8,
    pub(super) end: u8,
    /// Bits known before and after: progressive coding alone.
    pub(super) high: u8,
    pub(super) low: u8,
}

/// A component of a scan, with its tables.
#[derive(Debug)]
pub(super) struct ScanComponent {
    pub(super) index: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// What carries over from block to block.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) bits: Bits<'a>,
    pub(super) predictions: [i32; 4],
    /// Blocks that still end here: progressive coding alone.
    pub(super) run: u32,
}

/// A scan's component with what its blocks need.
struct Part<'a> {
    index: usize,
    h: usize,
    v: usize,
    across: usize,
    tables: Tables<'a>,
}

/// The tables of a component.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) dc: Option<&'a Huffman>,
    pub(super) ac: Option<&'a Huffman>,
}

const NO_TABLE: Problem = Problem::Damaged("a scan uses a table that was not defined");

impl<'a> Tables<'a> {
    #[inline(always)]
    pub(super) fn dc(self) -> Outcome<&'a Huffman> {
        self.dc.ok_or(NO_TABLE)
    }

    #[inline(always)]
    pub(super) fn ac(self) -> Outcome<&'a Huffman> {
        self.ac.ok_or(NO_TABLE)
    }
}

/// Reads the scan that begins at `at`; tells where the next marker is.
pub(super) fn run(
    decoder: &Decoder,
    frame: &mut Frame,
    scan: &Scan,
    bytes: &[u8],
    at: usize,
) -> Outcome<usize> {
    let whole = !frame.progressive && scan.components.len() == frame.components.len();
    if frame.progressive {
        progressive::admit(frame, scan)?;
    }
    for part in &scan.components {
        let component = &mut frame.components[part.index];
        if component.quantisation.is_none() {
            component.quantisation = Some(decoder.quantisation[component.table].ok_or(NO_TABLE)?);
        } else if !frame.progressive {
            return Err(Problem::Damaged("a component is coded twice"));
        }
    }
    if !whole {
        frame.keep_coefficients()?;
    }
    let alone = scan.components.len() == 1;
    let parts: Vec<Part<'_>> = scan
        .components
        .iter()
        .map(|c| {
            let component = &frame.components[c.index];
            let (h, v) = if alone { (1, 1) } else { (component.h, component.v) };
            let tables = Tables { dc: decoder.dc[c.dc].as_ref(), ac: decoder.ac[c.ac].as_ref() };
            Part { index: c.index, h, v, across: component.blocks_across, tables }
        })
        .collect();
    let units = if alone { frame.components[parts[0].index].own_blocks() } else { frame.units };
    let state = State { bits: Bits::new(bytes, at), predictions: [0; 4], run: 0 };
    let mut walk = Walk { state, parts, units, interval: decoder.interval, left: decoder.interval, next: 0 };
    if whole { walk.in_rows(frame) } else { walk.over_all(frame, scan) }?;
    walk.finish()
}

/// The units of a scan in order.
struct Walk<'a> {
    state: State<'a>,
    parts: Vec<Part<'a>>,
    units: (usize, usize),
    interval: usize,
    left: usize,
    /// Number of the next restart marker.
    next: u8,
}

impl Walk<'_> {
    /// A sequential scan of the whole picture: a row of units is decoded, transformed, forgotten.
    fn in_rows(&mut self, frame: &mut Frame) -> Outcome<()> {
        let mut rows: Vec<Vec<[i16; 64]>> =
            self.parts.iter().map(|p| vec![[0; 64]; p.across * p.v]).collect();
        for y in 0..self.units.1 {
            rows.iter_mut().for_each(|row| row.fill([0; 64]));
            for x in 0..self.units.0 {
                self.before_unit()?;
                for (slot, (part, row)) in self.parts.iter().zip(&mut rows).enumerate() {
                    let (dc, ac) = (part.tables.dc()?, part.tables.ac()?);
                    for v in 0..part.v {
                        for h in 0..part.h {
                            let block = &mut row[v * part.across + x * part.h + h];
                            sequential(&mut self.state, slot, dc, ac, block)?;
                        }
                    }
                }
            }
            for (part, row) in self.parts.iter().zip(&rows) {
                for (v, blocks) in row.chunks_exact(part.across).enumerate() {
                    frame.components[part.index].transform(y * part.v + v, blocks);
                }
            }
        }
        Ok(())
    }

    /// A scan that adds to the coefficients kept.
    fn over_all(&mut self, frame: &mut Frame, scan: &Scan) -> Outcome<()> {
        for y in 0..self.units.1 {
            for x in 0..self.units.0 {
                self.before_unit()?;
                for (slot, part) in self.parts.iter().enumerate() {
                    let blocks = &mut frame.components[part.index].coefficients;
                    for v in 0..part.v {
                        for h in 0..part.h {
                            let block = &mut blocks[(y * part.v + v) * part.across + x * part.h + h];
                            if frame.progressive {
                                progressive::block(&mut self.state, slot, part.tables, scan, block)?;
                            } else {
                                let (dc, ac) = (part.tables.dc()?, part.tables.ac()?);
                                sequential(&mut self.state, slot, dc, ac, block)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Passes a restart where one is due.
    #[inline(always)]
    fn before_unit(&mut self) -> Outcome<()> {
        if self.interval == 0 {
            return Ok(());
        }
        if self.left == 0 {
            if self.state.run > 0 {
                return Err(Problem::Damaged("a run of blocks goes on past a restart"));
            }
            self.state.bits.restart(self.next)?;
            self.state.predictions = [0; 4];
            self.next = (self.next + 1) % 8;
            self.left = self.interval;
        }
        self.left -= 1;
        Ok(())
    }

    fn finish(mut self) -> Outcome<usize> {
        if self.state.run > 0 {
            return Err(Problem::Damaged("a run of blocks goes on past the image"));
        }
        self.state.bits.end()
    }
}

/// Adds a difference to a component's DC prediction. T.81 lets eight-bit pictures have 11 bits of difference.
#[inline(always)]
pub(super) fn predict(state: &mut State<'_>, slot: usize, dc: &Huffman) -> Outcome<i32> {
    state.bits.fill();
    let size = dc.symbol(&mut state.bits)?;
    if size > 11 {
        return Err(Problem::Damaged("its image data holds a difference that eight bits cannot make"));
    }
    let level = state.predictions[slot] + state.bits.signed(size.into())?;
    if !(-2048..=2047).contains(&level) {
        return Err(Problem::Damaged("its image data adds up to a level that eight bits cannot have"));
    }
    state.predictions[slot] = level;
    Ok(level)
}

#[inline(always)]
fn sequential(
    state: &mut State<'_>,
    slot: usize,
    dc: &Huffman,
    ac: &Huffman,
    block: &mut [i16; 64],
) -> Outcome<()> {
    block[0] = predict(state, slot, dc)? as i16;
    let mut k = 1;
    while k < 64 {
        state.bits.fill();
        let symbol = ac.symbol(&mut state.bits)?;
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            match run {
                0 => break,
                15 => k += 16,
                _ => return Err(Problem::Damaged("its image data holds a code that means nothing")),
            }
            continue;
        }
        k += run;
        if k > 63 || size > 10 {
            return Err(Problem::Damaged("its image data holds a coefficient that no block has"));
        }
        block[NATURAL[k]] = state.bits.signed(size)? as i16;
        k += 1;
    }
    Ok(())
}
