//! Tiles → CLS tokens, in batches; the next batch is read and decoded while the model works on this one.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Features;
use super::cache::FeatureCache;
use crate::data::{
    Dataset, DisjointSets, Limits, Preprocess, Rejected, SEVERAL_LABELS, Sample, conflicts, connected_groups,
    decode, read_image,
};
use crate::error::{Error, Result};
use crate::vit::{Engine, Vit};

/// How far an extraction is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Tiles done, cached and rejected ones included.
    pub done: usize,
    /// Tiles listed.
    pub total: usize,
    /// Tiles among those done that the cache knew.
    pub cached: usize,
    /// Tiles among those done that were set aside.
    pub rejected: usize,
    /// Tiles a second over the last seconds, so that a cache that answers at once does not promise its speed to the rest.
    pub rate: f64,
    /// Time left at that rate.
    pub remaining: Duration,
}

/// How tiles become features.
#[derive(Debug)]
pub struct Extraction<'a> {
    /// The backbone.
    pub model: &'a Vit,
    /// Its preprocessing.
    pub preprocess: Preprocess,
    /// Limits for images.
    pub limits: Limits,
    /// Tiles a batch; eight share the packing of weights well.
    pub batch: usize,
    /// Folder of caches, if features are to be kept.
    pub cache: Option<&'a Path>,
}

impl Extraction<'_> {
    /// Digest of backbone and preprocessing together.
    pub fn backbone_digest(&self) -> [u8; 32] {
        backbone_digest(self.model, &self.preprocess)
    }
}

/// The one identity of a backbone: weights, shape, pooling and preprocessing, what a feature depends on beside the image.
pub fn backbone_digest(model: &Vit, preprocess: &Preprocess) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(model.digest());
    preprocess.hash(&mut hash);
    hash.finalize().into()
}

/// Tiles done at recent times.
struct Pace {
    marks: VecDeque<(Instant, usize)>,
}

/// How far back a rate looks.
const LOOK_BACK: Duration = Duration::from_secs(15);

#[allow(clippy::disallowed_methods, reason = "a duration that is reported; no result depends on it")]
impl Pace {
    fn begin() -> Self {
        Self { marks: VecDeque::from([(Instant::now(), 0)]) }
    }

    /// Tiles a second, now that `done` are.
    fn rate(&mut self, done: usize) -> f64 {
        let now = Instant::now();
        // The last mark before the window stays, so that the rate spans the window even when a batch takes longer.
        while self.marks.get(1).is_some_and(|(at, _)| now - *at > LOOK_BACK) {
            self.marks.pop_front();
        }
        self.marks.push_back((now, done));
        let (since, before) = self.marks.front().copied().unwrap_or((now, 0));
        (done - before) as f64 / (now - since).as_secs_f64().max(1e-6)
    }
}

/// One tile on its way through the model.
struct Loaded {
    sample: usize,
    digest: [u8; 32],
    pixels: Vec<f32>,
}

enum Outcome {
    New(Loaded),
    Known(usize, [u8; 32], Vec<f32>),
    Bad(Rejected),
}

/// CLS tokens of every readable tile of `dataset`, in its order, and the tiles that were set aside.
///
/// `progress` is called after every batch; when it breaks, extraction stops with what is done kept in the cache, and a
/// later call takes up there.
///
/// # Errors
/// [`Error::Cancelled`] when `progress` breaks, [`Error::NoTile`] with every reason when no tile is readable, [`Error::Io`] and
/// [`Error::Busy`] of the cache.
pub fn extract(
    dataset: &Dataset,
    extraction: &Extraction<'_>,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(Features, Vec<Rejected>)> {
    extract_on(&Engine::Cpu, dataset, extraction, progress)
}

/// As [`extract`], on an engine that was chosen for the extraction's model. Features of one backbone agree between engines
/// to about 10⁻⁵ of the largest value, so one cache serves all.
///
/// # Errors
/// As [`extract`]; [`Error::Gpu`] when a graphics processor fails.
pub fn extract_on(
    engine: &Engine,
    dataset: &Dataset,
    extraction: &Extraction<'_>,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(Features, Vec<Rejected>)> {
    let width = extraction.model.config().feature_width();
    let backbone = extraction.backbone_digest();
    let mut cache =
        extraction.cache.map(|folder| FeatureCache::open(folder, &backbone, width)).transpose()?;
    let total = dataset.samples.len();
    let mut pace = Pace::begin();
    let mut from_cache = 0;
    let mut rejected = dataset.rejected.clone();
    let mut rows: Vec<(usize, [u8; 32], Vec<f32>)> = Vec::with_capacity(total);
    let batch = extraction.batch.max(1);
    let mut at = 0;
    let mut current = load(dataset, extraction, cache.as_ref(), 0..batch.min(total));
    while at < total {
        let next = (at + batch).min(total)..(at + 2 * batch).min(total);
        let done = (at + batch).min(total);
        let (new, known, bad) = sort(std::mem::take(&mut current));
        from_cache += known.len();
        let (computed, loaded) = rayon::join(
            || forward(engine, extraction.model, new),
            || load(dataset, extraction, cache.as_ref(), next),
        );
        let computed = computed?;
        if let Some(cache) = &mut cache {
            cache.insert(computed.iter().map(|(_, digest, row)| (*digest, row.clone())).collect())?;
        }
        rows.extend(computed.into_iter().chain(known));
        rejected.extend(bad);
        current = loaded;
        at = done;
        let rate = pace.rate(done);
        let remaining = Duration::from_secs_f64((total - done) as f64 / rate);
        let set_aside = rejected.len() - dataset.rejected.len();
        let now = Progress { done, total, cached: from_cache, rejected: set_aside, rate, remaining };
        if progress(&now).is_break() && done < total {
            return Err(Error::Cancelled { operation: "feature extraction", done, total });
        }
    }
    rows.sort_by_key(|(sample, ..)| *sample);
    Ok((collect(dataset, rows, (backbone, width), &mut rejected)?, rejected))
}

