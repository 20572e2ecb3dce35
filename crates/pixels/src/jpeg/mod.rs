//! JPEG (ITU-T T.81) with the pixels of libjpeg-turbo, sample for sample: baseline, extended and progressive Huffman coding
//! of eight bits, any whole subsampling, grey, YCbCr and RGB.
//!
//! A CLS token depends on every pixel, and PyTorch pipelines read tiles through libjpeg-turbo (Pillow, OpenSlide). Its
//! defaults are what is followed here: the integer inverse transform of Loeffler, Ligtenberg and Moschytz (ICASSP 1989)
//! at 13 bits, triangle-filter chroma upsampling, colours of JFIF in 16-bit fixed point.
//!
//! Decoders conceal damage; a token of half a tile would pass for one of the tile. Here entropy-coded data that a decoder
//! could only guess about is an error: an unknown code, a coefficient beyond the block, data that ends early or is left
//! over, a restart out of turn, a scan that is missing.

mod bits;
mod colour;
mod frame;
mod huffman;
mod idct;
mod progressive;
mod scan;
mod segments;
mod upsample;

use self::segments::Decoder;
use crate::{Limits, Rgb};

/// Why a JPEG stream gives no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// The stream breaks its own rules.
    #[error("{0}")]
    Damaged(&'static str),
    /// A form that is not read.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The frame promises more pixels than allowed.
    #[error("{width}×{height} pixels are more than the {limit} allowed")]
    TooManyPixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Pixels allowed.
        limit: u64,
    },
    /// Decoding would take more memory than allowed.
    #[error("decoding takes {bytes} bytes, more than the {limit} allowed")]
    Memory {
        /// Bytes needed.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

type Outcome<T> = Result<T, Problem>;

/// What three components mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    /// As libjpeg guesses from JFIF and Adobe segments and the components' names.
    Guess,
    /// Luminance and two chrominances: a TIFF tile of photometric interpretation 6.
    YCbCr,
    /// Red, green, blue: a TIFF tile of photometric interpretation 2.
    Rgb,
}

/// Whether `bytes` begin as a JPEG stream.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8])
}

/// The picture of a stream that brings its own tables. Its frame is checked against `limits` before anything is decoded.
///
/// # Errors
/// [`Problem`] for bytes that break the format, a kind of JPEG that is not decoded (arithmetic, lossless, twelve bits), or a
/// frame beyond `limits`.
pub(crate) fn decode(bytes: &[u8], limits: Limits) -> Outcome<Rgb> {
    decode_with(None, bytes, Colours::Guess, limits)
}

/// The picture of a stream whose quantisation and Huffman tables may lie in a stream of their own, as TIFF's tag 347 keeps
/// them for all tiles.
///
/// # Errors
/// [`Problem`] as [`decode`], for tables that break the format as well.
pub(crate) fn decode_with(
    tables: Option<&[u8]>,
    bytes: &[u8],
    colours: Colours,
    limits: Limits,
) -> Outcome<Rgb> {
    let mut decoder = Decoder::new(limits, colours);
    if let Some(tables) = tables {
        decoder.tables(tables)?;
    }
    decoder.picture(bytes)
}
