//! `preprocessor_config.json` of `transformers`, as its processors on Pillow carry it out: resize, cut, rescale, normalise.

use serde_json::Value;

use super::fields::Fields;
use crate::data::{Centre, Filter, Preprocess, Resize};
use crate::error::Result;

/// Names of classes, and switches whose either value leaves RGB tiles as they are.
const PASSED: [&str; 10] = [
    "auto_map",
    "data_format",
    "default_to_square",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "input_data_format",
    "processor_class",
    "return_tensors",
    "transformers_version",
];

/// Reads the file. The model takes images of side `model.0`, if that is known, and of no other unless `model.1`.
pub(super) fn preprocess(mut f: Fields, model: (Option<usize>, bool)) -> Result<Preprocess> {
    let kind: Option<String> = f.take("image_processor_type")?.or(f.take("feature_extractor_type")?);
    // A file of statistics alone: nothing says how tiles come to size, so they do as without a file.
    if kind.is_none()
        && !["do_resize", "size", "crop_size", "resample", "rescale_factor"].iter().any(|n| f.has(n))
    {
        let plain = Preprocess::imagenet(model.0.unwrap_or(224));
        let mean = statistic(&mut f, "image_mean", plain.mean, plain.scale, true)?;
        let std = statistic(&mut f, "image_std", plain.std, plain.scale, false)?;
        f.finish()?;
        return Ok(Preprocess { mean, std, ..plain });
    }
    // Defaults differ from processor to processor; those of ViT's are known here.
    let silent = ["resample", "image_mean", "image_std"].into_iter().find(|name| !f.has(name));
    if let Some(name) = silent.filter(|_| !kind.as_deref().is_some_and(|kind| kind.starts_with("ViT"))) {
        return Err(f.refuse(name, &"absent", "its default differs between processors; write it down"));
    }
    let switch = |f: &mut Fields, name| f.take::<bool>(name).map(|v| v.unwrap_or(true));
    let resizes = switch(&mut f, "do_resize")?;
    let size = size(&mut f, "size")?;
    // `crop_size` alone is obeyed as well: processors that cut say so by having it.
    let crop_size = square(&mut f, "crop_size")?;
    let cuts: Option<bool> = f.take("do_center_crop")?;
    let crop = crop_size.filter(|_| cuts.unwrap_or(true));
    if cuts == Some(true) && crop.is_none() {
        return Err(f.refuse("do_center_crop", &true, "`crop_size` does not tell how much to cut"));
    }
    let resize = match (resizes, size) {
        (false, _) => Resize::Keep,
        (true, Some(size)) => size,
        (true, None) => {
            let side = model.0.unwrap_or(224);
            Resize::Exact { width: side, height: side }
        }
    };
    let filter = filter(&mut f)?;
    let scale = if switch(&mut f, "do_rescale")? {
        f.take::<f64>("rescale_factor")?.unwrap_or(1.0 / 255.0)
    } else {
        f.pass(&["rescale_factor"]);
        1.0
    };
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(f.refuse("rescale_factor", &scale, "it has to be positive"));
    }
    let normalises = switch(&mut f, "do_normalize")?;
    let mean = statistic(&mut f, "image_mean", [0.5; 3], scale, true)?;
    let std = statistic(&mut f, "image_std", [0.5; 3], scale, false)?;
    let (mean, std) = if normalises { (mean, std) } else { ([0.0; 3], [1.0; 3]) };
    let centre = centre(&mut f)?;
    f.pass(&PASSED);
    let side = match (crop, resize, model.0) {
        // Without a cut, the shorter side becomes the model's and the longer one is halved down to it.
        (Some(side), ..) | (None, Resize::Shorter(side), _) | (None, Resize::Keep, Some(side)) => side,
        (None, Resize::Exact { width, height }, _) if width == height => width,
        (None, Resize::Exact { width, height }, _) => {
            let value = format!("{height}×{width}");
            return Err(f.refuse("size", &value, "the model takes squares and nothing is cut out"));
        }
        (None, Resize::Keep, None) => {
            return Err(f.refuse("do_resize", &false, "nothing tells the size that the model takes"));
        }
    };
    covers(&f, resize, side)?;
    if let (Some(image), false) = model
        && image != side
    {
        let field = if crop.is_some() { "crop_size" } else { "size" };
        return Err(f.refuse(
            field,
            &side,
            format!("config.json says that the model takes images of {image}"),
        ));
    }
    f.finish()?;
    Ok(Preprocess { side, resize, filter, centre, scale, mean, std })
}

