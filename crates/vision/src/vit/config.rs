//! What distinguishes one Vision Transformer from another.

use serde::{Deserialize, Serialize};

use super::position::Interpolation;
use crate::error::{Error, Result};
use crate::vit::card::Pooling;

/// The feed-forward half of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mlp {
    /// linear → GELU → linear.
    Gelu,
    /// linear to twice the hidden width → SiLU(first half) · second half → linear (DINOv2-giant, UNI2, Virchow).
    SwiGlu,
}

/// The shape of a Vision Transformer. Every width is a run-time value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Side of the square input in pixels; a multiple of `patch`.
    pub image: usize,
    /// Side of a square patch in pixels.
    pub patch: usize,
    /// Width `d` of every token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads `h`; divides `width`.
    pub heads: usize,
    /// Hidden width `f` of the feed-forward half (after the gate for [`Mlp::SwiGlu`]).
    pub hidden: usize,
    /// The feed-forward half's kind.
    pub mlp: Mlp,
    /// Register tokens between the CLS token and the patches (arXiv 2309.16588).
    pub registers: usize,
    /// Tokens before the patches that have positions of their own: none (timm's `no_embed_class`), the CLS token alone, or
    /// the registers as well (Virchow2).
    #[serde(alias = "class_position", deserialize_with = "prefix_positions")]
    pub prefix_positions: usize,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// Whether each residual branch is scaled by a learned vector (`LayerScale`, arXiv 2103.17239).
    pub layer_scale: bool,
    /// ε of every layer normalisation.
    pub norm_epsilon: f32,
    /// Classes of the model's own head; zero when it has none.
    pub classes: usize,
    /// How learned positions are resampled when a checkpoint was made for another image size.
    pub interpolation: Interpolation,
    /// Which tokens make a feature.
    #[serde(default)]
    pub pooling: Pooling,
}

/// A number, or the truth value that stood for it in older files.
fn prefix_positions<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(usize),
        Class(bool),
    }
    Ok(match Either::deserialize(from)? {
        Either::Number(number) => number,
        Either::Class(class) => usize::from(class),
    })
}

impl Config {
    /// A plain pre-norm ViT: hidden width 4·`width`, biases, no registers, no head.
    pub fn plain(image: usize, patch: usize, width: usize, depth: usize, heads: usize) -> Self {
        Self {
            image,
            patch,
            width,
            depth,
            heads,
            hidden: 4 * width,
            mlp: Mlp::Gelu,
            registers: 0,
            prefix_positions: 1,
            qkv_bias: true,
            layer_scale: false,
            norm_epsilon: 1e-6,
            classes: 0,
            interpolation: Interpolation::BicubicAntialiased,
            pooling: Pooling::Cls,
        }
    }

    /// `DeiT`-Tiny/16 at 224.
    pub fn deit_tiny() -> Self {
        Self::plain(224, 16, 192, 12, 3)
    }

    /// ViT-B/16 at 224 (Phikon's shape).
    pub fn vit_base() -> Self {
        Self::plain(224, 16, 768, 12, 12)
    }

    /// The transformer of arXiv 2511.20983: 200×200 images, patch 25, so 64 patches, width 768.
    pub fn paper() -> Self {
        Self::plain(200, 25, 768, 12, 12)
    }

    /// The text that a backbone's digest is of. It names every field that a token depends on, as the first release wrote it: a field that
    /// is renamed here must keep its name there. The model's own head and the way positions were resampled touch no token.
    pub(super) fn identity(&self) -> String {
        let mlp = match self.mlp {
            Mlp::Gelu => "Gelu",
            Mlp::SwiGlu => "SwiGlu",
        };
        let pooling = match self.pooling {
            Pooling::Cls => "Cls",
            Pooling::Mean => "Mean",
            Pooling::ClsMean => "ClsMean",
        };
        let Self { image, patch, width, depth, heads, hidden, registers, .. } = self;
        let Self { prefix_positions, qkv_bias, layer_scale, norm_epsilon, .. } = self;
        format!(
            "Config {{ image: {image}, patch: {patch}, width: {width}, depth: {depth}, heads: {heads}, hidden: {hidden}, mlp: {mlp}, \
             registers: {registers}, prefix_positions: {prefix_positions}, qkv_bias: {qkv_bias}, layer_scale: {layer_scale}, \
             norm_epsilon: {norm_epsilon:?}, classes: 0, interpolation: Bicubic, pooling: {pooling} }}"
        )
    }

