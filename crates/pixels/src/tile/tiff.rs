//! TIFF and BigTIFF tiles. JPEG-coded strips and tiles go to our own JPEG reader, everything else to the `tiff` crate.
//!
//! The first page is the picture. A file whose later page is larger is refused: its first page is somebody's preview.

use std::io::Cursor;

use image::DynamicImage;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::image::{ImageProblem, eight_bits};
use crate::jpeg::{self, Colours};
use crate::{Limits, Rgb};

type Outcome<T> = Result<T, ImageProblem>;

/// Pages that are looked at.
const MOST_PAGES: usize = 64;

/// Whether `bytes` begin as a TIFF or BigTIFF file.
pub(super) fn is_tiff(bytes: &[u8]) -> bool {
    [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| bytes.starts_with(*magic))
}

fn damaged(e: TiffError) -> ImageProblem {
    match e {
        TiffError::LimitsExceeded => ImageProblem::Damaged("it needs more memory than allowed".into()),
        TiffError::UnsupportedError(e) => ImageProblem::Unsupported(format!("TIFF: {e}")),
        e => ImageProblem::Damaged(format!("TIFF: {e}")),
    }
}

/// Pixels of the first page.
pub(super) fn decode(bytes: &[u8], limits: Limits) -> Outcome<Rgb> {
    let mut bounds = tiff::decoder::Limits::default();
    bounds.decoding_buffer_size = usize::try_from(limits.decoder_bytes).unwrap_or(usize::MAX);
    bounds.intermediate_buffer_size = bounds.decoding_buffer_size;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(damaged)?.with_limits(bounds);
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(ImageProblem::TooManyPixels { width, height, limit: limits.pixels });
    }
    largest(bytes, (width, height))?;
    let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).map_err(damaged)?.unwrap_or(1);
    // Pillow turns a TIFF as its tag says when it is opened, and no other kind.
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).map_err(damaged)?.unwrap_or(1);
    match compression {
        7 => from_jpeg(&mut decoder, bytes, limits).map(|page| turned(&page, orientation)),
        1 | 2 | 3 | 4 | 5 | 8 | 32_773 | 32_946 => {
            from_samples(&mut decoder, (width, height)).map(|page| turned(&page, orientation))
        }
        other => {
            let name = match other {
                6 => " (JPEG as TIFF 6 first had it)",
                33_003 | 33_005 | 34_712 => " (JPEG 2000)",
                50_000 => " (Zstandard)",
                50_001 => " (WebP)",
                50_002 => " (JPEG XL)",
                _ => "",
            };
            let repair = "save it as PNG, or as TIFF with LZW, deflate or JPEG";
            Err(ImageProblem::Unsupported(format!("TIFF compression {other}{name} is not read; {repair}")))
        }
    }
}

/// The page as its tag of orientation (TIFF 6.0, tag 274) says to show it; other numbers leave it as it is.
fn turned(page: &Rgb, orientation: u16) -> Rgb {
    let (w, h) = (page.width, page.height);
    let (width, height) = if (5..=8).contains(&orientation) { (h, w) } else { (w, h) };
    let source = page.pixels.as_chunks::<3>().0;
    let from = |x: usize, y: usize| match orientation {
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, h - 1 - x),
        7 => (w - 1 - y, h - 1 - x),
        8 => (w - 1 - y, x),
        _ => (x, y),
    };
    let place = |(x, y): (usize, usize)| source[y * w + x];
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| place(from(x, y)))).collect();
    Rgb { width, height, pixels }
}

/// Refuses a file whose later page is larger than its first.
fn largest(bytes: &[u8], first: (u32, u32)) -> Outcome<()> {
    let mut pages = Decoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let mut page = 1;
    while pages.more_images() && page < MOST_PAGES {
        // A page that the crate cannot open says nothing about the first.
        if pages.next_image().is_err() {
            break;
        }
        page += 1;
        let Ok(size) = pages.dimensions() else { continue };
        if area(size) > area(first) {
            return Err(ImageProblem::Unsupported(format!(
                "TIFF: page {page} ({}×{}) is larger than the first ({}×{}); save the page that is meant alone",
                size.0, size.1, first.0, first.1
            )));
        }
    }
    Ok(())
}

