//! `config.json` of `transformers`: `vit`, `deit`, `dinov2`, `dinov2_with_registers`.

use super::fields::Fields;
use crate::error::Result;
use crate::vit::{Config, Interpolation, Mlp};

/// Fields for training, heads, bookkeeping, and backbones' intermediate outputs.
const PASSED: [&str; 40] = [
    "architectures",
    "attention_probs_dropout_prob",
    "apply_layernorm",
    "auto_map",
    "bos_token_id",
    "drop_path_rate",
    "dtype",
    "encoder_stride",
    "eos_token_id",
    "finetuning_task",
    "hidden_dropout_prob",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "layerscale_value",
    "license",
    "mask_ratio",
    "model_name",
    "norm_pix_loss",
    "num_labels",
    "out_features",
    "out_indices",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pooler_act",
    "pooler_output_size",
    "problem_type",
    "reshape_hidden_states",
    "return_dict",
    "semantic_loss_ignore_index",
    "stage_names",
    "tie_word_embeddings",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "use_cache",
    "use_mask_token",
];

/// The whole shape, and whether the library takes other image sizes (DINOv2 resamples its positions for each); absent
/// fields take that library's defaults.
pub(super) fn config(mut f: Fields) -> Result<(Config, bool)> {
    let kind: String = f.take("model_type")?.unwrap_or_default();
    let dino = match kind.as_str() {
        "vit" | "deit" => false,
        "dinov2" | "dinov2_with_registers" => true,
        other => {
            let rule = "only vit, deit, dinov2 and dinov2_with_registers are read";
            return Err(f.refuse("model_type", &other, rule));
        }
    };
    f.only("hidden_act", &["gelu"])?;
    if let Some(channels) = f.take::<usize>("num_channels")?.filter(|c| *c != 3) {
        return Err(f.refuse("num_channels", &channels, "tiles have three channels"));
    }
    let size = |value: Option<usize>, default| value.unwrap_or(default);
    let (image, patch) = (size(f.take("image_size")?, 224), size(f.take("patch_size")?, 16));
    let width = size(f.take("hidden_size")?, 768);
    let depth = size(f.take("num_hidden_layers")?, 12);
    let heads = size(f.take("num_attention_heads")?, 12);
    let intermediate: Option<usize> = f.take("intermediate_size")?;
    let ratio: Option<f64> = f.take("mlp_ratio")?;
    let gated = f.take::<bool>("use_swiglu_ffn")?.unwrap_or(false) && dino;
    let registers: Option<usize> = f.take("num_register_tokens")?;
    let qkv_bias = f.take::<bool>("qkv_bias")?.unwrap_or(true);
    let epsilon: Option<f32> = f.take("layer_norm_eps")?;
    f.pass(&PASSED);
    let scaled = (width as f64 * ratio.unwrap_or(4.0)) as usize;
    let full = if dino { scaled } else { intermediate.unwrap_or(4 * width) };
    if let Some(told) = intermediate.filter(|told| *told != full) {
        let rule = format!("mlp_ratio makes {full}, which is what DINOv2 goes by");
        return Err(f.refuse("intermediate_size", &told, rule));
    }
    f.finish()?;
    let config = Config {
        // DINOv2 rounds two thirds of the hidden width up to a multiple of eight.
        hidden: if gated { (full * 2 / 3).div_ceil(8) * 8 } else { full },
        mlp: if gated { Mlp::SwiGlu } else { Mlp::Gelu },
        registers: if kind == "dinov2_with_registers" { registers.unwrap_or(4) } else { 0 },
        qkv_bias,
        layer_scale: dino,
        norm_epsilon: epsilon.unwrap_or(if dino { 1e-6 } else { 1e-12 }),
        interpolation: Interpolation::Bicubic,
        ..Config::plain(image, patch, width, depth, heads)
    };
    config.check()?;
    Ok((config, dino))
}
