//! Tiles and their CLS tokens, cut into the parts that token attacks need: no group is in two of them, except that
//! `relatives` are other tiles of the victims' groups among strangers.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::{AuditPlan, Error, Stage, Tile, Tiles};
use blindscope_audit::Picture;
use blindscope_vision::data::Preprocess;
use blindscope_vision::vit::{Config, Parameters, Vit};

/// Tiles with their tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// `[n, d]`
    pub(super) tokens: Vec<f32>,
    pub(super) labels: Vec<usize>,
    pub(super) groups: Vec<usize>,
    pub(super) pictures: Vec<Picture>,
}

/// The token attacks' material.
#[derive(Debug)]
pub(super) struct TokenSet {
    pub(super) model: Vit,
    pub(super) preprocess: Preprocess,
    pub(super) width: usize,
    pub(super) classes: usize,
    /// One tile each of as many groups.
    pub(super) victims: Part,
    /// A gallery: second tiles of the victims' groups, and tiles of other groups.
    pub(super) relatives: Part,
    /// The attacker's own tiles.
    pub(super) others: Part,
}

impl Part {
    fn extend(&mut self, other: &Self) {
        self.tokens.extend(&other.tokens);
        self.labels.extend(&other.labels);
        self.groups.extend(&other.groups);
        self.pictures.extend(other.pictures.iter().cloned());
    }
}

impl TokenSet {
    pub(super) fn new(plan: &AuditPlan, tiles: &Tiles, stage: &mut Stage<'_>) -> Result<Self, Error> {
        let loaded = plan.load_model()?;
        let model = match loaded {
            Some(model) => model,
            None => drawn_backbone(plan.seed)?,
        };
        let preprocess = Preprocess::imagenet(model.config().image);
        let (victims, others) = if plan.quick { (24, 60) } else { (48, 300) };
        let others = others.min(tiles.groups().saturating_sub(victims));
        let pairs = tiles.of_groups(0, victims, 2)?;
        let strangers = tiles.of_different_groups(victims, others)?;
        let mut extract = |tiles: &[Tile], what: &str| part(&model, &preprocess, tiles, what, stage);
        let all = extract(&pairs, "tokens of victims and relatives")?;
        let others = extract(&strangers, "tokens of other tiles")?;
        let (victims, mut relatives) = split_pairs(&all, model.config().width);
        // A gallery of relatives alone would make chance look high; half of the attacker's tiles join it as strangers.
        relatives.extend(&others);
        let (width, classes) = (model.config().width, tiles.classes.len());
        Ok(Self { model, preprocess, width, classes, victims, relatives, others })
    }

    /// The mean token of the attacker's own tiles.
    pub(super) fn mean_token(&self) -> Vec<f32> {
        let n = (self.others.tokens.len() / self.width).max(1) as f32;
        (0..self.width)
            .map(|j| self.others.tokens.iter().skip(j).step_by(self.width).sum::<f32>() / n)
            .collect()
    }
}

/// A small backbone with drawn weights: without a checkpoint there is no other. Its features are those of a random
/// network, which the report says.
fn drawn_backbone(seed: u64) -> Result<Vit, Error> {
    let config = Config::plain(64, 8, 96, 4, 3);
    let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(seed));
    Ok(Vit::new(config, parameters)?)
}

fn part(
    model: &Vit,
    preprocess: &Preprocess,
    tiles: &[Tile],
    what: &str,
    stage: &mut Stage<'_>,
) -> Result<Part, Error> {
    let mut part = Part::default();
    for (i, chunk) in tiles.chunks(16).enumerate() {
        let pictures: Vec<Picture> =
            chunk.iter().map(|t| Picture::from_rgb(&t.fitted(preprocess.side))).collect();
        let pixels: Vec<f32> = pictures.iter().flat_map(|p| p.normalised(preprocess)).collect();
        part.tokens.extend(model.cls_tokens(&pixels)?);
        part.labels.extend(chunk.iter().map(|t| t.label));
        part.groups.extend(chunk.iter().map(|t| t.group));
        part.pictures.extend(pictures);
        stage.tick(what, (16 * (i + 1)).min(tiles.len()), tiles.len())?;
    }
    Ok(part)
}

/// First tiles of each group, and the rest.
fn split_pairs(all: &Part, width: usize) -> (Part, Part) {
    let (mut first, mut rest) = (Part::default(), Part::default());
    for i in 0..all.labels.len() {
        let into = if first.groups.contains(&all.groups[i]) { &mut rest } else { &mut first };
        into.tokens.extend(&all.tokens[i * width..(i + 1) * width]);
        into.labels.push(all.labels[i]);
        into.groups.push(all.groups[i]);
        into.pictures.push(all.pictures[i].clone());
    }
    (first, rest)
}
