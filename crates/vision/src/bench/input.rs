//! From the bytes of a tile to the pixels that a model takes, now and as it was before the decoder and the filters of today.

use image::imageops::FilterType;

use crate::data::{Limits, Preprocess, decode};
use crate::error::{Error, Result};

/// Normalised pixels of a tile: `[3, side, side]`.
///
/// # Errors
/// [`Error::Data`] for bytes that are no image.
pub fn tile_pixels(bytes: &[u8], preprocess: &Preprocess) -> Result<Vec<f32>> {
    let image = decode(bytes, Limits::default()).map_err(|e| Error::data("bench", e.to_string()))?;
    Ok(preprocess.pixels(&image))
}

/// The same as the first version had it: the decoder and the Catmull–Rom filter of the `image` crate, the shorter side to `side`, the
/// centre cut out, values to 0..1. Its pixels are not those of the reference pipeline; only its speed is of interest.
///
/// # Errors
/// [`Error::Data`] for bytes that are no image.
pub fn tile_pixels_before(bytes: &[u8], side: usize) -> Result<Vec<f32>> {
    let image = image::load_from_memory(bytes).map_err(|e| Error::data("bench", e.to_string()))?.to_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let short = width.min(height).max(1);
    let scaled = |v: usize| (v * side).div_ceil(short).max(side) as u32;
    let resized = image::imageops::resize(&image, scaled(width), scaled(height), FilterType::CatmullRom);
    let (x, y) = ((resized.width() - side as u32) / 2, (resized.height() - side as u32) / 2);
    let cut = image::imageops::crop_imm(&resized, x, y, side as u32, side as u32).to_image();
    Ok(cut.into_raw().into_iter().map(|v| f32::from(v) / 255.0).collect())
}
