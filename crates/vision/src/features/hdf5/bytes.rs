//! The values of one dataset. Chunks are joined here, by checked slices: every chunk has to be there once and nothing that
//! was not written is taken for data.

use hdf5_reader::{ByteOrder, Dataset, Datatype, StringSize};

use super::grid::Grid;
use super::{Bounds, Outcome, text};
use crate::values::Kind;

/// Longest id or label.
const LONGEST_NAME: usize = 4096;

/// The fields of a floating-point datatype message after its size: bit offset, precision, place and width of exponent and
/// mantissa, bias (HDF5 File Format Specification, IV.A.2.d). The size alone would take a bfloat16 for a binary16.
const BINARY16: [u8; 12] = [0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0];
const BINARY32: [u8; 12] = [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];
const BINARY64: [u8; 12] = [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0];

/// How a dataset of IEEE floats of 16, 32 or 64 bits writes them, and whether the highest byte is the first.
pub(super) fn kind(dataset: &Dataset) -> Outcome<(Kind, bool)> {
    let name = dataset.name();
    let &Datatype::FloatingPoint { size, byte_order } = dataset.dtype() else {
        return Err(format!("`{name}` holds {}, not floats", named(dataset.dtype())));
    };
    let message = dataset.raw_datatype().map_err(text)?;
    let fields = message.get(8..20).unwrap_or(&[]);
    let kind = match (size, fields) {
        (2, f) if *f == BINARY16 => Kind::Half,
        (4, f) if *f == BINARY32 => Kind::Single,
        (8, f) if *f == BINARY64 => Kind::Double,
        _ => {
            let what = format!("floats of {size} bytes that are not IEEE 754");
            return Err(format!("`{name}` holds {what}; save it as float32"));
        }
    };
    Ok((kind, byte_order == ByteOrder::BigEndian))
}

/// A matrix of IEEE floats of 16, 32 or 64 bits as f32, in rows.
pub(super) fn floats(dataset: &Dataset, bounds: Bounds) -> Outcome<Vec<f32>> {
    let (kind, big) = kind(dataset)?;
    let raw = bytes(dataset, bounds)?;
    let mut values = Vec::with_capacity(raw.len() / kind.bytes());
    kind.decode(&raw, big, &mut values);
    Ok(values)
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
            let truth = values.iter().all(|(_, text)| matches!(*text, "FALSE" | "TRUE"));
            let one = |b: &[u8]| {
                let value = integer(b, signed, byte_order);
                let member = values.iter().find(|(v, _)| *v == value);
                let text = member
                    .map(|(_, text)| if truth { text.to_ascii_lowercase() } else { (*text).to_owned() });
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
    let total = size(dataset, bounds)?;
    let Some(grid) = Grid::of(dataset, bounds)? else {
        return dataset.read_raw_bytes().map_err(text);
    };
    let name = dataset.name();
    Vec::<u8>::new().try_reserve_exact(total).map_err(|e| format!("`{name}` needs {total} bytes: {e}"))?;
    // Zeros from the system: memory that no chunk fills is never touched.
    let mut out = vec![0; total];
    grid.each(dataset, |chunk, row, column| {
        for (i, from) in grid.rows_of(chunk, row, column) {
            let at = (i * grid.columns + column) * grid.element;
            let from = from?;
            out.get_mut(at..)?.get_mut(..from.len())?.copy_from_slice(from);
        }
        Some(())
    })?;
    Ok(out)
}

/// Bytes of a dataset, as many as its file can hold.
pub(super) fn size(dataset: &Dataset, bounds: Bounds) -> Outcome<usize> {
    let (name, shape) = (dataset.name(), dataset.shape());
    let element = dataset.raw_element_size().map_err(text)?;
    let total = shape.iter().try_fold(element as u64, |n, d| n.checked_mul(*d));
    let total = total.filter(|n| *n > 0 && *n <= bounds.array);
    let most = bounds.array;
    let total = total.ok_or_else(|| {
        format!("`{name}` {shape:?} is empty, or more than the {most} bytes that this file can hold")
    })?;
    usize::try_from(total).map_err(|_| format!("`{name}` {shape:?} is too large"))
}
