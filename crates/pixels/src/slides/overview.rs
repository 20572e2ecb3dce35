//! The whole slide as a small picture: a level near a wanted scale, averaged over whole blocks of pixels.

use rayon::prelude::*;

use super::reader::Level;
use super::slide::Slide;
use crate::Rgb;

/// Most pixels of an overview.
const MOST_PIXELS: u64 = 16_000_000;
/// Longest side of an overview that is looked at as it is, and of a picture made instead of a smaller one.
const LEAST_PICTURE: usize = 800;
const PICTURE: f64 = 1200.0;
/// Native tiles decoded at a time.
const TILES_AT_ONCE: u64 = 32;

/// A picture of the whole slide.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Its pixels; white where native tiles gave none.
    pub picture: Rgb,
    /// Pixels of level 0 for one of these, in a row and in a column.
    pub scale: [f64; 2],
    /// Native tiles that gave no pixels though the scanner wrote them.
    pub unreadable: u64,
    /// What the first of them said.
    pub reason: Option<String>,
}

/// Which level an overview is made of, and how many of its pixels in a row become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverviewPlan {
    level: usize,
    block: u64,
}

impl OverviewPlan {
    /// Near `downsample` pixels of level 0 for one: the coarsest level that is not coarser, then blocks.
    pub fn near(levels: &[Level], downsample: f64) -> Self {
        let level = levels.iter().rposition(|level| level.downsample <= 1.01 * downsample).unwrap_or(0);
        let block = levels.get(level).map_or(1.0, |l| (downsample / l.downsample).round());
        Self::bounded(levels, level, (block as u64).max(1))
    }

    /// As CLAM chooses it: the coarsest level that is no coarser than 64 pixels of level 0, as it is.
    pub fn of_clam(levels: &[Level]) -> Self {
        let level = levels.iter().rposition(|level| level.downsample <= 64.0).unwrap_or(0);
        Self::bounded(levels, level, 1)
    }

    /// A finer plan for a picture that people look at, where the overview of a small slide would be a stamp.
    pub fn for_picture(levels: &[Level], overview: &Overview) -> Option<Self> {
        let longest = overview.picture.width.max(overview.picture.height);
        let scale = overview.scale[0].max(overview.scale[1]);
        let wanted = scale * longest as f64 / PICTURE;
        (longest < LEAST_PICTURE && scale > 1.0).then(|| Self::near(levels, wanted.max(1.0)))
    }

    fn bounded(levels: &[Level], level: usize, mut block: u64) -> Self {
        let shape = levels.get(level);
        let pixels = |block: u64| shape.map_or(0, |l| l.width.div_ceil(block) * l.height.div_ceil(block));
        while pixels(block) > MOST_PIXELS {
            block += 1;
        }
        Self { level, block }
    }

    /// Makes the picture. A native tile that gives no pixels is white here; regions of tissue read it again and say so.
    pub fn make(self, slide: &Slide) -> Overview {
        let shape = slide.levels()[self.level];
        let (width, height) = (shape.width.div_ceil(self.block), shape.height.div_ceil(self.block));
        let mut picture = Rgb {
            width: width as usize,
            height: height as usize,
            pixels: vec![255; (3 * width * height) as usize],
        };
        let (mut unreadable, mut reason) = (0, None);
        let (columns, rows) = shape.tiles();
        let mut sums = Sums { first: 0, rows: Vec::new(), width: width as usize };
        for row in 0..rows {
            let bottom = (row + 1) * u64::from(shape.tile_height);
            for begin in (0..columns).step_by(TILES_AT_ONCE as usize) {
                let end = columns.min(begin + TILES_AT_ONCE);
                let tiles: Vec<_> =
                    (begin..end).into_par_iter().map(|c| slide.native_tile(self.level, c, row)).collect();
                for (column, tile) in (begin..end).zip(tiles) {
                    let tile = match tile {
                        Ok(tile) => Some(tile),
                        Err(super::reader::TileProblem::Missing { .. }) => None,
                        Err(problem) => {
                            unreadable += 1;
                            reason.get_or_insert_with(|| problem.to_string());
                            None
                        }
                    };
                    sums.add(tile.as_deref(), column, row, &shape, self.block);
                }
            }
            let done = if row + 1 == rows { height } else { bottom.min(shape.height) / self.block };
            sums.finish(done, &mut picture, &shape, self.block);
        }
        let scale = [
            slide.levels()[0].width as f64 / shape.width as f64 * self.block as f64,
            slide.levels()[0].height as f64 / shape.height as f64 * self.block as f64,
        ];
        Overview { picture, scale, unreadable, reason }
    }
}

/// Sums of the rows at hand.
struct Sums {
    first: u64,
    rows: Vec<Vec<[u32; 3]>>,
    width: usize,
}

impl Sums {
    /// Adds a native tile, or white in its place.
    fn add(&mut self, tile: Option<&Rgb>, column: u64, row: u64, shape: &Level, block: u64) {
        let (x0, y0) = (column * u64::from(shape.tile_width), row * u64::from(shape.tile_height));
        let right = shape.width.min(x0 + u64::from(shape.tile_width));
        let bottom = shape.height.min(y0 + u64::from(shape.tile_height));
        for y in y0..bottom {
            let at = (y / block - self.first) as usize;
            if self.rows.len() <= at {
                self.rows.resize_with(at + 1, || vec![[0; 3]; self.width]);
            }
            let sums = &mut self.rows[at];
            let line = tile.map(|tile| &tile.pixels.as_chunks::<3>().0[(y - y0) as usize * tile.width..]);
            let mut x = x0;
            // A block at a time: a division for each pixel would cost more than its decoding.
            while x < right {
                let end = right.min((x / block + 1) * block);
                let sum = &mut sums[(x / block) as usize];
                match line {
                    Some(line) => {
                        for pixel in &line[(x - x0) as usize..(end - x0) as usize] {
                            (0..3).for_each(|c| sum[c] += u32::from(pixel[c]));
                        }
                    }
                    None => (0..3).for_each(|c| sum[c] += 255 * (end - x) as u32),
                }
                x = end;
            }
        }
    }

    /// Writes the rows before `done` into the picture and forgets them.
    fn finish(&mut self, done: u64, picture: &mut Rgb, shape: &Level, block: u64) {
        let complete = (done - self.first) as usize;
        for (i, sums) in self.rows.drain(..complete.min(self.rows.len())).enumerate() {
            let y = self.first + i as u64;
            let tall = block.min(shape.height - y * block);
            let out = &mut picture.pixels[3 * y as usize * picture.width..];
            for (x, (sum, out)) in sums.iter().zip(out.as_chunks_mut::<3>().0).enumerate() {
                let count = (tall * block.min(shape.width - x as u64 * block)) as u32;
                *out = sum.map(|v| ((v + count / 2) / count) as u8);
            }
        }
        self.first = done;
    }
}
