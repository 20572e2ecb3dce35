//! Figures of slides: pixels and CLS tokens beside OpenSlide and Pillow, coordinates beside CLAM and TRIDENT, speed, memory.
#![allow(clippy::doc_markdown, reason = "proper names: OpenSlide, BigTIFF")]

mod features;
mod kills;
mod sparse;

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::memory::{peak_mib, reset_peak};
use super::peers::IMAGES;
use super::runtime::OnnxRuntime;
use super::scratch::Scratch;
use super::{Better, Error, Figure, Peers, Report};
use crate::clock::of_process;
use blindscope_vision::data::Preprocess;
use blindscope_vision::slides::{
    Bags, Grid, Mpp, MppSource, Opener, OverviewPlan, Scale, Slide, SlideEntry, SlideFacts, SlideRun,
    SlideSettings, TilePlan, TissueLevel, TissueRule, TissueSource, extract_slides, prepare, read_outlines,
    read_tile,
};
use blindscope_vision::vit::{self, Config, Engine, Vit};

const AREA: &str = "slides";
/// Side of tiles where tokens are compared: the model's, so that nothing is resampled twice.
const SIDE: usize = 224;

pub(super) fn run(runs: usize, data: Option<&Path>, peers: &Peers, binary: &Path) -> Result<Report, Error> {
    let scratch = Scratch::new("slides")?;
    let mut report = Report {
        figures: Vec::new(),
        missing: Vec::new(),
        backend: "CPU time, one thread, best of runs".into(),
    };
    all(runs, data, (peers, binary), scratch.path(), &mut report)?;
    Ok(report)
}

