//! Where numbers go that another tool's file gives only once and that are too many for memory: a nameless file beside the result.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Kind, Numbers, ROOM, Values};
use crate::error::{Error, Result};

/// Numbers on their way into the file.
const PIECE: usize = 1 << 20;

/// A file that nobody sees and that is gone with its last user, even when that is killed. Clones are one file.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Bytes that may still be kept in memory.
    room: usize,
    piece: usize,
    file: Option<Arc<Mutex<File>>>,
    /// Bytes of the file.
    length: u64,
}

impl Scratch {
    /// A file in `folder`, made when the first numbers go there.
    pub(crate) fn new(folder: &Path) -> Self {
        Self::sized(folder, ROOM, PIECE)
    }

    /// As [`Self::new`], with room for so many bytes in memory, and so many numbers that are handled at a time.
    pub(crate) fn sized(folder: &Path, room: usize, piece: usize) -> Self {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Self(Arc::new(Mutex::new(Inner { folder: folder.into(), room, piece, file: None, length: 0 })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether as many numbers would stay in memory.
    pub(crate) fn has_room(&self, numbers: usize) -> bool {
        numbers.saturating_mul(4) <= self.inner().room
    }

    /// How many numbers on their way into the file are in memory together.
    pub(crate) fn piece(&self) -> usize {
        self.inner().piece
    }

    /// Numbers as values that take little memory: as they are while there is room.
    pub(crate) fn keep(&self, width: usize, numbers: Vec<f32>) -> Result<Values> {
        if self.has_room(numbers.len()) {
            self.inner().room -= 4 * numbers.len();
            return Ok(numbers.into());
        }
        let mut rows = self.begin(numbers.len() / width.max(1), width)?;
        rows.write(0, &numbers)?;
        Ok(rows.finish())
    }

    /// Room for a matrix whose rows come in any order.
    pub(crate) fn begin(&self, rows: usize, width: usize) -> Result<Begun> {
        let mut inner = self.inner();
        let (start, path) = (inner.length, inner.folder.clone());
        let file = if let Some(file) = &inner.file {
            file.clone()
        } else {
            let file = tempfile::tempfile_in(&path)
                .map_err(Error::io("making a file for features that do not fit into memory in", &path))?;
            inner.file.insert(Arc::new(Mutex::new(file))).clone()
        };
        inner.length += 4 * rows as u64 * width as u64;
        let (kind, big, by_columns) = (Kind::Single, false, false);
        Ok(Begun(Numbers { path, file, start, rows, width, kind, big, by_columns }))
    }
}

/// A matrix that is being written.
pub(crate) struct Begun(Numbers);

impl Begun {
    /// Writes numbers of whole rows from `row` on.
    pub(crate) fn write(&mut self, row: usize, numbers: &[f32]) -> Result<()> {
        let mut file = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.0.start + 4 * (row * self.0.width) as u64;
        let written = file.seek(SeekFrom::Start(at)).and_then(|_| {
            numbers.chunks(1 << 16).try_for_each(|some| {
                let bytes: Vec<u8> = some.iter().flat_map(|v| v.to_le_bytes()).collect();
                file.write_all(&bytes)
            })
        });
        written.map_err(Error::io("setting features aside that do not fit into memory in", &self.0.path))
    }

    /// Reads rows back that have been written.
    pub(crate) fn read(&self, row: usize, count: usize) -> Result<Vec<f32>> {
        let mut out = Vec::with_capacity(count * self.0.width);
        self.0.read(row, count, &mut out)?;
        Ok(out)
    }

    /// The matrix; every row has been written.
    pub(crate) fn finish(self) -> Values {
        let rows = self.0.rows;
        Values::stored(Arc::new(self.0), 0, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_is_read_back_as_it_was_given() {
        let folder = std::env::temp_dir();
        let scratch = Scratch::sized(&folder, 4 * 6, 9);
        let numbers = |from: usize, count: usize| (from..from + count).map(|v| v as f32).collect::<Vec<_>>();
        let parts: Vec<Values> =
            [(0, 6), (6, 9), (15, 30)].map(|(from, n)| scratch.keep(3, numbers(from, n)).unwrap()).into();
        assert!(parts[0].in_memory().is_some() && parts[1].in_memory().is_none());
        let all = Values::stack(3, parts);
        assert_eq!(all.len(), 45);
        assert_eq!(all.whole().unwrap(), numbers(0, 45));
        assert_eq!(all, numbers(0, 45).into());
        assert_eq!(all.rows(3, &[14, 0, 4, 5, 1]).unwrap()[..6], [42.0, 43.0, 44.0, 0.0, 1.0, 2.0]);
        let some = all.select(3, &[14, 2, 1]);
        assert_eq!(some.select(3, &[2, 0]).whole().unwrap()[..], [3.0, 4.0, 5.0, 42.0, 43.0, 44.0]);
        assert_eq!(all.position(|v| v > 20.0).unwrap(), Some(21));
        assert_eq!(all.count(|v| v > 20.0).unwrap(), 24);
    }
}
