//! Tiles decoded and resampled beside openslide-python and Pillow.

use std::path::Path;

use super::super::{Better, Error, Figure, Peers, Report};
use super::peer::peer;
use super::{AREA, Cut, SIDE, open};
use crate::clock::of_process;
use blindscope_vision::slides::{Mpp, MppSource, Scale, TilePlan, read_tile};

/// Tiles a second of CPU time, decoded and resampled, over openslide-python and Pillow.
pub(super) fn speed(runs: usize, slides: &Path, peers: &Peers, report: &mut Report) -> Result<(), Error> {
    let rounds = runs.clamp(3, 9);
    let path = slides.join("CMU-1-Small-Region.svs");
    // Every tile is resampled, from 256 pixels to 224.
    let mpp = Mpp { x: 0.499, y: 0.499, source: MppSource::Csv };
    let cut = Cut::new(&path)?;
    let plan = TilePlan::new(Scale::Mpp(0.499 * 256.0 / 224.0), SIDE, 0, &mpp, cut.slide.levels());
    let plan = plan.map_err(|e| Error::Slide { path: path.clone(), reason: e.to_string() })?;
    let mut ours = Vec::new();
    for _ in 0..rounds {
        let slide = open(&path)?;
        let begin = of_process();
        for corner in &cut.corners {
            let tile = read_tile(&slide, &plan, *corner);
            std::hint::black_box(tile.map_err(|reason| Error::Slide { path: path.clone(), reason })?);
        }
        ours.push(cut.corners.len() as f64 / (of_process() - begin));
    }
    report.figures.push(Figure::of(AREA, "tiles_decoded_and_resampled", "img/s", Better::Higher, &ours));
    let (level, read, side, count) =
        (plan.level.to_string(), plan.side_level.to_string(), SIDE.to_string(), rounds.to_string());
    match peer(peers, &["speed", &path.to_string_lossy(), &level, &read, &side, &count], &cut.corners) {
        Ok(answer) => {
            let best = ours.iter().copied().fold(0.0, f64::max);
            let ratio = best / answer["tiles_per_second"].as_f64().unwrap_or(f64::NAN);
            report.figures.push(
                Figure::of(AREA, "tiles_over_openslide_pillow", "x", Better::Higher, &[ratio]).must(2.0, 3.0),
            );
        }
        Err(why) => report.missing.push(format!("speed beside OpenSlide: {why}")),
    }
    Ok(())
}
