//! Decoding one image from bytes that nobody vouches for.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader};

use super::tiff;
use crate::foreign::Found;
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
    if let Some(other) = Found::of(bytes).filter(|found| *found != Found::Picture) {
        return Err(ImageProblem::Damaged(other.described()));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut decoder =
        reader.map_err(|e| ImageProblem::Damaged(e.to_string()))?.into_decoder().map_err(|e| damaged(&e))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(ImageProblem::TooManyPixels { width, height, limit: limits.pixels });
    }
    let mut decoder_limits = image::Limits::default();
    decoder_limits.max_alloc = Some(limits.decoder_bytes);
    // The decoder's limit is for its own buffers; the picture that it fills is ours.
    decoder_limits.clone().reserve(decoder.total_bytes()).map_err(|e| damaged(&e))?;
    decoder.set_limits(decoder_limits).map_err(|e| damaged(&e))?;
    let pixels = eight_bits(DynamicImage::from_decoder(decoder).map_err(|e| damaged(&e))?)?;
    Ok(Rgb { width: width as usize, height: height as usize, pixels })
}

/// RGB of eight bits. Of sixteen the higher eight are taken, as Pillow does; grey of sixteen it cuts off at 255, which nobody can
/// have meant.
pub(super) fn eight_bits(image: DynamicImage) -> Result<Vec<u8>, ImageProblem> {
    let high = |v: u16| (v >> 8) as u8;
    match image {
        DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => Err(ImageProblem::Unsupported(
            "grey of sixteen bits, of which Pillow makes white; save it with eight bits a channel".into(),
        )),
        DynamicImage::ImageRgb16(wide) => Ok(wide.into_raw().into_iter().map(high).collect()),
        DynamicImage::ImageRgba16(wide) => Ok(wide
            .into_raw()
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[r, g, b, _]| [*r, *g, *b].map(high))
            .collect()),
        other => Ok(other.into_rgb8().into_raw()),
    }
}

/// What the decoder says, without its types' names.
fn damaged(e: &image::ImageError) -> ImageProblem {
    let said = e.to_string();
    let reason = if said.contains("CRC") {
        "a part of it is not what its CRC says; copy it again".to_owned()
    } else {
        said.split(['{', '[']).next().unwrap_or_default().trim_end_matches([' ', ':', ',']).to_owned()
    };
    ImageProblem::Damaged(reason)
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

    /// Pillow takes the higher byte of sixteen bits: 0x01ff is 1, not 2.
    #[test]
    fn sixteen_bits_become_the_higher_eight() {
        let encoded = |image: DynamicImage| {
            let mut bytes = Cursor::new(Vec::new());
            image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
            decode(&bytes.into_inner(), Limits::default())
        };
        let wide = [0x01ffu16, 0x80ff, 0xfffe];
        let rgb = image::ImageBuffer::from_raw(1, 1, wide.to_vec()).unwrap();
        assert_eq!(encoded(DynamicImage::ImageRgb16(rgb)).unwrap().pixels, [1, 0x80, 0xff]);
        let rgba = image::ImageBuffer::from_raw(1, 1, [&wide[..], &[0]].concat()).unwrap();
        assert_eq!(encoded(DynamicImage::ImageRgba16(rgba)).unwrap().pixels, [1, 0x80, 0xff]);
        let grey = image::ImageBuffer::from_raw(1, 1, vec![1000u16]).unwrap();
        let refused = encoded(DynamicImage::ImageLuma16(grey)).unwrap_err().to_string();
        assert!(refused.contains("grey of sixteen bits"), "{refused}");
    }

    #[test]
    fn a_broken_crc_is_said_in_words() {
        let mut bytes = png(32, 32);
        let end = bytes.len();
        bytes[end - 20] ^= 1;
        let said = decode(&bytes, Limits::default()).unwrap_err().to_string();
        assert!(!said.contains(['{', '[']) && !said.contains("ChunkType"), "{said}");
    }

    #[test]
    fn truncation_and_text_are_named() {
        let bytes = png(32, 32);
        assert!(matches!(decode(&bytes[..60], Limits::default()), Err(ImageProblem::Damaged(_))));
        assert!(matches!(decode(b"hello", Limits::default()), Err(ImageProblem::Damaged(_))));
        assert_eq!(decode(&bytes, Limits::default()).unwrap().pixels[..3], [200, 120, 180]);
    }
}
