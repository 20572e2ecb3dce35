//! The whole model: patches → tokens → blocks → CLS token.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::backward::Recorded;
use super::config::Config;
use super::forward::Workspace;
use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::kernels::lanes::{add_scaled, add_to_rows, sum_rows};
use crate::kernels::matmul::{Destination, Matrix};
use crate::vit::card::Pooling;

/// Images that one thread takes through the blocks together. More share the packing of weights; fewer keep the
/// hidden activations in cache.
const IMAGES_TOGETHER: usize = 4;

/// A Vision Transformer. Inputs are normalised pixels `[b, 3, image, image]`; work is shared among the threads of
/// the current rayon pool by image.
#[derive(Clone, Debug)]
pub struct Vit {
    config: Config,
    parameters: Parameters,
}

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
    /// A model of the given parameters.
    ///
    /// # Errors
    /// [`Error::Config`] for an impossible configuration, [`Error::Shape`] when a tensor's length is not the
    /// configuration's.
    pub fn new(config: Config, parameters: Parameters) -> Result<Self> {
        config.check()?;
        let expected = Parameters::zeros(&config);
        let agrees = parameters.blocks.len() == config.depth
            && parameters.specs(&config).iter().zip(parameters.tensors()).all(|(s, t)| s.len() == t.len())
            && expected.head.outputs == parameters.head.outputs;
        if !agrees {
            return Err(Error::shape("building a model", "tensors of the configuration's shapes", "others"));
        }
        Ok(Self { config, parameters })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The parameters, to be trained. Tensors must keep their lengths.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// SHA-256 over the configuration and every tensor: equal digests give equal features whatever file or naming
    /// the weights came from.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"blindscope backbone 2\0");
        // The model's own head and the way positions were resampled do not touch a CLS token.
        let shape =
            Config { classes: 0, interpolation: super::Interpolation::Bicubic, ..self.config.clone() };
        hash.update(format!("{shape:?}").as_bytes());
        for (spec, values) in self.parameters.specs(&self.config).iter().zip(self.parameters.tensors()) {
            if !spec.name.starts_with("head.") {
                hash.update((values.len() as u64).to_le_bytes());
                for chunk in values.chunks(4096) {
                    let bytes: Vec<u8> = chunk.iter().flat_map(|v| v.to_le_bytes()).collect();
                    hash.update(&bytes);
                }
            }
        }
        hash.finalize().into()
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

    /// Features `[b, feature width]`: the tokens that [`Config::pooling`] names, after the final normalisation.
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

    /// The checkpoint's own head on CLS tokens: `[b, classes]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the model has no head or `class` is no whole number of tokens.
    pub fn logits(&self, class: &[f32]) -> Result<Vec<f32>> {
        let d = self.config.width;
        if self.config.classes == 0 || !class.len().is_multiple_of(d) {
            return Err(Error::shape("the model's own head", format!("a head and rows of {d}"), class.len()));
        }
        Ok(self.parameters.head.forward(class))
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

    /// The reverse of [`Vit::patches`].
    fn unpatch(&self, patches: &[f32], pixels: &mut [f32]) {
        self.for_each_patch_row(
            |image_at, patch_at, p| {
                pixels[image_at..image_at + p].copy_from_slice(&patches[patch_at..patch_at + p]);
            },
            patches.len(),
        );
    }

    /// Calls `f(offset in pixels, offset in patches, patch side)` for every row of every patch of `len` values.
    fn for_each_patch_row(&self, mut f: impl FnMut(usize, usize, usize), len: usize) {
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
    fn embed(&self, patches: &[f32]) -> Vec<f32> {
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
    fn class_rows(&self, x: &[f32]) -> Vec<f32> {
        let row = self.config.tokens() * self.config.width;
        x.chunks_exact(row).flat_map(|x| &x[..self.config.width]).copied().collect()
    }

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
}
