//! Image file directories of TIFF 6.0 and BigTIFF.
//!
//! The arrays of tile offsets and lengths stay in the file: an entry is read when its tile is, so that opening a slide of
//! a million tiles costs what opening a small one does. (`tiff`'s own decoder keeps them, 32 bytes an entry, and refuses
//! arrays beyond a megabyte before a limit can be set.)

use std::collections::{BTreeMap, HashSet};

use crate::slides::problem::{SlideProblem, bounded};
use crate::slides::source::Source;

/// Most directories of one file, SubIFDs included.
const MOST_DIRECTORIES: u64 = 4096;
/// Most entries of one directory.
const MOST_ENTRIES: u64 = 4096;
/// Most bytes of a value that is read whole: descriptions, tables, lists of SubIFDs.
const MOST_VALUE: u64 = 16 << 20;

/// Baseline and extension tags that are looked at.
pub(super) mod tag {
    pub(in crate::slides::tiff) const SUBFILE_TYPE: u16 = 254;
    pub(in crate::slides::tiff) const WIDTH: u16 = 256;
    pub(in crate::slides::tiff) const HEIGHT: u16 = 257;
    pub(in crate::slides::tiff) const BITS: u16 = 258;
    pub(in crate::slides::tiff) const COMPRESSION: u16 = 259;
    pub(in crate::slides::tiff) const PHOTOMETRIC: u16 = 262;
    pub(in crate::slides::tiff) const DESCRIPTION: u16 = 270;
    pub(in crate::slides::tiff) const SAMPLES: u16 = 277;
    pub(in crate::slides::tiff) const X_RESOLUTION: u16 = 282;
    pub(in crate::slides::tiff) const Y_RESOLUTION: u16 = 283;
    pub(in crate::slides::tiff) const PLANAR: u16 = 284;
    pub(in crate::slides::tiff) const RESOLUTION_UNIT: u16 = 296;
    pub(in crate::slides::tiff) const SOFTWARE: u16 = 305;
    pub(in crate::slides::tiff) const PREDICTOR: u16 = 317;
    pub(in crate::slides::tiff) const TILE_WIDTH: u16 = 322;
    pub(in crate::slides::tiff) const TILE_HEIGHT: u16 = 323;
    pub(in crate::slides::tiff) const TILE_OFFSETS: u16 = 324;
    pub(in crate::slides::tiff) const TILE_BYTES: u16 = 325;
    pub(in crate::slides::tiff) const SUB_IFDS: u16 = 330;
    pub(in crate::slides::tiff) const SAMPLE_FORMAT: u16 = 339;
    pub(in crate::slides::tiff) const JPEG_TABLES: u16 = 347;
    pub(in crate::slides::tiff) const XMP: u16 = 700;
    pub(in crate::slides::tiff) const NDPI_FORMAT: u16 = 65_420;
}

/// Byte order and width of offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    little: bool,
    big: bool,
}

/// Where the values of an entry lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    kind: u16,
    count: u64,
    at: u64,
}

/// One directory.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    layout: Layout,
    entries: BTreeMap<u16, Entry>,
}

impl Layout {
    /// Byte order and kind from a file's first bytes, and where its first directory is; none for what is no TIFF.
    pub(super) fn read(source: &Source) -> Result<Option<(Self, u64)>, SlideProblem> {
        let mut head = [0; 16];
        let known = source.length().min(16) as usize;
        if known < 8 {
            return Ok(None);
        }
        source.read(0, &mut head[..known])?;
        let little = match &head[..2] {
            b"II" => true,
            b"MM" => false,
            _ => return Ok(None),
        };
        let layout = |big| Self { little, big };
        match (layout(false).number(&head[2..4]), layout(true).number(&head[4..8])) {
            (42, _) => Ok(Some((layout(false), layout(false).number(&head[4..8])))),
            (43, _) if known == 16 && layout(true).number(&head[4..6]) == 8 => {
                Ok(Some((layout(true), layout(true).number(&head[8..16]))))
            }
            _ => Ok(None),
        }
    }

    /// An unsigned number of up to eight bytes.
    fn number(self, bytes: &[u8]) -> u64 {
        let fold = |n: u64, b: &u8| n << 8 | u64::from(*b);
        if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
    }

    /// The directories of the main chain with their SubIFDs behind each.
    pub(super) fn directories(
        self,
        source: &Source,
        first: u64,
    ) -> Result<Vec<(Directory, Vec<Directory>)>, SlideProblem> {
        let mut seen = HashSet::new();
        let mut chain = Vec::new();
        let mut next = first;
        while next != 0 {
            let (directory, after) = self.directory(source, next, &mut seen)?;
            let mut subs = Vec::new();
            for at in directory.numbers(source, tag::SUB_IFDS)? {
                subs.push(self.directory(source, at, &mut seen)?.0);
            }
            chain.push((directory, subs));
            next = after;
        }
        Ok(chain)
    }

