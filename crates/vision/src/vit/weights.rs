//! Checkpoints: compare every name and shape first, then read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use safetensors::Dtype;

use super::config::{Config, Mlp};
use super::locate::locate;
use super::model::Vit;
use super::names::Naming;
use super::parameters::{Parameters, TensorSpec};
use super::position::resample;
use crate::data::Preprocess;
use crate::error::{CheckpointMismatch, Error, Result};
use crate::tensorfile::{self, Content, Tensor, TensorFile};
use crate::vit::card::{Architecture, Card, Shape, Told};

/// Reads a model from a `safetensors` file or a folder that holds one, as [`describe`] tells.
///
/// # Errors
/// As [`describe`] and [`load_with`].
pub fn load(path: &Path) -> Result<Vit> {
    let described = describe(path, None, None)?;
    load_with(&described.weights, described.config)
}

/// A model as its files tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The weights, or the index of their shards.
    pub weights: PathBuf,
    /// The model's shape, for images of the side that its preprocessing makes.
    pub config: Config,
    /// Its input.
    pub preprocess: Preprocess,
    /// The file that told the input; none where nothing did and ImageNet's statistics are assumed.
    pub preprocess_from: Option<PathBuf>,
}

/// Finds the weights at `path` ([`locate`]) and what `json` or a `config.json` beside them, a `preprocessor_config.json`
/// and the tensors tell of the model.
///
/// # Errors
/// [`Error::Setting`] for a field that is not carried out or that the tensors contradict; [`Error::Format`] when the file holds no
/// Vision Transformer; [`Error::Config`] when the heads have to be told; as [`locate`].
pub fn describe(path: &Path, json: Option<&Path>, heads: Option<usize>) -> Result<Described> {
    let weights = locate(path)?;
    let card = Card::read(&weights, json)?;
    let source = card.path.clone().unwrap_or_else(|| weights.clone());
    let mut config = match card.shape {
        Some(Shape::Whole { config, .. }) => config,
        Some(Shape::Timm(told)) => infer(&weights, heads, Some((&told, &source)))?,
        None => infer(&weights, heads, None)?,
    };
    config.pooling = card.pooling.unwrap_or(config.pooling);
    let (preprocess, preprocess_from) = match card.preprocess {
        Some((preprocess, from)) => (preprocess, Some(from)),
        None => (Preprocess::imagenet(config.image), None),
    };
    // Models that take several sizes are built for the one that their preprocessing makes.
    config.image = preprocess.side;
    config.check()?;
    Ok(Described { weights, config, preprocess, preprocess_from })
}

/// Reads the model `config` from a checkpoint with timm, DINOv2 or Hugging Face names. Positions are resampled when
/// the checkpoint was made for another image size; heads, poolers and mask tokens outside the model are passed over.
///
/// # Errors
/// [`Error::Checkpoint`] lists *every* missing, extra and misshapen tensor before any is read; [`Error::NotFinite`]
/// for a NaN or infinite weight; [`Error::Format`] and [`Error::Io`] for a damaged file.
pub fn load_with(path: &Path, config: Config) -> Result<Vit> {
    config.check()?;
    let mut file = TensorFile::open(path)?;
    let naming = naming(&file)?;
    let mut parameters = Parameters::zeros(&config);
    let specs = parameters.specs(&config);
    compare(&file, &naming, &config, &specs)?;
    for (spec, values) in specs.iter().zip(parameters.tensors_mut()) {
        if !spec.is_empty() {
            *values = read(&mut file, &naming, &config, spec)?;
        }
    }
    Vit::new(config, parameters)
}

/// Writes a model under timm's names, with its configuration among the file's notes.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written.
pub fn save(model: &Vit, path: &Path) -> Result<()> {
    let specs = model.parameters().specs(model.config());
    let mut tensors = Vec::new();
    for (spec, values) in specs.iter().zip(model.parameters().tensors()) {
        if !spec.is_empty() {
            let outputs = spec.shape[0];
            let values = if spec.transposed {
                transpose(values, values.len() / outputs, outputs)
            } else {
                values.clone()
            };
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            tensors.push((spec.name.clone(), spec.shape.clone(), bytes));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let content = Content::Bytes(bytes);
        Tensor { name: name.clone(), shape: shape.clone(), dtype: Dtype::F32, content }
    });
    let config = serde_json::to_string(model.config()).map_err(|e| Error::format("safetensors", path, e))?;
    tensorfile::write(path, views.collect(), &BTreeMap::from([(CONFIG_NOTE.to_owned(), config)]))
}

