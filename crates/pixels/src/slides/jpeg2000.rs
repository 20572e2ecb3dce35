//! One JPEG 2000 tile (ISO/IEC 15444-1): its size is checked from the SIZ segment before anything is decoded.

use hayro_jpeg2000::{ComponentData, DecodeSettings, DecoderContext, Image};

use crate::Rgb;

/// What the three components of a codestream mean; a codestream does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Components {
    /// Red, green, blue, after the codestream's own transform if it has one.
    Rgb,
    /// Luminance and two chrominances, perhaps of fewer samples.
    YCbCr,
}

/// The pixels of a tile of exactly this size.
///
/// # Errors
/// What is wrong, for a person.
pub(super) fn decode(bytes: &[u8], width: u32, height: u32, components: Components) -> Result<Rgb, String> {
    let start = bytes.windows(4).take(4096).position(|b| b == [0xff, 0x4f, 0xff, 0x51]);
    let start = start.ok_or("no JPEG 2000 codestream")?;
    let size = Size::read(&bytes[start..]).ok_or("its SIZ segment is cut off or damaged")?;
    if (size.width, size.height) != (width, height) {
        return Err(format!("its picture has {}×{} pixels, not {width}×{height}", size.width, size.height));
    }
    let settings = DecodeSettings { strict: true, ..DecodeSettings::default() };
    // The boxes of a JP2 file say nothing that the container does not; the codestream alone is decoded.
    let image = Image::new(&bytes[start..], &settings).map_err(|e| e.to_string())?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|e| e.to_string())?;
    let planes: Vec<&[f32]> = decoded.components().iter().map(ComponentData::samples).collect();
    let count = width as usize * height as usize;
    let grey = planes.len() == 1;
    if !(grey || planes.len() == 3) || planes.iter().any(|p| p.len() != count) {
        return Err(format!("it has {} components of other lengths", planes.len()));
    }
    let mut pixels = Vec::with_capacity(3 * count);
    for i in 0..count {
        let value = |c: usize| planes[if grey { 0 } else { c }][i];
        let (r, g, b) = (value(0), value(1), value(2));
        // The decoder takes chrominance of fewer samples for what it is and converts it.
        let rgb = match components {
            Components::YCbCr if !grey && !size.subsampled => {
                let (cb, cr) = (g - 128.0, b - 128.0);
                [r + 1.402 * cr, r - 0.344_136 * cb - 0.714_136 * cr, r + 1.772 * cb]
            }
            _ => [r, g, b],
        };
        pixels.extend(rgb.map(|v| v.round_ties_even().clamp(0.0, 255.0) as u8));
    }
    Ok(Rgb { width: width as usize, height: height as usize, pixels })
}

struct Size {
    width: u32,
    height: u32,
    subsampled: bool,
}

impl Size {
    /// From a codestream's start; none for other depths than eight bits, or more than four components.
    fn read(bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?));
        let count = usize::from(u16::from_be_bytes(*bytes.get(40..)?.first_chunk::<2>()?));
        let parts = bytes.get(42..42 + 3 * count.min(4))?;
        if count == 0 || count > 4 || parts.chunks_exact(3).any(|p| p[0] != 7) {
            return None;
        }
        let subsampled = parts.chunks_exact(3).any(|p| p[1..] != [1, 1]);
        let extent = |end: usize, begin: usize| long(end)?.checked_sub(long(begin)?);
        Some(Self { width: extent(8, 16)?, height: extent(12, 20)?, subsampled })
    }
}
