//! Learned positions: dL/dE gives the token gradients themselves.

use faer::Mat;

use super::{Recovered, assemble, check_patch_weight, smooth};
use crate::error::{Error, Result};
use crate::linear::{Spectrum, narrow, widen};
use blindscope_vision::vit::{Config, Parameters};

const ATTACK: &str = "closed form from positions";

/// Eigenvalues of the row-scaled ΔΔᵀ below this share of the largest are rounding of `f32` gradients.
const FLOOR: f64 = 1e-13;

/// The image whose gradient this is: P from Δᵀ·P = (dL/dW)ᵀ by least squares, Δ = dL/dE: `[n, d]`, P: `[n, 3·p²]`.
///
/// Rows of Δ are scaled to unit length first; one step of refinement follows. Exact up to the gradient's rounding
/// for one image with n ≤ d. It stays exact for any number of plain gradient steps on that one image, since both
/// sides are then sums over the same steps. For several images it returns a mixture. With n > d the equations fix d
/// of n dimensions, and the smoothest image among the solutions is returned.
///
/// # Errors
/// [`Error::NotShared`] when the gradient lacks positions or patch embedding, [`Error::Shape`] for another model's gradient,
/// [`Error::NotFinite`] for a gradient that is not finite.
pub fn from_positions(config: &Config, gradient: &Parameters) -> Result<Recovered> {
    check_patch_weight(ATTACK, config, gradient)?;
    let (n, d) = (config.patches(), config.width);
    if gradient.positions.is_empty() {
        let repair = "positions are fixed here: use the closed form from attention";
        return Err(Error::NotShared { attack: ATTACK, missing: "positions", repair });
    }
    if gradient.positions.len() != config.positions() * d {
        return Err(Error::shape(ATTACK, config.positions() * d, gradient.positions.len()));
    }
    let grid = &gradient.positions[(config.positions() - n) * d..];
    let mut delta = widen(grid, n, d);
    let mut weight = widen(&gradient.patch.weight, config.patch_values(), d);
    weigh_equations(&mut delta, &mut weight);
    let lengths = scale_rows(&mut delta);
    let spectrum = Spectrum::new(ATTACK, &(&delta * delta.transpose()), FLOOR)?;
    let mut patches = spectrum.solve(&(&delta * weight.transpose()));
    let rest = weight.transpose() - delta.transpose() * &patches;
    patches += spectrum.solve(&(&delta * rest));
    if spectrum.rank < n {
        smooth::fill(config, &mut patches, spectrum.kernel(), &lengths)?;
    }
    for k in 0..n {
        for j in 0..patches.ncols() {
            patches[(k, j)] /= lengths[k];
        }
    }
    let pixels = assemble(config, &narrow(patches.as_ref()));
    Ok(Recovered { pixels, rank: spectrum.rank, patches: n, condition: spectrum.condition() })
}

/// Divides each equation (a column of Δ and of dL/dW) by its size: rounding of the sum over k grows with that.
fn weigh_equations(delta: &mut Mat<f64>, weight: &mut Mat<f64>) {
    for j in 0..delta.ncols() {
        let size = delta.col(j).norm_l2();
        if size > 0.0 {
            for matrix in [&mut *delta, &mut *weight] {
                for i in 0..matrix.nrows() {
                    matrix[(i, j)] /= size;
                }
            }
        }
    }
}

/// Scales every row to unit length and returns the lengths (1 for a row of zeros).
fn scale_rows(matrix: &mut Mat<f64>) -> Vec<f64> {
    (0..matrix.nrows())
        .map(|i| {
            let length = (0..matrix.ncols()).map(|j| matrix[(i, j)].powi(2)).sum::<f64>().sqrt();
            let length = if length > 0.0 { length } else { 1.0 };
            for j in 0..matrix.ncols() {
                matrix[(i, j)] /= length;
            }
            length
        })
        .collect()
}
