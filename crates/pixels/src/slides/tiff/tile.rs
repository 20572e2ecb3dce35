//! How the tiles of one directory are coded, and their pixels.

use std::io::Read;

use super::directory::{Directory, tag};
use crate::jpeg::{self, Colours};
use crate::slides::jpeg2000::{self, Components};
use crate::slides::problem::SlideProblem;
use crate::slides::reader::MOST_TILE_PIXELS;
use crate::slides::source::Source;
use crate::{Limits, Rgb};

/// What turns a tile's bytes into pixels.
#[derive(Clone, Debug)]
pub(super) enum Coding {
    /// JPEG, with tables that all tiles share.
    Jpeg { tables: Option<Vec<u8>>, colours: Colours },
    /// JPEG 2000.
    Jpeg2000(Components),
    /// Samples, perhaps compressed without loss.
    Samples { packing: Packing, samples: usize, differences: bool, inverted: bool },
}

/// Lossless compressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Lzw,
    Deflate,
}

impl Coding {
    /// From a directory's tags.
    ///
    /// # Errors
    /// [`SlideProblem::Unsupported`] for another kind, by name.
    pub(super) fn read(source: &Source, directory: &Directory) -> Result<Self, SlideProblem> {
        let number =
            |tag: u16, unless: u64| Ok::<_, SlideProblem>(directory.number(source, tag)?.unwrap_or(unless));
        let samples = number(tag::SAMPLES, 1)?;
        let photometric = number(tag::PHOTOMETRIC, 0)?;
        let compression = number(tag::COMPRESSION, 1)?;
        let refused = |what: String| Err(SlideProblem::Unsupported(what));
        if !directory.numbers(source, tag::BITS)?.iter().all(|bits| *bits == 8)
            || number(tag::SAMPLE_FORMAT, 1)? != 1
            || !directory.has(tag::BITS)
        {
            return refused("its samples are not of eight bits: fluorescence, or no photograph".into());
        }
        if ![1, 3].contains(&samples) || (samples == 3 && number(tag::PLANAR, 1)? != 1) {
            return refused(format!("{samples} samples a pixel, or planes apart: neither grey nor RGB"));
        }
        if ![0, 1, 2, 6].contains(&photometric) {
            return refused(format!("photometric interpretation {photometric}: neither grey, RGB nor YCbCr"));
        }
        let packing = match compression {
            7 => {
                let colours = match photometric {
                    6 => Colours::YCbCr,
                    2 => Colours::Rgb,
                    _ => Colours::Guess,
                };
                return Ok(Self::Jpeg { tables: directory.octets(source, tag::JPEG_TABLES)?, colours });
            }
            33_003 => return Ok(Self::Jpeg2000(Components::YCbCr)),
            33_005 | 34_712 => return Ok(Self::Jpeg2000(Components::Rgb)),
            1 => Packing::None,
            5 => Packing::Lzw,
            8 | 32_946 => Packing::Deflate,
            other => return refused(format!("{} is not read", compression_name(other))),
        };
        if photometric == 6 {
            return refused("YCbCr samples without JPEG are not read".into());
        }
        let differences = match number(tag::PREDICTOR, 1)? {
            1 => false,
            2 => true,
            other => return refused(format!("predictor {other} is not read")),
        };
        Ok(Self::Samples { packing, samples: samples as usize, differences, inverted: photometric == 0 })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Jpeg { .. } => "JPEG",
            Self::Jpeg2000(_) => "JPEG 2000",
            Self::Samples { packing: Packing::None, .. } => "uncompressed",
            Self::Samples { packing: Packing::Lzw, .. } => "LZW",
            Self::Samples { packing: Packing::Deflate, .. } => "DEFLATE",
        }
    }

    /// A tile's pixels.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub(super) fn decode(&self, bytes: &[u8], width: u32, height: u32) -> Result<Rgb, String> {
        match self {
            Self::Jpeg { tables, colours } => jpeg_tile(tables.as_deref(), bytes, *colours, width, height),
            Self::Jpeg2000(components) => jpeg2000::decode(bytes, width, height, *components),
            Self::Samples { packing, samples, differences, inverted } => {
                let row = width as usize * samples;
                let mut data = unpack(*packing, bytes, row * height as usize)?;
                if *differences {
                    for row in data.chunks_exact_mut(row) {
                        (*samples..row.len()).for_each(|i| row[i] = row[i].wrapping_add(row[i - samples]));
                    }
                }
                if *samples == 1 {
                    let flip = if *inverted { 255 } else { 0 };
                    data = data.iter().flat_map(|v| [v ^ flip; 3]).collect();
                }
                Ok(Rgb { width: width as usize, height: height as usize, pixels: data })
            }
        }
    }
}

/// A JPEG tile of exactly this size.
pub(in crate::slides) fn jpeg_tile(
    tables: Option<&[u8]>,
    bytes: &[u8],
    colours: Colours,
    width: u32,
    height: u32,
) -> Result<Rgb, String> {
    let limits = Limits { pixels: MOST_TILE_PIXELS, ..Limits::default() };
    let tile = jpeg::decode_with(tables, bytes, colours, limits).map_err(|e| e.to_string())?;
    if (tile.width, tile.height) != (width as usize, height as usize) {
        return Err(format!("its picture has {}×{} pixels, not {width}×{height}", tile.width, tile.height));
    }
    Ok(tile)
}

/// Exactly `wanted` bytes.
fn unpack(packing: Packing, bytes: &[u8], wanted: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let most = wanted as u64 + 1;
    match packing {
        Packing::None => out.extend_from_slice(&bytes[..bytes.len().min(wanted)]),
        Packing::Deflate => {
            let read = flate2::read::ZlibDecoder::new(bytes).take(most).read_to_end(&mut out);
            read.map_err(|e| format!("DEFLATE: {e}"))?;
        }
        Packing::Lzw => {
            out.resize(wanted, 0);
            let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
            let mut filled = 0;
            let mut rest = bytes;
            while filled < wanted {
                let step = decoder.decode_bytes(rest, &mut out[filled..]);
                rest = &rest[step.consumed_in..];
                filled += step.consumed_out;
                match step.status {
                    Ok(weezl::LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
                    Ok(_) => break,
                    Err(e) => return Err(format!("LZW: {e}")),
                }
            }
            out.truncate(filled);
        }
    }
    if out.len() < wanted {
        return Err(format!("{} of {wanted} bytes after decompression", out.len()));
    }
    out.truncate(wanted);
    Ok(out)
}

fn compression_name(code: u64) -> String {
    let name = match code {
        6 => "old-style JPEG",
        22_610 | 34_934 => "JPEG XR",
        34_892 => "lossy JPEG of DNG",
        50_000 | 34_926 => "Zstandard",
        50_001 | 34_927 => "WebP",
        50_002 | 52_546 => "JPEG XL",
        34_887 => "LERC",
        34_925 => "LZMA",
        32_773 => "PackBits",
        _ => return format!("compression {code}"),
    };
    format!("{name} (compression {code})")
}
