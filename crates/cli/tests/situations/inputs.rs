//! Files as other tools write them, made byte by byte.
#![allow(clippy::indexing_slicing, reason = "of bytes made here")]

use std::path::Path;

/// A picture of smooth colours that differ by `seed`.
fn picture(width: u32, height: u32, seed: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let wave = |k: u32| ((f64::from(x * k + y * (k + seed)) / 9.0).sin() * 90.0 + 128.0) as u8;
        image::Rgb([wave(1), wave(2), wave(3)])
    })
}

/// A baseline JPEG.
pub(crate) fn jpeg(width: u32, height: u32, seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92);
    picture(width, height, seed).write_with_encoder(encoder).unwrap();
    bytes
}

/// An entry of a TIFF directory: tag, type, count, value or offset.
type Entry = (u16, u16, u64, u64);

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A `BigTIFF` of one strip of uncompressed RGB.
pub(crate) fn big_tiff(width: u32, height: u32) -> Vec<u8> {
    let pixels = picture(width, height, 5).into_raw();
    let mut out = b"II\x2b\0\x08\0\0\0".to_vec();
    out.extend((16 + pixels.len() as u64).to_le_bytes());
    let (strip, len) = (out.len() as u64, pixels.len() as u64);
    out.extend(pixels);
    let entries: [Entry; 9] = [
        (256, LONG, 1, width.into()),
        (257, LONG, 1, height.into()),
        (258, SHORT, 3, 0x0008_0008_0008),
        (259, SHORT, 1, 1),
        (262, SHORT, 1, 2),
        (273, LONG, 1, strip),
        (277, SHORT, 1, 3),
        (278, LONG, 1, height.into()),
        (279, LONG, 1, len),
    ];
    out.extend((entries.len() as u64).to_le_bytes());
    for (tag, kind, count, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend(0u64.to_le_bytes());
    out
}

/// A TIFF of one JPEG-coded strip in YCbCr.
pub(crate) fn jpeg_tiff(width: u32, height: u32) -> Vec<u8> {
    let coded = jpeg(width, height, 7);
    let mut out = b"II\x2a\0".to_vec();
    let pad = coded.len() % 2;
    let bits = 8 + coded.len() + pad;
    let directory = bits as u32 + 6 + 2;
    out.extend((directory).to_le_bytes());
    out.extend(&coded);
    out.resize(bits, 0);
    out.extend([8u16, 8, 8, 0].iter().flat_map(|v| v.to_le_bytes()));
    let entries: [Entry; 10] = [
        (256, LONG, 1, width.into()),
        (257, LONG, 1, height.into()),
        (258, SHORT, 3, bits as u64),
        (259, SHORT, 1, 7),
        (262, SHORT, 1, 6),
        (273, LONG, 1, 8),
        (277, SHORT, 1, 3),
        (278, LONG, 1, height.into()),
        (279, LONG, 1, coded.len() as u64),
        (530, SHORT, 2, 0x0001_0001),
    ];
    out.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((count as u32).to_le_bytes());
        out.extend((value as u32).to_le_bytes());
    }
    out.extend(0u32.to_le_bytes());
    out
}

/// A file that h5py wrote, from the vectors of `vision`, beside the other inputs.
pub(crate) fn hdf5(folder: &Path, name: &str) {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vision/tests/vectors/hdf5");
    std::fs::copy(vectors.join(format!("{name}.h5")), folder.join(format!("{name}.h5"))).unwrap();
}

/// A JPEG whose colours have half the resolution, and a PNG of the pixels that libjpeg-turbo makes of it: the tests of `pixels` hold
/// its digest.
pub(crate) fn subsampled() -> [Vec<u8>; 2] {
    let vectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../pixels/tests/vectors/pixels/pixels.safetensors");
    let bytes = std::fs::read(vectors).unwrap();
    let (header, data) = header(&bytes);
    let offsets = &header["jpeg/420-47x65"]["data_offsets"];
    let at = |i: usize| data + offsets[i].as_u64().unwrap() as usize;
    let coded = bytes[at(0)..at(1)].to_vec();
    let pixels = blindscope_pixels::tile::decode(&coded, blindscope_pixels::Limits::default()).unwrap();
    let picture = image::RgbImage::from_raw(47, 65, pixels.pixels).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    [coded, png.into_inner()]
}

/// numpy's file of these values in a type of its own: `<f4`, `>f4` or `<f2`.
pub(crate) fn npy(values: &[f32], shape: &str, dtype: &str) -> Vec<u8> {
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\0".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    for value in values {
        match dtype {
            "<f2" => out.extend(half(*value).to_le_bytes()),
            ">f4" => out.extend(value.to_be_bytes()),
            _ => out.extend(value.to_le_bytes()),
        }
    }
    out
}

/// Half precision of a power of two or a sum of few: exact for what is written here.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, exponent, mantissa) = (bits >> 31, (bits >> 23 & 0xff) as i32 - 127, bits & 0x7f_ffff);
    ((sign << 15) | (((exponent + 15) as u32) << 10) | (mantissa >> 13)) as u16
}

/// The header of a `safetensors` file, and where its data begin.
fn header(bytes: &[u8]) -> (serde_json::Value, usize) {
    let mut length = [0; 8];
    length.copy_from_slice(&bytes[..8]);
    let data = 8 + u64::from_le_bytes(length) as usize;
    (serde_json::from_slice(&bytes[8..data]).unwrap(), data)
}

/// Names of the tensors of a `safetensors` file.
pub(crate) fn tensor_names(path: &Path) -> Vec<String> {
    let (header, _) = header(&std::fs::read(path).unwrap());
    header.as_object().unwrap().keys().filter(|name| *name != "__metadata__").cloned().collect()
}

/// Rows of a features file: name, class (empty where there is none), first value.
pub(crate) fn features_of(path: &Path) -> Vec<(String, String, f32)> {
    let bytes = std::fs::read(path).unwrap();
    let (header, data) = header(&bytes);
    let part = |name: &str| {
        let offsets = &header[name]["data_offsets"];
        let at = |i: usize| data + offsets[i].as_u64().unwrap() as usize;
        bytes[at(0)..at(1)].to_vec()
    };
    let classes: Vec<String> =
        serde_json::from_str(header["__metadata__"]["classes"].as_str().unwrap()).unwrap();
    let width = header["features"]["shape"][1].as_u64().unwrap() as usize;
    let ids = String::from_utf8(part("ids")).unwrap();
    let labels = part("labels");
    let values = part("features");
    let label = |i: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&labels[8 * i..8 * i + 8]);
        classes.get(u64::from_le_bytes(number) as usize).cloned().unwrap_or_default()
    };
    let first = |i: usize| {
        let mut number = [0; 4];
        number.copy_from_slice(&values[4 * width * i..4 * width * i + 4]);
        f32::from_le_bytes(number)
    };
    ids.lines().enumerate().map(|(i, id)| (id.to_owned(), label(i), first(i))).collect()
}
