//! Figures of CLS tokens at 224 pixels, batches of eight, two threads.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use super::runtime::OnnxRuntime;
use super::scratch::Scratch;
use super::{Better, Error, Figure, Peers, Report};
use crate::clock::of_process;
use blindscope_vision::bench::{ExtractionBench, linear_probe, peak_memory, reference_error};
use blindscope_vision::data::{CsvColumns, Dataset, Limits, Preprocess, read_csv};
use blindscope_vision::features::{Extraction, extract};
use blindscope_vision::synth::SyntheticPlan;
use blindscope_vision::vit::{self, Config};

const AREA: &str = "vision";
/// Images a pass.
const BATCH: usize = 8;
/// Threads on either side.
const THREADS: usize = 2;
/// A pass takes a second; this many runs of other areas are one of this area's.
const RUNS_A_PASS: usize = 10;
/// Tiles of each group in the probe.
const TILES_A_GROUP: usize = 3;

pub(super) fn run(runs: usize, data: Option<&Path>, peers: &Peers) -> Result<Report, Error> {
    let scratch = Scratch::new("vision")?;
    let backend = format!("{THREADS} threads, batch {BATCH}");
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    // First, while the process holds nothing else: the system tells the highest memory so far.
    memory(&scratch, &mut report)?;
    let passes = runs.div_ceil(RUNS_A_PASS).max(5);
    for (name, config, passes) in
        [("vit_base", Config::vit_base(), passes), ("deit_tiny", Config::deit_tiny(), 3 * passes)]
    {
        speed(name, config, passes, peers, &scratch, &mut report)?;
    }
    match data {
        Some(data) => real(data, &mut report)?,
        None => report.missing.push(
            "agreement with reference outputs, linear probe: no folder of tiles and weights (--data or BLINDSCOPE_DATA)"
                .into(),
        ),
    }
    Ok(report)
}

/// Highest memory of the whole process while ViT-B takes PNG tiles to CLS tokens.
fn memory(scratch: &Scratch, report: &mut Report) -> Result<(), Error> {
    let plan = SyntheticPlan { side: 224, patients: 2, tiles: 4, sites: 1, seed: 1 };
    let tiles = plan.write(&scratch.path().join("tiles"))?;
    let bench = ExtractionBench::new(Config::vit_base(), BATCH, THREADS)?;
    let extraction = Extraction {
        model: bench.model(),
        preprocess: Preprocess::imagenet(224),
        limits: Limits::default(),
        batch: BATCH,
        cache: None,
    };
    extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?;
    match peak_memory() {
        Some(bytes) => report.figures.push(
            Figure::of(AREA, "extraction_peak_memory_vit_base", "bytes", Better::Lower, &[bytes as f64])
                .must(1.5 * f64::from(1 << 30), 800e6),
        ),
        None => report.missing.push("peak memory: this system does not tell it".into()),
    }
    Ok(())
}

