//! A frame: its components, their sample planes, and the picture that they make.

use super::upsample::{Room, Upsampling};
use super::{Colours, Outcome, Problem, colour, idct};
use crate::{Limits, Rgb};

/// One component.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of an interleaved unit, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Which quantisation table.
    pub(super) table: usize,
    /// Samples across and down that belong to the picture.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Blocks in a row and rows of blocks, whole units.
    pub(super) blocks_across: usize,
    pub(super) blocks_down: usize,
    /// The table as it was at the component's first scan; none before.
    pub(super) quantisation: Option<[u16; 64]>,
    /// Every block's coefficients, when several scans bring them; else empty.
    pub(super) coefficients: Vec<[i16; 64]>,
    /// Progressive: the bit down to which each coefficient is known, −1 for none.
    pub(super) accuracy: [i8; 64],
    upsampling: Upsampling,
    samples: Vec<u8>,
}

impl Component {
    /// Samples `[columns]` of one row.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        let stride = self.blocks_across * 8;
        &self.samples[y * stride..y * stride + self.columns]
    }

    /// Blocks `(across, down)` of a scan of this component alone.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        (self.columns.div_ceil(8), self.rows.div_ceil(8))
    }

    /// Transforms one row of blocks into samples.
    pub(super) fn transform(&mut self, block_row: usize, blocks: &[[i16; 64]]) {
        let stride = self.blocks_across * 8;
        let quantisation = self.quantisation.unwrap_or([1; 64]);
        let start = block_row * 8 * stride;
        idct::row(blocks, &quantisation, &mut self.samples[start..start + 8 * stride], stride);
    }
}

/// A frame, checked.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// Interleaved units across and down.
    pub(super) units: (usize, usize),
    memory: u64,
    limit: u64,
}

impl Frame {
    /// Reads a frame header; `file` is the stream's length.
    pub(super) fn new(segment: &[u8], progressive: bool, file: usize, limits: Limits) -> Outcome<Self> {
        let short = Problem::Damaged("its frame header is cut off");
        let (head, listed) = segment.split_first_chunk::<6>().ok_or(short.clone())?;
        let [precision, h1, h0, w1, w0, count] = *head;
        let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        if precision != 8 {
            return Err(Problem::Unsupported("its samples have not eight bits; save it with eight"));
        }
        if width == 0 || height == 0 {
            return Err(Problem::Damaged("its frame header names no size"));
        }
        match count {
            1 | 3 => {}
            4 => return Err(Problem::Unsupported("it has four inks (CMYK); save it as RGB")),
            _ => return Err(Problem::Unsupported("it has neither one nor three components")),
        }
        if u64::from(width) * u64::from(height) > limits.pixels {
            let (width, height) = (width.into(), height.into());
            return Err(Problem::TooManyPixels { width, height, limit: limits.pixels });
        }
        let listed = listed.get(..3 * usize::from(count)).ok_or(short)?.as_chunks::<3>().0;
        let mut frame = Self {
            width: width.into(),
            height: height.into(),
            progressive,
            components: Vec::new(),
            units: (0, 0),
            memory: 0,
            limit: limits.decoder_bytes,
        };
        frame.components(listed)?;
        let blocks: usize = frame.components.iter().map(|c| c.blocks_across * c.blocks_down).sum();
        // A block takes a bit at least.
        if blocks > file.saturating_mul(8) {
            return Err(Problem::Damaged("the file is too short for the size that its header names"));
        }
        frame.reserve(blocks as u64 * 64 + 3 * (frame.width * frame.height) as u64)?;
        for component in &mut frame.components {
            component.samples = vec![0; component.blocks_across * component.blocks_down * 64];
        }
        Ok(frame)
    }

