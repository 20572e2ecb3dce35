//! The job `auto` on one party's own rows: the same code, over a sum of one site in the clear.

use super::Error;
use crate::jobs::{
    self, Choice, Examples, Model, SiteData, StatisticsSettings, clear_twin, group_names, job,
};
use blindscope_classify::{HeadLiteral, Map};
use blindscope_federation::JobKind;
use blindscope_vision::features::Features;
use blindscope_vision::head::LinearHead;

/// The best head of the ladder, and what was tried.
pub(super) struct Found {
    /// The head.
    pub head: LinearHead,
    /// What was tried, and how each did.
    pub chosen: Choice,
}

/// Bits of a feature: of one party's own rows, finer than any difference between them that matters.
const BITS: u32 = 20;

pub(super) fn choose(train: &Features, labels: &[usize], halves: bool, seed: u64) -> Result<Found, Error> {
    let mut bound = f32::MIN_POSITIVE;
    for block in train.values.blocks() {
        bound = block?.iter().fold(bound, |most, v| most.max(v.abs()));
    }
    let settings = StatisticsSettings {
        width: train.width,
        classes: train.classes.len(),
        bound: f64::from(bound),
        bits: BITS,
        examples: labels.len() as u64,
        seed,
        halves,
        ..StatisticsSettings::default()
    };
    let rows = train.values.clone();
    let train = Examples { rows, labels: labels.to_vec(), groups: group_names(train), ..Examples::default() };
    let data = SiteData { train, ..SiteData::default() };
    let model = Model::from_json(&clear_twin(&job("auto", JobKind::Auto, &settings)?, &[&data], &|_| {})?)?;
    let none = || jobs::Error::Bytes { what: "the model of auto", reason: "it holds no linear head".into() };
    let head = model.heads.first().and_then(|named| on_raw_features(&named.head)).ok_or_else(none)?;
    Ok(Found { head, chosen: model.chosen.ok_or_else(none)? })
}

/// A linear head of standardised features as one of the features themselves.
fn on_raw_features(head: &HeadLiteral) -> Option<LinearHead> {
    let Map::Linear { layer } = &head.map else { return None };
    let (mean, gain) = (&head.normalisation.mean, &head.normalisation.gain);
    let mut out = LinearHead { weight: Vec::new(), bias: Vec::new(), width: mean.len() };
    for (row, bias) in layer.weights.iter().zip(&layer.bias) {
        let raw: Vec<f64> = row.iter().zip(gain).map(|(w, g)| w * g).collect();
        let shift: f64 = raw.iter().zip(mean).map(|(w, m)| w * m).sum();
        out.weight.extend(raw.iter().map(|w| *w as f32));
        out.bias.push((bias - shift) as f32);
    }
    Some(out)
}
