//! The forward pass against outputs that another runtime gave for the same pixels.

use std::path::Path;

use crate::data::{Preprocess, Rgb};
use crate::error::{Error, Result};
use crate::tensorfile::TensorFile;
use crate::vit;

/// Largest error of a CLS token's value relative to the token's largest value, over the images whose pixels are given.
///
/// `reference` is a `safetensors` file with `cls` (F32 `[n, d]`) and `pixels_rgb_u8_first3` (U8 `[k, side, side, 3]`): the pixels
/// of every (n/k)-th image, in order.
///
/// # Errors
/// As [`vit::load`]; [`Error::Format`] and [`Error::Shape`] for a reference of another kind.
pub fn reference_error(weights: &Path, reference: &Path) -> Result<f64> {
    let model = vit::load(weights)?;
    let (side, width) = (model.config().image, model.config().width);
    let mut file = TensorFile::open(reference)?;
    let (class, pixels) = (file.floats("cls")?, file.octets("pixels_rgb_u8_first3")?);
    let images: Vec<&[u8]> = pixels.chunks_exact(3 * side * side).collect();
    let stride = (class.len() / width).checked_div(images.len()).unwrap_or(0);
    if stride == 0 {
        let got = format!("{} values of pixels and {} of CLS tokens", pixels.len(), class.len());
        return Err(Error::shape(
            "reference outputs",
            format!("images of {side}×{side}, tokens of {width}"),
            got,
        ));
    }
    let preprocess = Preprocess::imagenet(side);
    let mut worst = 0.0f32;
    for (at, image) in images.into_iter().enumerate() {
        let image = Rgb { width: side, height: side, pixels: image.to_vec() };
        let got = model.cls_tokens(&preprocess.pixels(&image))?;
        worst = worst.max(relative_error(&got, &class[at * stride * width..][..width]));
    }
    Ok(f64::from(worst))
}

/// max |a − b| / max |b|
pub(super) fn relative_error(a: &[f32], b: &[f32]) -> f32 {
    let peak = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / peak
}
