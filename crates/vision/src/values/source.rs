//! What training takes its rows from: numbers, and what becomes of them on the way.

use std::borrow::Cow;

use super::Values;
use crate::error::Result;

/// Rows that are learned from: a slice or [`Values`], as they are or changed row by row.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    numbers: Numbers<'a>,
    change: Option<Change<'a>>,
}

#[derive(Clone, Copy)]
enum Numbers<'a> {
    Slice(&'a [f32]),
    Values(&'a Values),
}

/// What is made of rows, of each by itself.
type Change<'a> = &'a dyn Fn(Vec<f32>) -> Vec<f32>;

impl<'a> From<&'a [f32]> for Source<'a> {
    fn from(numbers: &'a [f32]) -> Self {
        Self { numbers: Numbers::Slice(numbers), change: None }
    }
}

impl<'a> From<&'a Vec<f32>> for Source<'a> {
    fn from(numbers: &'a Vec<f32>) -> Self {
        numbers.as_slice().into()
    }
}

impl<'a> From<&'a Values> for Source<'a> {
    fn from(values: &'a Values) -> Self {
        Self { numbers: Numbers::Values(values), change: None }
    }
}

impl<'a> Source<'a> {
    /// What `change` makes of the rows. It is given whole rows, as many as there is room for.
    pub fn changed(values: &'a Values, change: &'a dyn Fn(Vec<f32>) -> Vec<f32>) -> Self {
        Self { change: Some(change), ..values.into() }
    }

    /// How many numbers.
    pub(crate) fn len(self) -> usize {
        match self.numbers {
            Numbers::Slice(numbers) => numbers.len(),
            Numbers::Values(values) => values.len(),
        }
    }

    fn apply(self, numbers: Cow<'a, [f32]>) -> Cow<'a, [f32]> {
        match self.change {
            Some(change) => Cow::Owned(change(numbers.into_owned())),
            None => numbers,
        }
    }

    /// All rows, where they are in memory.
    pub(crate) fn in_memory(self) -> Option<Cow<'a, [f32]>> {
        let numbers = match self.numbers {
            Numbers::Slice(numbers) => numbers,
            Numbers::Values(values) => values.in_memory()?,
        };
        Some(self.apply(numbers.into()))
    }

    /// All rows in their order, as [`Values::blocks`].
    pub(crate) fn blocks(self) -> impl Iterator<Item = Result<Cow<'a, [f32]>>> {
        let (slice, values) = match self.numbers {
            Numbers::Slice(numbers) => (Some(numbers).filter(|n| !n.is_empty()), None),
            Numbers::Values(values) => (None, Some(values)),
        };
        let blocks = values.into_iter().flat_map(Values::blocks);
        slice.map(|numbers| Ok(numbers.into())).into_iter().chain(blocks).map(move |b| Ok(self.apply(b?)))
    }

    /// The rows of some indices.
    pub(crate) fn rows(self, width: usize, indices: &[usize]) -> Result<Cow<'a, [f32]>> {
        let rows = match self.numbers {
            Numbers::Slice(numbers) => {
                indices.iter().flat_map(|i| &numbers[i * width..(i + 1) * width]).copied().collect()
            }
            Numbers::Values(values) => values.rows(width, indices)?,
        };
        Ok(self.apply(rows.into()))
    }
}
