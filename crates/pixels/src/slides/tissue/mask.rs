//! Eight-bit planes and what CLAM does to them, with OpenCV's results.

use image::GrayImage;
use imageproc::contours::{BorderType, find_contours};

use super::Outline;
use crate::Rgb;

/// One plane.
pub(super) struct Mask {
    plane: GrayImage,
}

/// Saturation of hue, saturation and value, 0..=255, in OpenCV's 12-bit fixed point.
pub(super) fn saturation(picture: &Rgb) -> Vec<u8> {
    let factor =
        |v: u32| if v == 0 { 0 } else { (f64::from(255 << 12) / f64::from(v)).round_ties_even() as u32 };
    let table: Vec<u32> = (0..=255).map(factor).collect();
    let value = |[r, g, b]: &[u8; 3]| {
        let (most, least) = (*r.max(g).max(b), *r.min(g).min(b));
        ((u32::from(most - least) * table[usize::from(most)] + (1 << 11)) >> 12) as u8
    };
    picture.pixels.as_chunks::<3>().0.iter().map(value).collect()
}

impl Mask {
    /// A plane of `width × height` values.
    pub(super) fn new(width: usize, height: usize, values: Vec<u8>) -> Self {
        let plane = GrayImage::from_raw(width as u32, height as u32, values);
        Self { plane: plane.unwrap_or_default() }
    }

    /// Median over squares of `2 · radius + 1`, edges repeated.
    pub(super) fn median(&mut self, radius: u32) {
        if radius > 0 && !self.plane.is_empty() {
            self.plane = imageproc::filter::median_filter(&self.plane, radius, radius);
        }
    }

    /// 255 above `threshold`, else 0.
    pub(super) fn threshold(&mut self, threshold: u8) {
        self.plane.iter_mut().for_each(|v| *v = if *v > threshold { 255 } else { 0 });
    }

    /// Closing with a square whose anchor is at `side / 2` in both steps, as OpenCV does it: an even side moves everything by
    /// one pixel to the right and down, and CLAM's coordinates with it.
    pub(super) fn close(&mut self, side: usize) {
        self.extreme(side, 0, u8::max);
        self.extreme(side, 255, u8::min);
    }

    /// The extreme over a square, rows then columns; what lies outside does not count.
    fn extreme(&mut self, side: usize, neutral: u8, pick: fn(u8, u8) -> u8) {
        let (width, height) = (self.plane.width() as usize, self.plane.height() as usize);
        let anchor = side / 2;
        let mut rows = vec![neutral; width * height];
        for (line, out) in self.plane.chunks_exact(width.max(1)).zip(rows.chunks_exact_mut(width.max(1))) {
            for (x, out) in out.iter_mut().enumerate() {
                let (from, to) = (x.saturating_sub(anchor), (x + side - anchor).min(width));
                *out = line[from..to].iter().copied().fold(neutral, pick);
            }
        }
        let plane: &mut [u8] = &mut self.plane;
        for y in 0..height {
            let (from, to) = (y.saturating_sub(anchor), (y + side - anchor).min(height));
            let out = &mut plane[y * width..(y + 1) * width];
            out.fill(neutral);
            for line in rows[from * width..to * width].chunks_exact(width) {
                out.iter_mut().zip(line).for_each(|(out, v)| *out = pick(*out, *v));
            }
        }
    }

    /// Outer outlines with their holes, in OpenCV's order: the last one met from top to bottom is the first.
    pub(super) fn outlines(&self) -> Vec<Outline> {
        // A border of background: the search takes no notice of tissue in the first column otherwise.
        let mut framed = GrayImage::new(self.plane.width() + 2, self.plane.height() + 2);
        image::imageops::replace(&mut framed, &self.plane, 1, 1);
        let contours = find_contours::<i32>(&framed);
        let points = |at: usize| -> Vec<[f64; 2]> {
            contours[at].points.iter().map(|p| [f64::from(p.x - 1), f64::from(p.y - 1)]).collect()
        };
        let mut holes = vec![Vec::new(); contours.len()];
        for (i, contour) in contours.iter().enumerate().rev() {
            if let (BorderType::Hole, Some(parent)) = (contour.border_type, contour.parent) {
                holes[parent].push(points(i));
            }
        }
        let outer = (0..contours.len()).rev().filter(|i| contours[*i].border_type == BorderType::Outer);
        outer.map(|i| Outline { outer: points(i), holes: std::mem::take(&mut holes[i]) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture and the answers of `cv2.findContours(RETR_CCOMP, CHAIN_APPROX_NONE)` (OpenCV 5.0): first point of each
    /// outline, points, and first points of its holes.
    #[test]
    fn outlines_come_in_the_order_of_opencv() {
        let mut values = vec![0u8; 60 * 60];
        let mut fill = |x: std::ops::Range<usize>, y: std::ops::Range<usize>, v: u8| {
            y.for_each(|y| x.clone().for_each(|x| values[60 * y + x] = v));
        };
        fill(5..15, 5..15, 255);
        fill(30..50, 5..25, 255);
        fill(35..40, 10..15, 0);
        fill(42..46, 12..13, 0);
        fill(10..30, 30..50, 255);
        fill(15..25, 35..45, 0);
        fill(18..22, 38..42, 255);
        fill(55..56, 55..56, 255);
        fill(3..20, 57..59, 255);
        let found = Mask::new(60, 60, values).outlines();
        let first = |points: &Vec<[f64; 2]>| [points[0][0] as i32, points[0][1] as i32];
        let outer: Vec<_> = found.iter().map(|o| (first(&o.outer), o.outer.len(), o.holes.len())).collect();
        let expected = [
            ([3, 57], 34, 0),
            ([55, 55], 1, 0),
            ([18, 38], 12, 0),
            ([10, 30], 76, 1),
            ([30, 5], 76, 2),
            ([5, 5], 36, 0),
        ];
        assert_eq!(outer, expected);
        assert_eq!(found[4].holes.iter().map(first).collect::<Vec<_>>(), [[41, 12], [34, 10]]);
    }

    #[test]
    fn tissue_at_the_edge_has_an_outline() {
        let found = Mask::new(4, 3, vec![255; 12]).outlines();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].outer.len(), 10);
    }

    /// The answers of `cv2.morphologyEx(MORPH_CLOSE, ones)` (OpenCV 5.0).
    #[test]
    fn closing_is_opencvs_with_its_shift() {
        let mut mask = Mask::new(7, 1, vec![255, 255, 0, 255, 0, 0, 255]);
        mask.close(2);
        assert_eq!(mask.plane.as_raw(), &[255, 255, 255, 255, 255, 0, 0]);
        let mut values = vec![0; 49];
        (values[2 * 7 + 2], values[4 * 7 + 5]) = (255, 255);
        let mut mask = Mask::new(7, 7, values);
        mask.close(4);
        let set: Vec<usize> = (0..49).filter(|i| mask.plane.as_raw()[*i] == 255).collect();
        assert_eq!(set, [3 * 7 + 3, 5 * 7 + 6, 6 * 7 + 6]);
    }
}
