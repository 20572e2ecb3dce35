//! Stage 2b: batches above one, exactly by spans or token by token, and approximately by gradient matching; updates after several steps.

use std::ops::ControlFlow;
use std::time::Instant;

use super::outcome::{Evidence, Gallery, GalleryRow, Point, View};
use super::stage::{keep, kept};
use super::steps::by_update;
use super::tokenwise::by_tokens;
use super::updates::{Optimiser, STEPS, train};
use super::{AuditPlan, ClosedTarget, Error, Stage, Tiles};
use blindscope_audit::Picture;
use blindscope_audit::matching::{Objective, Plan, Subspace, reconstruct};
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::spans::{Observed, SearchPlan, SpanImage, recover};
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{BatchGradient, Classifier};
use blindscope_vision::vit::Config;

/// How a batch is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Whole images by the spans of the first block.
    Spans,
    /// Token by token.
    Tokens,
    /// Whole images by the spans of the first block, which leave inputs room to drift.
    Drift,
    Matching,
}

/// Batches of one kind; each kind is kept by itself, for it may take long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    key: &'static str,
    method: Method,
    /// Whether the paper's transformer is attacked, or the small one.
    paper: bool,
    /// Images in a batch, and batches.
    pub(super) images: usize,
    pub(super) batches: usize,
    /// Local steps behind an update; 1 for a gradient.
    pub(super) steps: usize,
}

const SPANS: Case =
    Case { key: "batch_4", method: Method::Spans, paper: false, images: 4, batches: 3, steps: 1 };
const CASES: [Case; 4] = [
    SPANS,
    Case { key: "batch_4_paper", method: Method::Tokens, paper: true, batches: 1, ..SPANS },
    Case { key: "batch_4_steps_5", method: Method::Drift, batches: 8, steps: STEPS, ..SPANS },
    Case { key: "batch_2_matching", method: Method::Matching, images: 2, batches: 1, ..SPANS },
];
const QUICK: [Case; 2] = [
    Case { key: "batch_2", images: 2, batches: 1, ..SPANS },
    Case { key: "batch_2_tokens", method: Method::Tokens, images: 2, batches: 1, ..SPANS },
];

impl Case {
    /// For people.
    pub(super) fn name(&self) -> String {
        let how = match self.method {
            Method::Spans => "spans of the first block",
            Method::Drift => "spans with room to drift",
            Method::Tokens => "token by token",
            Method::Matching => "gradient matching",
        };
        let after = if self.steps == 1 { String::new() } else { format!(" after {} SGD steps", self.steps) };
        let model = if self.paper { "the paper's ViT" } else { "small ViT" };
        format!("{how}, batch of {}{after}, {model}", self.images)
    }

    /// The model. Sixteen patches of width 192 leave four images' tokens below the width, as the paper's transformer does.
    fn config(&self) -> Config {
        if self.paper { Config::paper() } else { Config::plain(64, 16, 192, 4, 3) }
    }
}

/// A batch, what a site uploads of it, and the model.
pub(super) struct Uploaded {
    target: ClosedTarget,
    head: LinearHead,
    originals: Vec<Picture>,
    labels: Vec<usize>,
    seen: BatchGradient,
}

impl Uploaded {
    /// As an attacker of spans sees it. Of an update the sum of gradients is known up to the step size, which spans do not ask for.
    pub(super) fn observed(&self) -> Observed<'_> {
        let (gradient, model) = (&self.seen.backbone, &self.target.model);
        Observed { gradient, model, head: &self.head, images: self.labels.len() }
    }
}

/// Reconstructions of some batches beside their originals.
#[derive(Default)]
struct Outcome {
    similar: Vec<Similarity>,
    control: Vec<Similarity>,
    rows: Vec<GalleryRow>,
    notes: Vec<String>,
}

pub(super) fn run(plan: &AuditPlan, tiles: &Tiles, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    for case in if plan.quick { &QUICK[..] } else { &CASES[..] } {
        let found = if let Some(kept) = kept(plan, case.key) {
            kept
        } else {
            let found = attack(plan, tiles, case, stage)?;
            keep(plan, case.key, &found)?;
            found
        };
        evidence.append(found);
    }
    Ok(evidence)
}

fn attack(plan: &AuditPlan, tiles: &Tiles, case: &Case, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut outcome = Outcome::default();
    let mut seconds = Vec::new();
    for number in 0..case.batches {
        let uploaded = upload(plan, tiles, case, number)?;
        let start = Instant::now();
        let pixels = match case.method {
            Method::Spans => by_spans(plan, case, &uploaded, (number, stage), &mut outcome.notes)?,
            Method::Tokens => by_tokens(plan, case, &uploaded, (number, stage), &mut outcome.notes)?,
            Method::Drift => by_update(plan, case, &uploaded, (number, stage), &mut outcome.notes)?,
            Method::Matching => by_matching(plan, case, &uploaded, stage, &mut outcome.notes)?,
        };
        seconds.push(start.elapsed().as_secs_f64());
        outcome.compare(&uploaded, &pixels)?;
    }
    let at = (if case.steps == 1 { Point::Gradient } else { Point::Update }, View::Clear);
    let mut evidence = Evidence::default();
    // The mean of this very batch is a stronger guess than the mean of other tiles.
    let control = ("mean of the batch itself", outcome.control.as_slice());
    evidence.images(case.key, at, &case.name(), &outcome.similar, control);
    evidence.notes = outcome.notes;
    evidence.seconds.push((case.key.to_owned(), seconds));
    outcome.rows.truncate(4);
    evidence.galleries.push(Gallery { title: format!("Batch: {}", case.name()), rows: outcome.rows });
    Ok(evidence)
}

