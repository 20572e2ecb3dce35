//! Reading `safetensors` one tensor at a time, so that a checkpoint never sits in memory twice, and writing them
//! so that a reader sees the old file or the new one and nothing between.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorView};

use crate::error::{Error, Result};

const FORMAT: &str = "safetensors";
/// Longest header that is read: the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// An open `safetensors` file whose header has been checked against its length.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    file: File,
    data_start: u64,
    entries: BTreeMap<String, Entry>,
    notes: HashMap<String, String>,
}

/// Where a tensor lies and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) shape: Vec<usize>,
    dtype: Dtype,
    start: u64,
    bytes: usize,
}

impl TensorFile {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("opening", path))?;
        let length = file.metadata().map_err(Error::io("reading", path))?.len();
        let bad = |reason: String| Error::format(FORMAT, path, reason);
        let mut size = [0u8; 8];
        file.read_exact(&mut size).map_err(|_| bad(format!("{length} bytes are too few for a header")))?;
        let header = u64::from_le_bytes(size);
        if header > MAX_HEADER || header + 8 > length {
            return Err(bad(format!("its header claims {header} bytes of a file of {length}")));
        }
        let mut bytes = vec![0; header as usize];
        file.read_exact(&mut bytes).map_err(Error::io("reading", path))?;
        let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        let data = length - 8 - header;
        let mut entries = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let values = info.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
            let bits = values.and_then(|n| n.checked_mul(info.dtype.bitsize()));
            if start > end || end as u64 > data || bits != Some((end - start) * 8) {
                let shape = &info.shape;
                let reason = format!("tensor `{name}` {shape:?} claims bytes {start}..{end} of {data}");
                return Err(bad(reason));
            }
            let entry = Entry {
                shape: info.shape.clone(),
                dtype: info.dtype,
                start: start as u64,
                bytes: end - start,
            };
            entries.insert(name, entry);
        }
        let notes = metadata.metadata().clone().unwrap_or_default();
        Ok(Self { path: path.into(), file, data_start: 8 + header, entries, notes })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().map(String::as_str)
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The file's free text under `key`.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    fn bytes(&mut self, name: &str) -> Result<(Entry, Vec<u8>)> {
        let entry = self.entries.get(name).cloned();
        let entry = entry.ok_or_else(|| Error::format(FORMAT, &self.path, format!("no tensor `{name}`")))?;
        let mut bytes = vec![0; entry.bytes];
        self.file
            .seek(SeekFrom::Start(self.data_start + entry.start))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(Error::io("reading", &self.path))?;
        Ok((entry, bytes))
    }

    /// The values of a floating tensor as f32.
    pub(crate) fn floats(&mut self, name: &str) -> Result<Vec<f32>> {
        let (entry, bytes) = self.bytes(name)?;
        let halves =
            |f: fn(u16) -> f32| bytes.chunks_exact(2).map(|b| f(u16::from_le_bytes([b[0], b[1]]))).collect();
        Ok(match entry.dtype {
            Dtype::F32 => little_endian(&bytes, f32::from_le_bytes),
            Dtype::F64 => little_endian(&bytes, f64::from_le_bytes).into_iter().map(|v| v as f32).collect(),
            Dtype::BF16 => halves(|b| f32::from_bits(u32::from(b) << 16)),
            Dtype::F16 => halves(half_to_f32),
            other => return Err(self.wrong_type(name, "a floating type", other)),
        })
    }

    /// The values of an integer tensor.
    pub(crate) fn integers(&mut self, name: &str) -> Result<Vec<u64>> {
        let (entry, bytes) = self.bytes(name)?;
        match entry.dtype {
            Dtype::U64 => Ok(little_endian(&bytes, u64::from_le_bytes)),
            Dtype::U8 => Ok(bytes.into_iter().map(u64::from).collect()),
            other => Err(self.wrong_type(name, "U64 or U8", other)),
        }
    }

    /// The bytes of a U8 tensor.
    pub(crate) fn octets(&mut self, name: &str) -> Result<Vec<u8>> {
        let (entry, bytes) = self.bytes(name)?;
        if entry.dtype == Dtype::U8 { Ok(bytes) } else { Err(self.wrong_type(name, "U8", entry.dtype)) }
    }

    fn wrong_type(&self, name: &str, wanted: &str, got: Dtype) -> Error {
        Error::format(FORMAT, &self.path, format!("tensor `{name}` is {got:?}, not {wanted}"))
    }
}

fn little_endian<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|b| from(*b)).collect()
}

/// IEEE 754 binary16 to binary32, exact.
pub(crate) fn half_to_f32(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let mantissa = f32::from(bits & 0x3ff);
    match exponent {
        0 => sign * mantissa * 2f32.powi(-24),
        0x1f if mantissa == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + mantissa / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// Writes tensors (name, shape, type, little-endian bytes) and notes to `path`.
pub(crate) fn write(
    path: &Path,
    tensors: &[(String, Vec<usize>, Dtype, &[u8])],
    notes: HashMap<String, String>,
) -> Result<()> {
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, dtype, bytes) in tensors {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        views.push((name, view.map_err(|e| Error::format(FORMAT, path, format!("{name}: {e}")))?));
    }
    let bytes = safetensors::serialize(views, Some(notes)).map_err(|e| Error::format(FORMAT, path, e))?;
    replace(path, &bytes)
}

/// Writes a whole file beside `path`, makes it durable and renames it over `path`.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
    written.and_then(|()| std::fs::rename(&part, path)).map_err(|e| {
        let _ = std::fs::remove_file(&part);
        Error::io("writing", path)(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_decoded_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
        ] {
            assert_eq!(half_to_f32(bits).to_bits(), f32::to_bits(value));
        }
        assert!(half_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn a_header_longer_than_its_file_is_refused() {
        let path = std::env::temp_dir().join(format!("blindscope-header-{}.safetensors", std::process::id()));
        std::fs::write(&path, 1_000_000u64.to_le_bytes()).unwrap();
        let message = TensorFile::open(&path).unwrap_err().to_string();
        assert!(message.contains("claims 1000000 bytes of a file of 8"), "{message}");
        std::fs::remove_file(&path).unwrap();
    }
}