/// A page of samples that the crate unpacks.
fn from_samples(decoder: &mut Decoder<Cursor<&[u8]>>, (width, height): (u32, u32)) -> Outcome<Rgb> {
    let colours = decoder.colortype().map_err(damaged)?;
    let samples = decoder.read_image().map_err(damaged)?;
    let short = || ImageProblem::Damaged("TIFF: it holds fewer samples than its size needs".into());
    let image = match (colours, samples) {
        (ColorType::Gray(8), DecodingResult::U8(v)) => {
            image::GrayImage::from_raw(width, height, v).map(DynamicImage::ImageLuma8)
        }
        (ColorType::GrayA(8), DecodingResult::U8(v)) => {
            image::GrayAlphaImage::from_raw(width, height, v).map(DynamicImage::ImageLumaA8)
        }
        (ColorType::RGB(8), DecodingResult::U8(v)) => {
            image::RgbImage::from_raw(width, height, v).map(DynamicImage::ImageRgb8)
        }
        (ColorType::RGBA(8), DecodingResult::U8(v)) => {
            image::RgbaImage::from_raw(width, height, v).map(DynamicImage::ImageRgba8)
        }
        (ColorType::Gray(16), DecodingResult::U16(v)) => {
            image::ImageBuffer::from_raw(width, height, v).map(DynamicImage::ImageLuma16)
        }
        (ColorType::RGB(16), DecodingResult::U16(v)) => {
            image::ImageBuffer::from_raw(width, height, v).map(DynamicImage::ImageRgb16)
        }
        (ColorType::RGBA(16), DecodingResult::U16(v)) => {
            image::ImageBuffer::from_raw(width, height, v).map(DynamicImage::ImageRgba16)
        }
        (other, _) => {
            let bits = other.bit_depth();
            let what = match other {
                ColorType::Palette(_) => "a palette",
                ColorType::CMYK(_) | ColorType::CMYKA(_) => "four inks (CMYK)",
                ColorType::YCbCr(_) => "YCbCr samples that are not JPEG-coded",
                ColorType::Lab(_) => "CIE L*a*b*",
                ColorType::Multiband { .. } => "more channels than RGB has",
                _ => "samples",
            };
            return Err(ImageProblem::Unsupported(format!(
                "TIFF: {what} of {bits} bits; save it as RGB with 8 or 16"
            )));
        }
    };
    let pixels = eight_bits(image.ok_or_else(short)?)?;
    Ok(Rgb { width: width as usize, height: height as usize, pixels })
}

/// Where the coded pieces of a page lie and what they cover.
struct Pieces {
    width: usize,
    height: usize,
    piece: (usize, usize),
    across: usize,
    tiled: bool,
    places: Vec<(u64, u64)>,
}

impl Pieces {
    fn read(decoder: &mut Decoder<Cursor<&[u8]>>) -> Outcome<Self> {
        let (width, height) = decoder.dimensions().map_err(damaged)?;
        let (width, height) = (width as usize, height as usize);
        let tile = decoder.find_tag_unsigned::<u32>(Tag::TileWidth).map_err(damaged)?;
        let (piece, tags) = if let Some(tile) = tile {
            let rows = decoder.get_tag_unsigned::<u32>(Tag::TileLength).map_err(damaged)?;
            ((tile as usize, rows as usize), [Tag::TileOffsets, Tag::TileByteCounts])
        } else {
            let rows = decoder.find_tag_unsigned::<u32>(Tag::RowsPerStrip).map_err(damaged)?;
            let rows = rows.map_or(height, |rows| (rows as usize).min(height));
            ((width, rows), [Tag::StripOffsets, Tag::StripByteCounts])
        };
        let [offsets, lengths] = tags.map(|tag| decoder.get_tag_u64_vec(tag).map_err(damaged));
        let (offsets, lengths) = (offsets?, lengths?);
        let bad = || ImageProblem::Damaged("TIFF: its pieces do not make up the page".into());
        if piece.0 == 0 || piece.1 == 0 {
            return Err(bad());
        }
        let across = width.div_ceil(piece.0);
        if offsets.len() != lengths.len() || offsets.len() != across * height.div_ceil(piece.1) {
            return Err(bad());
        }
        let places = offsets.into_iter().zip(lengths).collect();
        Ok(Self { width, height, piece, across, tiled: tile.is_some(), places })
    }

