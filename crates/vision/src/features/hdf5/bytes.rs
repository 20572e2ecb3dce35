//! The values of one dataset. Chunks are joined here, by checked slices: every chunk has to be there once and nothing that
//! was not written is taken for data.

use hdf5_reader::{ByteOrder, Dataset, DatasetChunk, Datatype, StringSize};

use super::{Bounds, Outcome, text};
use crate::tensorfile::half_to_f32;

/// Longest id or label.
const LONGEST_NAME: usize = 4096;

/// The fields of a floating-point datatype message after its size: bit offset, precision, place and width of exponent and
/// mantissa, bias (HDF5 File Format Specification, IV.A.2.d). The size alone would take a bfloat16 for a binary16.
const BINARY16: [u8; 12] = [0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0];
const BINARY32: [u8; 12] = [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];
const BINARY64: [u8; 12] = [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0];

/// A matrix of IEEE floats of 16, 32 or 64 bits as f32, in rows.
pub(super) fn floats(dataset: &Dataset, bounds: Bounds) -> Outcome<Vec<f32>> {
    let name = dataset.name();
    let &Datatype::FloatingPoint { size, byte_order } = dataset.dtype() else {
        return Err(format!("`{name}` holds {}, not floats", named(dataset.dtype())));
    };
    let message = dataset.raw_datatype().map_err(text)?;
    let fields = message.get(8..20).unwrap_or(&[]);
    let raw = || bytes(dataset, bounds);
    match (size, fields) {
        (2, f) if *f == BINARY16 => Ok(decode(&raw()?, byte_order, |b| half_to_f32(u16::from_le_bytes(b)))),
        (4, f) if *f == BINARY32 => Ok(decode(&raw()?, byte_order, f32::from_le_bytes)),
        (8, f) if *f == BINARY64 => Ok(decode(&raw()?, byte_order, |b| f64::from_le_bytes(b) as f32)),
        _ => Err(format!("`{name}` holds floats of {size} bytes that are not IEEE 754; save it as float32")),
    }
}

fn decode<T, const N: usize>(raw: &[u8], order: ByteOrder, from: impl Fn([u8; N]) -> T) -> Vec<T> {
    let one = |b: &[u8; N]| {
        let mut b = *b;
        if order == ByteOrder::BigEndian {
            b.reverse();
        }
        from(b)
    };
    raw.as_chunks::<N>().0.iter().map(one).collect()
}

/// A column of strings, or of integers as their digits.
pub(super) fn names(dataset: &Dataset, bounds: Bounds) -> Outcome<Vec<String>> {
    let name = dataset.name();
    let raw = bytes(dataset, bounds)?;
    let clean = |b: &[u8]| {
        let end = b.iter().position(|c| *c == 0).unwrap_or(b.len());
        let text = std::str::from_utf8(&b[..end]).map_err(|_| format!("`{name}` is not all UTF-8"))?;
        Ok(text.trim_end_matches(' ').to_owned())
    };
    match dataset.dtype() {
        Datatype::String { size: StringSize::Fixed(n), .. }
            if (1..=LONGEST_NAME).contains(&(*n as usize)) =>
        {
            raw.chunks_exact(*n as usize).map(clean).collect()
        }
        Datatype::String { size: StringSize::Variable, .. } | Datatype::VarLen { .. } => {
            let width = dataset.vlen_reference_size();
            let one = |reference: &[u8]| {
                let length = reference.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
                if length as usize > LONGEST_NAME {
                    return Err(format!("`{name}` holds a name of {length} bytes, more than {LONGEST_NAME}"));
                }
                clean(&dataset.resolve_vlen_reference_bytes(reference, 1).map_err(text)?)
            };
            raw.chunks_exact(width.max(1)).map(one).collect()
        }
        &Datatype::FixedPoint { size, signed, byte_order } => {
            let digits = |b: &[u8]| integer(b, signed, byte_order).to_string();
            Ok(raw.chunks_exact(usize::from(size).max(1)).map(digits).collect())
        }
        // h5py's truth values are an enumeration of FALSE and TRUE; others have names of their own.
        Datatype::Enum { base, members } => {
            let &Datatype::FixedPoint { size, signed, byte_order } = base.as_ref() else {
                return Err(format!("`{name}` is an enumeration of {}", named(base)));
            };
            let values: Vec<(i128, &str)> =
                members.iter().map(|m| (integer(&m.value, signed, byte_order), m.name.as_str())).collect();
            let one = |b: &[u8]| {
                let value = integer(b, signed, byte_order);
                let member = values.iter().find(|(v, _)| *v == value);
                let text = member.map(|(_, text)| text.to_ascii_lowercase());
                text.ok_or_else(|| format!("`{name}` holds {value}, which its enumeration does not name"))
            };
            raw.chunks_exact(usize::from(size).max(1)).map(one).collect()
        }
        &Datatype::FloatingPoint { .. } => {
            let whole = |v: &f64| (v.fract() == 0.0 && v.abs() < 1e15).then(|| format!("{v}"));
            let all: Option<Vec<String>> = numbers(dataset, bounds)?.iter().map(whole).collect();
            all.ok_or_else(|| format!("`{name}` holds floats that are not whole numbers"))
        }
        other => Err(format!("`{name}` holds {}, neither strings nor integers", named(other))),
    }
}

