//! NumPy's `.npy`: floats of 16, 32 or 64 bits in either byte order and either order of axes, `[n, d]` or `[1, n, d]`.
//!
//! The format is one short header line before the values (NEP 1), so it is read here rather than through a crate that
//! brings an array library.

use std::path::Path;

use crate::error::{Error, Result};
use crate::tensorfile::half_to_f32;

/// The array's columns and its values `[rows, columns]`.
pub(super) fn read(path: &Path) -> Result<(usize, Vec<f32>)> {
    let bytes = std::fs::read(path).map_err(Error::io("reading", path))?;
    parse(&bytes).map_err(|reason| Error::format(".npy", path, reason))
}

fn parse(bytes: &[u8]) -> std::result::Result<(usize, Vec<f32>), String> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("it does not begin as one")?;
    let (version, rest) = rest.split_first().ok_or("it ends in its header")?;
    let rest = rest.get(1..).ok_or("it ends in its header")?;
    let length_bytes = if *version == 1 { 2 } else { 4 };
    let length = rest.get(..length_bytes).ok_or("it ends in its header")?;
    let length = length.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let header =
        rest.get(length_bytes..length_bytes.saturating_add(length)).ok_or("it ends in its header")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    let data = &rest[length_bytes + length..];
    let by_columns = value(header, "fortran_order").is_some_and(|v| v.starts_with("True"));
    let shape = value(header, "shape").and_then(|v| v.strip_prefix('(')?.split_once(')')).map(|(s, _)| s);
    let shape: Vec<usize> = shape.unwrap_or("").split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let ([rows, columns] | [1, rows, columns]) = *shape.as_slice() else {
        return Err(format!("its shape {shape:?} is neither [rows, columns] nor [1, rows, columns]"));
    };
    let count = rows.checked_mul(columns).filter(|n| *n > 0).ok_or("it is empty or overflows")?;
    let descr = value(header, "descr").unwrap_or("").trim_start_matches(['\'', '"']);
    let descr = descr.split(['\'', '"', ',']).next().unwrap_or("");
    let (big, kind) = match descr.split_at_checked(1) {
        Some((">", kind)) => (true, kind),
        Some(("<" | "=" | "|", kind)) => (false, kind),
        _ => (false, descr),
    };
    let size = match kind {
        "f2" => 2,
        "f4" => 4,
        "f8" => 8,
        other => return Err(format!("it holds {}, not floats; save it as float32", named(other))),
    };
    if count.checked_mul(size) != Some(data.len()) {
        return Err(format!(
            "shape {shape:?} needs {count} values of {size} bytes, but {} bytes follow",
            data.len()
        ));
    }
    let values = match size {
        2 => floats(data, big, |b| half_to_f32(u16::from_le_bytes(b))),
        4 => floats(data, big, f32::from_le_bytes),
        _ => floats(data, big, |b| f64::from_le_bytes(b) as f32),
    };
    if !by_columns {
        return Ok((columns, values));
    }
    let by_rows = (0..count).map(|i| values[i % columns * rows + i / columns]);
    Ok((columns, by_rows.collect()))
}

fn floats<const N: usize>(data: &[u8], big: bool, from: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let one = |bytes: &[u8; N]| {
        let mut bytes = *bytes;
        if big {
            bytes.reverse();
        }
        from(bytes)
    };
    data.as_chunks::<N>().0.iter().map(one).collect()
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

    #[test]
    fn reads_rows_and_refuses_what_it_cannot_hold() {
        let data: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", &data);
        assert_eq!(parse(&good).unwrap(), (3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let huge =
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 9), }\n", &data);
        assert!(parse(&huge).unwrap_err().contains("overflows"));
        let integers = npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1, 3), }\n", &data);
        assert_eq!(
            parse(&integers).unwrap_err(),
            "it holds integers of 64 bits, not floats; save it as float32"
        );
        let bag = npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 2, 3), }\n", &swapped(&data));
        assert_eq!(parse(&bag).unwrap(), parse(&good).unwrap());
        let columns = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n", &data);
        assert_eq!(parse(&columns).unwrap(), (2, vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        let halves =
            npy("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }\n", &[0, 0x3c, 0, 0xc0]);
        assert_eq!(parse(&halves).unwrap(), (2, vec![1.0, -2.0]));
        for end in 0..good.len() {
            assert!(parse(&good[..end]).is_err());
        }
    }
}