    /// The corner of a piece, and how many of its columns and rows lie within the page.
    fn place(&self, at: usize) -> (usize, usize, usize, usize) {
        let (x, y) = (at % self.across * self.piece.0, at / self.across * self.piece.1);
        (x, y, self.piece.0.min(self.width - x), self.piece.1.min(self.height - y))
    }
}

/// A page of JPEG-coded strips or tiles (TIFF Technical Note 2).
fn from_jpeg(decoder: &mut Decoder<Cursor<&[u8]>>, bytes: &[u8], limits: Limits) -> Outcome<Rgb> {
    let number = |decoder: &mut Decoder<Cursor<&[u8]>>, tag, default: u16| {
        decoder.find_tag_unsigned::<u16>(tag).map_err(damaged).map(|v| v.unwrap_or(default))
    };
    if number(decoder, Tag::PlanarConfiguration, 1)? != 1 {
        let reason = "TIFF: JPEG-coded colours in separate planes; save it with all colours together";
        return Err(ImageProblem::Unsupported(reason.into()));
    }
    let colours = match number(decoder, Tag::PhotometricInterpretation, 6)? {
        2 => Colours::Rgb,
        6 => Colours::YCbCr,
        // One component: there is nothing to interpret.
        1 => Colours::Guess,
        other => {
            let reason =
                format!("TIFF: JPEG-coded colours of photometric interpretation {other}; save it as RGB");
            return Err(ImageProblem::Unsupported(reason));
        }
    };
    let tables = match decoder.find_tag(Tag::JPEGTables).map_err(damaged)? {
        Some(value) => Some(value.into_u8_vec().map_err(damaged)?),
        None => None,
    };
    let pieces = Pieces::read(decoder)?;
    let mut pixels = vec![0; 3 * pieces.width * pieces.height];
    for (at, (offset, length)) in pieces.places.iter().enumerate() {
        let data = usize::try_from(*offset).ok().zip(usize::try_from(*length).ok());
        let data = data.and_then(|(offset, length)| bytes.get(offset..offset.checked_add(length)?));
        let data = data.ok_or_else(|| ImageProblem::Damaged("TIFF: it ends before a piece does".into()))?;
        let image = jpeg::decode_with(tables.as_deref(), data, colours, limits)?;
        let (x, y, columns, rows) = pieces.place(at);
        let expected = if pieces.tiled { pieces.piece } else { (pieces.width, rows) };
        if (image.width, image.height) != expected {
            let reason = "TIFF: a JPEG-coded piece has another size than the page gives it";
            return Err(ImageProblem::Damaged(reason.into()));
        }
        for row in 0..rows {
            let to = 3 * ((y + row) * pieces.width + x);
            let from = 3 * row * image.width;
            pixels[to..to + 3 * columns].copy_from_slice(&image.pixels[from..from + 3 * columns]);
        }
    }
    Ok(Rgb { width: pieces.width, height: pieces.height, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Pillow 13.0.0 makes of three by two pixels (0, 10, 20 over 30, 40, 50) under each tag.
    #[test]
    fn pages_are_turned_as_pillow_turns_them() {
        let page = Rgb {
            width: 3,
            height: 2,
            pixels: [0, 10, 20, 30, 40, 50].iter().flat_map(|v| [*v; 3]).collect(),
        };
        for (orientation, width, expected) in [
            (1, 3, [0, 10, 20, 30, 40, 50]),
            (2, 3, [20, 10, 0, 50, 40, 30]),
            (3, 3, [50, 40, 30, 20, 10, 0]),
            (4, 3, [30, 40, 50, 0, 10, 20]),
            (5, 2, [0, 30, 10, 40, 20, 50]),
            (6, 2, [30, 0, 40, 10, 50, 20]),
            (7, 2, [50, 20, 40, 10, 30, 0]),
            (8, 2, [20, 50, 10, 40, 0, 30]),
        ] {
            let turned = turned(&page, orientation);
            let seen: Vec<u8> = turned.pixels.as_chunks::<3>().0.iter().map(|p| p[0]).collect();
            assert_eq!((turned.width, seen.as_slice()), (width, &expected[..]), "{orientation}");
        }
    }
}
