//! Matrices that do not fit into memory: a band of rows at a time, set aside in a file.

use hdf5_reader::{ByteOrder, Dataset, Datatype, H5Type, SliceInfo, SliceInfoElem};

use super::grid::Grid;
use super::{Bounds, Outcome, bytes, text};
use crate::error::Result;
use crate::tensorfile::half_to_f32;
use crate::values::{Begun, Kind, Scratch, Values};

/// A matrix of IEEE floats, `width` a row: in memory while there is room, else set aside.
pub(super) fn matrix(dataset: &Dataset, bounds: Bounds, width: usize, scratch: &Scratch) -> Outcome<Values> {
    let (kind, big) = bytes::kind(dataset)?;
    let numbers = bytes::size(dataset, bounds)? / kind.bytes();
    let kept = |values: Result<Values>| values.map_err(|e| e.to_string());
    let grid = Grid::of(dataset, bounds)?;
    if scratch.has_room(numbers) || width == 0 {
        return kept(scratch.keep(width, bytes::floats(dataset, bounds)?));
    }
    let rows = numbers / width;
    let mut begun = scratch.begin(rows, width).map_err(|e| e.to_string())?;
    match grid {
        Some(grid) => by_chunks(dataset, &grid, (kind, big), scratch.piece(), &mut begun)?,
        None => by_slices(dataset, (rows, width), kind, scratch.piece(), &mut begun)?,
    }
    Ok(begun.finish())
}

/// Rows that are in memory while chunks are put into them.
struct Band<'b> {
    begun: &'b mut Begun,
    rows: usize,
    width: usize,
    values: Vec<f32>,
    /// The band that is in memory.
    at: usize,
    /// Whether a band was written before: chunks come in any order.
    written: Vec<bool>,
}

impl Band<'_> {
    /// Rows of the band `at`: the last may be shorter.
    fn len(&self, at: usize, of: usize) -> usize {
        self.rows.min(of - at * self.rows)
    }

    fn flush(&mut self, of: usize) -> Result<()> {
        let len = self.len(self.at, of);
        self.written[self.at] = true;
        self.begun.write(self.at * self.rows, &self.values[..len * self.width])
    }

    /// The numbers of `row` from `column` on.
    fn row(&mut self, row: usize, column: usize, of: usize) -> Result<&mut [f32]> {
        let at = row / self.rows;
        if at != self.at {
            self.flush(of)?;
            self.at = at;
            if self.written[at] {
                let len = self.len(at, of);
                let before = self.begun.read(at * self.rows, len)?;
                self.values[..before.len()].copy_from_slice(&before);
            }
        }
        let start = row % self.rows * self.width;
        Ok(&mut self.values[start + column..start + self.width])
    }
}

fn by_chunks(
    dataset: &Dataset,
    grid: &Grid,
    (kind, big): (Kind, bool),
    piece: usize,
    begun: &mut Begun,
) -> Outcome<()> {
    let (width, of) = (grid.columns, grid.rows);
    let rows = grid.chunk_rows * (piece / grid.chunk_rows.saturating_mul(width)).max(1);
    let rows = rows.min(of);
    let written = vec![false; of.div_ceil(rows)];
    let mut band = Band { begun, rows, width, values: vec![0.0; rows * width], at: 0, written };
    let (mut decoded, mut failed) = (Vec::new(), None);
    let all = grid.each(dataset, |chunk, row, column| {
        for (i, from) in grid.rows_of(chunk, row, column) {
            decoded.clear();
            kind.decode(from?, big, &mut decoded);
            match band.row(i, column, of) {
                Ok(to) => to.get_mut(..decoded.len())?.copy_from_slice(&decoded),
                Err(e) => {
                    failed = Some(e.to_string());
                    return None;
                }
            }
        }
        Some(())
    });
    failed.map_or(Ok(()), Err)?;
    all?;
    band.flush(of).map_err(|e| e.to_string())
}

/// A binary16, which the reader does not convert itself.
#[derive(Clone, Copy)]
struct Half(f32);

impl H5Type for Half {
    fn hdf5_type() -> Datatype {
        Datatype::FloatingPoint { size: 2, byte_order: ByteOrder::LittleEndian }
    }

    fn from_bytes(bytes: &[u8], dtype: &Datatype) -> hdf5_reader::error::Result<Self> {
        let bad = |what: String| hdf5_reader::error::Error::InvalidData(what);
        let &Datatype::FloatingPoint { size: 2, byte_order } = dtype else {
            return Err(bad(format!("{dtype:?} is no float of 16 bits")));
        };
        let two = bytes
            .first_chunk::<2>()
            .ok_or_else(|| bad(format!("{} bytes of a float of 16 bits", bytes.len())))?;
        let bits = match byte_order {
            ByteOrder::LittleEndian => u16::from_le_bytes(*two),
            ByteOrder::BigEndian => u16::from_be_bytes(*two),
        };
        Ok(Self(half_to_f32(bits)))
    }

    fn element_size(_: &Datatype) -> usize {
        2
    }
}

fn by_slices(
    dataset: &Dataset,
    (rows, width): (usize, usize),
    kind: Kind,
    piece: usize,
    begun: &mut Begun,
) -> Outcome<()> {
    let step = (piece / width).max(1);
    for row in (0..rows).step_by(step) {
        let mut selections = SliceInfo::all(dataset.ndim()).selections;
        let axis = selections.len().saturating_sub(2);
        let end = (row + step).min(rows) as u64;
        selections[axis] = SliceInfoElem::Slice { start: row as u64, end, step: 1 };
        let slice = SliceInfo { selections };
        let values: Vec<f32> = match kind {
            Kind::Double => {
                let values = dataset.read_slice::<f64>(&slice).map_err(text)?;
                values.iter().map(|v| *v as f32).collect()
            }
            Kind::Half => dataset.read_slice::<Half>(&slice).map_err(text)?.iter().map(|v| v.0).collect(),
            _ => dataset.read_slice::<f32>(&slice).map_err(text)?.iter().copied().collect(),
        };
        if values.len() != (end as usize - row) * width {
            return Err(format!("`{}` gave {} numbers of {} rows", dataset.name(), values.len(), end));
        }
        begun.write(row, &values).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::features::hdf5::read;

    /// Chunks of one row, of pieces of rows and of all rows, none at all, three types, both orders of bytes: whatever the files of the
    /// other tests have.
    #[test]
    fn a_matrix_that_is_set_aside_is_the_one_that_fits() {
        let folder = std::env::temp_dir();
        let (mut same, mut refused) = (0, 0);
        for entry in
            std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/hdf5")).unwrap()
        {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "h5") {
                continue;
            }
            let fits = read(&path, None, None, &Scratch::sized(&folder, usize::MAX, 1));
            for piece in [1, 7, 16, 1000] {
                let aside = read(&path, None, None, &Scratch::sized(&folder, 0, piece));
                match (&fits, aside) {
                    (Ok(fits), Ok(aside)) => {
                        assert!(aside.iter().all(|t| t.values.in_memory().is_none()) || fits.is_empty());
                        assert_eq!(fits, &aside, "{} by {piece}", path.display());
                        same += 1;
                    }
                    (Err(a), Err(b)) => {
                        assert_eq!(a.to_string(), b.to_string());
                        refused += 1;
                    }
                    (fits, aside) => panic!("{}: {fits:?} {aside:?}", path.display()),
                }
            }
        }
        println!("{same} the same, {refused} refused");
        assert!(same > 20 && refused > 0);
    }
}
