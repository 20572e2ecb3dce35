//! Where tiles lie: the grids of TRIDENT and CLAM, coordinate for coordinate, in their order.

use serde::{Deserialize, Serialize};

use super::problem::{SlideProblem, bounded};
use super::scale::TilePlan;
use super::tissue::Outline;
use super::tissue::outline::{Side, bounds, side};

/// Whose convention decides which tiles there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grid {
    /// One grid over the slide from its corner on, row by row; a tile belongs to it when it meets the tissue, whose outlines
    /// are first simplified to a quarter of a tile.
    #[default]
    Trident,
    /// A grid for each outline from the corner of its bounds on, column by column; a tile belongs to it when one of four
    /// points around its centre lies in the tissue and its centre in no hole (`four_pt`).
    Clam,
}

/// Tiles looked at before a slide is refused: no slide has a hundredth of it.
const MOST_CANDIDATES: u64 = 100_000_000;

impl Grid {
    /// Corners of tiles in pixels of level 0.
    ///
    /// # Errors
    /// [`SlideProblem::TooLarge`] for outlines or slides beyond any bound; [`SlideProblem::TooManyTiles`] for more tiles than a
    /// slide may have.
    pub fn tiles(
        self,
        outlines: &[Outline],
        plan: &TilePlan,
        (width, height): (u64, u64),
        most: u64,
    ) -> Result<Vec<[u64; 2]>, SlideProblem> {
        let tiles = match self {
            Self::Trident => trident(outlines, plan, (width, height), most)?,
            Self::Clam => clam(outlines, plan, most)?,
        };
        // A corner beyond the slide would be a tile of nothing.
        let inside = |[x, y]: [i64; 2]| {
            (x >= 0 && y >= 0 && (x as u64) < width && (y as u64) < height).then_some([x as u64, y as u64])
        };
        Ok(tiles.into_iter().filter_map(inside).collect())
    }
}

fn full(tiles: &[[i64; 2]], limit: u64) -> Result<(), SlideProblem> {
    let got = tiles.len() as u64;
    if got > limit { Err(SlideProblem::TooManyTiles { got, limit }) } else { Ok(()) }
}

fn trident(
    outlines: &[Outline],
    plan: &TilePlan,
    (width, height): (u64, u64),
    most: u64,
) -> Result<Vec<[i64; 2]>, SlideProblem> {
    let step = plan.step_level0;
    bounded("tiles of a grid", width.div_ceil(step).saturating_mul(height.div_ceil(step)), MOST_CANDIDATES)?;
    let tolerance = (plan.side / 4) as f64;
    let simple: Vec<_> = outlines.iter().map(|outline| outline.simplified(tolerance)).collect();
    let boxed: Vec<_> = simple.iter().filter_map(|o| Some((bounds(&o.outer)?, o))).collect();
    let mut tiles = Vec::new();
    for y in (0..height).step_by(step as usize) {
        let (top, bottom) = (y as f64, (y + plan.side_level0) as f64);
        let row: Vec<_> =
            boxed.iter().filter(|([low, high], _)| low[1] <= bottom && high[1] >= top).collect();
        for x in (0..width).step_by(step as usize) {
            let (left, right) = (x as f64, (x + plan.side_level0) as f64);
            let near = |([low, high], _): &&&([[f64; 2]; 2], &Outline)| low[0] <= right && high[0] >= left;
            if row.iter().filter(near).any(|(_, o)| o.meets([left, top], [right, bottom])) {
                tiles.push([x as i64, y as i64]);
            }
        }
        full(&tiles, most)?;
    }
    Ok(tiles)
}

fn clam(outlines: &[Outline], plan: &TilePlan, most: u64) -> Result<Vec<[i64; 2]>, SlideProblem> {
    let (length, step) = (plan.side_level0 as i64, plan.step_level0 as usize);
    let centre = length / 2;
    let shift = (centre as f64 * 0.5) as i64;
    let mut tiles = Vec::new();
    for outline in outlines {
        let Some([low, high]) = bounds(&outline.outer) else { continue };
        let (low, high) = (low.map(|v| v as i64), high.map(|v| v as i64));
        let count = |axis: usize| ((high[axis] - low[axis]) as u64 + 1).div_ceil(step as u64);
        bounded("tiles of a grid", count(0).saturating_mul(count(1)), MOST_CANDIDATES)?;
        for x in (low[0]..=high[0]).step_by(step) {
            for y in (low[1]..=high[1]).step_by(step) {
                let (cx, cy) = (x + centre, y + centre);
                let corners = [(-shift, -shift), (-shift, shift), (shift, -shift), (shift, shift)];
                let within = |(dx, dy): (i64, i64)| {
                    side(&outline.outer, [(cx + dx) as f64, (cy + dy) as f64]) != Side::Outside
                };
                let in_hole =
                    || outline.holes.iter().any(|hole| side(hole, [cx as f64, cy as f64]) == Side::Inside);
                if corners.into_iter().any(within) && !in_hole() {
                    tiles.push([x, y]);
                }
            }
            full(&tiles, most)?;
        }
    }
    Ok(tiles)
}
