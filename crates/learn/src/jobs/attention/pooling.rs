//! The released part of an attention job: how the tiles of a slide become one token. Whoever asks pools in the clear with it and
//! encrypts one token a slide; the head on that token stays where it is.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::fedavg::{reach, shortened};
use super::super::integers::{bytes_of, floats};
use super::super::{Bag, Error, Examples, Result};
use crate::features::Features;
use blindscope_vision::head::{GatedAttention, Scaling, SlideToken};
use blindscope_vision::slides::{slide_of_row, slides_of_rows};
use blindscope_vision::values::Values;

const WHAT: &str = "attention of a job";
/// The first bytes of its binary form.
const MAGIC: &[u8; 8] = b"bsattn 1";
/// Most numbers of an attention: what one document of the wire carries.
pub(super) const MOST_VALUES: usize = 1 << 20;

/// Attention over the tiles of a slide, with the standardisation before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionPooling {
    /// Mean and deviation of every feature over all slides of all sites.
    pub(super) scaling: Scaling,
    /// Deviations to which a standardised feature is clipped.
    pub(super) clip: f32,
    /// The network.
    pub(super) attention: GatedAttention,
}

/// Slides as rows, with how much each tile counted.
#[derive(Debug, Clone, PartialEq)]
pub struct PooledSlides {
    /// A row a slide, named after it.
    pub features: Features,
    /// Of each row of the tiles, its share of its slide, 0 to 1; those of a slide sum to one.
    pub weights: Vec<f32>,
    /// Of each row of the tiles, the row of its slide.
    pub slides: Vec<usize>,
}

impl AttentionPooling {
    /// Width of a tile's row, and of a slide's.
    pub fn width(&self) -> usize {
        self.attention.width
    }

    /// Numbers of an attention of this shape.
    pub(super) fn len_of(width: usize, hidden: usize) -> usize {
        2 * hidden * (width + 1) + hidden + 2 * width + 1
    }

    /// Standardised rows of tiles, clipped as everywhere.
    pub(super) fn standardised(&self, rows: &[f32]) -> Vec<f32> {
        let width = self.width();
        shortened(self.scaling.apply(rows), width, self.clip, reach(width))
    }

    /// The token of each slide. Range: every bag's rows are rows of `rows`.
    fn tokens(&self, rows: &Values, bags: &[Vec<usize>]) -> Result<Vec<SlideToken>> {
        let one = |bag: &Vec<usize>| {
            let rows = rows.rows(self.width(), bag)?;
            Ok(self.attention.pool(&self.standardised(&rows))?)
        };
        bags.par_iter().map(one).collect()
    }

    /// A row a slide with its class, of rows that are tiles.
    ///
    /// # Errors
    /// [`Error::Data`] for rows of another width, without slides, or of a slide of several classes; [`Error::Vision`] when their file
    /// cannot be read any more.
    pub fn examples(&self, operation: &'static str, tiles: &Examples) -> Result<Examples> {
        self.fits(operation, tiles.rows.len(), tiles.labels.len())?;
        let bags = tiles.bags(operation)?;
        let labels = bags.iter().map(|bag| bag.label).collect();
        let slides = (0..bags.len()).collect();
        let groups = bags.iter().filter_map(|bag| tiles.groups.get(*bag.rows.first()?).copied()).collect();
        let rows: Vec<Vec<usize>> = bags.into_iter().map(|Bag { rows, .. }| rows).collect();
        let rows = self.tokens(&tiles.rows, &rows)?.into_iter().flat_map(|slide| slide.token).collect();
        Ok(Examples { rows, labels, groups, slides, ..Examples::default() })
    }

    /// The slides of features whose rows are tiles.
    ///
    /// # Errors
    /// [`Error::Data`] for rows of another width, or that name no slide; [`Error::Vision`] when their file cannot be read any more.
    pub fn pool(&self, tiles: &Features) -> Result<PooledSlides> {
        const OPERATION: &str = "pooling tiles by attention";
        self.fits(OPERATION, tiles.values.len(), tiles.len())?;
        let slides = slides_of_rows(tiles.ids.iter().map(String::as_str)).ok_or_else(|| Error::Data {
            operation: OPERATION,
            what: "the name of some row",
            found: "without a slide".into(),
            expected: "rows called SLIDE/X_Y, as `features import RUN` calls those of a run over slides"
                .into(),
        })?;
        let mut bags: Vec<Vec<usize>> = vec![Vec::new(); slides.iter().max().map_or(0, |most| most + 1)];
        slides.iter().enumerate().for_each(|(row, slide)| bags[*slide].push(row));
        let tokens = self.tokens(&tiles.values, &bags)?;
        let mut weights = vec![0.0; tiles.len()];
        for (bag, slide) in bags.iter().zip(&tokens) {
            bag.iter().zip(&slide.weights).for_each(|(row, weight)| weights[*row] = *weight);
        }
        // The facts of a slide are those of its first tile; a class that its tiles do not share is none of the slide's.
        let firsts: Vec<usize> = bags.iter().filter_map(|bag| bag.first().copied()).collect();
        let mut features = tiles.select(&firsts);
        for (label, bag) in features.labels.iter_mut().zip(&bags) {
            *label = label.filter(|label| bag.iter().all(|row| tiles.labels[*row] == Some(*label)));
        }
        features.ids.iter_mut().for_each(|id| *id = slide_of_row(id).unwrap_or_default().to_owned());
        features.values = tokens.into_iter().flat_map(|slide| slide.token).collect();
        features.coords.clear();
        features.image_digests.clear();
        features.backbone = tiles.backbone.map(|backbone| {
            Sha256::new().chain_update(backbone).chain_update(self.to_bytes()).finalize().into()
        });
        Ok(PooledSlides { features, weights, slides })
    }

