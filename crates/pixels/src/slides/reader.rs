//! What every container offers: levels, microns a pixel with their source, and native tiles.

use super::problem::SlideProblem;
use crate::Rgb;

/// Most pixels of a native tile: 4,096².
pub(super) const MOST_TILE_PIXELS: u64 = 4096 * 4096;
/// Most tiles of all levels together.
pub(super) const MOST_TILES: u64 = 16_000_000;
/// Most bytes of one compressed tile.
pub(super) const MOST_TILE_BYTES: u64 = 64 << 20;
/// Most pixels in a row or column of a level.
pub(super) const MOST_SIDE: u64 = 1 << 24;

/// One resolution of a slide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Pixels in a row.
    pub width: u64,
    /// Rows.
    pub height: u64,
    /// Pixels of level 0 for one of this level, the mean of both directions.
    pub downsample: f64,
    /// Width of a native tile.
    pub tile_width: u32,
    /// Height of a native tile.
    pub tile_height: u32,
}

impl Level {
    /// Native tiles in a row and in a column.
    pub fn tiles(&self) -> (u64, u64) {
        (self.width.div_ceil(u64::from(self.tile_width)), self.height.div_ceil(u64::from(self.tile_height)))
    }
}

/// Where microns a pixel were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MppSource {
    /// The user's CSV.
    Csv,
    /// DICOM's Pixel Spacing.
    Dicom,
    /// OME-XML's `PhysicalSizeX` and `PhysicalSizeY`.
    Ome,
    /// The vendor's own record, such as Aperio's `MPP`.
    Vendor,
    /// TIFF's resolution tags, where plausible.
    TiffResolution,
    /// OpenSlide's `openslide.mpp-x` and `openslide.mpp-y`.
    OpenSlide,
}

/// Microns a pixel at level 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mpp {
    /// Along a row.
    pub x: f64,
    /// Along a column.
    pub y: f64,
    /// Where they come from.
    pub source: MppSource,
}

impl Mpp {
    /// What a scanner can have: 0.05 to 20 µm.
    pub const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.05..=20.0;

    /// None outside [`Mpp::PLAUSIBLE`] or where both directions differ by more than a tenth.
    pub fn plausible(x: f64, y: f64, source: MppSource) -> Option<Self> {
        let fine = Self::PLAUSIBLE.contains(&x) && Self::PLAUSIBLE.contains(&y) && (x / y - 1.0).abs() <= 0.1;
        fine.then_some(Self { x, y, source })
    }

    /// The mean of both directions.
    pub fn mean(&self) -> f64 {
        f64::midpoint(self.x, self.y)
    }
}

/// A native tile that gives no pixels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileProblem {
    /// The scanner left it out.
    #[error("native tile {column},{row} of level {level} is not in the file: the scanner left it out")]
    Missing {
        /// Level.
        level: usize,
        /// Column of native tiles.
        column: u64,
        /// Row of native tiles.
        row: u64,
    },
    /// Its bytes cannot be had or decoded.
    #[error("native tile {column},{row} of level {level}: {reason}")]
    Damaged {
        /// Level.
        level: usize,
        /// Column of native tiles.
        column: u64,
        /// Row of native tiles.
        row: u64,
        /// What is wrong.
        reason: String,
    },
}

/// An open container.
pub trait Container: Send + Sync + std::fmt::Debug {
    /// Levels, finest first; at least one.
    fn levels(&self) -> &[Level];

    /// Microns a pixel of level 0 as the file tells, and what was found where it does not.
    ///
    /// # Errors
    /// What was found instead, for a person.
    fn mpp(&self) -> Result<Mpp, String>;

    /// Format, vendor and compression in words.
    fn format(&self) -> String;

    /// Pixels of a native tile, of full size also at the right and lower edge.
    ///
    /// # Errors
    /// [`TileProblem`] where the tile is not on the level, is missing in the file, or its bytes are damaged.
    fn tile(&self, level: usize, column: u64, row: u64) -> Result<Rgb, TileProblem>;

    /// Digest that another file under the same name would not have.
    ///
    /// # Errors
    /// [`SlideProblem::Unreadable`] where the system refuses to read.
    fn fingerprint(&self) -> Result<[u8; 32], SlideProblem>;
}

/// Refuses levels that no slide has, and fills their downsamples in.
pub(super) fn checked(mut levels: Vec<Level>) -> Result<Vec<Level>, SlideProblem> {
    let Some(first) = levels.first().copied() else {
        return Err(SlideProblem::damaged("no level of tiles"));
    };
    let mut tiles = 0u64;
    for level in &mut levels {
        if [level.width, level.height, level.tile_width.into(), level.tile_height.into()].contains(&0) {
            return Err(SlideProblem::damaged("a level or its tiles have no pixels"));
        }
        super::problem::bounded("pixels in a row or column", level.width.max(level.height), MOST_SIDE)?;
        let pixels = u64::from(level.tile_width) * u64::from(level.tile_height);
        super::problem::bounded("pixels of a native tile", pixels, MOST_TILE_PIXELS)?;
        let (columns, rows) = level.tiles();
        tiles = tiles.saturating_add(columns.saturating_mul(rows));
        super::problem::bounded("native tiles", tiles, MOST_TILES)?;
        let ratio = |a: u64, b: u64| a as f64 / b as f64;
        level.downsample = f64::midpoint(ratio(first.width, level.width), ratio(first.height, level.height));
    }
    Ok(levels)
}
