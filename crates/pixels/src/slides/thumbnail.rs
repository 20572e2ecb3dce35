//! A picture for people: the slide in small, tissue outlined, tiles drawn.

use std::io::Cursor;

use image::{ImageFormat, RgbImage, imageops};

use super::{Outline, Overview};

/// Longest side of a thumbnail.
const LONGEST: u32 = 1600;
const TISSUE: [u8; 3] = [0, 150, 60];
const HOLE: [u8; 3] = [30, 80, 220];
const TILE: [u8; 3] = [60, 60, 60];

/// A drawing over an overview.
pub struct Thumbnail {
    picture: RgbImage,
    /// Pixels of level 0 for one of the picture.
    scale: [f64; 2],
}

impl Thumbnail {
    /// The overview, reduced to [`LONGEST`] pixels.
    pub fn new(overview: &Overview) -> Self {
        let source = &overview.picture;
        let (w, h) = (source.width as u32, source.height as u32);
        let whole = RgbImage::from_raw(w, h, source.pixels.clone()).unwrap_or_default();
        let longest = w.max(h).max(1);
        if longest <= LONGEST {
            return Self { picture: whole, scale: overview.scale };
        }
        let side = |v: u32| (u64::from(v) * u64::from(LONGEST) / u64::from(longest)).max(1) as u32;
        let picture = imageops::thumbnail(&whole, side(w), side(h));
        let scale = [
            overview.scale[0] * f64::from(w) / f64::from(picture.width()),
            overview.scale[1] * f64::from(h) / f64::from(picture.height()),
        ];
        Self { picture, scale }
    }

    fn place(&self, [x, y]: [f64; 2]) -> [i64; 2] {
        [(x / self.scale[0]) as i64, (y / self.scale[1]) as i64]
    }

    fn dot(&mut self, x: i64, y: i64, colour: [u8; 3], share: u16) {
        let (w, h) = (i64::from(self.picture.width()), i64::from(self.picture.height()));
        if (0..w).contains(&x) && (0..h).contains(&y) {
            let pixel = self.picture.get_pixel_mut(x as u32, y as u32);
            for (v, c) in pixel.0.iter_mut().zip(colour) {
                *v = ((u16::from(*v) * (256 - share) + u16::from(c) * share) >> 8) as u8;
            }
        }
    }

    /// Draws a line of some width by stepping along its longer side.
    fn line(&mut self, from: [i64; 2], to: [i64; 2], colour: [u8; 3], half: i64, share: u16) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let steps = dx.abs().max(dy.abs()).clamp(1, 1 << 16);
        for step in 0..=steps {
            let (x, y) = (from[0] + dx * step / steps, from[1] + dy * step / steps);
            for oy in -half..=half {
                for ox in -half..=half {
                    self.dot(x + ox, y + oy, colour, share);
                }
            }
        }
    }

    fn ring(&mut self, points: &[[f64; 2]], colour: [u8; 3]) {
        let placed: Vec<[i64; 2]> = points.iter().map(|p| self.place(*p)).collect();
        for (from, to) in placed.iter().zip(placed.iter().cycle().skip(1)) {
            self.line(*from, *to, colour, 1, 256);
        }
    }

    /// Draws tissue in green and its holes in blue.
    pub fn outlines(&mut self, outlines: &[Outline]) {
        for outline in outlines {
            self.ring(&outline.outer, TISSUE);
            outline.holes.iter().for_each(|hole| self.ring(hole, HOLE));
        }
    }

    /// Draws the borders of tiles.
    pub fn tiles(&mut self, corners: &[[u64; 2]], side: u64) {
        for [x, y] in corners {
            let low = self.place([*x as f64, *y as f64]);
            let high = self.place([(x + side) as f64, (y + side) as f64]);
            // Of tiles smaller than four pixels, borders would be all there is to see.
            if high[0] - low[0] < 4 {
                continue;
            }
            for (from, to) in [
                ([low[0], low[1]], [high[0], low[1]]),
                ([low[0], low[1]], [low[0], high[1]]),
                ([high[0], low[1]], [high[0], high[1]]),
                ([low[0], high[1]], [high[0], high[1]]),
            ] {
                self.line(from, to, TILE, 0, 128);
            }
        }
    }

    /// Lays a colour over a tile.
    pub fn shade(&mut self, [x, y]: [u64; 2], side: u64, colour: [u8; 3], share: u16) {
        let low = self.place([x as f64, y as f64]);
        let high = self.place([(x + side) as f64, (y + side) as f64]);
        for y in low[1]..high[1].max(low[1] + 1) {
            for x in low[0]..high[0].max(low[0] + 1) {
                self.dot(x, y, colour, share);
            }
        }
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// The encoder's message; it has none for a picture of this size.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        let mut out = Cursor::new(Vec::new());
        self.picture.write_to(&mut out, ImageFormat::Png).map_err(|e| e.to_string())?;
        Ok(out.into_inner())
    }
}
