//! Tiled TIFF slides: Aperio SVS, OME-TIFF with its levels in SubIFDs, generic pyramids, classic and BigTIFF.
//!
//! Other vendors' TIFF files hold overlapping, sparse or padded tiles that a reader of plain tiles would put in wrong
//! places; they are recognised and refused by name.

mod directory;
mod metadata;
mod tile;

use std::path::Path;

use self::directory::{Directory, Layout, tag};
use self::tile::Coding;
pub(super) use self::tile::jpeg_tile;
use super::problem::SlideProblem;
use super::reader::{Container, Level, Mpp, TileProblem, checked};
use super::source::Source;
use crate::Rgb;

/// An open TIFF slide.
#[derive(Debug)]
pub struct TiffSlide {
    source: Source,
    levels: Vec<Level>,
    tiled: Vec<Tiled>,
    kind: Kind,
    mpp: Result<Mpp, String>,
}

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Aperio,
    Ome,
    Generic,
}

/// Where a level's tiles are and how they are coded.
#[derive(Debug)]
struct Tiled {
    directory: Directory,
    coding: Coding,
}

impl TiffSlide {
    /// Opens a file; none when it is no TIFF.
    ///
    /// # Errors
    /// [`SlideProblem`] for a file that is cut or breaks the format, is stored in strips, or is of a vendor or compression that
    /// is not read.
    pub fn open(path: &Path) -> Result<Option<Self>, SlideProblem> {
        let source = Source::open(path)?;
        let Some((layout, first)) = Layout::read(&source)? else { return Ok(None) };
        let chain = layout.directories(&source, first)?;
        let Some((base, subs)) = chain.first() else {
            return Err(SlideProblem::damaged("a TIFF file without a directory"));
        };
        refuse_vendors(&source, base)?;
        let description = base.text(&source, tag::DESCRIPTION)?;
        let kind = if description.starts_with("Aperio") {
            Kind::Aperio
        } else if description.contains("<OME") {
            Kind::Ome
        } else {
            Kind::Generic
        };
        if !base.has(tag::TILE_WIDTH) {
            return Err(SlideProblem::Unsupported(
                "its first picture is stored in strips, not tiles: no pyramid; OpenSlide may read it".into(),
            ));
        }
        let mpp = metadata::mpp(&source, base, kind, &description)?;
        let chosen: Vec<&Directory> = if kind == Kind::Ome && !subs.is_empty() {
            std::iter::once(base).chain(subs).collect()
        } else {
            chain.iter().map(|(directory, _)| directory).collect()
        };
        let (levels, tiled) = pyramid(&source, &chosen, kind)?;
        Ok(Some(Self { levels: checked(levels)?, tiled, kind, mpp, source }))
    }
}

/// Refuses files whose tiles do not lie where a plain reader would put them.
fn refuse_vendors(source: &Source, base: &Directory) -> Result<(), SlideProblem> {
    let software = base.text(source, tag::SOFTWARE)?;
    let description = base.text(source, tag::DESCRIPTION)?;
    let xmp = base.text(source, tag::XMP)?;
    let vendor = if base.has(tag::NDPI_FORMAT) {
        "Hamamatsu NDPI"
    } else if software.starts_with("Philips") {
        "Philips TIFF"
    } else if software.starts_with("MedScan") {
        "Trestle"
    } else if description.contains("leica-microsystems.com/scn") {
        "Leica SCN"
    } else if xmp.contains("<iScan") || description.contains("<iScan") {
        "Ventana BIF"
    } else {
        return Ok(());
    };
    Err(SlideProblem::Unsupported(format!(
        "{vendor} is read through OpenSlide only: install OpenSlide 4.0.1 or later and build with the feature `openslide`"
    )))
}

