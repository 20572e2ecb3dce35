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
    /// Whether attention is trained on all tiles of `data`, where it is on a few of each group otherwise.
    pub whole: bool,
}

/// Told at the beginning of each part: parts done, parts in all, and what follows.
pub type OnPart<'a> = &'a mut dyn FnMut(u64, u64, &str);

pub(super) fn run(bench: &SlidesBench, peers: &Peers, tell: OnPart<'_>) -> Result<Report, Error> {
    let scratch = Scratch::new("slides")?;
    let mut report = Report {
        figures: Vec::new(),
        missing: Vec::new(),
        backend: "CPU time, one thread, best of runs".into(),
    };
    let mut done = 0;
    all(bench, peers, scratch.path(), &mut report, &mut |what| {
        tell(done, PARTS, what);
        done += 1;
    })?;
    tell(PARTS, PARTS, "done");
    Ok(report)
}

fn all(
    bench: &SlidesBench,
    peers: &Peers,
    scratch: &Path,
    report: &mut Report,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    tell("300,000 rows: import, split, statistics");
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
    tell("a slide of 100,000 × 100,000 pixels");
    sparse::memory(&model, scratch, report)?;
    tell("runs that are killed");
    kills::figures(&bench.binary, &slides, scratch, report)?;
    tell("pixels beside OpenSlide");
    pixels::pixels(&slides, peers, scratch, report)?;
    tell("coordinates beside CLAM and TRIDENT");
    coordinates::coordinates(&slides, report)?;
    tell("a run over three slides");
    run::outside_the_model(&slides, &model, scratch, report)?;
    tell("tokens beside OpenSlide and ONNX Runtime");
    let cut = Cut::new(&slides.join("CMU-1-Small-Region.svs"))?;
    tokens::tokens(&cut, &model, &weights, peers, scratch, report)?;
    tell("tiles decoded beside OpenSlide and Pillow");
    speed::speed(bench.runs, &slides, peers, report)?;
    tell("attention over slides of real tissue");
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
