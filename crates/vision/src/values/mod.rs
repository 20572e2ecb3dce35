//! The numbers of rows: in memory while they are few, else where they lie in files, read a block at a time.
//!
//! A hospital has ten million tiles of a thousand numbers, which is more than its machine has memory. Whoever goes over rows takes
//! [`Values::blocks`]; whoever needs some of them, [`Values::rows`]; a choice of rows ([`Values::select`]) is a list of places. What
//! is small is one slice in memory and is worked on as such.

mod ahead;
mod scratch;
mod source;
mod stored;

use ahead::Ahead;
pub(crate) use scratch::{Begun, Scratch};
pub use source::Source;
pub(crate) use stored::{Kind, Numbers};

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::Result;

/// Bytes of numbers that are kept in memory; more stay in their file.
pub const ROOM: usize = 64 << 20;
/// Numbers of a block.
const BLOCK: usize = 1 << 20;
/// Numbers that are looked at together.
const PIECE: usize = 1 << 12;

/// Numbers of rows, one row after another.
#[derive(Clone, Debug, Default)]
pub struct Values(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Memory(Vec<f32>),
    Parts(Parts),
}

impl Default for Kept {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}

/// Rows of one width that lie in several places, or some of them.
#[derive(Clone, Debug)]
struct Parts {
    width: usize,
    of: Arc<[Part]>,
    /// Rows in all places together.
    rows: usize,
    /// Those that are meant, in their order; all where nothing is said.
    chosen: Option<Arc<[usize]>>,
}

/// Rows that lie in one place.
#[derive(Clone, Debug)]
struct Part {
    /// Rows in the places before.
    before: usize,
    rows: usize,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Vec<f32>),
    /// In a file, from this of its rows on.
    File(Arc<Numbers>, usize),
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self(Kept::Memory(values))
    }
}

impl Values {
    /// `rows` rows of a file from `row` on, which are left there.
    pub(crate) fn stored(file: Arc<Numbers>, row: usize, rows: usize) -> Self {
        let width = file.width();
        let of = [Part { before: 0, rows, place: Place::File(file, row) }].into();
        Self(Kept::Parts(Parts { width, of, rows, chosen: None }))
    }

    /// All rows of a file: read where there is room for them ([`ROOM`]), else left there.
    pub(crate) fn of_file(file: Arc<Numbers>) -> Result<Self> {
        let rows = file.rows;
        let values = Self::stored(file, 0, rows);
        Ok(if 4 * values.len() <= ROOM { values.whole()?.into_owned().into() } else { values })
    }

    /// The rows of several, all of this width, one below the other. Nothing is read.
    pub(crate) fn stack(width: usize, values: Vec<Self>) -> Self {
        if values.iter().all(|v| v.in_memory().is_some()) {
            let mut values = values.into_iter();
            let mut first = values.next().unwrap_or_default();
            values.filter_map(Self::into_memory).for_each(|rest| first.extend(rest));
            return first;
        }
        let (mut of, mut rows) = (Vec::new(), 0);
        for values in values {
            let parts: Vec<(usize, Place)> = match values.0 {
                Kept::Memory(values) => vec![(values.len() / width.max(1), Place::Memory(values))],
                Kept::Parts(parts) => parts.of.iter().map(|part| (part.rows, part.place.clone())).collect(),
            };
            for (count, place) in parts {
                of.push(Part { before: rows, rows: count, place });
                rows += count;
            }
        }
        Self(Kept::Parts(Parts { width, of: of.into(), rows, chosen: None }))
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Memory(values) => values.len(),
            Kept::Parts(parts) => parts.len() * parts.width,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All numbers, where they are in memory.
    pub fn in_memory(&self) -> Option<&[f32]> {
        match &self.0 {
            Kept::Memory(values) => Some(values),
            Kept::Parts(_) => None,
        }
    }

    fn into_memory(self) -> Option<Vec<f32>> {
        match self.0 {
            Kept::Memory(values) => Some(values),
            Kept::Parts(_) => None,
        }
    }

    /// All numbers, read into memory where they are not there. For who knows that there is room.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when their file cannot be read any more.
    pub fn whole(&self) -> Result<Cow<'_, [f32]>> {
        match &self.0 {
            Kept::Memory(values) => Ok(Cow::Borrowed(values)),
            Kept::Parts(parts) => Ok(Cow::Owned(parts.range(0, parts.len())?)),
        }
    }

    /// Adds numbers behind those that are there. Range: the values are in memory; those in files take none.
    pub fn extend(&mut self, more: impl IntoIterator<Item = f32>) {
        if let Kept::Memory(values) = &mut self.0 {
            values.extend(more);
        } else {
            debug_assert!(false, "rows in files are not added to");
        }
    }

    /// All numbers in their order: one slice where they are in memory, else a few megabytes of whole rows at a time, of which the next is
    /// read while one is worked on. An item is an error ([`crate::Error::Io`]) when a file cannot be read any more.
    pub fn blocks(&self) -> impl Iterator<Item = Result<Cow<'_, [f32]>>> + '_ {
        let slice = self.in_memory().filter(|values| !values.is_empty());
        let parts = match &self.0 {
            Kept::Memory(_) => None,
            Kept::Parts(parts) => Some(Ahead::new(parts.clone())),
        };
        let blocks = parts.into_iter().flatten().map(|block| Ok(Cow::Owned(block?)));
        slice.map(|values| Ok(Cow::Borrowed(values))).into_iter().chain(blocks)
    }