/// Images a second, alternating pass by pass with the peer's on the same weights and pixels.
fn speed(
    name: &str,
    config: Config,
    passes: usize,
    peers: &Peers,
    scratch: &Scratch,
    report: &mut Report,
) -> Result<(), Error> {
    let shape = [
        ("batch", BATCH),
        ("threads", THREADS),
        ("image", config.image),
        ("patch", config.patch),
        ("dim", config.width),
        ("depth", config.depth),
        ("heads", config.heads),
    ];
    let bench = ExtractionBench::new(config, BATCH, THREADS)?;
    let (weights, pixels) =
        (scratch.path().join(format!("{name}.safetensors")), scratch.path().join(format!("{name}.f32")));
    bench.write(&weights, &pixels)?;
    let mut peer = OnnxRuntime::start(peers, &shape, &weights, &pixels);
    bench.once()?;
    let (mut rates, mut ratios, mut cpu_ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..passes {
        let before = of_process();
        let wall = bench.once()?.as_secs_f64();
        let cpu = of_process() - before;
        rates.push(BATCH as f64 / wall);
        match peer.as_mut().map_err(|e| e.clone()).and_then(OnnxRuntime::pass) {
            Ok(theirs) => {
                ratios.push(theirs.wall / wall);
                cpu_ratios.push(theirs.cpu / cpu);
            }
            Err(why) => peer = Err(why),
        }
    }
    report.figures.push(Figure::of(AREA, format!("cls_{name}"), "img/s", Better::Higher, &rates));
    let tokens = match peer.as_mut().map_err(|e| e.clone()).and_then(OnnxRuntime::tokens) {
        Ok(tokens) => tokens,
        Err(why) => {
            report.missing.push(format!("{name} over ONNX Runtime: {why}"));
            return Ok(());
        }
    };
    let figure = |what: &str| format!("cls_{name}_{what}_onnxruntime");
    report.figures.push(Figure::of(AREA, figure("over"), "x", Better::Higher, &ratios).must(0.8, 1.1));
    // On a busy machine the clock on the wall measures the others too.
    report.figures.push(Figure::of(AREA, figure("cpu_time_over"), "x", Better::Higher, &cpu_ratios));
    let error = relative(&bench.cls_tokens()?, &tokens);
    report
        .figures
        .push(Figure::of(AREA, figure("error_against"), "rel", Better::Lower, &[error]).must(1e-4, 1e-5));
    Ok(())
}

/// max |a − b| / max |b|; infinite when the lengths differ.
fn relative(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let peak = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    f64::from(a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / peak)
}

/// What needs real weights and tiles.
fn real(data: &Path, report: &mut Report) -> Result<(), Error> {
    let folder = data.join("vit/deit-tiny-patch16-224");
    let weights = folder.join("deit_tiny_patch16_224.safetensors");
    let error = reference_error(&weights, &folder.join("reference_outputs.safetensors"))?;
    report.figures.push(
        Figure::of(AREA, "cls_error_against_reference", "rel", Better::Lower, &[error]).must(1e-4, 1e-5),
    );
    let tiles = probe_tiles(&data.join("lung-histology/manifest.csv"))?;
    let model = vit::load(&weights)?;
    let (preprocess, limits) = (Preprocess::imagenet(model.config().image), Limits::default());
    let extraction = Extraction { model: &model, preprocess, limits, batch: BATCH, cache: None };
    let (features, _) = extract(&tiles, &extraction, &mut |_| ControlFlow::Continue(()))?;
    let probe = linear_probe(&features, 5, 7)?;
    let percent = |share: f64| [100.0 * share];
    let mut grouped =
        Figure::of(AREA, "probe_deit_tiny_grouped", "%", Better::Higher, &percent(probe.grouped));
    // Above 96 % something leaks: colour statistics reach 93 %, and the mean of all patches 95 %.
    grouped.holds = Some((0.92..=0.96).contains(&probe.grouped));
    grouped.bar = Some(92.0);
    grouped.spread = [probe.interval.low, probe.interval.high].map(|v| 100.0 * v);
    report.figures.push(grouped);
    report.figures.push(Figure::of(
        AREA,
        "probe_deit_tiny_leaky_split",
        "%",
        Better::Higher,
        &percent(probe.leaky),
    ));
    Ok(())
}

/// The first tiles of every group.
fn probe_tiles(manifest: &Path) -> Result<Dataset, Error> {
    let columns =
        CsvColumns { group: "tile_group".into(), groups_within_label: true, ..CsvColumns::default() };
    let mut tiles = read_csv(manifest, &columns)?;
    let mut taken: HashMap<Option<String>, usize> = HashMap::new();
    tiles.samples.retain(|tile| {
        let n = taken.entry(tile.group.clone()).or_insert(0);
        *n += 1;
        *n <= TILES_A_GROUP
    });
    Ok(tiles)
}