fn load(
    dataset: &Dataset,
    extraction: &Extraction<'_>,
    cache: Option<&FeatureCache>,
    range: std::ops::Range<usize>,
) -> Vec<Outcome> {
    let one = |sample: usize| {
        let listed: &Sample = &dataset.samples[sample];
        let bad = |reason: String| Outcome::Bad(Rejected { id: listed.id.clone(), reason });
        let bytes = match read_image(&listed.path, extraction.limits) {
            Ok(bytes) => bytes,
            Err(problem) => return bad(problem.to_string()),
        };
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        if let Some(row) = cache.and_then(|c| c.find(&digest)) {
            return Outcome::Known(sample, digest, row.to_vec());
        }
        let image = decode(&bytes, extraction.limits)
            .and_then(|image| extraction.preprocess.admit(&image).map(|()| image));
        match image {
            Ok(image) => {
                Outcome::New(Loaded { sample, digest, pixels: extraction.preprocess.pixels(&image) })
            }
            Err(problem) => bad(problem.to_string()),
        }
    };
    range.into_par_iter().map(one).collect()
}

type Row = (usize, [u8; 32], Vec<f32>);

fn sort(outcomes: Vec<Outcome>) -> (Vec<Loaded>, Vec<Row>, Vec<Rejected>) {
    let (mut new, mut known, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::New(loaded) => new.push(loaded),
            Outcome::Known(sample, digest, row) => known.push((sample, digest, row)),
            Outcome::Bad(rejected) => bad.push(rejected),
        }
    }
    (new, known, bad)
}

fn forward(engine: &Engine, model: &Vit, loaded: Vec<Loaded>) -> Result<Vec<Row>> {
    if loaded.is_empty() {
        return Ok(Vec::new());
    }
    let pixels: Vec<f32> = loaded.iter().flat_map(|l| &l.pixels).copied().collect();
    let rows = engine.features(model, &pixels)?;
    let rows = rows.chunks_exact(model.config().feature_width());
    Ok(loaded.into_iter().zip(rows).map(|(l, row)| (l.sample, l.digest, row.to_vec())).collect())
}

/// Rows in the data set's order; the same image under two labels is set aside, under one it is one group.
fn collect(
    dataset: &Dataset,
    rows: Vec<Row>,
    backbone: ([u8; 32], usize),
    rejected: &mut Vec<Rejected>,
) -> Result<Features> {
    let conflicts =
        conflicts(rows.iter().map(|(sample, digest, _)| (dataset.samples[*sample].label, *digest)));
    let (aside, rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|(_, digest, _)| conflicts.contains(digest));
    rejected.extend(aside.iter().map(|(sample, ..)| Rejected {
        id: dataset.samples[*sample].id.clone(),
        reason: SEVERAL_LABELS.into(),
    }));
    if rows.is_empty() {
        return Err(Error::NoTile { rejected: std::mem::take(rejected) });
    }
    let listed = connected_groups(dataset);
    let (digest, width) = backbone;
    let classes = dataset.classes.clone();
    let mut features = Features { width, classes, backbone: Some(digest), ..Features::default() };
    let mut joined = DisjointSets::new(rows.len());
    let (mut by_group, mut by_image) = (HashMap::new(), HashMap::new());
    for (row, (sample, digest, values)) in rows.into_iter().enumerate() {
        joined.join(row, *by_group.entry(listed[sample]).or_insert(row));
        joined.join(row, *by_image.entry(digest).or_insert(row));
        features.values.extend(values);
        let listed = &dataset.samples[sample];
        features.ids.push(listed.id.clone());
        features.labels.push(Some(listed.label));
        features.patients.push(listed.patient.clone());
        features.sites.push(listed.site.clone());
        features.image_digests.push(digest);
    }
    features.groups = joined.numbers();
    features.drop_unknown_names();
    features.check()?;
    Ok(features)
}