/// Under this key a file of ours carries its configuration: shapes alone do not tell the heads.
const CONFIG_NOTE: &str = "blindscope.config";

/// The configuration of a file that [`save`] wrote, or else what the shapes of a timm or DINOv2 checkpoint tell, with what a timm
/// configuration `told`, and where. Heads cannot be seen in shapes: they are `heads`, or the width in heads of 64 for the widths of
/// ViT-Ti/S/B/L/g, where every published model has them so.
///
/// # Errors
/// [`Error::Format`] when the file holds no Vision Transformer or uses Hugging Face names (which come with a
/// `config.json`), [`Error::Config`] when the heads have to be told.
fn infer(path: &Path, heads: Option<usize>, told: Option<(&Told, &Path)>) -> Result<Config> {
    let file = TensorFile::open(path)?;
    if let Some(note) = file.note(CONFIG_NOTE) {
        let config: Config =
            serde_json::from_str(note).map_err(|e| Error::format("ViT checkpoint", path, e))?;
        config.check()?;
        return Ok(config);
    }
    let naming = naming(&file)?;
    let find = |name: &str| {
        let sources = naming.sources(name);
        let gated = naming.rename_gated(&sources[0]);
        [&sources[0], &gated].into_iter().find_map(|n| file.entry(n)).map(|e| e.shape.clone())
    };
    let need = |name: &str, rank: usize| {
        let shape = find(name).filter(|s| s.len() == rank);
        shape.ok_or_else(|| {
            Error::format("ViT checkpoint", path, format!("no tensor `{name}` of rank {rank}"))
        })
    };
    let patch = need("patch_embed.proj.weight", 4)?;
    let positions = need("pos_embed", 3)?[1];
    let (width, patch) = (patch[0], patch[2]);
    let registers = find("reg_token").and_then(|s| s.get(1).copied()).unwrap_or(0);
    let without = told.and_then(|(told, _)| told.no_prefix_positions).unwrap_or(false);
    let (grid, prefix_positions) = grid_side(positions, registers, without).ok_or_else(|| {
        Error::format("ViT checkpoint", path, format!("{positions} positions fill no square grid"))
    })?;
    let depth = (0..256).take_while(|i| find(&format!("blocks.{i}.norm1.weight")).is_some()).count();
    let qkv_bias = file.entry(&naming.sources("blocks.0.attn.qkv.bias")[0]).is_some();
    let first = need("blocks.0.mlp.fc1.weight", 2)?[0];
    let hidden = need("blocks.0.mlp.fc2.weight", 2)?[1];
    let named = told.and_then(|(told, _)| {
        let known = Architecture::named(&told.architecture)?;
        told.heads.or((known.width == width && known.depth == depth).then_some(known.heads))
    });
    let named = named.or(told.and_then(|(told, _)| told.heads));
    let usual = [192, 384, 768, 1024, 1536].contains(&width).then_some(width / 64);
    let heads = heads.or(named).or(usual).ok_or_else(|| Error::Config {
        field: "heads",
        value: "unknown".into(),
        rule: format!("a checkpoint of width {width} does not tell them; give their number or a config.json"),
    })?;
    let config = Config {
        hidden,
        mlp: if first == 2 * hidden { Mlp::SwiGlu } else { Mlp::Gelu },
        registers,
        prefix_positions,
        qkv_bias,
        layer_scale: find("blocks.0.ls1.gamma").is_some(),
        classes: find("head.weight").map_or(0, |s| s[0]),
        ..Config::plain(grid * patch, patch, width, depth, heads)
    };
    config.check()?;
    if let Some((told, json)) = told {
        agree(told, &config, json)?;
    }
    Ok(config)
}

/// Refuses a configuration that the tensors contradict.
fn agree(told: &Told, config: &Config, json: &Path) -> Result<()> {
    let hidden = told.mlp_ratio.map(|ratio| (config.width as f64 * ratio) as usize);
    let none = |switch: Option<bool>| switch.map(usize::from);
    let facts = [
        ("embed_dim", told.width, config.width),
        ("depth", told.depth, config.depth),
        ("patch_size", told.patch, config.patch),
        ("reg_tokens", told.registers, config.registers),
        ("mlp_ratio · embed_dim", hidden, config.expanded()),
        (
            "no_embed_class",
            none(told.no_prefix_positions.filter(|w| *w)),
            usize::from(config.prefix_positions == 0),
        ),
        ("init_values", none(told.layer_scale), usize::from(config.layer_scale)),
        ("qkv_bias", none(told.qkv_bias), usize::from(config.qkv_bias)),
    ];
    match facts
        .into_iter()
        .find_map(|(field, told, found)| Some((field, told.filter(|t| *t != found)?, found)))
    {
        None => Ok(()),
        Some((field, told, found)) => Err(Error::Setting {
            path: json.to_owned(),
            field: format!("model_args.{field}"),
            value: told.to_string(),
            rule: format!("the tensors have {found}"),
        }),
    }
}

