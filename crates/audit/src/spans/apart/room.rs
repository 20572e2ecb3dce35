//! Where one token of a batch may lie, by linear algebra alone.
//!
//! The second normalisation reads m = x + s∘(W_oᵀ·o + b_o) of each token: x its embedding, o what attention gave it. Three
//! gradients say where these lie: x = x⁰_k + U·c in the affine space of position k, o = O·a in the column space of
//! dL/dW_o, and the normalised m, h = γ∘(m − μ)/σ + β, in that of dL/dW_fc1. So
//!
//! x⁰_k + U·c + s∘(W_oᵀ·O·a + b_o) = μ·1 + γ⁻¹∘(H·η − σ·β)
//!
//! is linear in (c, a, η, μ, σ). For b images of t tokens its solutions are the mixtures of the batch's tokens whose weights
//! add up to one at position k and to zero at every other: (b − 1)·t dimensions instead of the patch's 3·p², and each
//! says what patch and what output of attention belong to it. It asks for 2·b·t + 1 ≤ d.

use faer::{Mat, MatRef};

use super::super::fit::embedded;
use super::super::seen::ATTACK;
use crate::error::{Error, Result};
use crate::linear::{product, widen};
use crate::matching::Subspace;
use blindscope_vision::vit::Vit;

/// An affine map of a token's coordinates at every position: its values at zero `[·, n]`, and their derivative `[·, q]`.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) fixed: Mat<f64>,
    pub(super) ways: Mat<f64>,
}

impl Map {
    /// The value at position `k`.
    pub(super) fn at(&self, k: usize, coordinates: &[f64]) -> Vec<f64> {
        (0..self.fixed.nrows())
            .map(|i| {
                self.fixed[(i, k)]
                    + coordinates.iter().enumerate().map(|(j, z)| self.ways[(i, j)] * z).sum::<f64>()
            })
            .collect()
    }

    /// `on` times this map.
    fn under(&self, on: MatRef<'_, f64>) -> Self {
        Self { fixed: product(on, self.fixed.as_ref()), ways: product(on, self.ways.as_ref()) }
    }

    /// The map of rows `from..from + count`.
    fn rows(&self, from: usize, count: usize) -> Self {
        let cut = |m: &Mat<f64>| m.as_ref().subrows(from, count).to_owned();
        Self { fixed: cut(&self.fixed), ways: cut(&self.ways) }
    }
}

/// What tokens may be, by their coordinates.
#[derive(Debug)]
pub(super) struct Room {
    /// The centred token before the second normalisation, `[d]`: orthonormal ways, at right angles to its place at zero.
    pub(super) middle: Map,
    /// Coordinates in the patches' affine space, `[(b − 1)·n]`.
    pub(super) patch: Map,
    /// Attention's output before its projection, `[d]`.
    pub(super) mixed: Map,
}

impl Room {
    /// Dimensions of the room.
    pub(super) fn open(&self) -> usize {
        self.middle.ways.ncols()
    }
}

/// The spans that rooms are made of.
#[derive(Debug)]
pub(super) struct Spans<'a> {
    pub(super) model: &'a Vit,
    /// Orthonormal, of attention's outputs, `[d, tokens]`.
    pub(super) outputs: Mat<f64>,
    /// Orthonormal, of what fc1 reads, `[d, tokens]`.
    pub(super) normed: &'a Mat<f64>,
}

impl Spans<'_> {
    /// The room of the patch tokens, a position a column, of `open` dimensions.
    ///
    /// # Errors
    /// [`Error::NotConverged`] where a decomposition does not.
    pub(super) fn patches(&self, space: &Subspace, open: usize) -> Result<Room> {
        let (config, (embedded, ways)) = (self.model.config(), embedded(self.model, space));
        let start = embedded.as_ref().subcols(config.prefix(), config.patches()).to_owned();
        self.room(&start, &ways, open)
    }

    /// The room of the CLS tokens, which enter alike in all images: mixtures of these alone, `open` dimensions.
    ///
    /// # Errors
    /// [`Error::NotConverged`] where a decomposition does not.
    pub(super) fn class(&self, space: &Subspace, open: usize) -> Result<Room> {
        let start = embedded(self.model, space).0.as_ref().subcols(0, 1).to_owned();
        self.room(&start, &Mat::zeros(start.nrows(), 0), open)
    }

    fn room(&self, start: &Mat<f64>, ways: &Mat<f64>, open: usize) -> Result<Room> {
        let equations = Equations::new(self, start, ways);
        let solved = solve(&equations.system, &equations.right, open)?;
        let middle = solved.under(equations.middle.as_ref());
        let middle = Map { fixed: middle.fixed + &equations.start, ways: middle.ways };
        let (middle, change) = straighten(middle)?;
        let solved = moved(&solved, &change);
        let (c, r) = (ways.ncols(), self.outputs.ncols());
        Ok(Room { middle, patch: solved.rows(0, c), mixed: solved.rows(c, r).under(self.outputs.as_ref()) })
    }
}

