//! What linear algebra tells of a batch before any search.
//!
//! dL/dW = Σ p·δᵀ over all b·n patches of the batch, so each patch lies in the gradient's column space: p = B·c, while
//! b·n ≤ d. Where positions are learned, dL/de_k = Σ_i δ_(k,i) is shared too. In the basis B the token gradients have the
//! coordinates Δ' = Bᵀ-part of dL/dW, and the sums fix rows T with T·c = [position of c] — n linear conditions on
//! each patch. What is left to search for is b·n − n dimensions a patch instead of 3·p².

use faer::{Mat, MatRef};

use crate::closed::pixel_of;
use crate::error::{Error, Result};
use crate::linear::{product, widen};
use blindscope_vision::vit::{Config, Parameters};

const ATTACK: &str = "subspace of a batch";

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
        if r == 0 || r >= d.min(m) {
            let rule =
                format!("images × {n} patches must stay below the width {d} and the patch's {m} values");
            return Err(Error::Setting {
                attack: ATTACK,
                setting: "images",
                value: images.to_string(),
                rule,
            });
        }
        if gradient.positions.iter().chain(&gradient.patch.weight).any(|v| !v.is_finite()) {
            return Err(Error::NotFinite { operation: ATTACK, what: "the gradient" });
        }
        let grid = widen(&gradient.positions[(config.positions() - n) * d..], n, d);
        Self::of(config, &widen(&gradient.patch.weight, m, d), &grid, images)
    }

    /// As [`Subspace::new`], from dL/dW `[3·p², d]` and dL/dE `[n, d]`.
    pub(crate) fn of(config: &Config, weight: &Mat<f64>, grid: &Mat<f64>, images: usize) -> Result<Self> {
        let (n, r) = (config.patches(), images * config.patches());
        let size = weight.ncols();
        let failed = |_| Error::NotConverged { operation: ATTACK, size };
        let svd = weight.thin_svd().map_err(failed)?;
        // G = B·Δ' with orthonormal B = U and Δ' = S·Vᵀ.
        let basis = svd.U().subcols(0, r);
        // T: each summed token gradient in terms of Δ' rows, T·Δ' = dL/dE.
        let mut sums = grid * svd.V().subcols(0, r);
        for i in 0..r {
            let value = svd.S().column_vector()[i].max(f64::MIN_POSITIVE);
            for k in 0..n {
                sums[(k, i)] /= value;
            }
        }
        let conditions = sums.svd().map_err(failed)?;
        let (u, v) = (conditions.U(), conditions.V());
        let inverse =
            Mat::from_fn(n, n, |i, k| u[(k, i)] / conditions.S().column_vector()[i].max(f64::MIN_POSITIVE));
        let start = v.subcols(0, n) * inverse;
        Ok(Self { config: config.clone(), start: basis * start, free: basis * v.subcols(n, r - n) })
    }

    /// Patches at coordinates zero, `[3·p², n]`.
    pub(crate) fn start(&self) -> MatRef<'_, f64> {
        self.start.as_ref()
    }

    /// The ways in which each patch may move, orthonormal columns `[3·p², q]`.
    pub(crate) fn free(&self) -> MatRef<'_, f64> {
        self.free.as_ref()
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
