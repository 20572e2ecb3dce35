//! Decoding one image from bytes that nobody vouches for.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader};

use super::tiff;
use crate::jpeg;
use crate::{Limits, Rgb};

/// Why an image was set aside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// The file could not be read.
    #[error("unreadable: {0}")]
    Io(String),
    /// The file is longer than allowed.
    #[error("{bytes} bytes are more than the {limit} allowed; raise the limit or cut the slide into tiles")]
    FileTooLong {
        /// Bytes of the file.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The header promises more pixels than allowed. Nothing was decoded.
    #[error(
        "{width}×{height} pixels are more than the {limit} allowed; raise the limit or cut the slide into tiles"
    )]
    TooManyPixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Pixels allowed.
        limit: u64,
    },
    /// Decoding would take more memory than allowed. Nothing was decoded.
    #[error("decoding takes {bytes} bytes, more than the {limit} allowed; cut the picture into tiles")]
    TooMuchMemory {
        /// Bytes that it would take.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A kind of image that is not read; the message says what to do.
    #[error("an image of a kind that is not read: {0}")]
    Unsupported(String),
    /// The square that the model takes does not fit into the tile, and its preprocessing does not resize.
    #[error("{width}×{height} pixels do not cover the {side}×{side} that the model's preprocessing cuts out")]
    TooSmall {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Side of the square.
        side: usize,
    },
    /// Not a JPEG, PNG or TIFF image, or a broken one.
    #[error("not a whole JPEG, PNG or TIFF image: {0}")]
    Damaged(String),
}

impl From<jpeg::Problem> for ImageProblem {
    fn from(problem: jpeg::Problem) -> Self {
        match problem {
            jpeg::Problem::Damaged(reason) => Self::Damaged(reason.into()),
            jpeg::Problem::Unsupported(reason) => Self::Unsupported(reason.into()),
            jpeg::Problem::TooManyPixels { width, height, limit } => {
                Self::TooManyPixels { width, height, limit }
            }
            jpeg::Problem::Memory { bytes, limit } => Self::TooMuchMemory { bytes, limit },
        }
    }
}

/// The bytes of a file within `limits`.
///
/// # Errors
/// [`ImageProblem::Io`] where the file cannot be read; [`ImageProblem::FileTooLong`] for more bytes than allowed.
pub fn read_image(path: &Path, limits: Limits) -> Result<Vec<u8>, ImageProblem> {
    let io = |e: std::io::Error| ImageProblem::Io(e.to_string());
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > limits.file_bytes {
        return Err(ImageProblem::FileTooLong { bytes, limit: limits.file_bytes });
    }
    std::fs::read(path).map_err(io)
}

/// Pixels of a JPEG, PNG or TIFF file. Its size is read from the header and checked before anything is decoded;
/// grey becomes RGB, sixteen bits become eight, transparency is dropped.
///
/// # Errors
/// [`ImageProblem::TooManyPixels`] for more pixels than allowed; [`ImageProblem::Damaged`] for one that breaks its
/// format.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Rgb, ImageProblem> {
    if jpeg::is_jpeg(bytes) {
        return jpeg::decode(bytes, limits).map_err(ImageProblem::from);
    }
    if tiff::is_tiff(bytes) {
        return tiff::decode(bytes, limits);
    }
    if let Some(other) = other_file(bytes) {
        return Err(ImageProblem::Damaged(other.to_owned()));
    }
    let damaged = |e: image::ImageError| ImageProblem::Damaged(e.to_string());
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut decoder =
        reader.map_err(|e| ImageProblem::Damaged(e.to_string()))?.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(ImageProblem::TooManyPixels { width, height, limit: limits.pixels });
    }
    let mut decoder_limits = image::Limits::default();
    decoder_limits.max_alloc = Some(limits.decoder_bytes);
    // The decoder's limit is for its own buffers; the picture that it fills is ours.
    decoder_limits.clone().reserve(decoder.total_bytes()).map_err(damaged)?;
    decoder.set_limits(decoder_limits).map_err(damaged)?;
    let rgb = DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgb8();
    Ok(Rgb { width: width as usize, height: height as usize, pixels: rgb.into_raw() })
}

/// What lies where a picture should, where that is common.
fn other_file(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.trim_ascii_start();
    let begins = |tag: &str| text.get(..tag.len()).is_some_and(|b| b.eq_ignore_ascii_case(tag.as_bytes()));
    if text.is_empty() {
        Some("it is empty; copy it again from where it came from")
    } else if begins("<!doctype html") || begins("<html") {
        Some("it is a web page: the download was refused or needs a login; fetch it anew")
    } else if begins("version https://git-lfs") {
        Some("it is a Git LFS pointer, not the file itself; run `git lfs pull` where it was cloned")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image::RgbImage::from_pixel(width, height, image::Rgb([200, 120, 180]))
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    /// A PNG of one colour compresses a thousandfold: its header alone must be enough to refuse it.
    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let mut bytes = png(8, 8);
        bytes[16..20].copy_from_slice(&20_000u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&20_000u32.to_be_bytes());
        let mut crc = !0u32;
        for byte in &bytes[12..29] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            }
        }
        bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
        let problem = decode(&bytes, Limits::default()).unwrap_err();
        assert_eq!(problem, ImageProblem::TooManyPixels { width: 20_000, height: 20_000, limit: 64_000_000 });
    }

    #[test]
    fn truncation_and_text_are_named() {
        let bytes = png(32, 32);
        assert!(matches!(decode(&bytes[..60], Limits::default()), Err(ImageProblem::Damaged(_))));
        assert!(matches!(decode(b"hello", Limits::default()), Err(ImageProblem::Damaged(_))));
        assert_eq!(decode(&bytes, Limits::default()).unwrap().pixels[..3], [200, 120, 180]);
    }
}