/// Integers, truth values or floats as numbers.
pub(super) fn numbers(dataset: &Dataset, bounds: Bounds) -> Outcome<Vec<f64>> {
    match dataset.dtype() {
        Datatype::FloatingPoint { .. } => Ok(floats(dataset, bounds)?.into_iter().map(f64::from).collect()),
        &Datatype::FixedPoint { size, signed, byte_order } => {
            let raw = bytes(dataset, bounds)?;
            let one = |b: &[u8]| integer(b, signed, byte_order) as f64;
            Ok(raw.chunks_exact(usize::from(size).max(1)).map(one).collect())
        }
        Datatype::Enum { base, .. } => {
            let raw = bytes(dataset, bounds)?;
            let &Datatype::FixedPoint { size, signed, byte_order } = base.as_ref() else {
                return Err(format!("`{}` is an enumeration of {}", dataset.name(), named(base)));
            };
            let one = |b: &[u8]| integer(b, signed, byte_order) as f64;
            Ok(raw.chunks_exact(usize::from(size).max(1)).map(one).collect())
        }
        other => Err(format!("`{}` holds {}, not numbers", dataset.name(), named(other))),
    }
}

/// A type in words.
fn named(kind: &Datatype) -> String {
    match kind {
        Datatype::FixedPoint { size, .. } => format!("integers of {size} bytes"),
        Datatype::FloatingPoint { size, .. } => format!("floats of {size} bytes"),
        Datatype::String { .. } => "strings".into(),
        Datatype::Compound { .. } => "records of several fields".into(),
        Datatype::Array { .. } => "arrays".into(),
        Datatype::Enum { .. } => "an enumeration".into(),
        Datatype::VarLen { .. } => "values of varying length".into(),
        Datatype::Opaque { .. } => "opaque bytes".into(),
        Datatype::Reference { .. } => "references".into(),
        Datatype::Bitfield { .. } => "bits".into(),
    }
}

/// The value of up to eight bytes.
fn integer(bytes: &[u8], signed: bool, order: ByteOrder) -> i128 {
    let join = |n: i128, b: &u8| n << 8 | i128::from(*b);
    let value = match order {
        ByteOrder::BigEndian => bytes.iter().take(8).fold(0, join),
        ByteOrder::LittleEndian => bytes.iter().take(8).rev().fold(0, join),
    };
    let span = 1i128 << (8 * bytes.len().min(8));
    if signed && value >= span / 2 { value - span } else { value }
}

