//! Updates as integers of a sum: the long loop of `blindscope.updates`.

use numpy::ndarray::ArrayViewD;
use numpy::{PyArray1, PyReadonlyArrayDyn};
use pyo3::prelude::*;

use crate::errors::SumError;

/// Adding and taking off this rounds a double below 2^51 in size to a whole number, ties to even.
const GRAIN: f64 = 1.5 * (1u64 << 52) as f64;

/// Numbers of an update, as numpy holds them.
#[derive(FromPyObject)]
pub(crate) enum Difference<'py> {
    Single(PyReadonlyArrayDyn<'py, f32>),
    Double(PyReadonlyArrayDyn<'py, f64>),
}

/// A view that may leave the interpreter.
enum View<'a> {
    Single(ArrayViewD<'a, f32>),
    Double(ArrayViewD<'a, f64>),
}

/// How a number becomes an integer.
struct Grid {
    clip: f64,
    factor: f64,
    half: f64,
}

/// `rint(clip(v)·factor) + half` of each number in order, with room for more integers behind them. Returns the integers, and how many
/// numbers are larger than `clip`.
#[pyfunction]
pub(crate) fn quantise<'py>(
    py: Python<'py>,
    differences: Vec<Difference<'py>>,
    clip: f64,
    factor: f64,
    half: u64,
    room: usize,
) -> PyResult<(Bound<'py, PyArray1<u64>>, usize)> {
    let views: Vec<View<'_>> = differences.iter().map(View::of).collect();
    let numbers: usize = views.iter().map(View::len).sum();
    let grid = Grid { clip, factor, half: half as f64 };
    let done = py.detach(|| {
        let mut out = Vec::with_capacity(numbers + room);
        let mut clipped = 0;
        for view in views {
            clipped += view.push(&grid, &mut out)?;
        }
        out.resize(numbers + room, 0);
        Some((out, clipped))
    });
    let (out, clipped) = done.ok_or_else(|| {
        SumError::new_err("the update holds numbers that are not finite; training has diverged")
    })?;
    Ok((PyArray1::from_vec(py, out), clipped))
}

impl<'a> View<'a> {
    fn of(difference: &'a Difference<'_>) -> Self {
        match difference {
            Difference::Single(array) => Self::Single(array.as_array()),
            Difference::Double(array) => Self::Double(array.as_array()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Single(view) => view.len(),
            Self::Double(view) => view.len(),
        }
    }

    /// Integers of a view behind those of others; nothing where a number is not finite.
    fn push(&self, grid: &Grid, out: &mut Vec<u64>) -> Option<usize> {
        match self {
            Self::Single(view) => match view.as_slice() {
                Some(slice) => grid.push(slice.iter().map(|v| f64::from(*v)), out),
                None => grid.push(view.iter().map(|v| f64::from(*v)), out),
            },
            Self::Double(view) => match view.as_slice() {
                Some(slice) => grid.push(slice.iter().copied(), out),
                None => grid.push(view.iter().copied(), out),
            },
        }
    }
}

impl Grid {
    fn push(&self, numbers: impl Iterator<Item = f64>, out: &mut Vec<u64>) -> Option<usize> {
        let (mut clipped, mut finite) = (0, true);
        out.extend(numbers.map(|v| {
            finite &= v.is_finite();
            clipped += usize::from(v.abs() > self.clip);
            let whole = (v.clamp(-self.clip, self.clip) * self.factor + GRAIN) - GRAIN;
            (whole + self.half) as u64
        }));
        finite.then_some(clipped)
    }
}
