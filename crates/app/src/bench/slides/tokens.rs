//! CLS tokens of a slide's tiles beside those of OpenSlide's pixels.

use std::path::Path;

use super::super::runtime::OnnxRuntime;
use super::super::{Better, Error, Figure, Peers, Report};
use super::peer::peer;
use super::{AREA, Cut, SIDE};
use blindscope_vision::data::Preprocess;
use blindscope_vision::slides::read_tile;
use blindscope_vision::vit::{Config, Vit};

/// CLS tokens of a slide's tiles beside those of OpenSlide's pixels in ONNX Runtime on the same weights.
pub(super) fn tokens(
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
