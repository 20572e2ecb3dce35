//! Chunks over a matrix: every one has to be there once, and nothing that was not written is taken for data.

use hdf5_reader::{Dataset, DatasetChunk};

use super::{Bounds, Outcome, text};

/// Chunks over a matrix; a column is a matrix of width one. Sizes in elements.
pub(super) struct Grid {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) chunk_rows: usize,
    chunk_columns: usize,
    /// Bytes of an element.
    pub(super) element: usize,
    /// Leading axes of one that are passed over, as in [1, rows, columns].
    lead: usize,
}

impl Grid {
    /// The chunks of a dataset; none where it has none.
    pub(super) fn of(dataset: &Dataset, bounds: Bounds) -> Outcome<Option<Self>> {
        let (name, shape) = (dataset.name(), dataset.shape());
        let Some(chunk) = dataset.chunks() else { return Ok(None) };
        let element = dataset.raw_element_size().map_err(text)?;
        let lead = usize::from(shape.len() == 3 && shape[0] == 1 && chunk.first() == Some(&1));
        let grid =
            Self { lead, ..Self::new(name, &shape[lead..], chunk.get(lead..).unwrap_or(&[]), element)? };
        if grid.chunks() as u64 > bounds.file {
            return Err(format!("`{name}` has {} chunks, more than this file can list", grid.chunks()));
        }
        Ok(Some(grid))
    }

    fn new(name: &str, shape: &[u64], chunk: &[u32], element: usize) -> Outcome<Self> {
        let size = |n: u64| usize::try_from(n).ok().filter(|n| *n > 0);
        let sizes = match (shape, chunk) {
            (&[rows], &[a]) => [size(rows), Some(1), size(a.into()), Some(1)],
            (&[rows, columns], &[a, b]) => [size(rows), size(columns), size(a.into()), size(b.into())],
            _ => [None; 4],
        };
        match sizes {
            [Some(rows), Some(columns), Some(chunk_rows), Some(chunk_columns)] => {
                Ok(Self { rows, columns, chunk_rows, chunk_columns, element, lead: 0 })
            }
            _ => Err(format!("`{name}`: chunks {chunk:?} do not fit shape {shape:?}")),
        }
    }

    /// Number of chunks; no more than there are elements.
    fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk_rows) * self.columns.div_ceil(self.chunk_columns)
    }

    /// Calls `take` with every chunk and the row and column where it begins; none of its is a chunk that does not fit.
    pub(super) fn each(
        &self,
        dataset: &Dataset,
        mut take: impl FnMut(&DatasetChunk, usize, usize) -> Option<()>,
    ) -> Outcome<()> {
        let name = dataset.name();
        let across = self.columns.div_ceil(self.chunk_columns);
        let mut seen = vec![false; self.chunks()];
        for chunk in dataset.iter_chunks().map_err(text)? {
            let chunk = chunk.map_err(text)?;
            let outside = || format!("`{name}` has a chunk outside of it");
            let (row, column) = self.begins(&chunk).ok_or_else(outside)?;
            let at = row / self.chunk_rows * across + column / self.chunk_columns;
            if std::mem::replace(&mut seen[at], true) {
                return Err(format!("`{name}` has two chunks for one place"));
            }
            take(&chunk, row, column).ok_or_else(outside)?;
        }
        match seen.iter().position(|s| !s) {
            Some(at) => Err(format!("`{name}`: chunk {at} of {} was never written", seen.len())),
            None => Ok(()),
        }
    }

    /// Row and column where a chunk begins; none for one that lies nowhere.
    fn begins(&self, chunk: &DatasetChunk) -> Option<(usize, usize)> {
        let start = |axis: usize| chunk.offsets().get(axis).map_or(Some(0), |o| usize::try_from(*o).ok());
        let (row, column) = (start(self.lead)?, start(self.lead + 1)?);
        let fits = row < self.rows && column < self.columns;
        let on_grid = row.is_multiple_of(self.chunk_rows) && column.is_multiple_of(self.chunk_columns);
        (fits && on_grid).then_some((row, column))
    }

    /// The rows of the matrix that a chunk holds a piece of, and the bytes of each piece inside of the matrix; no bytes where the
    /// chunk is too short.
    pub(super) fn rows_of<'c>(
        &self,
        chunk: &'c DatasetChunk,
        row: usize,
        column: usize,
    ) -> impl Iterator<Item = (usize, Option<&'c [u8]>)> + use<'c> {
        let width = self.chunk_columns.min(self.columns - column) * self.element;
        let stride = self.chunk_columns.saturating_mul(self.element);
        let rows = self.chunk_rows.min(self.rows - row);
        (0..rows).map(move |i| {
            (row + i, chunk.bytes().get(i.saturating_mul(stride)..).and_then(|rest| rest.get(..width)))
        })
    }
}
