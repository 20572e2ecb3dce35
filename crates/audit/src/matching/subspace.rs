//! What linear algebra tells of a batch before any search.
//!
//! dL/dW = Σ p·δᵀ over all b·n patches of the batch, so each patch lies in the gradient's column space: p = B·c, while
//! b·n ≤ d. Where positions are learned, dL/de_k = Σ_i δ_(k,i) is shared too. In the basis B the token gradients have the
//! coordinates Δ' = Bᵀ-part of dL/dW, and the sums fix rows T with T·c = [position of c] — n linear conditions on
//! each patch. What is left to search for is b·n − n dimensions a patch instead of 3·p².

use blindscope_vision::vit::{Config, Parameters};
use faer::Mat;

use crate::closed::pixel_of;
use crate::error::{Error, Result};
use crate::linear::{Spectrum, product, widen};

const ATTACK: &str = "subspace of a batch";
const FLOOR: f64 = 1e-11;

/// An affine space for each patch position: p_k = start_k + free·z.
#[derive(Debug)]
pub struct Subspace {
    config: Config,
    /// `[3·p², n]`
    start: Mat<f64>,
    /// Orthonormal columns, `[3·p², r − n]`.
    free: Mat<f64>,
}

impl Subspace {
    /// The spaces that a batch's gradient leaves open.
    ///
    /// # Errors
    /// [`Error::NotShared`] without positions or patch embedding; [`Error::Setting`] when the batch has more patches
    /// than the model is wide, so that nothing is ruled out.
    pub fn new(config: &Config, gradient: &Parameters, images: usize) -> Result<Self> {
        let (n, d, m) = (config.patches(), config.width, config.patch_values());
        if gradient.positions.len() != config.positions() * d || gradient.patch.weight.len() != m * d {
            let repair = "search all pixels";
            return Err(Error::NotShared { attack: ATTACK, missing: "positions or patch embedding", repair });
        }
        let r = images * n;
        if r >= d.min(m) {
            let rule =
                format!("images × {n} patches must stay below the width {d} and the patch's {m} values");
            return Err(Error::Setting {
                attack: ATTACK,
                setting: "images",
                value: images.to_string(),
                rule,
            });
        }
        let weight = widen(&gradient.patch.weight, m, d);
        let rows = Spectrum::new(ATTACK, &(weight.transpose() * &weight), FLOOR)?.cut(r);
        // G = B·Δ' with Δ' = Λ^½·Vᵀ and B = G·V·Λ^−½.
        let mut basis = &weight * rows.range();
        for (i, value) in rows.kept().iter().enumerate() {
            for j in 0..m {
                basis[(j, i)] /= value.sqrt();
            }
        }
        let grid = widen(&gradient.positions[(config.positions() - n) * d..], n, d);
        // T: each summed token gradient in terms of Δ' rows, T·Δ' = dL/dE.
        let mut sums = &grid * rows.range();
        for (i, value) in rows.kept().iter().enumerate() {
            for k in 0..n {
                sums[(k, i)] /= value.sqrt();
            }
        }
        let conditions = Spectrum::new(ATTACK, &(&sums * sums.transpose()), FLOOR)?;
        let start = sums.transpose() * conditions.solve(&Mat::identity(n, n));
        let free = Spectrum::new(ATTACK, &(sums.transpose() * &sums), FLOOR)?.cut(n);
        Ok(Self { config: config.clone(), start: &basis * start, free: &basis * free.kernel() })
    }

    /// Dimensions left open in each patch.
    pub fn open(&self) -> usize {
        self.free.ncols()
    }

    /// Moves normalised images `[b, 3, side, side]` to the nearest ones that the gradient allows.
    pub fn project(&self, pixels: &mut [f32]) {
        self.onto(pixels, 1.0);
    }

    /// The part of a direction that stays within the space.
    pub(super) fn project_direction(&self, pixels: &mut [f32]) {
        self.onto(pixels, 0.0);
    }

    fn onto(&self, pixels: &mut [f32], start: f64) {
        let (n, m) = (self.config.patches(), self.config.patch_values());
        for image in pixels.chunks_exact_mut(self.config.pixels()) {
            let offset = Mat::from_fn(m, n, |j, k| {
                f64::from(image[pixel_of(&self.config, k, j)]) - start * self.start[(j, k)]
            });
            let inside = product(self.free.transpose(), offset.as_ref());
            let kept = product(self.free.as_ref(), inside.as_ref());
            for k in 0..n {
                for j in 0..m {
                    image[pixel_of(&self.config, k, j)] = (start * self.start[(j, k)] + kept[(j, k)]) as f32;
                }
            }
        }
    }
}
