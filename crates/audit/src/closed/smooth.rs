//! Filling in what too few equations leave open: of all images that satisfy them, the smoothest.

use faer::{Mat, MatRef};

use super::pixel_of;
use crate::error::Result;
use crate::linear::Spectrum;
use blindscope_vision::vit::Config;

/// Steps of conjugate gradients.
const STEPS: usize = 300;

/// Adds to `patches` (in coordinates scaled by `lengths`) the combination of `kernel` columns that minimises
/// Σ (neighbouring pixels' difference)² over the image.
pub(super) fn fill(
    config: &Config,
    patches: &mut Mat<f64>,
    kernel: MatRef<'_, f64>,
    lengths: &[f64],
) -> Result<()> {
    let basis = orthonormal(kernel, lengths)?;
    let n = patches.nrows();
    let unscaled = Mat::from_fn(n, patches.ncols(), |k, j| patches[(k, j)] / lengths[k]);
    // The minimum of |D(P + B·C)|² in C: Bᵀ·L·B·C = −Bᵀ·L·P with the image's Laplacian L = Dᵀ·D.
    let project = |p: &Mat<f64>| basis.transpose() * laplacian(config, p);
    let mut rest = -project(&unscaled);
    let mut c = Mat::<f64>::zeros(basis.ncols(), patches.ncols());
    let mut direction = rest.clone();
    let mut energy = rest.squared_norm_l2();
    let start = energy;
    for _ in 0..STEPS {
        if energy <= 1e-16 * start {
            break;
        }
        let image = project(&(&basis * &direction));
        let step = energy / inner(&direction, &image).max(f64::MIN_POSITIVE);
        c += step * &direction;
        rest -= step * &image;
        let next = rest.squared_norm_l2();
        direction = &rest + (next / energy) * &direction;
        energy = next;
    }
    let filled = unscaled + &basis * c;
    for k in 0..n {
        for j in 0..patches.ncols() {
            patches[(k, j)] = filled[(k, j)] * lengths[k];
        }
    }
    Ok(())
}

/// An orthonormal basis of the kernel in unscaled coordinates.
fn orthonormal(kernel: MatRef<'_, f64>, lengths: &[f64]) -> Result<Mat<f64>> {
    let mut raw = Mat::from_fn(kernel.nrows(), kernel.ncols(), |k, i| kernel[(k, i)] / lengths[k]);
    for i in 0..raw.ncols() {
        let length = raw.col(i).norm_l2().max(f64::MIN_POSITIVE);
        for k in 0..raw.nrows() {
            raw[(k, i)] /= length;
        }
    }
    let spectrum = Spectrum::new("filling in missing equations", &(raw.transpose() * &raw), 1e-14)?;
    let mut basis = &raw * spectrum.range();
    for (i, value) in spectrum.kept().iter().enumerate() {
        for k in 0..basis.nrows() {
            basis[(k, i)] /= value.sqrt();
        }
    }
    Ok(basis)
}

fn inner(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    (0..a.ncols()).map(|j| a.col(j).transpose() * b.col(j)).sum()
}

/// The graph Laplacian of the pixel grid, patches in and patches out.
fn laplacian(config: &Config, patches: &Mat<f64>) -> Mat<f64> {
    let side = config.image;
    let mut pixels = vec![0.0; config.pixels()];
    for k in 0..patches.nrows() {
        for j in 0..patches.ncols() {
            pixels[pixel_of(config, k, j)] = patches[(k, j)];
        }
    }
    let mut out = vec![0.0; pixels.len()];
    for (plane, out) in pixels.chunks_exact(side * side).zip(out.chunks_exact_mut(side * side)) {
        for at in 0..plane.len() {
            let right = (at % side + 1 < side).then_some(at + 1);
            let below = (at + side < plane.len()).then_some(at + side);
            for next in right.into_iter().chain(below) {
                let difference = plane[at] - plane[next];
                out[at] += difference;
                out[next] -= difference;
            }
        }
    }
    Mat::from_fn(patches.nrows(), patches.ncols(), |k, j| out[pixel_of(config, k, j)])
}