fn all(
    runs: usize,
    data: Option<&Path>,
    (peers, binary): (&Peers, &Path),
    scratch: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    features::figures(scratch, report)?;
    let Some(data) = data else {
        report
            .missing
            .push("figures of slides: no folder of slides and weights (--data or BLINDSCOPE_DATA)".into());
        return Ok(());
    };
    let (slides, weights) =
        (data.join("slides"), data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors"));
    let model = vit::load(&weights)?;
    sparse::memory(&model, scratch, report)?;
    kills::figures(binary, &slides, scratch, report)?;
    pixels(&slides, peers, scratch, report)?;
    coordinates(&slides, report)?;
    outside_the_model(&slides, &model, scratch, report)?;
    let prepared = Cut::new(&slides.join("CMU-1-Small-Region.svs"))?;
    tokens(&prepared, &model, &weights, peers, scratch, report)?;
    speed(runs, &slides, peers, report)
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

/// The peer's answer to `arguments`, with corners on its input.
fn peer(peers: &Peers, arguments: &[&str], corners: &[[u64; 2]]) -> Result<serde_json::Value, String> {
    let name = "OpenSlide (python3 bench/peers/setup.py installs it)";
    let folder = peers.folder.as_ref().ok_or("OpenSlide: peers were left out")?;
    let mut command = Command::new(peers.python_of(IMAGES));
    command.arg(folder.join("slides_openslide.py")).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
    let text: Vec<String> = corners.iter().map(|[x, y]| format!("{x} {y}")).collect();
    let text = text.join("\n");
    if let Some(mut input) = child.stdin.take() {
        // A peer that ended early says so below.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}", words.lines().last().unwrap_or("failed without a word")));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{name}: unreadable answer: {e}"))
}

/// Samples that differ from OpenSlide's on whole levels.
fn pixels(slides: &Path, peers: &Peers, scratch: &Path, report: &mut Report) -> Result<(), Error> {
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

/// Share of the golden lists of coordinates that are met, order included.
fn coordinates(slides: &Path, report: &mut Report) -> Result<(), Error> {
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

fn grid(
    slide: &Slide,
    grid: Grid,
    outlines: &[blindscope_vision::slides::Outline],
    mpp: f64,
    scale: Scale,
) -> Vec<[u64; 2]> {
    let mpp = Mpp { x: mpp, y: mpp, source: MppSource::Csv };
    let size = (slide.levels()[0].width, slide.levels()[0].height);
    let plan = TilePlan::new(scale, 256, 0, &mpp, slide.levels());
    plan.and_then(|plan| grid.tiles(outlines, &plan, size, 100_000)).unwrap_or_default()
}

/// Share of a run's wall time in which the model does not work.
fn outside_the_model(slides: &Path, model: &Vit, scratch: &Path, report: &mut Report) -> Result<(), Error> {
    let names = ["CMU-1-Small-Region.svs", "CMU-1-Small-Region_wsidicomizer.dcm", "synth_ycbcr420.tif"];
    let entry = |name: &&str| SlideEntry {
        name: (*name).into(),
        path: slides.join(name),
        facts: SlideFacts::default(),
    };
    let entries: Vec<SlideEntry> = names.iter().map(entry).collect();
    let tissue = TissueSource::Rule { rule: TissueRule::default(), level: TissueLevel::Mpp(8.0) };
    let run = SlideRun {
        slides: &entries,
        settings: SlideSettings { side: SIDE, tissue, ..SlideSettings::default() },
        out: &scratch.join("run"),
        encoder: "deit-tiny",
        model,
        preprocess: Preprocess::imagenet(SIDE),
        batch: 8,
        shard: None,
    };
    let (mut share, mut rate) = (1.0, 0.0);
    extract_slides(&Engine::Cpu, &run, &mut |now| {
        let (in_model, all) = now.in_model;
        (share, rate) = (1.0 - in_model.as_secs_f64() / all.as_secs_f64(), now.rate);
        ControlFlow::Continue(())
    })?;
    let whole = Bags::open(run.out)?.len();
    if whole != entries.len() {
        let reason = format!("{whole} of {} slides were done", entries.len());
        return Err(Error::Slide { path: slides.into(), reason });
    }
    report.figures.push(
        Figure::of(AREA, "share_outside_model_deit_tiny", "x", Better::Lower, &[share]).must(0.15, 0.05),
    );
    report.figures.push(Figure::of(AREA, "run_deit_tiny", "img/s", Better::Higher, &[rate]));
    Ok(())
}

/// CLS tokens of a slide's tiles beside those of OpenSlide's pixels in ONNX Runtime on the same weights.
fn tokens(
    cut: &Cut,
    model: &Vit,
    weights: &Path,
    peers: &Peers,
    scratch: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    let raw = scratch.join("tiles.f32");
    let (level, read, side) = (cut.plan.level.to_string(), cut.plan.side_level.to_string(), SIDE.to_string());
    let (path, out) = (cut.path.to_string_lossy(), raw.to_string_lossy());
    if let Err(why) = peer(peers, &["tiles", &path, &level, &read, &side, &out], &cut.corners) {
        report.missing.push(format!("tokens beside OpenSlide: {why}"));
        return Ok(());
    }
    let Config { image, patch, width, depth, heads, .. } = *model.config();
    let shape = [
        ("batch", cut.corners.len()),
        ("threads", 2),
        ("image", image),
        ("patch", patch),
        ("dim", width),
        ("depth", depth),
        ("heads", heads),
    ];
    let theirs = OnnxRuntime::start(peers, &shape, weights, &raw).and_then(|mut runtime| runtime.tokens());
    let theirs = match theirs {
        Ok(tokens) => tokens,
        Err(why) => {
            report.missing.push(format!("tokens beside OpenSlide: {why}"));
            return Ok(());
        }
    };
    let preprocess = Preprocess::imagenet(SIDE);
    let mut pixels = Vec::new();
    for corner in &cut.corners {
        let tile = read_tile(&cut.slide, &cut.plan, *corner);
        let tile = tile.map_err(|reason| Error::Slide { path: cut.path.clone(), reason })?;
        pixels.extend(preprocess.pixels(&tile));
    }
    let ours = model.cls_tokens(&pixels)?;
    let peak = theirs.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let apart = ours.iter().zip(&theirs).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
    let error = if ours.len() == theirs.len() { f64::from(apart / peak) } else { f64::INFINITY };
    let mut figure =
        Figure::of(AREA, "cls_error_against_openslide_pillow_onnxruntime", "rel", Better::Lower, &[error])
            .must(1e-4, 1e-5);
    figure.runs = cut.corners.len();
    report.figures.push(figure);
    Ok(())
}

/// Tiles a second of CPU time, decoded and resampled, over openslide-python and Pillow.
fn speed(runs: usize, slides: &Path, peers: &Peers, report: &mut Report) -> Result<(), Error> {
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