/// What is cut out has to lie within what was resized.
fn covers(f: &Fields, resize: Resize, side: usize) -> Result<()> {
    let least = match resize {
        Resize::Keep => side,
        Resize::Shorter(short) => short,
        Resize::Exact { width, height } => width.min(height),
    };
    if side == 0 || side > 4096 || least > 16_384 {
        return Err(f.refuse("size", &side, "sides from 1 to 4096 are read"));
    }
    if least < side {
        return Err(f.refuse(
            "crop_size",
            &side,
            format!("the picture is resized to {least} before the cut"),
        ));
    }
    Ok(())
}

/// A size: a number, `[height, width]`, `{height, width}` or `{shortest_edge}`.
fn size(f: &mut Fields, name: &str) -> Result<Option<Resize>> {
    let Some(value) = f.take::<Value>(name)? else { return Ok(None) };
    let number =
        |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=16_384).contains(n));
    let known = match &value {
        // `ViTImageProcessor` takes a bare number for both sides.
        Value::Number(_) => number(&value).map(|n| Resize::Exact { width: n, height: n }),
        Value::Object(map) => {
            let keys: Vec<(&str, Option<usize>)> =
                map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.as_str(), number(v))).collect();
            match keys.as_slice() {
                [("shortest_edge", Some(n))] => Some(Resize::Shorter(*n)),
                [("height", Some(height)), ("width", Some(width))]
                | [("width", Some(width)), ("height", Some(height))] => {
                    Some(Resize::Exact { width: *width, height: *height })
                }
                _ => None,
            }
        }
        _ => None,
    };
    let rule = "only a number, {height, width} and {shortest_edge} are carried out";
    known.map(Some).ok_or_else(|| f.refuse(name, &value, rule))
}

/// A square size.
fn square(f: &mut Fields, name: &str) -> Result<Option<usize>> {
    match size(f, name)? {
        None => Ok(None),
        Some(Resize::Shorter(side)) => Ok(Some(side)),
        Some(Resize::Exact { width, height }) if width == height => Ok(Some(width)),
        Some(Resize::Exact { width, height }) => {
            Err(f.refuse(name, &format!("{width}×{height}"), "the model takes squares"))
        }
        Some(Resize::Keep) => Err(f.refuse(name, &"no size", "the model takes squares")),
    }
}

fn filter(f: &mut Fields) -> Result<Filter> {
    let Some(value) = f.take::<Value>("resample")? else { return Ok(Filter::Bilinear) };
    let known = value.as_u64().and_then(Filter::from_pillow).or_else(|| Filter::from_name(value.as_str()?));
    known.ok_or_else(|| f.refuse("resample", &value, "it has to be one of Pillow's filters, 0 to 5"))
}

/// Three numbers that a mean or a deviation of values in 0..255·scale can be.
pub(super) fn statistic(
    f: &mut Fields,
    name: &str,
    default: [f32; 3],
    scale: f64,
    mean: bool,
) -> Result<[f32; 3]> {
    let Some(values) = f.take::<[f32; 3]>(name)? else { return Ok(default) };
    let most = (255.0 * scale) as f32 * 1.001;
    let possible = |v: &f32| if mean { (0.0..=most).contains(v) } else { *v > 0.0 && *v <= most };
    if values.iter().all(possible) {
        return Ok(values);
    }
    let what = if mean { "mean" } else { "deviation" };
    let rule = format!("that is no {what} of channels in 0..{}", (255.0 * scale).round());
    Err(f.refuse(name, &format!("{values:?}"), rule))
}

/// Where the centre is: that library rounds down; a file of ours may say otherwise.
fn centre(f: &mut Fields) -> Result<Centre> {
    Ok(f.take::<Centre>("blindscope_centre")?.unwrap_or(Centre::Down))
}

/// The file that [`preprocess`] reads back as it was.
pub(crate) fn write(p: &Preprocess) -> Value {
    let size = match p.resize {
        Resize::Keep => Value::Null,
        Resize::Shorter(short) => serde_json::json!({ "shortest_edge": short }),
        Resize::Exact { width, height } => serde_json::json!({ "height": height, "width": width }),
    };
    let number =
        [Filter::Nearest, Filter::Lanczos, Filter::Bilinear, Filter::Bicubic, Filter::Box, Filter::Hamming]
            .iter()
            .position(|f| *f == p.filter);
    serde_json::json!({
        "do_resize": p.resize != Resize::Keep, "size": size, "resample": number,
        "do_center_crop": true, "crop_size": { "height": p.side, "width": p.side }, "blindscope_centre": p.centre,
        "do_rescale": true, "rescale_factor": p.scale,
        "do_normalize": true, "image_mean": p.mean, "image_std": p.std
    })
}
