//! The whole model with its derivative: a forward pass that keeps what the backward pass needs, and that pass, from CLS tokens back to
//! pixels. Of one block it is in [`super::backward`].

use rayon::prelude::*;

use super::backward::Recorded;
use super::forward::Workspace;
use super::model::Vit;
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::kernels::lanes::sum_rows;

/// A forward pass with what its backward pass needs, from [`Vit::record`].
#[derive(Debug)]
pub struct Recording {
    chunks: Vec<Chunk>,
    class: Vec<f32>,
    first_block: usize,
}

/// The recorded images of one thread.
#[derive(Debug)]
struct Chunk {
    patches: Vec<f32>,
    blocks: Vec<Recorded>,
    /// Tokens after the last block, before the final normalisation: the class rows only, `[b, d]`.
    last: Vec<f32>,
}

impl Recording {
    /// The CLS tokens `[b, d]`, as [`Vit::cls_tokens`] gives them.
    pub fn cls_tokens(&self) -> &[f32] {
        &self.class
    }
}

impl Vit {
    /// A forward pass that keeps what [`Vit::backward`] needs from block `first_block` on; with `first_block` 0 also
    /// the patches. Memory grows with the blocks kept: about 12 MB an image and block at ViT-B.
    ///
    /// # Errors
    /// As [`Vit::cls_tokens`]; [`Error::Shape`] when `first_block` exceeds the depth.
    pub fn record(&self, pixels: &[f32], first_block: usize) -> Result<Recording> {
        let images = self.images(pixels)?;
        if first_block > self.config.depth {
            return Err(Error::shape(
                "recording",
                format!("a block of 0..={}", self.config.depth),
                first_block,
            ));
        }
        let together = images.div_ceil(rayon::current_num_threads());
        let record = |pixels: &[f32]| {
            let patches = self.patches(pixels);
            let mut x = self.embed(&patches);
            let mut space = Workspace::new(&self.config, pixels.len() / self.config.pixels());
            let (below, above) = self.parameters.blocks.split_at(first_block);
            for block in below {
                block.forward(&self.config, &mut x, &mut space);
            }
            drop(space);
            let blocks = above.iter().map(|block| block.record(&self.config, &mut x)).collect();
            let patches = if first_block == 0 { patches } else { Vec::new() };
            Chunk { patches, blocks, last: self.class_rows(&x) }
        };
        let chunks: Vec<Chunk> = pixels.par_chunks(together * self.config.pixels()).map(record).collect();
        let last: Vec<f32> = chunks.iter().flat_map(|c| &c.last).copied().collect();
        let mut class = vec![0.0; last.len()];
        self.parameters.norm.apply(&mut class, &last, self.config.norm_epsilon);
        Ok(Recording { chunks, class, first_block })
    }

    /// Adds the gradient of every parameter that `gradient` holds, given dL/d(CLS tokens) `[b, d]`, and returns
    /// dL/d(pixels) `[b, 3, image, image]` when the recording began at block 0 (empty otherwise).
    ///
    /// # Errors
    /// [`Error::Shape`] when `d_class` is not one row per recorded image, or `gradient` lacks the model's structure.
    pub fn backward(
        &self,
        recording: &Recording,
        d_class: &[f32],
        gradient: &mut Parameters,
    ) -> Result<Vec<f32>> {
        if d_class.len() != recording.class.len() || gradient.blocks.len() != self.config.depth {
            let expected = format!("{} values and {} blocks", recording.class.len(), self.config.depth);
            let got = format!("{} and {}", d_class.len(), gradient.blocks.len());
            return Err(Error::shape("backward pass", expected, got));
        }
        let d = self.config.width;
        let empty = gradient.zeroed();
        let mut starts = Vec::new();
        let mut at = 0;
        for chunk in &recording.chunks {
            starts.push(at);
            at += chunk.last.len() / d;
        }
        let parts: Vec<(Parameters, Vec<f32>)> = recording
            .chunks
            .par_iter()
            .zip(starts)
            .map(|(chunk, start)| {
                let rows = start * d..start * d + chunk.last.len();
                let mut part = empty.clone();
                let d_pixels = self.backward_chunk(chunk, recording.first_block, &d_class[rows], &mut part);
                (part, d_pixels)
            })
            .collect();
        let mut d_pixels = Vec::new();
        for (part, pixels) in parts {
            gradient.add_assign(&part);
            d_pixels.extend(pixels);
        }
        Ok(d_pixels)
    }

    fn backward_chunk(
        &self,
        chunk: &Chunk,
        first_block: usize,
        d_class: &[f32],
        gradient: &mut Parameters,
    ) -> Vec<f32> {
        let (t, d) = (self.config.tokens(), self.config.width);
        let mut d_last = vec![0.0; chunk.last.len()];
        let epsilon = self.config.norm_epsilon;
        self.parameters.norm.backward(&mut d_last, d_class, &chunk.last, epsilon, &mut gradient.norm);
        let mut d_x = vec![0.0; d_last.len() * t];
        for (d_x, d_last) in d_x.chunks_exact_mut(t * d).zip(d_last.chunks_exact(d)) {
            d_x[..d].copy_from_slice(d_last);
        }
        let blocks = self.parameters.blocks[first_block..].iter().zip(&mut gradient.blocks[first_block..]);
        for ((block, gradient), recorded) in blocks.zip(&chunk.blocks).rev() {
            block.backward(&self.config, recorded, &mut d_x, gradient);
        }
        if first_block == 0 { self.embed_backward(chunk, &d_x, gradient) } else { Vec::new() }
    }

    fn embed_backward(&self, chunk: &Chunk, d_x: &[f32], gradient: &mut Parameters) -> Vec<f32> {
        let (n, t, d) = (self.config.patches(), self.config.tokens(), self.config.width);
        let prefix = self.config.prefix() * d;
        let values = self.config.patch_values();
        let mut d_patches = vec![0.0; chunk.patches.len()];
        let images = d_x.chunks_exact(t * d).zip(chunk.patches.chunks_exact(n * values));
        for ((d_x, patches), d_patches) in images.zip(d_patches.chunks_exact_mut(n * values)) {
            let (d_prefix, d_grid) = d_x.split_at(prefix);
            sum_rows(&mut gradient.class, &d_prefix[..d]);
            sum_rows(&mut gradient.registers, &d_prefix[d..]);
            let before = if gradient.positions.is_empty() { 0 } else { self.config.prefix_positions * d };
            let (d_before, d_positions) = gradient.positions.split_at_mut(before);
            if before > 0 {
                sum_rows(d_before, &d_prefix[..before]);
            }
            sum_rows(d_positions, d_grid);
            self.parameters.patch.backward(patches, d_grid, Some(d_patches), &mut gradient.patch);
        }
        let mut d_pixels = vec![0.0; d_patches.len()];
        self.unpatch(&d_patches, &mut d_pixels);
        d_pixels
    }

    /// The reverse of [`Vit::patches`].
    fn unpatch(&self, patches: &[f32], pixels: &mut [f32]) {
        self.for_each_patch_row(
            |image_at, patch_at, p| {
                pixels[image_at..image_at + p].copy_from_slice(&patches[patch_at..patch_at + p]);
            },
            patches.len(),
        );
    }
}
