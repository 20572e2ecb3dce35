//! NumPy's `.npy`: floats of 16, 32 or 64 bits in either byte order and either order of axes, `[n, d]` or `[1, n, d]`.
//!
//! The format is one short header line before the values (NEP 1), so it is read here rather than through a crate that
//! brings an array library.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::values::{Kind, Numbers, Values};
use blindscope_pixels::foreign::Found;

/// Longest header that is read: magic, version, length and dictionary.
const MOST_HEADER: u64 = 1 << 20;

/// An array: its columns, its values `[rows, columns]`, many of which stay in the file, and whether it was `[1, rows, columns]`,
/// a bag.
pub(super) fn read(path: &Path) -> Result<(usize, Values, bool)> {
    let mut file = File::open(path).map_err(Error::io("reading", path))?;
    let length = file.metadata().map_err(Error::io("reading", path))?.len();
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(MOST_HEADER).read_to_end(&mut start).map_err(Error::io("reading", path))?;
    let header = parse(&start, length).map_err(|reason| Error::format(".npy", path, reason))?;
    let Header { start, rows, width, kind, big, by_columns, bag } = header;
    let (path, file) = (path.to_owned(), Arc::new(Mutex::new(file)));
    let numbers = Numbers { path, file, start, rows, width, kind, big, by_columns };
    Ok((width, Values::of_file(Arc::new(numbers))?, bag))
}

/// What a file's beginning says.
#[derive(Debug, PartialEq)]
struct Header {
    /// Where the values begin.
    start: u64,
    rows: usize,
    width: usize,
    kind: Kind,
    big: bool,
    by_columns: bool,
    bag: bool,
}

/// Reads the beginning of a file of `length` bytes, and compares its length with what it should be.
fn parse(bytes: &[u8], length: u64) -> std::result::Result<Header, String> {
    let (text, start) = dictionary(bytes)?;
    let by_columns = value(text, "fortran_order").is_some_and(|v| v.starts_with("True"));
    let shape = value(text, "shape").and_then(|v| v.strip_prefix('(')?.split_once(')')).map(|(s, _)| s);
    let shape: Vec<usize> = shape.unwrap_or("").split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let ([rows, width] | [1, rows, width]) = *shape.as_slice() else {
        return Err(format!("its shape {} is neither [rows, columns] nor [1, rows, columns]", shown(&shape)));
    };
    let count = rows.checked_mul(width).filter(|n| *n > 0).ok_or("it is empty or overflows")?;
    let descr = value(text, "descr").unwrap_or("").trim_start_matches(['\'', '"']);
    let descr = descr.split(['\'', '"', ',']).next().unwrap_or("");
    let (big, kind) = match descr.split_at_checked(1) {
        Some((">", kind)) => (true, kind),
        Some(("<" | "=" | "|", kind)) => (false, kind),
        _ => (false, descr),
    };
    let kind = match kind {
        "f2" => Kind::Half,
        "f4" => Kind::Single,
        "f8" => Kind::Double,
        other => return Err(format!("it holds {}, not floats; save it as float32", named(other))),
    };
    let (size, follow) = (kind.bytes(), length.saturating_sub(start));
    if count.checked_mul(size).map(|bytes| bytes as u64) != Some(follow) {
        return Err(format!(
            "shape {} needs {count} values of {size} bytes, but {follow} bytes follow",
            shown(&shape)
        ));
    }
    Ok(Header { start, rows, width, kind, big, by_columns, bag: shape.len() == 3 })
}

/// The header's dictionary, and where the values begin.
fn dictionary(bytes: &[u8]) -> std::result::Result<(&str, u64), String> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(|| {
        Found::of(bytes).map_or_else(|| "it does not begin as one".into(), Found::described)
    })?;
    let (version, rest) = rest.split_first().ok_or("it ends in its header")?;
    let rest = rest.get(1..).ok_or("it ends in its header")?;
    let length_bytes = if *version == 1 { 2 } else { 4 };
    let length = rest.get(..length_bytes).ok_or("it ends in its header")?;
    let length = length.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let end = length_bytes.saturating_add(length);
    let header = rest.get(length_bytes..end).ok_or("it ends in its header, or that is too long")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    Ok((header, (bytes.len() - rest.len() + end) as u64))
}

/// Lengths of axes, as NumPy writes them.
fn shown(shape: &[usize]) -> String {
    format!("[{}]", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
}

/// A type of NumPy in words.
fn named(kind: &str) -> String {
    let bits = kind.get(1..).and_then(|n| n.parse::<u32>().ok()).map_or(0, |bytes| 8 * bytes);
    match kind.chars().next() {
        Some('i') => format!("integers of {bits} bits"),
        Some('u') => format!("unsigned integers of {bits} bits"),
        Some('b') => "truth values".into(),
        Some('c') => "complex numbers".into(),
        Some('S' | 'U') => "text".into(),
        Some('O') => "Python objects, which are not read".into(),
        _ => format!("the type `{kind}`"),
    }
}

/// What follows `'key':` in the header's dictionary.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let at = header.find(&format!("'{key}'"))?;
    Some(header[at + key.len() + 2..].trim_start_matches([':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn swapped(data: &[u8]) -> Vec<u8> {
        data.as_chunks::<4>().0.iter().flat_map(|b| b.iter().rev().copied()).collect()
    }

    /// What the file of these bytes holds.
    fn written(bytes: &[u8]) -> std::result::Result<(usize, Vec<f32>), String> {
        let path = std::env::temp_dir().join(format!("blindscope-npy-{}.npy", std::process::id()));
        std::fs::write(&path, bytes).map_err(|e| e.to_string())?;
        let values = read(&path).map_err(|e| e.to_string());
        let values =
            values.map(|(width, values, _)| (width, values.whole().unwrap_or_default().into_owned()));
        std::fs::remove_file(&path).map_err(|e| e.to_string())?;
        values
    }

    fn refused(bytes: &[u8]) -> String {
        parse(bytes, bytes.len() as u64).unwrap_err()
    }

    #[test]
    fn reads_rows_and_refuses_what_it_cannot_hold() {
        let data: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", &data);
        assert_eq!(written(&good).unwrap(), (3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let huge =
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 9), }\n", &data);
        assert!(refused(&huge).contains("overflows"));
        let integers = npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1, 3), }\n", &data);
        assert_eq!(refused(&integers), "it holds integers of 64 bits, not floats; save it as float32");
        let bag = npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2, 3), }\n", &swapped(&data));
        assert_eq!(written(&bag).unwrap(), written(&good).unwrap());
        let columns = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n", &data);
        assert_eq!(written(&columns).unwrap(), (2, vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        let halves =
            npy("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }\n", &[0, 0x3c, 0, 0xc0]);
        assert_eq!(written(&halves).unwrap(), (2, vec![1.0, -2.0]));
        for end in 0..good.len() {
            assert!(parse(&good[..end], end as u64).is_err());
        }
    }
}
