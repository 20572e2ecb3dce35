//! A slide of any container: regions composed of native tiles, through a bounded cache.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::companions;
use super::dicom::DicomSlide;
use super::problem::SlideProblem;
use super::reader::{Container, Level, Mpp, TileProblem};
use super::tiff::TiffSlide;
use crate::Rgb;

/// Bytes of decoded native tiles that a slide keeps.
const CACHE_BYTES: usize = 64 << 20;

/// An open slide.
#[derive(Debug)]
pub struct Slide {
    path: PathBuf,
    container: Box<dyn Container>,
    cache: Mutex<Cache>,
}

type Key = (usize, u64, u64);

#[derive(Debug, Default)]
struct Cache {
    tiles: HashMap<Key, (Arc<Rgb>, u64)>,
    bytes: usize,
    clock: u64,
}

impl Cache {
    fn find(&mut self, key: Key) -> Option<Arc<Rgb>> {
        self.clock += 1;
        let (tile, used) = self.tiles.get_mut(&key)?;
        *used = self.clock;
        Some(Arc::clone(tile))
    }

    fn insert(&mut self, key: Key, tile: &Arc<Rgb>) {
        self.clock += 1;
        self.bytes += tile.pixels.len();
        if let Some((old, _)) = self.tiles.insert(key, (Arc::clone(tile), self.clock)) {
            self.bytes -= old.pixels.len();
        }
        while self.bytes > CACHE_BYTES && self.tiles.len() > 1 {
            let oldest = self.tiles.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            let Some((tile, _)) = oldest.and_then(|key| self.tiles.remove(&key)) else { break };
            self.bytes -= tile.pixels.len();
        }
    }
}

/// What opens a slide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opener {
    /// Our readers; OpenSlide, where it is built in and installed, for formats that they do not read.
    #[default]
    Auto,
    /// Our readers alone.
    Native,
    /// OpenSlide alone.
    OpenSlide,
}

impl Slide {
    /// Opens a slide.
    ///
    /// # Errors
    /// [`SlideProblem`] for a file that is no slide, a damaged or unsupported one, or one whose companions are missing.
    pub fn open(path: &Path, opener: Opener) -> Result<Self, SlideProblem> {
        companions::check(path)?;
        let container = match opener {
            Opener::Native => native(path)?,
            Opener::OpenSlide => openslide(path)?,
            Opener::Auto => match native(path) {
                Err(refused @ (SlideProblem::Unsupported(_) | SlideProblem::UnknownFormat { .. })) => {
                    openslide(path).map_err(|_| refused)?
                }
                opened => opened?,
            },
        };
        Ok(Self::new(path, container))
    }

    /// A slide of a container.
    pub fn new(path: &Path, container: Box<dyn Container>) -> Self {
        Self { path: path.into(), container, cache: Mutex::default() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Levels, finest first; at least one.
    pub fn levels(&self) -> &[Level] {
        self.container.levels()
    }

    /// Microns a pixel of level 0.
    ///
    /// # Errors
    /// [`SlideProblem::NoMpp`] when the file does not tell.
    pub fn mpp(&self) -> Result<Mpp, SlideProblem> {
        self.container.mpp().map_err(|found| SlideProblem::NoMpp { found })
    }

    /// Format, vendor and compression in words.
    pub fn format(&self) -> String {
        self.container.format()
    }

    /// Digest that another file under the same name would not have.
    ///
    /// # Errors
    /// [`SlideProblem::Unreadable`] where the system refuses to read.
    pub fn fingerprint(&self) -> Result<[u8; 32], SlideProblem> {
        self.container.fingerprint()
    }

    /// A native tile, from the cache where it is there.
    ///
    /// # Errors
    /// [`TileProblem`] where the tile is not on the level, is missing in the file, or its bytes are damaged.
    pub fn native_tile(&self, level: usize, column: u64, row: u64) -> Result<Arc<Rgb>, TileProblem> {
        let key = (level, column, row);
        let found = self.cache.lock().unwrap_or_else(PoisonError::into_inner).find(key);
        if let Some(tile) = found {
            return Ok(tile);
        }
        let tile = Arc::new(self.container.tile(level, column, row)?);
        let whole = self.levels().get(level).is_some_and(|shape| {
            (tile.width, tile.height) == (shape.tile_width as usize, shape.tile_height as usize)
                && tile.pixels.len() == 3 * tile.width * tile.height
        });
        if !whole {
            let reason = format!("its decoder gave {} bytes", tile.pixels.len());
            return Err(TileProblem::Damaged { level, column, row, reason });
        }
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(key, &tile);
        Ok(tile)
    }

    /// Pixels of a level from column `x` and row `y` on, black where the level ends.
    ///
    /// # Errors
    /// [`TileProblem`] of the first native tile that gives no pixels: a region is whole or refused.
    pub fn region(
        &self,
        level: usize,
        x: i64,
        y: i64,
        width: usize,
        height: usize,
    ) -> Result<Rgb, TileProblem> {
        let mut out = Rgb { width, height, pixels: vec![0; 3 * width * height] };
        let Some(shape) = self.levels().get(level) else {
            let reason = "no such level".to_owned();
            return Err(TileProblem::Damaged { level, column: 0, row: 0, reason });
        };
        let span = |from: i64, length: usize, limit: u64| {
            let from = i128::from(from);
            let end = (from + length as i128).min(i128::from(limit));
            (from.max(0) as u64, end.max(0) as u64)
        };
        let (left, right) = span(x, width, shape.width);
        let (top, bottom) = span(y, height, shape.height);
        if left >= right || top >= bottom {
            return Ok(out);
        }
        let (tile_width, tile_height) = (u64::from(shape.tile_width), u64::from(shape.tile_height));
        for row in top / tile_height..=(bottom - 1) / tile_height {
            for column in left / tile_width..=(right - 1) / tile_width {
                let tile = self.native_tile(level, column, row)?;
                let (x0, y0) = (column * tile_width, row * tile_height);
                let columns = left.max(x0)..right.min(x0 + tile_width);
                let bytes = 3 * (columns.end - columns.start) as usize;
                for line in top.max(y0)..bottom.min(y0 + tile_height) {
                    let from = 3 * ((line - y0) as usize * tile.width + (columns.start - x0) as usize);
                    let to_x = (columns.start as i64 - x) as usize;
                    let to = 3 * ((line as i64 - y) as usize * width + to_x);
                    out.pixels[to..to + bytes].copy_from_slice(&tile.pixels[from..from + bytes]);
                }
            }
        }
        Ok(out)
    }
}

fn native(path: &Path) -> Result<Box<dyn Container>, SlideProblem> {
    if let Some(slide) = TiffSlide::open(path)? {
        return Ok(Box::new(slide));
    }
    if let Some(slide) = DicomSlide::open(path)? {
        return Ok(Box::new(slide));
    }
    let hint = if cfg!(feature = "openslide") { "" } else { "; more are read by a build with OpenSlide" };
    Err(SlideProblem::UnknownFormat { hint })
}

#[cfg(feature = "openslide")]
fn openslide(path: &Path) -> Result<Box<dyn Container>, SlideProblem> {
    Ok(Box::new(super::openslide::OpenSlide::open(path)?))
}

#[cfg(not(feature = "openslide"))]
fn openslide(_: &Path) -> Result<Box<dyn Container>, SlideProblem> {
    Err(SlideProblem::Unsupported("this build has no OpenSlide: build with the feature `openslide`".into()))
}
