//! Figures of a model's input: CLS tokens of JPEG tiles beside the reference pipeline (Pillow's pixels, a transformer in numpy, single
//! precision), and how fast a tile is decoded and resized.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::scratch::Scratch;
use super::{Better, Error, Figure, Peers, Report};
use crate::clock::of_process;
use blindscope_learn::features::{Backbone, BackboneSource};
use blindscope_vision::bench::{ExtractionBench, tile_pixels, tile_pixels_before};
use blindscope_vision::synth::SyntheticPlan;
use blindscope_vision::vit::Config;

const AREA: &str = "input";
/// Side that the model takes.
const SIDE: usize = 224;
/// Side of tiles that have to be resized and cut.
const LARGER: usize = 260;
/// What the shorter side is resized to, and the model's `crop_pct` that says so.
const SHORTER: usize = 256;
const CROP: f64 = 0.875;
/// Largest error of a token, and where it is to go: of its largest value.
const WORST: f64 = 1e-4;
const AIM: f64 = 1e-5;

pub(super) fn run(runs: usize, peers: &Peers) -> Result<Report, Error> {
    let scratch = Scratch::new("input")?;
    let backend = "tokens: largest difference over the largest value, worst tile; speed: CPU time, one thread, best of passes";
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend: backend.into() };
    measure(runs, peers, scratch.path(), &mut report)?;
    Ok(report)
}

fn measure(runs: usize, peers: &Peers, scratch: &Path, report: &mut Report) -> Result<(), Error> {
    let (kept, larger) = (scratch.join("kept"), scratch.join("larger"));
    for (folder, side) in [(&kept, SIDE), (&larger, LARGER)] {
        std::fs::create_dir_all(folder)?;
        let plan = SyntheticPlan { side: SIDE, patients: 1, tiles: 1, sites: 1, seed: 1 };
        for (at, sample) in plan.write(&folder.join("drawn"))?.samples.iter().enumerate() {
            std::fs::copy(&sample.path, folder.join(format!("tile-{at}.png")))?;
        }
        let made = peers.pillow(&["make", &folder.display().to_string(), &side.to_string()]);
        if let Err(reason) = made {
            report.missing.push(format!("every figure: {reason}"));
            return Ok(());
        }
    }
    for (name, folder, crop, shorter) in
        [("token", &kept, 1.0, SIDE), ("token_resized", &larger, CROP, SHORTER)]
    {
        let model = scratch.join(format!("model-{name}"));
        write_model(&model, crop)?;
        tokens(name, folder, &model, shorter, peers, report)?;
    }
    speed(runs, &larger, &scratch.join("model-token_resized"), peers, report)
}

/// DeiT-Tiny's shape with random weights, and timm's card beside it.
fn write_model(folder: &Path, crop: f64) -> Result<(), Error> {
    std::fs::create_dir_all(folder)?;
    let bench = ExtractionBench::new(Config::deit_tiny(), 1, 1)?;
    bench.write(&folder.join("model.safetensors"), &folder.join("pixels.f32"))?;
    let card = serde_json::json!({
        "architecture": "deit_tiny_patch16_224",
        "model_args": { "num_heads": 3 },
        "pretrained_cfg": {
            "input_size": [3, SIDE, SIDE], "interpolation": "bicubic", "crop_pct": crop, "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]
        }
    });
    std::fs::write(folder.join("config.json"), card.to_string())?;
    Ok(())
}

fn load(model: &Path) -> Result<Backbone, Error> {
    Ok(Backbone::load(&BackboneSource::new(model.display().to_string()))?)
}

/// The worst token of each coding.
fn tokens(
    name: &str,
    folder: &Path,
    model: &Path,
    shorter: usize,
    peers: &Peers,
    report: &mut Report,
) -> Result<(), Error> {
    let arguments =
        ["tokens", &folder.display().to_string(), &model.display().to_string(), &shorter.to_string()];
    let answer = match peers.pillow(&arguments) {
        Ok(answer) => answer,
        Err(reason) => {
            report.missing.push(format!("{name}: {reason}"));
            return Ok(());
        }
    };
    let reference: BTreeMap<String, Vec<f32>> =
        serde_json::from_value(answer["tokens"].clone()).unwrap_or_default();
    let backbone = load(model)?;
    for coding in ["444", "420"] {
        let files: Vec<PathBuf> = jpegs(folder)?.into_iter().filter(|p| stem(p).ends_with(coding)).collect();
        let mut errors = Vec::new();
        for path in &files {
            let pixels = tile_pixels(&std::fs::read(path)?, &backbone.preprocess)?;
            let token = backbone.model.cls_tokens(&pixels)?;
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match reference.get(&file) {
                Some(expected) if expected.len() == token.len() => errors.push(distance(&token, expected)),
                _ => report.missing.push(format!("{name}_{coding}: the reference has no token of {file}")),
            }
        }
        if let Some(worst) = errors.iter().copied().reduce(f64::max) {
            let figure = Figure::of(AREA, format!("{name}_{coding}"), "rel", Better::Lower, &[worst]);
            report.figures.push(figure.must(WORST, AIM));
        }
    }
    Ok(())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn jpegs(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "jpg") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Largest difference over the largest expected value.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    let off = largest(&mut found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs())));
    off / largest(&mut expected.iter().map(|v| f64::from(v.abs()))).max(f64::MIN_POSITIVE)
}

/// Decoding and resizing, over what it took before today's decoder and filters, and over Pillow.
fn speed(runs: usize, folder: &Path, model: &Path, peers: &Peers, report: &mut Report) -> Result<(), Error> {
    let files: Vec<Vec<u8>> = jpegs(folder)?.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let preprocess = load(model)?.preprocess;
    let passes = runs.div_ceil(10).max(5);
    let (mut now, mut before) = (Vec::new(), Vec::new());
    for _ in 0..passes {
        let start = of_process();
        for bytes in &files {
            tile_pixels(bytes, &preprocess)?;
        }
        now.push(files.len() as f64 / (of_process() - start));
        let start = of_process();
        for bytes in &files {
            tile_pixels_before(bytes, SIDE)?;
        }
        before.push(files.len() as f64 / (of_process() - start));
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    report.figures.push(Figure::of(AREA, "decode_resize", "img/s", Better::Higher, &now));
    let over = best(&now) / best(&before);
    report
        .figures
        .push(Figure::of(AREA, "decode_resize_over_before", "x", Better::Higher, &[over]).must(0.6, 1.0));
    let (shorter, side) = (SHORTER.to_string(), SIDE.to_string());
    match peers.pillow(&["rate", &folder.display().to_string(), &shorter, &side, &passes.to_string()]) {
        Ok(answer) => {
            if let Some(pillow) = answer["tiles_per_second"].as_f64() {
                let over = best(&now) / pillow;
                report.figures.push(Figure::of(
                    AREA,
                    "decode_resize_over_pillow",
                    "x",
                    Better::Higher,
                    &[over],
                ));
            }
        }
        Err(reason) => report.missing.push(format!("decode_resize_over_pillow: {reason}")),
    }
    Ok(())
}