    fn directory(
        self,
        source: &Source,
        at: u64,
        seen: &mut HashSet<u64>,
    ) -> Result<(Directory, u64), SlideProblem> {
        if !seen.insert(at) {
            return Err(SlideProblem::damaged(format!("its directories form a loop at {at}")));
        }
        bounded("directories", seen.len() as u64, MOST_DIRECTORIES)?;
        let (count_width, entry_width, offset_width) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count =
            bounded("entries of a directory", self.number(&source.bytes(at, count_width)?), MOST_ENTRIES)?;
        let body = source.bytes(at + count_width, count * entry_width + offset_width)?;
        let (list, after) = body.split_at((count * entry_width) as usize);
        let mut entries = BTreeMap::new();
        for (i, entry) in list.chunks_exact(entry_width as usize).enumerate() {
            let kind = self.number(&entry[2..4]) as u16;
            let (number, value) = entry[4..].split_at(offset_width as usize);
            let number = self.number(number);
            let inline = number.checked_mul(width_of(kind)).is_some_and(|bytes| bytes <= offset_width);
            let place = at + count_width + (i as u64 + 1) * entry_width - offset_width;
            let start = if inline { place } else { self.number(value) };
            entries.insert(self.number(&entry[..2]) as u16, Entry { kind, count: number, at: start });
        }
        Ok((Directory { layout: self, entries }, self.number(after)))
    }
}

/// Bytes of one value of a TIFF type; unknown ones are never read.
fn width_of(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => u64::MAX,
    }
}

impl Directory {
    pub(super) fn has(&self, tag: u16) -> bool {
        self.entries.contains_key(&tag)
    }

    /// Values of an entry; 0 without it.
    pub(super) fn count(&self, tag: u16) -> u64 {
        self.entries.get(&tag).map_or(0, |entry| entry.count)
    }

    /// Value `index` of an integer entry; none without the entry.
    ///
    /// # Errors
    /// [`SlideProblem::Damaged`] for another type or an index beyond its values; [`SlideProblem::Truncated`] when the file ends
    /// before them.
    pub(super) fn number_at(
        &self,
        source: &Source,
        tag: u16,
        index: u64,
    ) -> Result<Option<u64>, SlideProblem> {
        let Some(entry) = self.entries.get(&tag) else { return Ok(None) };
        let width = match entry.kind {
            1 | 3 | 4 | 13 | 16 | 18 if index < entry.count => width_of(entry.kind),
            _ => {
                let (kind, count) = (entry.kind, entry.count);
                return Err(SlideProblem::damaged(format!("tag {tag} has {count} values of type {kind}")));
            }
        };
        let at = index.checked_mul(width).and_then(|skip| entry.at.checked_add(skip));
        let at = at.ok_or_else(|| SlideProblem::damaged(format!("tag {tag} lies beyond every file")))?;
        let mut bytes = [0; 8];
        source.read(at, &mut bytes[..width as usize])?;
        Ok(Some(self.layout.number(&bytes[..width as usize])))
    }

    /// The only or first value of an integer entry.
    pub(super) fn number(&self, source: &Source, tag: u16) -> Result<Option<u64>, SlideProblem> {
        self.number_at(source, tag, 0)
    }

    /// All values of a short integer entry; none without it.
    pub(super) fn numbers(&self, source: &Source, tag: u16) -> Result<Vec<u64>, SlideProblem> {
        let count = bounded("values of a tag", self.count(tag), MOST_DIRECTORIES)?;
        (0..count).map(|i| Ok(self.number_at(source, tag, i)?.unwrap_or_default())).collect()
    }

    /// The bytes of a text or opaque entry; none without it.
    pub(super) fn octets(&self, source: &Source, tag: u16) -> Result<Option<Vec<u8>>, SlideProblem> {
        let Some(entry) = self.entries.get(&tag).filter(|e| width_of(e.kind) == 1) else { return Ok(None) };
        let bytes = bounded("bytes of a tag", entry.count, MOST_VALUE)?;
        source.bytes(entry.at, bytes).map(Some)
    }

    /// Text up to its first zero byte; empty without the entry.
    pub(super) fn text(&self, source: &Source, tag: u16) -> Result<String, SlideProblem> {
        let bytes = self.octets(source, tag)?.unwrap_or_default();
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// A rational as OpenSlide takes it, through single precision; none without the entry or over zero.
    pub(super) fn rational(&self, source: &Source, tag: u16) -> Result<Option<f64>, SlideProblem> {
        let Some(entry) = self.entries.get(&tag).filter(|e| e.kind == 5 && e.count > 0) else {
            return Ok(None);
        };
        let bytes = source.bytes(entry.at, 8)?;
        let (over, under) = (self.layout.number(&bytes[..4]), self.layout.number(&bytes[4..]));
        Ok((under != 0).then(|| over as f64 / under as f64))
    }
}
