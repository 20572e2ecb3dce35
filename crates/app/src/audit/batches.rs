//! Stage 2b: batches above one, exactly by spans and approximately by gradient matching.

use std::ops::ControlFlow;

use super::outcome::{Evidence, Gallery, GalleryRow, Point, View};
use super::stage::{keep, kept};
use super::updates::{Optimiser, RATE, STEPS, train};
use super::{AuditPlan, ClosedTarget, Error, Stage, Tiles};
use blindscope_audit::Picture;
use blindscope_audit::matching::{Objective, Plan, Subspace, reconstruct};
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_audit::spans::{Observed, SearchPlan, recover};
use blindscope_vision::head::LinearHead;
use blindscope_vision::train::{BatchGradient, Classifier};
use blindscope_vision::vit::{Config, Parameters, Vit};

/// How a batch is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Spans,
    Matching,
}

/// Batches of one kind; each kind is kept by itself, for it may take long.
#[derive(Clone, Copy, Debug)]
struct Case {
    key: &'static str,
    method: Method,
    /// Images in a batch, and batches.
    images: usize,
    batches: usize,
    /// Local steps behind an update; 1 for a gradient.
    steps: usize,
}

const CASES: [Case; 3] = [
    Case { key: "batch_4", method: Method::Spans, images: 4, batches: 3, steps: 1 },
    Case { key: "batch_4_steps_5", method: Method::Spans, images: 4, batches: 2, steps: STEPS },
    Case { key: "batch_2_matching", method: Method::Matching, images: 2, batches: 1, steps: 1 },
];
const QUICK: [Case; 1] = [Case { key: "batch_2", method: Method::Spans, images: 2, batches: 1, steps: 1 }];

impl Case {
    /// For people.
    fn name(&self) -> String {
        let how = match self.method {
            Method::Spans => "spans of the first block",
            Method::Matching => "gradient matching",
        };
        let after = if self.steps == 1 { String::new() } else { format!(" after {} SGD steps", self.steps) };
        format!("{how}, batch of {}{after}, small ViT", self.images)
    }
}

/// The model: sixteen patches of width 192 leave four images' tokens below the width, as the paper's transformer does.
fn config() -> Config {
    Config::plain(64, 16, 192, 4, 3)
}

/// A batch, what a site uploads of it, and the model.
struct Uploaded {
    target: ClosedTarget,
    head: LinearHead,
    originals: Vec<Picture>,
    labels: Vec<usize>,
    seen: BatchGradient,
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
    for number in 0..case.batches {
        let uploaded = upload(plan, tiles, case, number)?;
        let pixels = match case.method {
            Method::Spans => by_spans(plan, case, &uploaded, (number, stage), &mut outcome.notes)?,
            Method::Matching => by_matching(plan, case, &uploaded, stage, &mut outcome.notes)?,
        };
        outcome.compare(&uploaded, &pixels)?;
    }
    let at = (if case.steps == 1 { Point::Gradient } else { Point::Update }, View::Clear);
    let mut evidence = Evidence::default();
    // The mean of this very batch is a stronger guess than the mean of other tiles.
    let control = ("mean of the batch itself", outcome.control.as_slice());
    evidence.images(case.key, at, &case.name(), &outcome.similar, control);
    evidence.notes = outcome.notes;
    outcome.rows.truncate(4);
    evidence.galleries.push(Gallery { title: format!("Batch: {}", case.name()), rows: outcome.rows });
    Ok(evidence)
}

/// Trains on the `number`-th batch of different groups and keeps what a site would send.
fn upload(plan: &AuditPlan, tiles: &Tiles, case: &Case, number: usize) -> Result<Uploaded, Error> {
    let target = ClosedTarget::at_random_start(config(), tiles.classes.len(), plan.seed)?;
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

/// The models through which a site went, as an attacker knows them: on the straight line between the two it saw.
fn between(uploaded: &Uploaded, share: f32) -> Result<(Vit, LinearHead), Error> {
    let move_by = |w: &mut [f32], g: &[f32]| w.iter_mut().zip(g).for_each(|(w, g)| *w -= share * g);
    let mut model = uploaded.target.model.clone();
    let mut head = uploaded.head.clone();
    for (w, g) in model.parameters_mut().tensors_mut().into_iter().zip(uploaded.seen.backbone.tensors()) {
        move_by(w, g);
    }
    move_by(&mut head.weight, &uploaded.seen.head_weight);
    move_by(&mut head.bias, &uploaded.seen.head_bias);
    Ok((Vit::new(model.config().clone(), model.parameters().clone())?, head))
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
    let mut stopped = None;
    let mut tell = |image: usize, evaluation: usize| {
        let done = 1000 * (number * case.images + image) + evaluation.min(999);
        stopped = stage.tick(&name, done, total).err();
        stopped.is_none()
    };
    let steps = case.steps as f32;
    let taken_at =
        (0..case.steps).map(|t| between(uploaded, t as f32 / steps)).collect::<Result<Vec<_>, _>>()?;
    let middle = between(uploaded, (steps - 1.0) / (2.0 * steps))?.0;
    let mut gradient: Parameters = uploaded.seen.backbone.clone();
    if case.steps > 1 {
        let scale = 1.0 / (RATE * steps);
        gradient.tensors_mut().into_iter().flatten().for_each(|g| *g *= scale);
    }
    let observed = Observed { gradient: &gradient, model: &middle, taken_at: &taken_at, images: case.images };
    let mut search = SearchPlan { seed: plan.seed, ..SearchPlan::default() };
    if case.steps > 1 {
        // Drift keeps every misfit above what counts as found: many starts do more than many rounds, and the least wins.
        (search.starts, search.rounds) = (5, 2);
    }
    let mut evaluations = 0;
    let found = recover(&observed, &search, &mut |at| {
        evaluations += 1;
        tell(at.image, at.evaluation)
    })?;
    if let Some(e) = stopped {
        return Err(e);
    }
    let misfits: Vec<String> = found.iter().map(|f| format!("{:.1e}", f.misfit)).collect();
    notes.push(format!(
        "{name}, batch {}: {} of {} images found exactly, misfits {}, {evaluations} evaluations.",
        number + 1,
        found.iter().filter(|f| f.found()).count(),
        case.images,
        misfits.join(", ")
    ));
    let each = uploaded.target.model.config().pixels();
    let mut pixels: Vec<f32> = found.into_iter().flat_map(|f| f.pixels).collect();
    pixels.resize(case.images * each, 0.0);
    Ok(pixels)
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