    /// One row. Range: there is such a row, of `width` numbers.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when its file cannot be read any more.
    pub fn row(&self, width: usize, row: usize) -> Result<Cow<'_, [f32]>> {
        match &self.0 {
            Kept::Memory(values) => Ok(Cow::Borrowed(&values[row * width..(row + 1) * width])),
            Kept::Parts(parts) => Ok(Cow::Owned(parts.range(row, row + 1)?)),
        }
    }

    /// The rows of some indices, one after another. Range: there are such rows, of `width` numbers.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when a file cannot be read any more.
    pub fn rows(&self, width: usize, indices: &[usize]) -> Result<Vec<f32>> {
        match &self.0 {
            Kept::Memory(values) => Ok(gathered(values, width, indices)),
            Kept::Parts(parts) => parts.some(indices),
        }
    }

    /// The rows of some indices as values of their own; what lies in files stays there. Range: there are such rows, of `width` numbers.
    #[must_use]
    pub fn select(&self, width: usize, indices: &[usize]) -> Self {
        match &self.0 {
            Kept::Memory(values) => gathered(values, width, indices).into(),
            Kept::Parts(parts) => {
                let chosen = indices.iter().map(|row| parts.place(*row)).collect();
                Self(Kept::Parts(Parts { chosen: Some(chosen), ..parts.clone() }))
            }
        }
    }

    /// Where the first number stands of which `is` holds.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when a file cannot be read any more.
    pub fn position(&self, is: impl Fn(f32) -> bool) -> Result<Option<usize>> {
        let mut before = 0;
        for block in self.blocks() {
            let block = block?;
            // A loop that may end at each number is no loop of vectors; one that ends with its piece is.
            for piece in block.chunks(PIECE) {
                if piece.iter().fold(false, |any, v| any | is(*v)) {
                    return Ok(piece.iter().position(|v| is(*v)).map(|at| before + at));
                }
                before += piece.len();
            }
        }
        Ok(None)
    }

    /// How many numbers there are of which `is` holds.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when a file cannot be read any more.
    pub fn count(&self, is: impl Fn(f32) -> bool) -> Result<usize> {
        let mut count = 0;
        for block in self.blocks() {
            count += block?.iter().filter(|v| is(**v)).count();
        }
        Ok(count)
    }
}

impl FromIterator<f32> for Values {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        values.into_iter().collect::<Vec<f32>>().into()
    }
}

/// The same numbers, wherever they lie; what cannot be read is not the same.
impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        if let (Some(a), Some(b)) = (self.in_memory(), other.in_memory()) {
            return a == b;
        }
        let numbers = |values: &Self| -> Vec<Result<Vec<f32>>> {
            values.blocks().map(|block| block.map(Cow::into_owned)).collect()
        };
        let all = |blocks: Vec<Result<Vec<f32>>>| blocks.into_iter().collect::<Result<Vec<_>>>().ok();
        let (a, b) = (all(numbers(self)), all(numbers(other)));
        self.len() == other.len() && a.is_some() && a.map(|a| a.concat()) == b.map(|b| b.concat())
    }
}

fn gathered(values: &[f32], width: usize, indices: &[usize]) -> Vec<f32> {
    indices.iter().flat_map(|i| &values[i * width..(i + 1) * width]).copied().collect()
}

impl Parts {
    fn len(&self) -> usize {
        self.chosen.as_ref().map_or(self.rows, |chosen| chosen.len())
    }

    /// Where a row stands among all of all places.
    fn place(&self, row: usize) -> usize {
        self.chosen.as_ref().map_or(row, |chosen| chosen[row])
    }

    /// Rows that follow one another.
    fn range(&self, from: usize, to: usize) -> Result<Vec<f32>> {
        if let Some(chosen) = &self.chosen {
            return self.at(&chosen[from..to]);
        }
        let mut out = Vec::with_capacity((to - from) * self.width);
        self.run(from, to - from, &mut out)?;
        Ok(out)
    }

    fn some(&self, rows: &[usize]) -> Result<Vec<f32>> {
        let places: Vec<usize> = rows.iter().map(|row| self.place(*row)).collect();
        self.at(&places)
    }

    /// The rows at these places, in their order; a file is read from its beginning to its end.
    fn at(&self, places: &[usize]) -> Result<Vec<f32>> {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_unstable_by_key(|i| places[*i]);
        let mut out = vec![0.0; places.len() * self.width];
        let mut run = Vec::new();
        for follow in order.chunk_by(|a, b| places[*a] + 1 == places[*b]) {
            run.clear();
            self.run(places[follow[0]], follow.len(), &mut run)?;
            for (i, row) in follow.iter().zip(run.chunks_exact(self.width)) {
                out[i * self.width..(i + 1) * self.width].copy_from_slice(row);
            }
        }
        Ok(out)
    }

    /// Appends `count` rows from the place `first` on.
    fn run(&self, mut first: usize, mut count: usize, out: &mut Vec<f32>) -> Result<()> {
        let mut at = self.of.partition_point(|part| part.before <= first).saturating_sub(1);
        while count > 0 {
            let part = &self.of[at];
            let skipped = first - part.before;
            let take = count.min(part.rows - skipped);
            match &part.place {
                Place::Memory(values) => {
                    out.extend(&values[skipped * self.width..(skipped + take) * self.width]);
                }
                Place::File(file, row) => file.read(row + skipped, take, out)?,
            }
            (first, count, at) = (first + take, count - take, at + 1);
        }
        Ok(())
    }
}
