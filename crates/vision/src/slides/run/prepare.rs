//! From a file to a list of tiles: open, find tissue, lay the grid.

use std::path::PathBuf;

use serde::Serialize;

use crate::slides::list::SlideEntry;
use crate::slides::{
    Grid, Mpp, MppSource, Opener, Outline, Overview, OverviewPlan, Scale, Slide, SlideProblem, TilePlan,
    TissueRule, read_outlines,
};

/// How slides become tiles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlideSettings {
    /// Scale of tiles.
    pub scale: Scale,
    /// Side of a tile in pixels.
    pub side: usize,
    /// Pixels that neighbours share.
    pub overlap: usize,
    /// Which tiles there are.
    pub grid: Grid,
    /// Where tissue is.
    pub tissue: TissueSource,
    /// Most tiles of a slide.
    pub most_tiles: u64,
    /// What opens slides.
    #[serde(skip)]
    pub opener: Opener,
}

impl Default for SlideSettings {
    /// Half a micron a pixel, tiles of 256 pixels side by side, TRIDENT's grid on tissue that CLAM's rule finds at 8 µm.
    fn default() -> Self {
        Self {
            scale: Scale::Mpp(0.5),
            side: 256,
            overlap: 0,
            grid: Grid::Trident,
            tissue: TissueSource::Rule { rule: TissueRule::default(), level: TissueLevel::Mpp(8.0) },
            most_tiles: 500_000,
            opener: Opener::Auto,
        }
    }
}

/// Where outlines of tissue come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TissueSource {
    /// A rule on an overview.
    Rule {
        /// The rule.
        rule: TissueRule,
        /// The overview's scale.
        level: TissueLevel,
    },
    /// `NAME.geojson` (or `NAME.json`) in a folder.
    Outlines(PathBuf),
    /// The whole slide.
    Everything,
}

/// At which scale tissue is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TissueLevel {
    /// Near so many microns a pixel.
    Mpp(f64),
    /// On the level that CLAM takes: the coarsest of at most 64 pixels of level 0.
    Clam,
}

/// Microns a pixel of overviews for pictures of slides whose own scale is not known.
const UNKNOWN_SCALE: f64 = 64.0;

/// A slide that is ready to be read.
#[derive(Debug)]
pub struct Prepared {
    /// The slide.
    pub slide: Slide,
    /// Microns a pixel.
    pub mpp: Mpp,
    /// How tiles are cut.
    pub plan: TilePlan,
    /// The whole as a small picture.
    pub overview: Overview,
    /// Tissue.
    pub outlines: Vec<Outline>,
    /// Corners of tiles in pixels of level 0; none where there is no tissue.
    pub tiles: Vec<[u64; 2]>,
}

impl Prepared {
    /// Why there is nothing to read, if there is nothing: no tissue, or an overview that could not be read.
    pub fn problem(&self) -> Option<SlideProblem> {
        match &self.overview.reason {
            _ if !self.tiles.is_empty() => None,
            Some(first) => Some(SlideProblem::NoTiles {
                tiles: usize::try_from(self.overview.unreadable).unwrap_or(usize::MAX),
                first: first.clone(),
            }),
            None => Some(SlideProblem::NoTissue),
        }
    }
}

/// Opens a slide and lists its tiles.
///
/// # Errors
/// [`SlideProblem`] by name; what is wrong with this slide is wrong with no other.
pub fn prepare(entry: &SlideEntry, settings: &SlideSettings) -> Result<Prepared, SlideProblem> {
    let slide = Slide::open(&entry.path, settings.opener)?;
    let mpp = match entry.facts.mpp {
        Some(mpp) => Mpp { x: mpp, y: mpp, source: MppSource::Csv },
        None => slide.mpp()?,
    };
    let plan = TilePlan::new(settings.scale, settings.side, settings.overlap, &mpp, slide.levels())?;
    let size = (slide.levels()[0].width, slide.levels()[0].height);
    let level = match &settings.tissue {
        TissueSource::Rule { level: TissueLevel::Clam, .. } => OverviewPlan::of_clam(slide.levels()),
        TissueSource::Rule { level: TissueLevel::Mpp(wanted), .. } => {
            OverviewPlan::near(slide.levels(), wanted / mpp.mean())
        }
        _ => OverviewPlan::near(slide.levels(), UNKNOWN_SCALE),
    };
    let overview = level.make(&slide);
    let outlines = match &settings.tissue {
        TissueSource::Rule { rule, .. } => rule.outlines(&overview),
        TissueSource::Outlines(folder) => outlines_of(entry, folder)?,
        TissueSource::Everything => {
            let (w, h) = (size.0 as f64, size.1 as f64);
            vec![Outline { outer: vec![[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]], holes: Vec::new() }]
        }
    };
    let tiles = settings.grid.tiles(&outlines, &plan, size, settings.most_tiles)?;
    Ok(Prepared { slide, mpp, plan, overview, outlines, tiles })
}

fn outlines_of(entry: &SlideEntry, folder: &std::path::Path) -> Result<Vec<Outline>, SlideProblem> {
    let names = ["geojson", "json"].map(|end| folder.join(format!("{}.{end}", entry.name)));
    let Some(path) = names.iter().find(|path| path.is_file()) else {
        return Err(SlideProblem::NoContours(format!("{} is not there", names[0].display())));
    };
    read_outlines(path).map_err(|e| SlideProblem::NoContours(e.to_string()))
}
