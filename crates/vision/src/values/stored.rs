//! A matrix of floats in a file: where it begins, how a number is written, in which order.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::tensorfile::half_to_f32;

/// How a float is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// IEEE 754 binary16.
    Half,
    /// The upper half of a binary32.
    Bfloat,
    /// binary32.
    Single,
    /// binary64; read numbers are rounded.
    Double,
}

impl Kind {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Half | Self::Bfloat => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    /// Appends numbers; `big` where their first byte is the highest.
    pub(crate) fn decode(self, bytes: &[u8], big: bool, out: &mut Vec<f32>) {
        match self {
            Self::Half => all(bytes, big, |b| half_to_f32(u16::from_le_bytes(b)), out),
            Self::Bfloat => all(bytes, big, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16), out),
            Self::Single => all(bytes, big, f32::from_le_bytes, out),
            Self::Double => all(bytes, big, |b| f64::from_le_bytes(b) as f32, out),
        }
    }
}

fn all<const N: usize>(bytes: &[u8], big: bool, from: impl Fn([u8; N]) -> f32, out: &mut Vec<f32>) {
    let numbers = bytes.as_chunks::<N>().0.iter();
    if big {
        out.extend(numbers.map(|b| {
            let mut b = *b;
            b.reverse();
            from(b)
        }));
    } else {
        out.extend(numbers.map(|b| from(*b)));
    }
}

/// A matrix in an open file. Its bytes are there: whoever makes one has compared lengths.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) path: PathBuf,
    /// Its place is moved by every reader, so one reads at a time.
    pub(crate) file: Arc<Mutex<File>>,
    /// Where the first number begins.
    pub(crate) start: u64,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) kind: Kind,
    /// Whether the first byte of a number is the highest.
    pub(crate) big: bool,
    /// Whether columns follow one another, as Fortran has them, and not rows.
    pub(crate) by_columns: bool,
}

impl Numbers {
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Appends `count` rows from `row` on.
    pub(super) fn read(&self, row: usize, count: usize, out: &mut Vec<f32>) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        let mut take = |number: usize, numbers: usize, out: &mut Vec<f32>| -> Result<()> {
            let at = self.start + number as u64 * self.kind.bytes() as u64;
            let mut fill = |bytes: &mut [u8]| {
                file.seek(SeekFrom::Start(at))
                    .and_then(|_| file.read_exact(bytes))
                    .map_err(Error::io("reading", &self.path))
            };
            if self.kind == Kind::Single && self.big == cfg!(target_endian = "big") {
                // As this machine has them: straight to their place.
                let first = out.len();
                out.resize(first + numbers, 0.0);
                return fill(bytemuck::cast_slice_mut(&mut out[first..]));
            }
            bytes.resize(numbers * self.kind.bytes(), 0);
            fill(&mut bytes)?;
            self.kind.decode(&bytes, self.big, out);
            Ok(())
        };
        if !self.by_columns {
            return take(row * self.width, count * self.width, out);
        }
        let first = out.len();
        out.resize(first + count * self.width, 0.0);
        let mut column = Vec::with_capacity(count);
        for at in 0..self.width {
            column.clear();
            take(at * self.rows + row, count, &mut column)?;
            out[first + at..].iter_mut().step_by(self.width).zip(&column).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}