/// The linear system of the module's documentation.
struct Equations {
    /// `[d, c + 2·b·t + 1]`, one column more where β is not zero.
    system: Mat<f64>,
    /// `[d, n]`
    right: Mat<f64>,
    /// The token before the second normalisation at zero, `[d, n]`, and by the unknowns.
    start: Mat<f64>,
    middle: Mat<f64>,
}

impl Equations {
    /// For embeddings at zero `[d, n]` and their ways `[d, c]`.
    fn new(spans: &Spans<'_>, embedded: &Mat<f64>, ways: &Mat<f64>) -> Self {
        let (d, block) = (spans.model.config().width, &spans.model.parameters().blocks[0]);
        let (outputs, normed) = (&spans.outputs, spans.normed);
        let scale = |i: usize| block.scale1.get(i).map_or(1.0, |s| f64::from(*s));
        let bias = |i: usize| block.proj.bias.get(i).map_or(0.0, |b| f64::from(*b));
        let start = Mat::from_fn(d, embedded.ncols(), |i, k| embedded[(i, k)] + scale(i) * bias(i));
        let branch = product(widen(&block.proj.weight, d, d).transpose(), outputs.as_ref());
        let (c, r) = (ways.ncols(), outputs.ncols());
        let gamma = |i: usize| f64::from(block.norm2.gamma[i]);
        let beta = |i: usize| f64::from(block.norm2.beta[i]) / gamma(i);
        let length = (0..d).map(|i| beta(i).powi(2)).sum::<f64>().sqrt();
        let columns = c + 2 * r + 1 + usize::from(length > 0.0);
        let system = Mat::from_fn(d, columns, |i, j| match j {
            j if j < c => ways[(i, j)],
            j if j < c + r => scale(i) * branch[(i, j - c)],
            j if j < c + 2 * r => -normed[(i, j - c - r)] / gamma(i),
            j if j == c + 2 * r => -1.0 / (d as f64).sqrt(),
            _ => beta(i) / length,
        });
        let middle = Mat::from_fn(d, columns, |i, j| if j < c + r { system[(i, j)] } else { 0.0 });
        Self { right: -&start, system, start, middle }
    }
}

/// All solutions of `system`·y = `right`, of which `open` dimensions are known to be free.
fn solve(system: &Mat<f64>, right: &Mat<f64>, open: usize) -> Result<Map> {
    let size = system.ncols();
    let svd = system.svd().map_err(|_| Error::NotConverged { operation: ATTACK, size })?;
    let rank = (size - open).min(system.nrows());
    let values = svd.S().column_vector();
    let mut inside = product(svd.U().subcols(0, rank).transpose(), right.as_ref());
    for i in 0..rank {
        for k in 0..inside.ncols() {
            inside[(i, k)] /= values[i].max(f64::MIN_POSITIVE);
        }
    }
    let fixed = product(svd.V().subcols(0, rank), inside.as_ref());
    Ok(Map { fixed, ways: svd.V().subcols(rank, size - rank).to_owned() })
}

/// A change of coordinates: old = shift_k + turn·new.
struct Change {
    shift: Mat<f64>,
    turn: Mat<f64>,
}

/// Centres the map, makes its ways orthonormal and sets its place at right angles to them, so that a token's deviation is read
/// off its coordinates.
fn straighten(mut map: Map) -> Result<(Map, Change)> {
    centre(&mut map.fixed);
    centre(&mut map.ways);
    let size = map.ways.ncols();
    let svd = map.ways.thin_svd().map_err(|_| Error::NotConverged { operation: ATTACK, size })?;
    let values = svd.S().column_vector();
    let turn = Mat::from_fn(size, size, |i, j| svd.V()[(i, j)] / values[j].max(f64::MIN_POSITIVE));
    let inside = product(svd.U().transpose(), map.fixed.as_ref());
    let shift = -product(turn.as_ref(), inside.as_ref());
    let fixed = &map.fixed - product(svd.U(), inside.as_ref());
    Ok((Map { fixed, ways: svd.U().to_owned() }, Change { shift, turn }))
}

fn moved(map: &Map, change: &Change) -> Map {
    Map {
        fixed: &map.fixed + product(map.ways.as_ref(), change.shift.as_ref()),
        ways: product(map.ways.as_ref(), change.turn.as_ref()),
    }
}

/// Takes the mean off every column.
fn centre(matrix: &mut Mat<f64>) {
    let rows = matrix.nrows();
    for j in 0..matrix.ncols() {
        let mean = (0..rows).map(|i| matrix[(i, j)]).sum::<f64>() / rows as f64;
        for i in 0..rows {
            matrix[(i, j)] -= mean;
        }
    }
}
