//! From a wanted scale to a level, a region at level 0 and a resampling.

use serde::{Deserialize, Serialize};

use super::problem::SlideProblem;
use super::reader::{Level, Mpp};

/// The scale of tiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Microns a pixel: physical, whatever the scanner called it.
    Mpp(f64),
    /// Magnification in TRIDENT's buckets: a slide of 0.3 to 0.6 µm a pixel is 20×, and tiles of 10× are every second pixel
    /// of it.
    Magnification(u32),
}

/// How a tile is cut and read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TilePlan {
    /// Side of a tile as the model sees it.
    pub side: usize,
    /// Side in pixels of level 0.
    pub side_level0: u64,
    /// From one tile to the next in pixels of level 0.
    pub step_level0: u64,
    /// The level that is read.
    pub level: usize,
    /// Side of the region that is read there; resampled when it is not `side`.
    pub side_level: usize,
    /// Pixels of level 0 for one of a tile.
    pub downsample: f64,
    /// Magnification of level 0 and of the tiles, by bucket; none where the scale is physical.
    pub magnifications: Option<(u32, u32)>,
}

/// Levels whose downsample is nearer than this to the wanted one are taken as they are (TRIDENT's rule).
const BUCKET_TOLERANCE: f64 = 0.1;
/// The same for physical scales, as a share.
const PHYSICAL_TOLERANCE: f64 = 0.02;

/// TRIDENT's bucket of a pixel's size; none beyond 2.4 µm.
pub fn magnification_of(mpp: f64) -> Option<u32> {
    let buckets = [(0.16, 80), (0.2, 60), (0.3, 40), (0.6, 20), (1.2, 10), (2.4, 5)];
    buckets.into_iter().find(|(limit, _)| mpp < *limit).map(|(_, magnification)| magnification)
}

impl TilePlan {
    /// The plan for tiles of `side` pixels that share `overlap` with their neighbours.
    ///
    /// # Errors
    /// [`SlideProblem::TooCoarse`] where pixels would have to be invented.
    pub fn new(
        scale: Scale,
        side: usize,
        overlap: usize,
        mpp: &Mpp,
        levels: &[Level],
    ) -> Result<Self, SlideProblem> {
        let have = mpp.mean();
        let (downsample, magnifications) = match scale {
            Scale::Mpp(want) => (want / have, None),
            Scale::Magnification(want) => {
                let of = magnification_of(have);
                let too_coarse =
                    || SlideProblem::TooCoarse { have: format!("{have:.3}"), want: format!("{want}×") };
                let of = of.ok_or_else(too_coarse)?;
                (f64::from(of) / f64::from(want), Some((of, want)))
            }
        };
        if downsample < 1.0 - PHYSICAL_TOLERANCE {
            let want = match scale {
                Scale::Mpp(want) => format!("{want:.3}"),
                Scale::Magnification(want) => format!("{want}× = {:.3}", have * downsample),
            };
            return Err(SlideProblem::TooCoarse { have: format!("{have:.3}"), want });
        }
        let tolerance = match scale {
            Scale::Mpp(_) => PHYSICAL_TOLERANCE * downsample,
            Scale::Magnification(_) => BUCKET_TOLERANCE,
        };
        let exact = levels.iter().position(|level| (level.downsample - downsample).abs() < tolerance);
        let finer = levels.iter().rposition(|level| level.downsample <= downsample).unwrap_or(0);
        let level = exact.unwrap_or(finer);
        let within = if exact.is_some() { 1.0 } else { downsample / levels[level].downsample };
        let side_level0 = (side as f64 * downsample).round_ties_even().max(1.0) as u64;
        let overlap_level0 = (overlap as f64 * downsample).round_ties_even() as u64;
        Ok(Self {
            side,
            side_level0,
            step_level0: side_level0.saturating_sub(overlap_level0).max(1),
            level,
            side_level: (side as f64 * within).round_ties_even().max(1.0) as usize,
            downsample,
            magnifications,
        })
    }

    /// The first column and row of a tile's region on its level, nearest to where it lies.
    pub fn on_level(&self, [x, y]: [u64; 2], levels: &[Level]) -> (i64, i64) {
        let downsample = levels[self.level].downsample;
        let place = |v: u64| (v as f64 / downsample).round_ties_even() as i64;
        (place(x), place(y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slides::reader::MppSource;

    fn levels(downsamples: &[f64]) -> Vec<Level> {
        let level =
            |d: &f64| Level { width: 1, height: 1, downsample: *d, tile_width: 256, tile_height: 256 };
        downsamples.iter().map(level).collect()
    }

    fn mpp(v: f64) -> Mpp {
        Mpp { x: v, y: v, source: MppSource::Csv }
    }

    #[test]
    fn a_level_close_by_is_read_as_it_is() {
        let levels = levels(&[1.0, 2.0005, 16.0]);
        let plan = TilePlan::new(Scale::Magnification(20), 256, 0, &mpp(0.25), &levels).unwrap();
        assert_eq!((plan.level, plan.side_level, plan.side_level0), (1, 256, 512));
        let plan = TilePlan::new(Scale::Mpp(1.0), 256, 32, &mpp(0.25), &levels).unwrap();
        assert_eq!((plan.level, plan.side_level, plan.side_level0, plan.step_level0), (1, 512, 1024, 896));
        let plan = TilePlan::new(Scale::Mpp(0.5), 224, 0, &mpp(0.499), &levels).unwrap();
        assert_eq!((plan.level, plan.side_level, plan.side_level0), (0, 224, 224));
    }

    #[test]
    fn detail_is_not_invented() {
        let problem = TilePlan::new(Scale::Mpp(0.25), 256, 0, &mpp(0.5), &levels(&[1.0])).unwrap_err();
        assert_eq!(problem.status(), "too-coarse");
        assert!(problem.to_string().contains("0.500 µm a pixel, coarser than the 0.250"), "{problem}");
        assert_eq!(magnification_of(3.0), None);
        assert_eq!([0.11, 0.25, 0.499, 1.0, 2.0].map(|v| magnification_of(v).unwrap()), [80, 40, 20, 10, 5]);
    }
}