    fn fits(&self, operation: &'static str, values: usize, rows: usize) -> Result<()> {
        if values == rows * self.width() {
            return Ok(());
        }
        let found = (values / rows.max(1)).to_string();
        Err(Error::Data { operation, what: "the width of a row", found, expected: self.width().to_string() })
    }

    /// Its binary form: the magic, width and hidden units, then every number, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let shape = [self.width() as u32, self.attention.score.len() as u32];
        let mut out = MAGIC.to_vec();
        out.extend(shape.into_iter().flat_map(u32::to_le_bytes));
        let numbers = std::iter::once(&self.clip).chain(&self.scaling.mean).chain(&self.scaling.deviation);
        out.extend(bytes_of(numbers.chain(self.attention.tensors().into_iter().flatten())));
        out
    }

    /// The reverse.
    ///
    /// # Errors
    /// [`Error::Bytes`] for bytes of another format or length, numbers that are not finite, deviations that are not positive.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let bad = |reason: &str| Error::Bytes { what: WHAT, reason: reason.to_owned() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| bad("it does not begin as one"))?;
        let (width, rest) = rest.split_first_chunk::<4>().ok_or_else(|| bad("it ends early"))?;
        let (hidden, rest) = rest.split_first_chunk::<4>().ok_or_else(|| bad("it ends early"))?;
        let [width, hidden] = [width, hidden].map(|n| u32::from_le_bytes(*n) as usize);
        let sized = (1..=4096).contains(&width) && (1..=4096).contains(&hidden);
        if !sized || Self::len_of(width, hidden) > MOST_VALUES {
            return Err(bad(&format!("{hidden} hidden units on {width} features are no attention of ours")));
        }
        let numbers = floats(WHAT, rest, Self::len_of(width, hidden))?;
        let mut numbers = numbers.into_iter();
        let mut take = |count: usize| -> Vec<f32> { numbers.by_ref().take(count).collect() };
        let clip = take(1)[0];
        let scaling = Scaling { mean: take(width), deviation: take(width) };
        let attention = GatedAttention {
            width,
            value: take(hidden * width),
            value_bias: take(hidden),
            gate: take(hidden * width),
            gate_bias: take(hidden),
            score: take(hidden),
        };
        Self { scaling, clip, attention }.checked()
    }

    /// Refuses parts that do not agree; files are written by whoever likes.
    pub(in super::super) fn checked(self) -> Result<Self> {
        let bad = |reason: String| Err(Error::Bytes { what: WHAT, reason });
        let (width, hidden) = (self.width(), self.attention.score.len());
        let lengths: HashMap<&str, (usize, usize)> = HashMap::from([
            ("mean", (self.scaling.mean.len(), width)),
            ("deviation", (self.scaling.deviation.len(), width)),
            ("value", (self.attention.value.len(), hidden * width)),
            ("value_bias", (self.attention.value_bias.len(), hidden)),
            ("gate", (self.attention.gate.len(), hidden * width)),
            ("gate_bias", (self.attention.gate_bias.len(), hidden)),
        ]);
        if width == 0 || hidden == 0 {
            return bad(format!("{hidden} hidden units on {width} features"));
        }
        if let Some((name, (found, expected))) = lengths.into_iter().find(|(_, (a, b))| a != b) {
            return bad(format!("{name} has {found} numbers, expected {expected}"));
        }
        let numbers = self.attention.tensors().into_iter().flatten().chain(&self.scaling.mean);
        let positive = |v: &f32| v.is_finite() && *v > 0.0;
        let fine = numbers.into_iter().all(|v| v.is_finite())
            && self.scaling.deviation.iter().chain([&self.clip]).all(positive);
        if fine { Ok(self) } else { bad("a number is not finite, or a deviation not positive".into()) }
    }
}
