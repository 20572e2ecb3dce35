//! Reading `safetensors` one tensor at a time, so that a checkpoint never sits in memory twice, and writing them
//! so that a reader sees the old file or the new one and nothing between.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::replace::replace_by;
use crate::values::{Kind, Numbers};
use blindscope_pixels::foreign::{Found, LOOKED_AT};

const FORMAT: &str = "safetensors";
/// Longest header that is read: the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// An open `safetensors` file, or the shards of one, whose headers have been checked against their lengths.
#[derive(Debug)]
pub(crate) struct TensorFile {
    path: PathBuf,
    shards: Vec<Shard>,
    entries: BTreeMap<String, Entry>,
    notes: HashMap<String, String>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    file: File,
    data_start: u64,
}

/// Where a tensor lies and what it is.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) shape: Vec<usize>,
    shard: usize,
    dtype: Dtype,
    start: u64,
    bytes: usize,
}

impl TensorFile {
    /// Opens a file, or the shards that an index (`….index.json`) names.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let index = path.file_name().is_some_and(|n| n.to_string_lossy().ends_with(".index.json"));
        if index { Self::open_shards(path) } else { Self::open_one(path) }
    }

    fn open_one(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("opening", path))?;
        let length = file.metadata().map_err(Error::io("reading", path))?.len();
        let bad = |reason: String| Error::format(FORMAT, path, reason);
        if let Some(other) = found(path)? {
            return Err(bad(other.described()));
        }
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
                shard: 0,
                dtype: info.dtype,
                start: start as u64,
                bytes: end - start,
            };
            entries.insert(name, entry);
        }
        let notes = metadata.metadata().clone().unwrap_or_default();
        let shards = vec![Shard { path: path.into(), file, data_start: 8 + header }];
        Ok(Self { path: path.into(), shards, entries, notes })
    }

    /// `weight_map` of an index tells which file beside it holds which tensor.
    fn open_shards(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::format("index of shards", path, reason);
        let length = std::fs::metadata(path).map_err(Error::io("reading", path))?.len();
        if length > MAX_HEADER {
            return Err(bad(format!("{length} bytes are too many for one")));
        }
        if let Some(other) = found(path)?.filter(|found| *found != Found::Json) {
            return Err(bad(other.described()));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
        let index: Index = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let mut files: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for (tensor, file) in &index.weight_map {
            if Path::new(file).components().count() != 1 || Path::new(file).file_name().is_none() {
                return Err(bad(format!("`{file}` is no file beside it")));
            }
            files.entry(file).or_default().push(tensor);
        }
        let mut whole =
            Self { path: path.into(), shards: vec![], entries: BTreeMap::new(), notes: HashMap::new() };
        for (file, tensors) in files {
            let beside = path.with_file_name(file);
            if !beside.exists() {
                let folder = path.parent().unwrap_or(Path::new("")).display();
                return Err(bad(format!(
                    "it names `{file}`, which is not in {folder}; fetch all of the model's files into one folder"
                )));
            }
            let mut shard = Self::open_one(&beside)?;
            for tensor in tensors {
                let entry = shard.entries.remove(tensor);
                let entry =
                    entry.ok_or_else(|| bad(format!("`{file}` does not hold `{tensor}`, which it names")))?;
                whole.entries.insert(tensor.clone(), Entry { shard: whole.shards.len(), ..entry });
            }
            whole.shards.append(&mut shard.shards);
        }
        Ok(whole)
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

    /// The file's free texts whose keys begin with `prefix`, without it.
    pub(crate) fn notes_under(&self, prefix: &str) -> BTreeMap<String, String> {
        let under =
            self.notes.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone())));
        under.collect()
    }

    fn bytes(&mut self, name: &str) -> Result<(Entry, Vec<u8>)> {
        let entry = self.entries.get(name).cloned();
        let entry = entry.ok_or_else(|| Error::format(FORMAT, &self.path, format!("no tensor `{name}`")))?;
        let mut bytes = vec![0; entry.bytes];
        let shard = &mut self.shards[entry.shard];
        shard
            .file
            .seek(SeekFrom::Start(shard.data_start + entry.start))
            .and_then(|_| shard.file.read_exact(&mut bytes))
            .map_err(Error::io("reading", &shard.path))?;
        Ok((entry, bytes))
    }

    /// The values of a floating tensor as f32.
    pub(crate) fn floats(&mut self, name: &str) -> Result<Vec<f32>> {
        let (entry, bytes) = self.bytes(name)?;
        let kind = kind(entry.dtype).ok_or_else(|| self.wrong_type(name, "a floating type", entry.dtype))?;
        let mut values = Vec::with_capacity(bytes.len() / kind.bytes());
        kind.decode(&bytes, false, &mut values);
        Ok(values)
    }

    /// A floating tensor of rank 2, which is left in the file.
    pub(crate) fn numbers(mut self, name: &str) -> Result<Numbers> {
        let entry = self.entries.remove(name);
        let entry = entry.ok_or_else(|| Error::format(FORMAT, &self.path, format!("no tensor `{name}`")))?;
        let kind = kind(entry.dtype).ok_or_else(|| self.wrong_type(name, "a floating type", entry.dtype))?;
        let &[rows, width] = entry.shape.as_slice() else {
            return Err(Error::format(FORMAT, &self.path, format!("tensor `{name}` is not of rank 2")));
        };
        let shard = self.shards.swap_remove(entry.shard);
        let (start, file) = (shard.data_start + entry.start, Arc::new(Mutex::new(shard.file)));
        Ok(Numbers { path: shard.path, file, start, rows, width, kind, big: false, by_columns: false })
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

    /// The values of an I64 tensor.
    pub(crate) fn signed(&mut self, name: &str) -> Result<Vec<i64>> {
        let (entry, bytes) = self.bytes(name)?;
        match entry.dtype {
            Dtype::I64 => Ok(little_endian(&bytes, i64::from_le_bytes)),
            other => Err(self.wrong_type(name, "I64", other)),
        }
    }

    /// The bytes of a U8 tensor.
    pub(crate) fn octets(&mut self, name: &str) -> Result<Vec<u8>> {
        let (entry, bytes) = self.bytes(name)?;
        if entry.dtype == Dtype::U8 { Ok(bytes) } else { Err(self.wrong_type(name, "U8", entry.dtype)) }
    }

    fn wrong_type(&self, name: &str, wanted: &str, got: Dtype) -> Error {
        Error::format(FORMAT, &self.path, format!("tensor `{name}` is {got}, not {wanted}"))
    }
}