    /// Patches `n` of an image.
    pub fn patches(&self) -> usize {
        let side = self.image / self.patch;
        side * side
    }

    /// Tokens `t`: class, registers, patches.
    pub fn tokens(&self) -> usize {
        self.prefix() + self.patches()
    }

    /// Tokens before the first patch.
    pub fn prefix(&self) -> usize {
        1 + self.registers
    }

    /// Positions that are learned: the patches', and those of the tokens before them that have some.
    pub fn positions(&self) -> usize {
        self.patches() + self.prefix_positions
    }

    /// Width of a feature.
    pub fn feature_width(&self) -> usize {
        self.pooling.width(self.width)
    }

    /// Head width `e`.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Values of one input image: `3·image²`.
    pub fn pixels(&self) -> usize {
        3 * self.image * self.image
    }

    /// Values of one patch: `3·patch²`.
    pub fn patch_values(&self) -> usize {
        3 * self.patch * self.patch
    }

    /// Output width of the feed-forward half's first layer.
    pub fn expanded(&self) -> usize {
        match self.mlp {
            Mlp::Gelu => self.hidden,
            Mlp::SwiGlu => 2 * self.hidden,
        }
    }

    /// Refuses a configuration that describes no transformer, or one beyond any published size.
    ///
    /// # Errors
    /// [`Error::Config`] names the first setting that is wrong.
    pub fn check(&self) -> Result<()> {
        let bounded: [(&'static str, usize, usize, usize); 8] = [
            ("image", self.image, 1, 4096),
            ("patch", self.patch, 1, 256),
            ("width", self.width, 1, 16_384),
            ("depth", self.depth, 1, 256),
            ("heads", self.heads, 1, 256),
            ("hidden", self.hidden, 1, 131_072),
            ("registers", self.registers, 0, 64),
            ("classes", self.classes, 0, 1_000_000),
        ];
        for (field, value, low, high) in bounded {
            if !(low..=high).contains(&value) {
                return Err(refuse(field, value, format!("it must lie in {low}..={high}")));
            }
        }
        if !self.image.is_multiple_of(self.patch) {
            let rule = format!("it must be a multiple of patch = {}", self.patch);
            return Err(refuse("image", self.image, rule));
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(refuse(
                "width",
                self.width,
                format!("it must be a multiple of heads = {}", self.heads),
            ));
        }
        if ![0, 1, self.prefix()].contains(&self.prefix_positions) {
            let rule = format!("it is 0, 1 or 1 + registers = {}", self.prefix());
            return Err(refuse("prefix_positions", self.prefix_positions, rule));
        }
        if !(self.norm_epsilon > 0.0 && self.norm_epsilon < 1.0) {
            return Err(refuse("norm_epsilon", self.norm_epsilon, "it must lie in (0, 1)".into()));
        }
        if self.patches() > 65_536 {
            let rule = format!("{} patches are more than 65536; use a larger patch", self.patches());
            return Err(refuse("image", self.image, rule));
        }
        Ok(())
    }
}

fn refuse(field: &'static str, value: impl ToString, rule: String) -> Error {
    Error::Config { field, value: value.to_string(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_transformer_has_sixty_four_patches() {
        let config = Config::paper();
        config.check().unwrap();
        assert_eq!((config.patches(), config.tokens(), config.width), (64, 65, 768));
    }

    /// Digests of backbones are of this text: feature files of every release name them.
    #[test]
    fn the_text_of_a_digest_stays_what_it_was() {
        let paper = "Config { image: 200, patch: 25, width: 768, depth: 12, heads: 12, hidden: 3072, mlp: Gelu, registers: 0, \
                     prefix_positions: 1, qkv_bias: true, layer_scale: false, norm_epsilon: 1e-6, classes: 0, interpolation: Bicubic, \
                     pooling: Cls }";
        assert_eq!(Config::paper().identity(), paper);
        let interpolation = Interpolation::Bicubic;
        for (mlp, pooling) in [(Mlp::Gelu, Pooling::Mean), (Mlp::SwiGlu, Pooling::ClsMean)] {
            let config = Config {
                mlp,
                pooling,
                registers: 4,
                norm_epsilon: 1e-5,
                interpolation,
                ..Config::vit_base()
            };
            // The first release hashed what the compiler derives.
            assert_eq!(config.identity(), format!("{config:?}"));
        }
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_repair() {
        let config = Config { heads: 5, ..Config::vit_base() };
        let message = config.check().unwrap_err().to_string();
        assert_eq!(message, "model configuration: width = 768, but it must be a multiple of heads = 5");
    }
}