/// Trains on the `number`-th batch of different groups and keeps what a site would send.
fn upload(plan: &AuditPlan, tiles: &Tiles, case: &Case, number: usize) -> Result<Uploaded, Error> {
    let target = ClosedTarget::at_random_start(case.config(), tiles.classes.len(), plan.seed)?;
    let chosen = tiles.of_different_groups(number * case.images, case.images)?;
    let originals: Vec<Picture> = chosen.iter().map(|t| target.picture(t)).collect();
    let pixels: Vec<f32> = originals.iter().flat_map(|p| p.normalised(&target.preprocess)).collect();
    let labels: Vec<usize> = chosen.iter().map(|t| t.label).collect();
    let seen = train(&target, &pixels, &labels, case.steps, Optimiser::Sgd)?;
    let head = match &target.head {
        Classifier::Linear(head) => head.clone(),
        Classifier::Polynomial { .. } => LinearHead { weight: Vec::new(), bias: Vec::new(), width: 0 },
    };
    Ok(Uploaded { target, head, originals, labels, seen })
}

fn by_spans(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    (number, stage): (usize, &mut Stage<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let name = case.name();
    let total = 1000 * case.images * case.batches;
    let observed = uploaded.observed();
    let search = SearchPlan { seed: plan.seed, ..SearchPlan::default() };
    let (mut evaluations, mut stopped) = (0, None);
    let found = recover(&observed, &search, &mut |at| {
        evaluations += 1;
        let done = 1000 * (number * case.images + at.image) + at.evaluation.min(999);
        stopped = stage.tick(&name, done, total).err();
        stopped.is_none()
    })?;
    if let Some(e) = stopped {
        return Err(e);
    }
    notes.push(told(case, number, &found, &format!("{evaluations} evaluations")));
    Ok(pixels(case, uploaded, &found))
}

/// What became of one batch, for people.
pub(super) fn told(case: &Case, number: usize, found: &[SpanImage], how: &str) -> String {
    let misfits: Vec<String> = found.iter().map(|f| format!("{:.1e}", f.misfit)).collect();
    format!(
        "{}, batch {}: {} of {} images found exactly, misfits {}, {how}.",
        case.name(),
        number + 1,
        found.iter().filter(|f| f.found()).count(),
        case.images,
        misfits.join(", ")
    )
}

/// The found images' pixels; grey where none was found.
pub(super) fn pixels(case: &Case, uploaded: &Uploaded, found: &[SpanImage]) -> Vec<f32> {
    let each = uploaded.target.model.config().pixels();
    let mut pixels: Vec<f32> = found.iter().flat_map(|f| f.pixels.iter().copied()).collect();
    pixels.resize(case.images * each, 0.0);
    pixels
}

/// Gradient matching inside the subspace that linear algebra leaves.
fn by_matching(
    plan: &AuditPlan,
    case: &Case,
    uploaded: &Uploaded,
    stage: &mut Stage<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<f32>, Error> {
    let (config, name) = (uploaded.target.model.config(), case.name());
    let seen = uploaded.seen.clone();
    let space = Subspace::new(config, &seen.backbone, case.images)?;
    let objective = Objective::new(
        &uploaded.target.model,
        &uploaded.head,
        uploaded.labels.clone(),
        seen.backbone,
        seen.head_weight,
        seen.head_bias,
    )?;
    let search = Plan { steps: 600, restarts: 1, seed: plan.seed, ..Plan::default() };
    let total = search.restarts * search.steps;
    let mut stopped = None;
    let found =
        reconstruct(&objective, &uploaded.target.preprocess, Some(&space), None, &search, &mut |at| {
            stopped = stage.tick(&name, at.restart * search.steps + at.step + 1, total).err();
            if stopped.is_none() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    if let Some(e) = stopped {
        return Err(e);
    }
    notes.push(format!(
        "{name}: 1 − cosine {:.2e} after {} steps, {} of {} dimensions a patch left to search.",
        found.distance,
        found.history.len(),
        space.open(),
        config.patch_values()
    ));
    Ok(found.pixels)
}

impl Outcome {
    fn compare(&mut self, uploaded: &Uploaded, pixels: &[f32]) -> Result<(), Error> {
        let each = uploaded.target.model.config().pixels();
        let preprocess = &uploaded.target.preprocess;
        let cut = pixels.chunks_exact(each);
        let pictures: Vec<Picture> = cut.map(|p| Picture::from_normalised(p, preprocess)).collect();
        let originals = &uploaded.originals;
        let mean = Picture::mean(originals);
        for (original, at) in originals.iter().zip(best_order(originals, &pictures)) {
            let s = Similarity::of(original, &pictures[at])?;
            let name = format!("tile {}", self.rows.len() + 1);
            self.rows.push(GalleryRow::new(name, original, &pictures[at], s));
            self.similar.push(s);
            if let Some(mean) = &mean {
                self.control.push(Similarity::of(original, mean)?);
            }
        }
        Ok(())
    }
}
