//! `config.json` as Hugging Face's libraries write it.

use std::path::Path;

use serde::Deserialize;

use super::config::{Config, Mlp};
use super::position::Interpolation;
use crate::error::{Error, Result};

const FORMAT: &str = "config.json";
/// Longest file that is read: real ones have a few kilobytes.
const MOST: u64 = 4 << 20;

/// What a `config.json` tells.
pub(super) enum ModelCard {
    /// `transformers`: the whole shape.
    HuggingFace(Config),
    /// timm: an architecture's name and overrides. The shape is read from the tensors; heads are what they do not tell.
    Timm {
        /// Attention heads, where the file tells.
        heads: Option<usize>,
    },
}

impl ModelCard {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(Error::io("reading", path))?.len();
        if length > MOST {
            return Err(Error::format(FORMAT, path, format!("{length} bytes are too many for one")));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
        let bad = |e: serde_json::Error| Error::format(FORMAT, path, e);
        let kind: Kind = serde_json::from_str(&text).map_err(bad)?;
        match (kind.model_type, kind.architecture) {
            (Some(_), _) => {
                let raw: HuggingFaceConfig = serde_json::from_str(&text).map_err(bad)?;
                let config = raw.resolve().map_err(|reason| Error::format(FORMAT, path, reason))?;
                config.check()?;
                Ok(Self::HuggingFace(config))
            }
            (None, Some(architecture)) => {
                let told = kind.model_args.and_then(|args| args.num_heads);
                Ok(Self::Timm { heads: told.or_else(|| heads_of(&architecture)) })
            }
            (None, None) => {
                let reason = "it has neither `model_type` (transformers) nor `architecture` (timm)";
                Err(Error::format(FORMAT, path, reason))
            }
        }
    }
}

/// Heads of timm's architectures whose heads are not 64 wide, and of the widest that are.
fn heads_of(architecture: &str) -> Option<usize> {
    let is = |part: &str| architecture.starts_with(part);
    if is("vit_giant") && architecture.contains("dinov2") {
        return Some(24);
    }
    (is("vit_huge") || is("vit_giant") || is("vit_gigantic")).then_some(16)
}

#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
    architecture: Option<String>,
    model_args: Option<TimmArguments>,
}

#[derive(Deserialize)]
struct TimmArguments {
    num_heads: Option<usize>,
}

impl Config {
    /// Reads a `config.json` of `transformers` (`vit`, `deit`, `dinov2`, `dinov2_with_registers`).
    ///
    /// # Errors
    /// [`Error::Format`] for JSON that is none of these, [`Error::Config`] for values that [`Config::check`] refuses.
    pub fn from_hugging_face(path: &Path) -> Result<Self> {
        match ModelCard::read(path)? {
            ModelCard::HuggingFace(config) => Ok(config),
            ModelCard::Timm { .. } => {
                Err(Error::format(FORMAT, path, "it is timm's, which does not tell the whole shape"))
            }
        }
    }
}

/// The fields of a Hugging Face `config.json` that decide a shape; absent ones take that library's defaults.
#[derive(Deserialize)]
struct HuggingFaceConfig {
    model_type: String,
    #[serde(default = "default_image")]
    image_size: usize,
    #[serde(default = "default_patch")]
    patch_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: Option<usize>,
    mlp_ratio: Option<f64>,
    #[serde(default)]
    num_register_tokens: Option<usize>,
    #[serde(default = "default_true")]
    qkv_bias: bool,
    #[serde(default)]
    use_swiglu_ffn: bool,
    layer_norm_eps: Option<f32>,
    #[serde(default = "default_act")]
    hidden_act: String,
    #[serde(default = "default_channels")]
    num_channels: usize,
}

fn default_image() -> usize {
    224
}
fn default_patch() -> usize {
    16
}
fn default_true() -> bool {
    true
}
fn default_act() -> String {
    "gelu".into()
}
fn default_channels() -> usize {
    3
}

impl HuggingFaceConfig {
    fn resolve(self) -> std::result::Result<Config, String> {
        let dino = match self.model_type.as_str() {
            "vit" | "deit" => false,
            "dinov2" | "dinov2_with_registers" => true,
            other => {
                return Err(format!(
                    "model_type `{other}` is none of vit, deit, dinov2, dinov2_with_registers"
                ));
            }
        };
        if self.hidden_act != "gelu" {
            return Err(format!("hidden_act `{}` is not the exact `gelu`", self.hidden_act));
        }
        if self.num_channels != 3 {
            return Err(format!("num_channels = {}, but tiles are RGB (3)", self.num_channels));
        }
        let registers = match self.model_type.as_str() {
            "dinov2_with_registers" => self.num_register_tokens.unwrap_or(4),
            _ => 0,
        };
        let full = match (self.intermediate_size, self.mlp_ratio) {
            (Some(size), _) if !dino => size,
            (_, ratio) => (self.hidden_size as f64 * ratio.unwrap_or(4.0)) as usize,
        };
        let swiglu = dino && self.use_swiglu_ffn;
        Ok(Config {
            // DINOv2 rounds two thirds of the hidden width up to a multiple of eight.
            hidden: if swiglu { (full * 2 / 3).div_ceil(8) * 8 } else { full },
            mlp: if swiglu { Mlp::SwiGlu } else { Mlp::Gelu },
            registers,
            qkv_bias: self.qkv_bias,
            layer_scale: dino,
            norm_epsilon: self.layer_norm_eps.unwrap_or(if dino { 1e-6 } else { 1e-12 }),
            interpolation: Interpolation::Bicubic,
            ..Config::plain(
                self.image_size,
                self.patch_size,
                self.hidden_size,
                self.num_hidden_layers,
                self.num_attention_heads,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugging_face_defaults_are_filled_in() {
        let json = r#"{"model_type":"dinov2_with_registers","hidden_size":1536,"num_hidden_layers":40,
            "num_attention_heads":24,"patch_size":14,"image_size":518,"use_swiglu_ffn":true,"mlp_ratio":4}"#;
        let config = serde_json::from_str::<HuggingFaceConfig>(json).unwrap().resolve().unwrap();
        assert_eq!((config.registers, config.hidden, config.mlp), (4, 4096, Mlp::SwiGlu));
        assert_eq!(config.expanded(), 8192);
        assert!(config.layer_scale);
    }

    #[test]
    fn heads_that_shapes_do_not_tell_come_from_the_name() {
        assert_eq!(heads_of("vit_huge_patch14_224"), Some(16));
        assert_eq!(heads_of("vit_giant_patch14_reg4_dinov2"), Some(24));
        assert_eq!(heads_of("vit_large_patch16_224"), None);
    }
}