    fn components(&mut self, listed: &[[u8; 3]]) -> Outcome<()> {
        let alone = listed.len() == 1;
        let factors = |packed: u8| {
            let (h, v) = (usize::from(packed >> 4), usize::from(packed & 15));
            let known = (1..=4).contains(&h) && (1..=4).contains(&v);
            known.then_some(if alone { (1, 1) } else { (h, v) })
        };
        let all: Option<Vec<_>> = listed.iter().map(|[_, packed, _]| factors(*packed)).collect();
        let all = all.ok_or(Problem::Damaged("its frame header names impossible sampling factors"))?;
        let most = |of: fn(&(usize, usize)) -> usize| all.iter().map(of).max().unwrap_or(1);
        let (h_most, v_most) = (most(|f| f.0), most(|f| f.1));
        self.units = (self.width.div_ceil(8 * h_most), self.height.div_ceil(8 * v_most));
        for ([id, _, table], (h, v)) in listed.iter().zip(all) {
            if h_most % h != 0 || v_most % v != 0 {
                return Err(Problem::Unsupported("its components are subsampled by broken numbers"));
            }
            if *table > 3 {
                return Err(Problem::Damaged("its frame header names an impossible table"));
            }
            let columns = (self.width * h).div_ceil(h_most);
            self.components.push(Component {
                id: *id,
                h,
                v,
                table: usize::from(*table),
                columns,
                rows: (self.height * v).div_ceil(v_most),
                blocks_across: self.units.0 * h,
                blocks_down: self.units.1 * v,
                quantisation: None,
                coefficients: Vec::new(),
                accuracy: [-1; 64],
                upsampling: Upsampling::choose(h_most / h, v_most / v, columns),
                samples: Vec::new(),
            });
        }
        Ok(())
    }

    /// Counts memory against the limit.
    fn reserve(&mut self, bytes: u64) -> Outcome<()> {
        self.memory += bytes;
        if self.memory > self.limit {
            return Err(Problem::Memory { bytes: self.memory, limit: self.limit });
        }
        Ok(())
    }

    /// Room for all coefficients, when several scans bring them.
    pub(super) fn keep_coefficients(&mut self) -> Outcome<()> {
        if self.components.iter().all(|c| c.coefficients.is_empty()) {
            let blocks: usize = self.components.iter().map(|c| c.blocks_across * c.blocks_down).sum();
            self.reserve(blocks as u64 * 128)?;
            for component in &mut self.components {
                component.coefficients = vec![[0; 64]; component.blocks_across * component.blocks_down];
            }
        }
        Ok(())
    }

    /// The picture, once every scan was read.
    pub(super) fn picture(mut self, ycbcr: bool) -> Outcome<Rgb> {
        let whole = |c: &Component| {
            let known = if self.progressive { c.accuracy == [0; 64] } else { true };
            known && c.quantisation.is_some()
        };
        if !self.components.iter().all(whole) {
            return Err(Problem::Damaged("scans that its image needs are missing"));
        }
        for component in &mut self.components {
            let blocks = std::mem::take(&mut component.coefficients);
            for (at, row) in blocks.chunks_exact(component.blocks_across).enumerate() {
                component.transform(at, row);
            }
        }
        let mut pixels = vec![0; 3 * self.width * self.height];
        let mut rooms = [Room::default(), Room::default(), Room::default()];
        for (y, out) in pixels.chunks_exact_mut(3 * self.width).enumerate() {
            let mut rows =
                self.components.iter().zip(&mut rooms).map(|(c, room)| c.upsampling.row(c, y, room));
            match (rows.next(), rows.next(), rows.next()) {
                (Some(a), Some(b), Some(c)) if ycbcr => colour::ycbcr([a, b, c], out),
                (Some(a), Some(b), Some(c)) => colour::interleave([a, b, c], out),
                (Some(grey), ..) => colour::interleave([grey; 3], out),
                _ => {}
            }
        }
        Ok(Rgb { width: self.width, height: self.height, pixels })
    }

    /// Whether three components are YCbCr: as libjpeg decides.
    pub(super) fn is_ycbcr(&self, colours: Colours, jfif: bool, adobe: Option<u8>) -> bool {
        let ids: Vec<u8> = self.components.iter().map(|c| c.id).collect();
        match (colours, adobe) {
            (Colours::Rgb, _) => false,
            (Colours::YCbCr, _) => true,
            (Colours::Guess, _) if jfif => true,
            (Colours::Guess, Some(transform)) => transform != 0,
            (Colours::Guess, None) => ids != *b"RGB",
        }
    }
}
