//! `preprocessor_config.json` of `transformers`, as its processors on Pillow carry it out: resize, cut, rescale, normalise.

use serde_json::Value;

use super::fields::Fields;
use super::processors::Processor;
use crate::data::{Centre, Filter, Preprocess, Resize};
use crate::error::Result;

/// Names of classes, and switches whose either value leaves RGB tiles as they are.
const PASSED: [&str; 9] = [
    "auto_map",
    "data_format",
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
    if kind.is_none()
        && !["do_resize", "size", "crop_size", "resample", "rescale_factor"].iter().any(|n| f.has(n))
    {
        return statistics_alone(f, model.0);
    }
    let known = match &kind {
        Some(kind) => {
            let known = Processor::named(kind);
            Some(known.ok_or_else(|| f.refuse("image_processor_type", kind, Processor::rule()))?)
        }
        None => None,
    };
    // Defaults differ from processor to processor.
    if let Some(name) =
        ["resample", "image_mean", "image_std"].into_iter().find(|name| known.is_none() && !f.has(name))
    {
        let rule =
            "its default differs between processors; write it down, or the processor's image_processor_type";
        return Err(f.refuse(name, &"absent", rule));
    }
    let (resize, crop) = resize_and_crop(&mut f, known, model.0)?;
    let filter = filter(&mut f, known.map_or(Filter::Bilinear, |known| known.filter))?;
    let (scale, mean, std) = values(&mut f, known)?;
    let centre = centre(&mut f)?;
    f.pass(&PASSED);
    let side = side(&f, crop, resize, model.0)?;
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

/// A file of statistics alone: nothing says how tiles come to size, so they do as without a file.
fn statistics_alone(mut f: Fields, image: Option<usize>) -> Result<Preprocess> {
    let plain = Preprocess::imagenet(image.unwrap_or(224));
    let mean = statistic(&mut f, "image_mean", plain.mean, plain.scale, true)?;
    let std = statistic(&mut f, "image_std", plain.std, plain.scale, false)?;
    f.finish()?;
    Ok(Preprocess { mean, std, ..plain })
}

/// A switch that is on unless the file turns it off.
fn switch(f: &mut Fields, name: &str) -> Result<bool> {
    Ok(f.take::<bool>(name)?.unwrap_or(true))
}

/// How a tile comes to size, and how much is cut out of it then; of a processor whose defaults are known, or by the file alone.
fn resize_and_crop(
    f: &mut Fields,
    known: Option<Processor>,
    image: Option<usize>,
) -> Result<(Resize, Option<usize>)> {
    let resizes = switch(f, "do_resize")?;
    let (resize, crop) = match known {
        Some(known) if known.shares => shared(f, known)?,
        _ => sizes(f, known)?,
    };
    let resize = match (resizes, resize) {
        (false, _) => Resize::Keep,
        (true, Some(size)) => size,
        (true, None) => {
            let side = image.unwrap_or(224);
            Resize::Exact { width: side, height: side }
        }
    };
    // ConvNext cuts as a part of its resizing.
    Ok((resize, crop.filter(|_| resizes || known.is_none_or(|known| !known.shares))))
}

/// Factor of the eight-bit values, then mean and deviation of each channel.
fn values(f: &mut Fields, known: Option<Processor>) -> Result<(f64, [f32; 3], [f32; 3])> {
    let scale = if switch(f, "do_rescale")? {
        f.take::<f64>("rescale_factor")?.unwrap_or(1.0 / 255.0)
    } else {
        f.pass(&["rescale_factor"]);
        1.0
    };
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(f.refuse("rescale_factor", &scale, "it has to be positive"));
    }
    let normalises = switch(f, "do_normalize")?;
    let mean = statistic(f, "image_mean", known.map_or([0.5; 3], |known| known.mean), scale, true)?;
    let std = statistic(f, "image_std", known.map_or([0.5; 3], |known| known.std), scale, false)?;
    Ok(if normalises { (scale, mean, std) } else { (scale, [0.0; 3], [1.0; 3]) })
}

/// Side of what the model gets.
fn side(f: &Fields, crop: Option<usize>, resize: Resize, image: Option<usize>) -> Result<usize> {
    Ok(match (crop, resize, image) {
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
    })
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

/// The size before the cut and the side of the cut, of a processor whose defaults are known or of a file that tells all.
fn sizes(f: &mut Fields, known: Option<Processor>) -> Result<(Option<Resize>, Option<usize>)> {
    // A bare number is both sides, or the shorter one, by the processor.
    let squares = known.is_none_or(|known| known.squares);
    let told: Option<bool> = f.take("default_to_square")?;
    let bare = f.number("size");
    if let (Some(told), Some(known)) = (told, known)
        && bare
        && told != known.squares
    {
        let rule = format!(
            "{} takes a bare size otherwise; write {{height, width}} or {{shortest_edge}}",
            known.name
        );
        return Err(f.refuse("default_to_square", &told, rule));
    }
    let resize = size(f, "size", told.unwrap_or(squares))?.or(known.map(|known| known.size));
    // `crop_size` alone is obeyed as well: processors that cut say so by having it.
    let told = square(f, "crop_size")?;
    let cuts: Option<bool> = f.take("do_center_crop")?;
    let crop = told.or(known.and_then(|known| known.crop)).filter(|_| cuts != Some(false));
    if cuts == Some(true) && crop.is_none() {
        return Err(f.refuse("do_center_crop", &true, "`crop_size` does not tell how much to cut"));
    }
    Ok((resize, crop))
}

/// ConvNext's: below 384 the shorter side becomes `size / crop_pct` and a square of `size` is cut out, from there on both sides
/// become `size`.
fn shared(f: &mut Fields, known: Processor) -> Result<(Option<Resize>, Option<usize>)> {
    f.take::<bool>("default_to_square")?;
    let told = size(f, "size", false)?.unwrap_or(known.size);
    let share = f.take::<f64>("crop_pct")?.unwrap_or(224.0 / 256.0);
    if !(share > 0.0 && share <= 1.0) {
        return Err(f.refuse("crop_pct", &share, "a cut out of the picture is a share above 0 and up to 1"));
    }
    let Resize::Shorter(side) = told else {
        return Err(f.refuse("size", &"of two sides", format!("{} takes a shortest_edge", known.name)));
    };
    if side >= 384 {
        return Ok((Some(Resize::Exact { width: side, height: side }), None));
    }
    Ok((Some(Resize::Shorter((side as f64 / share) as usize)), Some(side)))
}

/// A size: a number, `{height, width}` or `{shortest_edge}`.
fn size(f: &mut Fields, name: &str, squares: bool) -> Result<Option<Resize>> {
    let Some(value) = f.take::<Value>(name)? else { return Ok(None) };
    let number =
        |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=16_384).contains(n));
    let known = match &value {
        Value::Number(_) => number(&value)
            .map(|n| if squares { Resize::Exact { width: n, height: n } } else { Resize::Shorter(n) }),
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
    match size(f, name, true)? {
        None | Some(Resize::Keep) => Ok(None),
        Some(Resize::Shorter(side)) => Ok(Some(side)),
        Some(Resize::Exact { width, height }) if width == height => Ok(Some(width)),
        Some(Resize::Exact { width, height }) => {
            Err(f.refuse(name, &format!("{height}×{width}"), "the model takes squares"))
        }
    }
}

fn filter(f: &mut Fields, default: Filter) -> Result<Filter> {
    let Some(value) = f.take::<Value>("resample")? else { return Ok(default) };
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
    Err(f.refuse(name, &format!("[{}]", values.map(|v| v.to_string()).join(", ")), rule))
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
