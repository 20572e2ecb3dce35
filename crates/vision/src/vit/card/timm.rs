//! timm's `config.json`: an architecture's name, what overrides it (`model_args`), and how its input is made
//! (`pretrained_cfg`).

use super::Pooling;
use super::architecture;
use super::fields::Fields;
use super::processor::statistic;
use crate::data::{Centre, Filter, Preprocess, Resize};
use crate::error::Result;

/// What the file tells of the shape. The tensors tell the rest, and have to agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) architecture: String,
    pub(crate) image: Option<usize>,
    /// Whether the model takes other sizes than its own.
    pub(crate) resizable: bool,
    pub(crate) patch: Option<usize>,
    pub(crate) width: Option<usize>,
    pub(crate) depth: Option<usize>,
    pub(crate) heads: Option<usize>,
    pub(crate) mlp_ratio: Option<f64>,
    pub(crate) registers: Option<usize>,
    /// `no_embed_class`: neither the CLS token nor registers have positions.
    pub(crate) no_prefix_positions: Option<bool>,
    /// What layer scale began with, which says that there is one.
    pub(crate) init_values: Option<f64>,
    pub(crate) qkv_bias: Option<bool>,
    pub(crate) activation: Option<Activation>,
    /// Whether the feed-forward half is named as gated.
    pub(crate) gated: Option<bool>,
}

/// The non-linear function that a file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Gelu,
    Silu,
}

/// The whole file.
pub(super) struct Timm {
    pub(super) told: Told,
    pub(super) preprocess: Option<Preprocess>,
    pub(super) pooling: Option<Pooling>,
}

