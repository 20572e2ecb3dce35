//! Where a file's frames lie: native ones by arithmetic, encapsulated ones by the headers of their fragments.

use super::header::Header;
use super::walk::PixelData;
use crate::slides::problem::{SlideProblem, bounded};
use crate::slides::reader::{MOST_TILE_BYTES, MOST_TILES};
use crate::slides::source::Source;

const ITEM: [u8; 4] = [0xfe, 0xff, 0x00, 0xe0];
const SEQUENCE_END: [u8; 4] = [0xfe, 0xff, 0xdd, 0xe0];

/// The frames of one file.
#[derive(Debug)]
pub(super) enum Frames {
    /// One after another, each of the same length.
    Native { at: u64, bytes: u64 },
    /// Fragments (position, length), and the first fragment of each frame.
    Fragments { fragments: Vec<(u64, u32)>, first: Vec<u32> },
}

impl Frames {
    /// Finds the frames of a header's file.
    ///
    /// # Errors
    /// [`SlideProblem::Truncated`] for a file that ends before what it promises; [`SlideProblem::Damaged`] for one
    /// that breaks its format; [`SlideProblem::TooLarge`] for more than a slide has.
    pub(super) fn find(source: &Source, header: &Header) -> Result<Self, SlideProblem> {
        let pixels = header.pixels.ok_or_else(|| SlideProblem::damaged("DICOM without pixel data"))?;
        bounded("frames", header.frames, MOST_TILES)?;
        if let Some(length) = pixels.length {
            let bytes = header.rows * header.columns * header.samples * header.bits.div_ceil(8);
            let whole = bytes.saturating_mul(header.frames);
            if whole > length {
                let reason = format!("{} frames take {whole} bytes of pixel data of {length}", header.frames);
                return Err(SlideProblem::Damaged(reason));
            }
            let (at, length) = (pixels.at, source.length());
            if at.saturating_add(whole) > length {
                return Err(SlideProblem::Truncated { at, bytes: whole, length });
            }
            return Ok(Self::Native { at, bytes });
        }
        let (table, fragments) = scan(source, pixels)?;
        let first = starts(header.frames, &table, &fragments, source)?;
        Ok(Self::Fragments { fragments, first })
    }

    /// The bytes of a frame.
    pub(super) fn read(&self, source: &Source, frame: u64) -> Result<Vec<u8>, SlideProblem> {
        match self {
            Self::Native { at, bytes } => {
                bounded("bytes of a frame", *bytes, MOST_TILE_BYTES)?;
                source.bytes(at + frame * bytes, *bytes)
            }
            Self::Fragments { fragments, first } => {
                let frame = frame as usize;
                let begin =
                    first.get(frame).copied().ok_or_else(|| SlideProblem::damaged("no such frame"))?;
                let end = first.get(frame + 1).map_or(fragments.len(), |next| *next as usize);
                let parts = &fragments[begin as usize..end];
                bounded("bytes of a frame", parts.iter().map(|p| u64::from(p.1)).sum(), MOST_TILE_BYTES)?;
                let mut out = Vec::new();
                for (at, length) in parts {
                    out.extend(source.bytes(*at, (*length).into())?);
                }
                Ok(out)
            }
        }
    }
}

/// A basic offset table, and the fragments by position and length.
type Scanned = (Vec<u32>, Vec<(u64, u32)>);

/// The basic offset table and all fragments.
fn scan(source: &Source, pixels: PixelData) -> Result<Scanned, SlideProblem> {
    let mut at = pixels.at;
    let mut table = None;
    let mut fragments = Vec::new();
    loop {
        let mut head = [0; 8];
        source.read(at, &mut head)?;
        let (tag, length) = head.split_at(4);
        if tag == SEQUENCE_END {
            break;
        }
        let length = u32::from_le_bytes(*length.first_chunk().unwrap_or(&[0xff; 4]));
        let end = at.saturating_add(8 + u64::from(length));
        if tag != ITEM || length == u32::MAX {
            return Err(SlideProblem::damaged(format!("no fragment at {at}")));
        }
        if end > source.length() {
            return Err(SlideProblem::Truncated { at, bytes: length.into(), length: source.length() });
        }
        if table.is_none() {
            bounded("bytes of the offset table", length.into(), 4 * MOST_TILES)?;
            let bytes = source.bytes(at + 8, length.into())?;
            table = Some(bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect());
        } else {
            bounded("fragments", fragments.len() as u64 + 1, 4 * MOST_TILES)?;
            fragments.push((at + 8, length));
        }
        at = end;
    }
    Ok((table.unwrap_or_default(), fragments))
}

/// The first fragment of each frame: one fragment a frame, or by the offset table, or by the start-of-image markers.
fn starts(
    frames: u64,
    table: &[u32],
    fragments: &[(u64, u32)],
    source: &Source,
) -> Result<Vec<u32>, SlideProblem> {
    let frames = frames as usize;
    if fragments.len() == frames {
        return Ok((0..frames as u32).collect());
    }
    let unclear = || SlideProblem::damaged(format!("{} fragments for {frames} frames", fragments.len()));
    if table.len() == frames && frames > 0 {
        // Offsets count from the first fragment's item.
        let base = fragments.first().ok_or_else(unclear)?.0;
        let find = |offset: &u32| {
            let at = base + u64::from(*offset);
            fragments.binary_search_by_key(&at, |f| f.0).map(|i| i as u32).map_err(|_| unclear())
        };
        let first: Vec<u32> = table.iter().map(find).collect::<Result<_, _>>()?;
        return if first.is_sorted_by(|a, b| a < b) && first[0] == 0 { Ok(first) } else { Err(unclear()) };
    }
    let mut first = Vec::with_capacity(frames.min(fragments.len()));
    for (i, (at, length)) in fragments.iter().enumerate() {
        let mut head = [0; 4];
        if *length >= 4 {
            source.read(*at, &mut head)?;
        }
        if head[..3] == [0xff, 0xd8, 0xff] || head == [0xff, 0x4f, 0xff, 0x51] {
            first.push(i as u32);
        }
    }
    if first.len() == frames && first.first() == Some(&0) { Ok(first) } else { Err(unclear()) }
}
