//! Figures of slides: pixels and CLS tokens beside OpenSlide and Pillow, coordinates beside CLAM and TRIDENT, speed, memory, attention
//! on real tissue.
#![allow(clippy::doc_markdown, reason = "proper names: OpenSlide, BigTIFF")]

mod attention;
mod coordinates;
mod features;
mod kills;
mod peer;
mod pixels;
mod run;
mod sparse;
mod speed;
mod tokens;

use std::path::{Path, PathBuf};

use super::memory::{peak_mib, reset_peak};
use super::part::{OnPart, Parts};
use super::scratch::Scratch;
use super::{Error, Peers, Report};
use blindscope_vision::slides::{Opener, Slide, SlideEntry, SlideFacts, SlideSettings, TilePlan, prepare};
use blindscope_vision::vit;

const AREA: &str = "slides";
/// Side of tiles where tokens are compared: the model's, so that nothing is resampled twice.
const SIDE: usize = 224;
/// Parts of the bench, for those who wait for it.
const PARTS: u64 = 9;

/// What the bench of slides works on.
#[derive(Debug, Clone)]
pub struct SlidesBench {
    /// Measurements of a speed; between 3 and 9 are taken.
    pub runs: usize,
    /// Folder with `slides`, `vit/deit-tiny-patch16-224` and `lung-histology`; without it only features are measured.
    pub data: Option<PathBuf>,
    /// The command, whose runs are killed.
    pub binary: PathBuf,
    /// Whether attention is trained on several draws of slides out of all tiles of `data`; otherwise on one out of a few of each group.
    pub whole: bool,
}

pub(super) fn run(bench: &SlidesBench, peers: &Peers, tell: OnPart<'_>) -> Result<Report, Error> {
    let scratch = Scratch::new("slides")?;
    let mut report = Report {
        figures: Vec::new(),
        missing: Vec::new(),
        backend: "CPU time, one thread, best of runs".into(),
    };
    let mut parts = Parts::new(PARTS, tell);
    all(bench, peers, scratch.path(), &mut report, &mut parts)?;
    parts.end(&report.figures);
    Ok(report)
}

fn all(
    bench: &SlidesBench,
    peers: &Peers,
    scratch: &Path,
    report: &mut Report,
    parts: &mut Parts<'_>,
) -> Result<(), Error> {
    parts.begin("300,000 rows: import, split, statistics", &report.figures);
    features::figures(scratch, report)?;
    let Some(data) = &bench.data else {
        report
            .missing
            .push("figures of slides: no folder of slides and weights (--data or BLINDSCOPE_DATA)".into());
        return Ok(());
    };
    let (slides, weights) =
        (data.join("slides"), data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors"));
    let model = vit::load(&weights)?;
    parts.begin("a slide of 100,000 × 100,000 pixels", &report.figures);
    sparse::memory(&model, scratch, report)?;
    parts.begin("runs that are killed", &report.figures);
    kills::figures(&bench.binary, &slides, scratch, report)?;
    parts.begin("pixels beside OpenSlide", &report.figures);
    pixels::pixels(&slides, peers, scratch, report)?;
    parts.begin("coordinates beside CLAM and TRIDENT", &report.figures);
    coordinates::coordinates(&slides, report)?;
    parts.begin("a run over three slides", &report.figures);
    run::outside_the_model(&slides, &model, scratch, report)?;
    parts.begin("tokens beside OpenSlide and ONNX Runtime", &report.figures);
    let cut = Cut::new(&slides.join("CMU-1-Small-Region.svs"))?;
    tokens::tokens(&cut, &model, &weights, peers, scratch, report)?;
    parts.begin("tiles decoded beside OpenSlide and Pillow", &report.figures);
    speed::speed(bench.runs, &slides, peers, report)?;
    parts.begin("attention over slides of real tissue", &report.figures);
    attention::figures(data, &model, bench.whole, report)
}

/// A slide with its plan and tiles.
struct Cut {
    path: PathBuf,
    slide: Slide,
    plan: TilePlan,
    corners: Vec<[u64; 2]>,
}

impl Cut {
    fn new(path: &Path) -> Result<Self, Error> {
        let entry = SlideEntry { name: "slide".into(), path: path.into(), facts: SlideFacts::default() };
        let settings = SlideSettings { side: SIDE, ..SlideSettings::default() };
        let prepared = prepare(&entry, &settings)
            .map_err(|e| Error::Slide { path: path.into(), reason: e.to_string() })?;
        Ok(Self { path: path.into(), slide: prepared.slide, plan: prepared.plan, corners: prepared.tiles })
    }
}

fn open(path: &Path) -> Result<Slide, Error> {
    Slide::open(path, Opener::Native).map_err(|e| Error::Slide { path: path.into(), reason: e.to_string() })
}