fn naming(file: &TensorFile) -> Result<Naming> {
    Naming::detect(file.names()).ok_or_else(|| {
        let some: Vec<_> = file.names().take(5).collect();
        let reason = format!("no CLS token under a timm, DINOv2 or Hugging Face name; it starts {some:?}");
        Error::format("ViT checkpoint", file.path(), reason)
    })
}

/// Grid side of a number of positions, and how many of them belong to the tokens before the patches.
fn grid_side(positions: usize, registers: usize, none_before: bool) -> Option<(usize, usize)> {
    let ways: &[usize] = if none_before { &[0] } else { &[1, 0, 1 + registers] };
    let side = |before: usize| {
        let cells = positions.checked_sub(before).filter(|n| *n > 0 && n.isqrt().pow(2) == *n)?;
        Some((cells.isqrt(), before))
    };
    ways.iter().find_map(|before| side(*before))
}

/// The checkpoint's tensors for one of ours, each with the shape it must have.
fn expected(naming: &Naming, config: &Config, spec: &TensorSpec) -> Vec<(String, Vec<usize>)> {
    let sources = naming.sources(&spec.name);
    let mut shape = spec.shape.clone();
    shape[0] /= sources.len();
    let gated = config.mlp == Mlp::SwiGlu;
    sources.into_iter().map(|s| (if gated { naming.rename_gated(&s) } else { s }, shape.clone())).collect()
}

fn compare(file: &TensorFile, naming: &Naming, config: &Config, specs: &[TensorSpec]) -> Result<()> {
    let (mut missing, mut shapes, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    for spec in specs.iter().filter(|s| !s.is_empty()) {
        for (name, shape) in expected(naming, config, spec) {
            match file.entry(&name) {
                None => missing.push(name),
                Some(entry) => {
                    if entry.shape != shape && !(spec.name == "pos_embed" && resamples(config, &entry.shape))
                    {
                        shapes.push((name.clone(), shape, entry.shape.clone()));
                    }
                    used.insert(name);
                }
            }
        }
    }
    let extra: Vec<String> =
        file.names().filter(|n| !used.contains(*n) && !naming.is_unused(n)).map(str::to_owned).collect();
    if missing.is_empty() && extra.is_empty() && shapes.is_empty() {
        return Ok(());
    }
    let path = file.path().to_owned();
    Err(Error::Checkpoint(Box::new(CheckpointMismatch {
        path,
        naming: naming.label(),
        missing,
        extra,
        shapes,
    })))
}

/// Whether positions of this shape can be resampled to the model's grid.
fn resamples(config: &Config, shape: &[usize]) -> bool {
    matches!(*shape, [1, n, d] if d == config.width && source_grid(config, n).is_some())
}

fn source_grid(config: &Config, positions: usize) -> Option<usize> {
    let cells = positions.checked_sub(config.prefix_positions)?;
    (cells > 0 && cells.isqrt().pow(2) == cells).then(|| cells.isqrt())
}

fn read(file: &mut TensorFile, naming: &Naming, config: &Config, spec: &TensorSpec) -> Result<Vec<f32>> {
    let mut values = Vec::with_capacity(spec.len());
    for (name, _) in expected(naming, config, spec) {
        let part = file.floats(&name)?;
        let count = part.iter().filter(|v| !v.is_finite()).count();
        if count > 0 {
            return Err(Error::NotFinite { path: file.path().to_owned(), tensor: name, count });
        }
        values.extend(part);
    }
    if spec.name == "pos_embed" {
        let grid = source_grid(config, values.len() / config.width);
        return Ok(grid.map_or_else(Vec::new, |grid| resample(config, &values, grid)));
    }
    let outputs = spec.shape[0];
    Ok(if spec.transposed { transpose(&values, outputs, values.len() / outputs) } else { values })
}

/// `[rows, columns]` to `[columns, rows]`, in tiles that stay in the cache.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const TILE: usize = 32;
    let mut out = vec![0.0; values.len()];
    for i0 in (0..rows).step_by(TILE) {
        for j0 in (0..columns).step_by(TILE) {
            for i in i0..(i0 + TILE).min(rows) {
                for j in j0..(j0 + TILE).min(columns) {
                    out[j * rows + i] = values[i * columns + j];
                }
            }
        }
    }
    out
}