pub(super) fn read(mut f: Fields) -> Result<Timm> {
    let architecture: String = f.take("architecture")?.unwrap_or_default();
    let mut pooling = pooling(&mut f)?;
    let mut told = Told { architecture, ..Told::default() };
    if let Some(args) = f.object("model_args")? {
        pooling = model_args(args, &mut told)?.or(pooling);
    }
    let preprocess = f.object("pretrained_cfg")?.map(|cfg| pretrained_cfg(cfg, &mut told)).transpose()?;
    // Of the file's own: heads and notes.
    f.pass(&[
        "num_classes",
        "num_features",
        "label_names",
        "label_descriptions",
        "license",
        "tags",
        "library_name",
    ]);
    architecture::check(&told.architecture)
        .map_err(|rule| f.refuse("architecture", &told.architecture, rule))?;
    f.finish()?;
    Ok(Timm { told, preprocess, pooling })
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn pooling(f: &mut Fields) -> Result<Option<Pooling>> {
    let Some(name) = f.take::<String>("global_pool")? else { return Ok(None) };
    match name.as_str() {
        // Without pooling timm hands out all tokens; the first is the CLS token.
        "token" | "" => Ok(Some(Pooling::Cls)),
        "avg" => Ok(Some(Pooling::Mean)),
        other => Err(f.refuse("global_pool", &other, "only token and avg are carried out")),
    }
}

fn model_args(mut f: Fields, told: &mut Told) -> Result<Option<Pooling>> {
    let side = |f: &mut Fields, name: &str| -> Result<Option<usize>> {
        let Some(value) = f.take::<serde_json::Value>(name)? else { return Ok(None) };
        let number = |v: &serde_json::Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        let square = value.as_array().filter(|a| a.len() == 2 && a[0] == a[1]).and_then(|a| number(&a[0]));
        let side = number(&value).or(square);
        side.map(Some).ok_or_else(|| f.refuse(name, &value, "the model takes squares"))
    };
    told.image = side(&mut f, "img_size")?;
    told.patch = side(&mut f, "patch_size")?;
    told.width = f.take("embed_dim")?;
    told.depth = f.take("depth")?;
    told.heads = f.take("num_heads")?;
    told.mlp_ratio = f.take("mlp_ratio")?;
    told.registers = f.take("reg_tokens")?;
    told.no_prefix_positions = f.take("no_embed_class")?;
    told.init_values = f.take("init_values")?;
    told.qkv_bias = f.take("qkv_bias")?;
    told.resizable = f.take::<bool>("dynamic_img_size")?.unwrap_or(false);
    let pooling = pooling(&mut f)?;
    if f.take::<bool>("class_token")? == Some(false) {
        return Err(f.refuse("class_token", &false, "a model without a CLS token is not read"));
    }
    if f.take::<bool>("final_norm")? == Some(false) {
        return Err(f.refuse("final_norm", &false, "features are taken after the final normalisation"));
    }
    if let Some(channels) = f.take::<usize>("in_chans")?.filter(|c| *c != 3) {
        return Err(f.refuse("in_chans", &channels, "tiles have three channels"));
    }
    told.activation = match f.take::<String>("act_layer")?.as_deref() {
        None => None,
        Some("gelu") => Some(Activation::Gelu),
        Some("silu" | "swish") => Some(Activation::Silu),
        Some(other) => {
            return Err(f.refuse("act_layer", &quoted(other), "only gelu and silu are carried out"));
        }
    };
    told.gated = match f.take::<String>("mlp_layer")?.as_deref() {
        None => None,
        Some("mlp" | "Mlp") => Some(false),
        Some("swiglupacked" | "SwiGLUPacked") => Some(true),
        Some(other) => {
            return Err(f.refuse("mlp_layer", &quoted(other), "only mlp and swiglupacked are carried out"));
        }
    };
    f.only("norm_layer", &["layernorm", "LayerNorm"])?;
    f.only("pos_embed", &["learn"])?;
    for switch in ["pre_norm", "fc_norm", "qk_norm", "scale_attn_norm", "scale_mlp_norm", "dynamic_img_pad"] {
        f.off(switch)?;
    }
    f.off("features_only")?;
    // Training, heads, initialisation.
    f.pass(&[
        "num_classes",
        "drop_rate",
        "pos_drop_rate",
        "patch_drop_rate",
        "proj_drop_rate",
        "attn_drop_rate",
        "drop_path_rate",
        "weight_init",
        "fix_init",
        "strict_img_size",
        "pretrained",
        "out_indices",
    ]);
    f.finish()?;
    Ok(pooling)
}

fn pretrained_cfg(mut f: Fields, told: &mut Told) -> Result<Preprocess> {
    let input: Option<[usize; 3]> = f.take("input_size")?;
    let input = match input {
        None => None,
        Some([3, height, width]) if height == width && (1..=4096).contains(&width) => Some(width),
        Some(other) => {
            return Err(f.refuse(
                "input_size",
                &format!("[{}]", other.map(|n| n.to_string()).join(", ")),
                "the model takes squares of three channels",
            ));
        }
    };
    let side = input.or(told.image).unwrap_or(224);
    // timm builds the model for `img_size`, or for this input where the file says that it is fixed.
    f.pass(&["fixed_input_size"]);
    let image = *told.image.get_or_insert(side);
    if image != side && !told.resizable {
        let rule =
            format!("model_args.img_size is {image}, and without dynamic_img_size the model takes no other");
        return Err(f.refuse("input_size", &side, rule));
    }
    let filter = match f.take::<String>("interpolation")? {
        None => Filter::Bicubic,
        Some(name) => Filter::from_name(&name)
            .ok_or_else(|| f.refuse("interpolation", &name, "it has to be one of Pillow's filters"))?,
    };
    let share = f.take::<f64>("crop_pct")?.unwrap_or(0.875);
    if !(share > 0.0 && share <= 1.0) {
        return Err(f.refuse("crop_pct", &share, "a cut out of the picture is a share above 0 and up to 1"));
    }
    let scaled = (side as f64 / share).floor() as usize;
    let resize = match f.take::<String>("crop_mode")?.as_deref().unwrap_or("center") {
        "center" => Resize::Shorter(scaled),
        "squash" => Resize::Exact { width: scaled, height: scaled },
        other => return Err(f.refuse("crop_mode", &other, "only center and squash are carried out")),
    };
    let imagenet = Preprocess::imagenet(side);
    let mean = statistic(&mut f, "mean", imagenet.mean, imagenet.scale, true)?;
    let std = statistic(&mut f, "std", imagenet.std, imagenet.scale, false)?;
    f.off("custom_load")?;
    // Where the weights came from, sizes of other tests (timm passes over them too unless asked), heads and notes.
    f.pass(&[
        "architecture",
        "classifier",
        "description",
        "file",
        "first_conv",
        "hf_hub_filename",
        "hf_hub_id",
        "label_descriptions",
        "label_names",
        "label_offset",
        "license",
        "min_input_size",
        "notes",
        "num_classes",
        "origin_url",
        "paper_ids",
        "paper_name",
        "pool_size",
        "source",
        "state_dict",
        "tag",
        "tags",
        "test_crop_pct",
        "test_input_size",
        "test_pool_size",
        "url",
    ]);
    f.finish()?;
    Ok(Preprocess { side, resize, filter, centre: Centre::HalfToEven, scale: 1.0 / 255.0, mean, std })
}