/// Levels from the directories, largest first: tiled pictures of the first one's shape.
fn pyramid(
    source: &Source,
    directories: &[&Directory],
    kind: Kind,
) -> Result<(Vec<Level>, Vec<Tiled>), SlideProblem> {
    let mut found: Vec<(Level, Tiled)> = Vec::new();
    for (i, directory) in directories.iter().enumerate() {
        let reduced = directory.number(source, tag::SUBFILE_TYPE)?.unwrap_or(0) & 1 == 1;
        // A generic file's other pictures are levels only where they say that they are reductions.
        if !directory.has(tag::TILE_WIDTH) || (i > 0 && kind == Kind::Generic && !reduced) {
            continue;
        }
        let side = |tag: u16| -> Result<u64, SlideProblem> {
            let side = directory.number(source, tag)?;
            side.ok_or_else(|| SlideProblem::damaged(format!("directory {i} lacks tag {tag}")))
        };
        let level = Level {
            width: side(tag::WIDTH)?,
            height: side(tag::HEIGHT)?,
            downsample: 1.0,
            tile_width: u32::try_from(side(tag::TILE_WIDTH)?).unwrap_or(u32::MAX),
            tile_height: u32::try_from(side(tag::TILE_HEIGHT)?).unwrap_or(u32::MAX),
        };
        if found.first().is_some_and(|(first, _)| !same_shape(first, &level)) {
            continue;
        }
        let coding = Coding::read(source, directory)?;
        found.push((level, Tiled { directory: (*directory).clone(), coding }));
    }
    found.sort_by_key(|(level, _)| std::cmp::Reverse(level.width));
    let (levels, tiled): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let levels = checked(levels)?;
    for (level, tiled) in levels.iter().zip(&tiled) {
        let (columns, rows) = level.tiles();
        let listed = tiled.directory.count(tag::TILE_OFFSETS).min(tiled.directory.count(tag::TILE_BYTES));
        if listed < columns * rows {
            let reason = format!("a level of {} tiles lists {listed}", columns * rows);
            return Err(SlideProblem::Damaged(reason));
        }
        tiled.place(source, columns * rows - 1)?;
    }
    Ok((levels, tiled))
}

/// Whether a picture is a reduction of another: labels and maps have other proportions.
fn same_shape(first: &Level, level: &Level) -> bool {
    let (x, y) = (first.width as f64 / level.width as f64, first.height as f64 / level.height as f64);
    // A level rounds its sides to whole pixels.
    (x - y).abs() <= 0.02 * x.max(y) + x.max(y) / (level.width.min(level.height).max(1) as f64)
}

impl Tiled {
    /// Offset and length of a tile; none for one that was left out.
    fn place(&self, source: &Source, index: u64) -> Result<Option<(u64, u64)>, SlideProblem> {
        let offset = self.directory.number_at(source, tag::TILE_OFFSETS, index)?.unwrap_or(0);
        let bytes = self.directory.number_at(source, tag::TILE_BYTES, index)?.unwrap_or(0);
        if offset == 0 || bytes == 0 {
            return Ok(None);
        }
        super::problem::bounded("bytes of a compressed tile", bytes, super::reader::MOST_TILE_BYTES)?;
        if offset.checked_add(bytes).is_none_or(|end| end > source.length()) {
            return Err(SlideProblem::Truncated { at: offset, bytes, length: source.length() });
        }
        Ok(Some((offset, bytes)))
    }
}

impl Container for TiffSlide {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn mpp(&self) -> Result<Mpp, String> {
        self.mpp.clone()
    }

    fn format(&self) -> String {
        let kind = match self.kind {
            Kind::Aperio => "Aperio SVS",
            Kind::Ome => "OME-TIFF",
            Kind::Generic => "tiled TIFF",
        };
        format!("{kind}, {}", self.tiled.first().map_or("no level", |t| t.coding.name()))
    }

    fn tile(&self, level: usize, column: u64, row: u64) -> Result<Rgb, TileProblem> {
        let damaged = |reason: String| TileProblem::Damaged { level, column, row, reason };
        let (Some(shape), Some(tiled)) = (self.levels.get(level), self.tiled.get(level)) else {
            return Err(damaged("no such level".into()));
        };
        let (columns, rows) = shape.tiles();
        if column >= columns || row >= rows {
            return Err(damaged("no such tile".into()));
        }
        let place = tiled.place(&self.source, row * columns + column).map_err(|e| damaged(e.to_string()))?;
        let (offset, bytes) = place.ok_or(TileProblem::Missing { level, column, row })?;
        let bytes = self.source.bytes(offset, bytes).map_err(|e| damaged(e.to_string()))?;
        tiled.coding.decode(&bytes, shape.tile_width, shape.tile_height).map_err(damaged)
    }

    fn fingerprint(&self) -> Result<[u8; 32], SlideProblem> {
        self.source.fingerprint()
    }
}
