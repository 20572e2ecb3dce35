//! Fixed positions: the first attention layer's gradient takes the place of dL/dE.
//!
//! APRIL (Lu et al., arXiv 2112.14087) shows that attention gives its input away in closed form when dL/dz is shared,
//! in a transformer without residuals. Where positions are fixed dL/dz is not shared, so the form here uses only the
//! *ranges* of two gradients, which residuals and normalisation leave intact:
//!
//! - dL/dW = Σ_k p_k·δ_kᵀ, so every patch lies in its column space: p_k = B·c_k;
//! - dL/dW_qkv = Σ_k z_k·g_kᵀ with z_k = γ∘(x_k − mean)/σ_k + β, so every z_k lies in its column space S.
//!
//! With Π the projection off S and e_k known, Π·(γ∘centre(Wᵀ·B·c_k + b + e_k) + σ_k·β) = 0 is linear in (c_k, σ_k) and
//! has one solution as long as patches, positions and CLS token are independent: 2n + 2 ≤ d. It tells the patches
//! apart by their positions.

use faer::Mat;

use super::{Recovered, assemble, check_patch_weight};
use crate::error::{Error, Result};
use crate::linear::{Spectrum, narrow, widen};
use blindscope_vision::vit::{Parameters, Vit};

const ATTACK: &str = "closed form from attention";

/// Eigenvalues of a gradient's Gram form below this share of the largest are rounding of `f32`.
const FLOOR: f64 = 1e-13;

/// The image whose gradient this is, without dL/dE: from the ranges of dL/dW_patch and of the first block's dL/dW_qkv.
///
/// For one image and 2n + 2 ≤ d; otherwise the solution is not unique and the shortest is returned, with `rank` saying
/// how many of n unknowns a patch were fixed.
///
/// # Errors
/// [`Error::NotShared`] when the gradient lacks either tensor, [`Error::Shape`] for another model's gradient, [`Error::NotFinite`]
/// for a gradient that is not finite.
pub fn from_attention(model: &Vit, gradient: &Parameters) -> Result<Recovered> {
    let config = model.config();
    let (n, d, m) = (config.patches(), config.width, config.patch_values());
    check_patch_weight(ATTACK, config, gradient)?;
    let shared = gradient.blocks.first().map(|b| b.qkv.weight.as_slice()).filter(|w| !w.is_empty());
    let qkv = shared.ok_or(Error::NotShared {
        attack: ATTACK,
        missing: "first attention layer",
        repair: "use the closed form from positions or gradient matching",
    })?;
    if qkv.len() != 3 * d * d {
        return Err(Error::shape(ATTACK, 3 * d * d, qkv.len()));
    }
    let weight = widen(&gradient.patch.weight, m, d);
    let rows = Spectrum::new(ATTACK, &(weight.transpose() * &weight), FLOOR)?.cut(n);
    let mut basis = &weight * rows.range();
    for (i, value) in rows.kept().iter().enumerate() {
        for j in 0..m {
            basis[(j, i)] /= value.sqrt();
        }
    }
    let qkv = widen(qkv, d, 3 * d);
    let tokens = Spectrum::new(ATTACK, &(&qkv * qkv.transpose()), FLOOR)?.cut(config.tokens());
    let (system, right) = equations(model, &basis, &tokens);
    let spectrum = Spectrum::new(ATTACK, &(system.transpose() * &system), FLOOR)?;
    let mut unknowns = spectrum.solve(&(system.transpose() * &right));
    let rest = &right - &system * &unknowns;
    unknowns += spectrum.solve(&(system.transpose() * rest));
    let patches = (&basis * unknowns.as_ref().subrows(0, basis.ncols())).transpose().to_owned();
    let pixels = assemble(config, &narrow(patches.as_ref()));
    Ok(Recovered { pixels, rank: spectrum.rank.min(n), patches: n, condition: spectrum.condition() })
}

/// Π·[γ∘centre(Wᵀ·B) | β] and −Π·γ∘centre(b + e_k) for every k; β is left out when it is zero, as at a random start.
fn equations(model: &Vit, basis: &Mat<f64>, tokens: &Spectrum) -> (Mat<f64>, Mat<f64>) {
    let (config, parameters) = (model.config(), model.parameters());
    let (n, d, m) = (config.patches(), config.width, config.patch_values());
    let norm = &parameters.blocks[0].norm1;
    let embed = widen(&parameters.patch.weight, m, d);
    let mut left = embed.transpose() * basis;
    let grid = &parameters.positions[(config.positions() - n) * d..];
    let bias = |i: usize| parameters.patch.bias.get(i).copied().unwrap_or(0.0);
    let mut right = Mat::from_fn(d, n, |i, k| -f64::from(grid[k * d + i] + bias(i)));
    for matrix in [&mut left, &mut right] {
        centre_and_scale(matrix, &norm.gamma);
    }
    if norm.beta.iter().any(|b| *b != 0.0) {
        let columns = left.ncols();
        left = Mat::from_fn(
            d,
            columns + 1,
            |i, j| {
                if j < columns { left[(i, j)] } else { f64::from(norm.beta[i]) }
            },
        );
    }
    let off = |x: Mat<f64>| -> Mat<f64> {
        let inside = tokens.range() * (tokens.range().transpose() * &x);
        x - inside
    };
    (off(left), off(right))
}

/// Takes the mean off every column, then scales row i by γ_i.
fn centre_and_scale(matrix: &mut Mat<f64>, gamma: &[f32]) {
    let rows = matrix.nrows();
    for j in 0..matrix.ncols() {
        let mean = (0..rows).map(|i| matrix[(i, j)]).sum::<f64>() / rows as f64;
        for i in 0..rows {
            matrix[(i, j)] = (matrix[(i, j)] - mean) * f64::from(gamma[i]);
        }
    }
}
