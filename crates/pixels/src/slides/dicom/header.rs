//! What a slide's DICOM header tells (PS3.3, A.32.8: VL Whole Slide Microscopy Image).

use super::walk::{Found, PixelData, text, walk};
use crate::slides::problem::{SlideProblem, bounded};
use crate::slides::reader::MOST_TILES;
use crate::slides::source::Source;

const SHARED: u32 = 0x5200_9229;
const PER_FRAME: u32 = 0x5200_9230;

/// The attributes that are used.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) syntax: String,
    pub(super) pixels: Option<PixelData>,
    pub(super) series: String,
    pub(super) modality: String,
    pub(super) image_type: String,
    pub(super) photometric: String,
    pub(super) samples: u64,
    pub(super) planar: u64,
    pub(super) bits: u64,
    pub(super) rows: u64,
    pub(super) columns: u64,
    pub(super) frames: u64,
    pub(super) total_columns: u64,
    pub(super) total_rows: u64,
    pub(super) focal_planes: u64,
    pub(super) optical_paths: u64,
    /// Whether this is one of several files of one level, and how many there are, where that is told.
    pub(super) concatenated: bool,
    pub(super) parts: u64,
    pub(super) organisation: String,
    /// Millimetres between rows, and between columns.
    pub(super) spacing: Option<(f64, f64)>,
    /// Width and height of the whole in millimetres.
    pub(super) volume: (Option<f64>, Option<f64>),
    /// One-based column and row of each frame's first pixel, where frames tell.
    pub(super) positions: Vec<(u64, u64)>,
}

impl Header {
    /// Reads a file's header up to its pixels.
    ///
    /// # Errors
    /// [`SlideProblem`] for a file that is cut or breaks the format, or has more frames than a slide.
    pub(super) fn read(source: &Source) -> Result<Self, SlideProblem> {
        let mut header = Self { samples: 1, frames: 1, focal_planes: 1, optical_paths: 1, ..Self::default() };
        let mut too_many = false;
        let (syntax, pixels) = walk(source, |found| {
            if found.item >= MOST_TILES {
                too_many = true;
            } else {
                header.take(found);
            }
        })?;
        if too_many {
            bounded("frames", MOST_TILES + 1, MOST_TILES)?;
        }
        header.syntax = syntax;
        header.pixels = pixels;
        Ok(header)
    }

    fn take(&mut self, found: &Found<'_>) {
        let value = found.value;
        match (found.path, found.tag) {
            ([], 0x0008_0008) => self.image_type = text(value),
            ([], 0x0008_0060) => self.modality = text(value),
            ([], 0x0020_000e) => self.series = text(value),
            ([], 0x0020_9161) => self.concatenated = !text(value).is_empty(),
            ([], 0x0020_9163) => self.parts = number(value),
            ([], 0x0020_9311) => self.organisation = text(value),
            ([], 0x0028_0004) => self.photometric = text(value),
            ([], 0x0028_0008) => self.frames = text(value).parse().unwrap_or(0),
            ([], 0x0028_0002) => self.samples = number(value),
            ([], 0x0028_0006) => self.planar = number(value),
            ([], 0x0028_0010) => self.rows = number(value),
            ([], 0x0028_0011) => self.columns = number(value),
            ([], 0x0028_0100) => self.bits = number(value),
            ([], 0x0048_0001) => self.volume.0 = single(value),
            ([], 0x0048_0002) => self.volume.1 = single(value),
            ([], 0x0048_0006) => self.total_columns = number(value),
            ([], 0x0048_0007) => self.total_rows = number(value),
            ([], 0x0048_0302) => self.optical_paths = number(value),
            ([], 0x0048_0303) => self.focal_planes = number(value),
            ([SHARED | PER_FRAME, 0x0028_9110], 0x0028_0030) if self.spacing.is_none() => {
                let text = text(value);
                let mut parts = text.split('\\').map(|part| part.trim().parse().ok());
                self.spacing = parts.next().flatten().zip(parts.next().flatten());
            }
            ([PER_FRAME, 0x0048_021a], 0x0048_021e | 0x0048_021f) => {
                self.positions.resize(self.positions.len().max(found.item as usize + 1), (0, 0));
                let place = &mut self.positions[found.item as usize];
                let side = if found.tag == 0x0048_021e { &mut place.0 } else { &mut place.1 };
                *side = number(value);
            }
            _ => {}
        }
    }
}

/// A US or UL value; zero for another length.
fn number(value: &[u8]) -> u64 {
    match value {
        [a, b] => u16::from_le_bytes([*a, *b]).into(),
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]).into(),
        _ => 0,
    }
}

/// An FL value.
fn single(value: &[u8]) -> Option<f64> {
    value.first_chunk::<4>().map(|bytes| f32::from_le_bytes(*bytes).into())
}