/// An index of shards.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// What the file at `path` is by its beginning, if that is known.
pub(crate) fn found(path: &Path) -> Result<Option<Found>> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("reading", path))?;
    file.take(LOOKED_AT as u64).read_to_end(&mut start).map_err(Error::io("reading", path))?;
    Ok(Found::of(&start))
}

fn little_endian<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|b| from(*b)).collect()
}

/// How a floating type is written.
fn kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Single),
        Dtype::F64 => Some(Kind::Double),
        Dtype::BF16 => Some(Kind::Bfloat),
        Dtype::F16 => Some(Kind::Half),
        _ => None,
    }
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

/// A tensor to be written.
pub(crate) struct Tensor<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
    pub(crate) content: Content<'a>,
}

/// Little-endian bytes: in memory, or from a function that hands them to its argument piece by piece.
pub(crate) enum Content<'a> {
    Bytes(&'a [u8]),
    Pieces(&'a dyn Fn(Take<'_>) -> Result<()>),
}

/// Takes bytes to be written.
pub(crate) type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Writes tensors and notes to `path`; the same input makes the same bytes.
pub(crate) fn write(
    path: &Path,
    mut tensors: Vec<Tensor<'_>>,
    notes: &BTreeMap<String, String>,
) -> Result<()> {
    // The order of the format's own library: widest types first, then by name.
    tensors.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name.cmp(&b.name)));
    let header = header(&tensors, notes).map_err(|reason| Error::format(FORMAT, path, reason))?;
    replace_by(path, |file| {
        let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(Error::io("writing", path));
        put(&header)?;
        for tensor in &tensors {
            let expected = bytes_of(tensor).unwrap_or_default();
            let mut written = 0usize;
            let mut take = |bytes: &[u8]| {
                written += bytes.len();
                put(bytes)
            };
            match tensor.content {
                Content::Bytes(bytes) => take(bytes)?,
                Content::Pieces(all) => all(&mut take)?,
            }
            if written != expected {
                let name = &tensor.name;
                let reason =
                    format!("tensor `{name}` {:?} got {written} bytes, not {expected}", tensor.shape);
                return Err(Error::format(FORMAT, path, reason));
            }
        }
        Ok(())
    })
}

/// Bytes of a tensor of this type and shape.
fn bytes_of(tensor: &Tensor<'_>) -> Option<usize> {
    let values = tensor.shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
    Some(values.checked_mul(tensor.dtype.bitsize())? / 8)
}

/// The length of the header and the header: notes in the order of their keys, then the tensors.
fn header(tensors: &[Tensor<'_>], notes: &BTreeMap<String, String>) -> std::result::Result<Vec<u8>, String> {
    let mut listed = Vec::with_capacity(tensors.len());
    let mut start = 0usize;
    for tensor in tensors {
        let end = bytes_of(tensor).and_then(|bytes| start.checked_add(bytes));
        let end = end.ok_or_else(|| format!("tensor `{}` {:?} is too large", tensor.name, tensor.shape))?;
        let info =
            TensorInfo { dtype: tensor.dtype, shape: tensor.shape.clone(), data_offsets: (start, end) };
        listed.push((tensor.name.clone(), info));
        start = end;
    }
    // The crate keeps notes in a map of random order, so they are put before what it writes.
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let metadata = Metadata::new(None, listed).map_err(|e| text(&e))?;
    let tensors = serde_json::to_string(&metadata).map_err(|e| text(&e))?;
    let notes = serde_json::to_string(notes).map_err(|e| text(&e))?;
    let rest = tensors.strip_prefix('{').unwrap_or("}");
    let comma = if rest == "}" { "" } else { "," };
    let mut header = format!("{{\"__metadata__\":{notes}{comma}{rest}");
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    Ok([&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat())
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