/// Every byte of a dataset of up to two dimensions, or of three whose first is one.
fn bytes(dataset: &Dataset, bounds: Bounds) -> Outcome<Vec<u8>> {
    let (name, shape) = (dataset.name(), dataset.shape());
    let element = dataset.raw_element_size().map_err(text)?;
    let total = shape.iter().try_fold(element as u64, |n, d| n.checked_mul(*d));
    let total = total.filter(|n| *n > 0 && *n <= bounds.array);
    let most = bounds.array;
    let total = total.ok_or_else(|| {
        format!("`{name}` {shape:?} is empty, or more than the {most} bytes that this file can hold")
    })?;
    let total = usize::try_from(total).map_err(|_| format!("`{name}` {shape:?} is too large"))?;
    let Some(chunk) = dataset.chunks() else {
        return dataset.read_raw_bytes().map_err(text);
    };
    // A leading axis of one, as in [1, rows, columns], is passed over.
    let lead = usize::from(shape.len() == 3 && shape[0] == 1 && chunk.first() == Some(&1));
    let grid = Grid::new(name, &shape[lead..], &chunk[lead..], element)?;
    if grid.chunks() as u64 > bounds.file {
        return Err(format!("`{name}` has {} chunks, more than this file can list", grid.chunks()));
    }
    Vec::<u8>::new().try_reserve_exact(total).map_err(|e| format!("`{name}` needs {total} bytes: {e}"))?;
    // Zeros from the system: memory that no chunk fills is never touched.
    let mut out = vec![0; total];
    let mut seen = vec![false; grid.chunks()];
    for chunk in dataset.iter_chunks().map_err(text)? {
        let at = grid
            .place(&chunk.map_err(text)?, lead, &mut out)
            .ok_or_else(|| format!("`{name}` has a chunk outside of it"))?;
        if std::mem::replace(&mut seen[at], true) {
            return Err(format!("`{name}` has two chunks for one place"));
        }
    }
    if let Some(at) = seen.iter().position(|s| !s) {
        return Err(format!("`{name}`: chunk {at} of {} was never written", seen.len()));
    }
    Ok(out)
}

/// Chunks over a matrix; a column is a matrix of width one. Sizes in elements.
struct Grid {
    rows: usize,
    columns: usize,
    chunk_rows: usize,
    chunk_columns: usize,
    element: usize,
}

impl Grid {
    fn new(name: &str, shape: &[u64], chunk: &[u32], element: usize) -> Outcome<Self> {
        let size = |n: u64| usize::try_from(n).ok().filter(|n| *n > 0);
        let sizes = match (shape, chunk) {
            (&[rows], &[a]) => [size(rows), Some(1), size(a.into()), Some(1)],
            (&[rows, columns], &[a, b]) => [size(rows), size(columns), size(a.into()), size(b.into())],
            _ => [None; 4],
        };
        match sizes {
            [Some(rows), Some(columns), Some(chunk_rows), Some(chunk_columns)] => {
                Ok(Self { rows, columns, chunk_rows, chunk_columns, element })
            }
            _ => Err(format!("`{name}`: chunks {chunk:?} do not fit shape {shape:?}")),
        }
    }

    /// Number of chunks; no more than there are elements.
    fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk_rows) * self.columns.div_ceil(self.chunk_columns)
    }

    /// Copies what lies inside of the matrix and tells the chunk's number; none for a chunk that lies nowhere.
    fn place(&self, chunk: &DatasetChunk, lead: usize, out: &mut [u8]) -> Option<usize> {
        let start = |axis: usize| chunk.offsets().get(axis).map_or(Some(0), |o| usize::try_from(*o).ok());
        let (row, column) = (start(lead)?, start(lead + 1)?);
        let fits = row < self.rows && column < self.columns;
        if !fits || !row.is_multiple_of(self.chunk_rows) || !column.is_multiple_of(self.chunk_columns) {
            return None;
        }
        let width = self.chunk_columns.min(self.columns - column) * self.element;
        let stride = self.chunk_columns.checked_mul(self.element)?;
        for i in 0..self.chunk_rows.min(self.rows - row) {
            let from = chunk.bytes().get(i * stride..)?.get(..width)?;
            let at = ((row + i) * self.columns + column) * self.element;
            out.get_mut(at..)?.get_mut(..width)?.copy_from_slice(from);
        }
        let across = self.columns.div_ceil(self.chunk_columns);
        Some(row / self.chunk_rows * across + column / self.chunk_columns)
    }
}
