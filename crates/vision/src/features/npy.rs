//! NumPy's `.npy`: a two-dimensional array of little-endian f4 or f8 in row order.
//!
//! The format is one short header line before the values (NEP 1), so it is read here rather than through a crate that
//! brings an array library.

use std::path::Path;

use crate::error::{Error, Result};

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
    if !value(header, "fortran_order").is_some_and(|v| v.starts_with("False")) {
        return Err("its values are in column order; save it with numpy.ascontiguousarray".into());
    }
    let shape = value(header, "shape").and_then(|v| v.strip_prefix('(')?.split_once(')')).map(|(s, _)| s);
    let shape: Vec<usize> = shape.unwrap_or("").split(',').filter_map(|d| d.trim().parse().ok()).collect();
    let &[rows, columns] = shape.as_slice() else {
        return Err(format!("shape {shape:?} has not two dimensions"));
    };
    let count = rows.checked_mul(columns).filter(|n| *n > 0).ok_or("it is empty or overflows")?;
    let descr = value(header, "descr").unwrap_or("").trim_matches(['\'', '"']);
    let size = if descr.starts_with("<f4") { 4 } else { 8 };
    if count.checked_mul(size) != Some(data.len()) {
        return Err(format!(
            "shape {shape:?} needs {count} values of {size} bytes, but {} bytes follow",
            data.len()
        ));
    }
    let values = match descr {
        d if d.starts_with("<f4") => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        d if d.starts_with("<f8") => {
            data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
        }
        other => return Err(format!("type {other} is neither <f4 nor <f8; save it as float32")),
    };
    Ok((columns, values))
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

    #[test]
    fn reads_rows_and_refuses_what_it_cannot_hold() {
        let data: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let good = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", &data);
        assert_eq!(parse(&good).unwrap(), (3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let huge =
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 9), }\n", &data);
        assert!(parse(&huge).unwrap_err().contains("overflows"));
        let integers = npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1, 3), }\n", &data);
        assert!(parse(&integers).unwrap_err().contains("neither <f4 nor <f8"));
        for end in 0..good.len() {
            assert!(parse(&good[..end]).is_err());
        }
    }
}
