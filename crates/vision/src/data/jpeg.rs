//! Whether a JPEG file is whole. Decoders fill what a truncated one lacks with grey and say nothing, and a class token of
//! half a tile would pass for one of the tile.

/// Start of image.
const SOI: [u8; 2] = [0xff, 0xd8];
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// Whether `bytes` begin as a JPEG file.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&SOI)
}

/// Whether the marker segments of a JPEG file (ITU-T T.81, annex B) lead to an end-of-image marker. What follows it is not
/// looked at.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = SOI.len();
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            EOI => return true,
            // Markers without a segment: restarts, TEM, padding's end.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            _ => {
                let Some(&[high, low]) = bytes.get(at..at + 2).and_then(|b| b.first_chunk::<2>()) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([high, low])).max(2);
                if marker == SOS {
                    skip_scan(bytes, &mut at);
                }
            }
        }
    }
    false
}

/// The code after the next 0xff and its fill bytes; `at` moves behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let start = *at + bytes.get(*at..)?.iter().position(|b| *b == 0xff)?;
    let code = start + bytes[start..].iter().position(|b| *b != 0xff)?;
    *at = code + 1;
    Some(bytes[code])
}

/// Moves `at` to the next marker that is neither a stuffed zero nor a restart.
fn skip_scan(bytes: &[u8], at: &mut usize) {
    let inside = |pair: &[u8]| pair[0] != 0xff || matches!(pair[1], 0x00 | 0xd0..=0xd7);
    let rest = bytes.get(*at..).unwrap_or(&[]);
    *at += rest.windows(2).position(|pair| !inside(pair)).unwrap_or(rest.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_file_is_found_short() {
        let mut bytes = Vec::new();
        let pixels: Vec<u8> = (0..64 * 48 * 3).map(|i| (i * 31 % 251) as u8).collect();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes)
            .encode(&pixels, 64, 48, image::ExtendedColorType::Rgb8)
            .unwrap();
        assert!(is_jpeg(&bytes) && is_whole(&bytes));
        for end in 0..bytes.len() {
            assert!(!is_whole(&bytes[..end]), "{end} of {}", bytes.len());
        }
        bytes.extend(b"what some scanners append");
        assert!(is_whole(&bytes));
    }
}
