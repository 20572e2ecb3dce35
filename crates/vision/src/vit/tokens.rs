//! From pixels to tokens: patches → embedding → blocks → final normalisation, over many images at once.
//!
//! Beside [`super::forward`], which is one block. A pass that keeps what a backward pass needs is in [`super::recording`].

use rayon::prelude::*;

use super::forward::Workspace;
use super::model::Vit;
use crate::error::{Error, Result};
use crate::kernels::lanes::{add_scaled, add_to_rows};
use crate::kernels::matmul::{Destination, Matrix};
use crate::vit::card::Pooling;

/// Images that one thread takes through the blocks together. More share the packing of weights; fewer keep the
/// hidden activations in cache.
const IMAGES_TOGETHER: usize = 4;

impl Vit {
    /// CLS tokens `[b, d]` after the final normalisation: the feature that the rest of the system works on.
    ///
    /// The last block is evaluated for the CLS token alone.
    ///
    /// # Errors
    /// [`Error::Shape`] when `pixels` is no whole number of images.
    pub fn cls_tokens(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        let images = self.images(pixels)?;
        let (d, each) = (self.config.width, self.config.pixels());
        let together = Self::together(images);
        let mut out = vec![0.0; images * d];
        out.par_chunks_mut(together * d).zip(pixels.par_chunks(together * each)).for_each(|(out, pixels)| {
            let count = out.len() / d;
            let mut x = self.embed(&self.patches(pixels));
            let mut space = Workspace::new(&self.config, count);
            let class = match self.parameters.blocks.split_last() {
                Some((last, before)) => {
                    for block in before {
                        block.forward(&self.config, &mut x, &mut space);
                    }
                    last.forward_class(&self.config, &x, &mut space)
                }
                None => self.class_rows(&x),
            };
            self.parameters.norm.apply(out, &class, self.config.norm_epsilon);
        });
        Ok(out)
    }

    /// Features `[b, feature width]`: the tokens that [`Config::pooling`](super::Config::pooling) names, after the final normalisation.
    ///
    /// # Errors
    /// As [`Vit::cls_tokens`].
    pub fn features(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        if self.config.pooling == Pooling::Cls {
            return self.cls_tokens(pixels);
        }
        let (d, first, patches) = (self.config.width, self.config.prefix(), self.config.patches());
        let mut out = Vec::new();
        for tokens in self.tokens(pixels)?.chunks_exact(self.config.tokens() * d) {
            if self.config.pooling == Pooling::ClsMean {
                out.extend(&tokens[..d]);
            }
            let mut mean = vec![0.0f64; d];
            for token in tokens[first * d..].chunks_exact(d) {
                mean.iter_mut().zip(token).for_each(|(m, v)| *m += f64::from(*v));
            }
            out.extend(mean.iter().map(|m| (m / patches as f64) as f32));
        }
        Ok(out)
    }

    /// All tokens `[b, t, d]` after the final normalisation: class, registers, patches in rows.
    ///
    /// # Errors
    /// As [`Vit::cls_tokens`].
    pub fn tokens(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        let images = self.images(pixels)?;
        let (row, each) = (self.config.tokens() * self.config.width, self.config.pixels());
        let together = Self::together(images);
        let mut out = vec![0.0; images * row];
        out.par_chunks_mut(together * row).zip(pixels.par_chunks(together * each)).for_each(
            |(out, pixels)| {
                let mut x = self.embed(&self.patches(pixels));
                let mut space = Workspace::new(&self.config, x.len() / row);
                for block in &self.parameters.blocks {
                    block.forward(&self.config, &mut x, &mut space);
                }
                self.parameters.norm.apply(out, &x, self.config.norm_epsilon);
            },
        );
        Ok(out)
    }

    pub(super) fn images(&self, pixels: &[f32]) -> Result<usize> {
        let each = self.config.pixels();
        if pixels.is_empty() || !pixels.len().is_multiple_of(each) {
            let side = self.config.image;
            return Err(Error::shape(
                "forward pass",
                format!("a multiple of 3×{side}×{side} values"),
                pixels.len(),
            ));
        }
        Ok(pixels.len() / each)
    }

    /// Images per thread's chunk.
    fn together(images: usize) -> usize {
        images.div_ceil(rayon::current_num_threads()).clamp(1, IMAGES_TOGETHER)
    }

    /// Cuts images into patches: `[b, 3, H, W]` → `[b·n, 3·p²]`, values ordered channel, row, column.
    pub(super) fn patches(&self, pixels: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; pixels.len()];
        self.for_each_patch_row(
            |image_at, patch_at, p| {
                out[patch_at..patch_at + p].copy_from_slice(&pixels[image_at..image_at + p]);
            },
            pixels.len(),
        );
        out
    }

    /// Calls `f(offset in pixels, offset in patches, patch side)` for every row of every patch of `len` values.
    pub(super) fn for_each_patch_row(&self, mut f: impl FnMut(usize, usize, usize), len: usize) {
        let (side, p) = (self.config.image, self.config.patch);
        let grid = side / p;
        let mut patch_at = 0;
        for image in 0..len / self.config.pixels() {
            for cell in 0..grid * grid {
                let (gy, gx) = (cell / grid, cell % grid);
                for channel in 0..3 {
                    for y in 0..p {
                        let row = (image * 3 + channel) * side + gy * p + y;
                        f(row * side + gx * p, patch_at, p);
                        patch_at += p;
                    }
                }
            }
        }
    }

    /// `[b·n, 3·p²]` → `[b, t, d]`: linear patch embedding, class and register tokens, positions.
    pub(super) fn embed(&self, patches: &[f32]) -> Vec<f32> {
        let (n, t, d) = (self.config.patches(), self.config.tokens(), self.config.width);
        let p = &self.parameters;
        let values = self.config.patch_values();
        let mut x = vec![0.0; patches.len() / (n * values) * t * d];
        for (x, patches) in x.chunks_exact_mut(t * d).zip(patches.chunks_exact(n * values)) {
            let (prefix, grid) = x.split_at_mut(self.config.prefix() * d);
            prefix[..d].copy_from_slice(&p.class);
            prefix[d..].copy_from_slice(&p.registers);
            p.patch.product(grid, Matrix::new(patches, n, values), n, Destination::Replace);
            add_to_rows(grid, &p.patch.bias);
            let (before, rest) = p.positions.split_at(self.config.prefix_positions * d);
            if !before.is_empty() {
                add_scaled(&mut prefix[..before.len()], before, 1.0);
            }
            add_scaled(grid, rest, 1.0);
        }
        x
    }

    /// The class rows `[b, d]` of `x: [b, t, d]`.
    pub(super) fn class_rows(&self, x: &[f32]) -> Vec<f32> {
        let row = self.config.tokens() * self.config.width;
        x.chunks_exact(row).flat_map(|x| &x[..self.config.width]).copied().collect()
    }
}
