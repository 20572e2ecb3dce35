//! Where on a slide tissue is: CLAM's rule on an overview, or outlines that another tool or a person drew.

mod mask;
pub(super) mod outline;

use serde::{Deserialize, Serialize};

pub use self::outline::Outline;

use self::mask::{Mask, saturation};
use super::overview::Overview;

/// CLAM's segmentation (Lu et al., Nature Biomedical Engineering 2021): saturation, median, threshold, closing, outlines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TissueRule {
    /// Saturation, of 255, above which a pixel is tissue.
    pub threshold: u8,
    /// Side of the median filter; odd.
    pub median: u32,
    /// Side of the square that closes gaps; 0 closes none.
    pub close: u32,
    /// Least area of tissue, in squares of 512 × 512 pixels of level 0.
    pub least_area: f64,
    /// Least area of a hole that counts, likewise.
    pub least_hole: f64,
    /// Most holes of one outline; the largest are kept.
    pub holes: usize,
}

impl TissueRule {
    /// CLAM's `bwh_biopsy`: keeps small pieces.
    pub const BIOPSY: Self =
        Self { threshold: 15, median: 11, close: 2, least_area: 1.0, least_hole: 1.0, holes: 2 };
    /// CLAM's `tcga`.
    pub const TCGA: Self =
        Self { threshold: 8, median: 7, close: 4, least_area: 16.0, least_hole: 4.0, holes: 8 };

    /// Outlines of tissue in pixels of level 0, in the order in which CLAM lists them.
    pub fn outlines(&self, overview: &Overview) -> Vec<Outline> {
        let mut mask =
            Mask::new(overview.picture.width, overview.picture.height, saturation(&overview.picture));
        mask.median(self.median / 2);
        mask.threshold(self.threshold);
        if self.close > 0 {
            mask.close(self.close as usize);
        }
        let [sx, sy] = overview.scale;
        // CLAM counts in whole pixels of the overview.
        let square = (512.0 * 512.0 / (sx * sy)).floor();
        let mut kept = Vec::new();
        for found in mask.outlines() {
            let holes: f64 = found.holes.iter().map(|hole| outline::area(hole)).sum();
            let area = outline::area(&found.outer) - holes;
            if area <= 0.0 || area <= self.least_area * square {
                continue;
            }
            let mut holes = found.holes;
            holes.sort_by(|a, b| outline::area(b).total_cmp(&outline::area(a)));
            holes.truncate(self.holes);
            holes.retain(|hole| outline::area(hole) > self.least_hole * square);
            let scaled = |points: Vec<[f64; 2]>| -> Vec<[f64; 2]> {
                points.into_iter().map(|[x, y]| [(x * sx).trunc(), (y * sy).trunc()]).collect()
            };
            let holes = holes.into_iter().map(scaled).collect();
            kept.push(Outline { outer: scaled(found.outer), holes });
        }
        kept
    }
}

impl Default for TissueRule {
    /// [`TissueRule::BIOPSY`]: losing a small biopsy costs more than a few tiles of dust.
    fn default() -> Self {
        Self::BIOPSY
    }
}
