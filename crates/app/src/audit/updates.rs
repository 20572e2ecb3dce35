//! Stage 2: batches above one, and updates after several local steps.

use std::ops::ControlFlow;

use blindscope_audit::Picture;
use blindscope_audit::closed::from_positions;
use blindscope_audit::matching::{Objective, Plan, Subspace, reconstruct};
use blindscope_audit::metrics::{Similarity, best_order};
use blindscope_vision::head::{AdamW, LinearHead};
use blindscope_vision::train::{BatchGradient, Classifier, batch_gradient};
use blindscope_vision::vit::{Config, Parameters, Vit};

use super::gradients::mean_control;
use super::outcome::{Findings, Gallery, GalleryRow, Point, View};
use super::stage::{keep, kept};
use super::{AuditError, AuditPlan, ClosedTarget, Stage, Tiles};

/// Local steps of a site before it uploads.
const STEPS: usize = 5;

/// How a site trains between two uploads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Optimiser {
    Sgd,
    AdamW,
}

/// Images and local steps of each searched batch; each is kept by itself, for it may take long.
const CASES: [(usize, usize); 3] = [(4, 1), (4, STEPS), (2, 1)];

/// Updates of one image.
pub(super) fn run(plan: &AuditPlan, tiles: &Tiles, stage: &mut Stage<'_>) -> Result<Findings, AuditError> {
    let mut findings = Findings::default();
    single(plan, tiles, &mut findings, stage)?;
    Ok(findings)
}

/// Batches.
pub(super) fn batches(
    plan: &AuditPlan,
    tiles: &Tiles,
    stage: &mut Stage<'_>,
) -> Result<Findings, AuditError> {
    let mut findings = Findings::default();
    for (images, steps) in if plan.quick { &CASES[2..] } else { &CASES[..] } {
        let name = format!("batch-{images}-{steps}");
        let found = if let Some(kept) = kept(plan, &name) {
            kept
        } else {
            let mut found = Findings::default();
            batch(plan, tiles, *images, *steps, &mut found, stage)?;
            keep(plan, &name, &found)?;
            found
        };
        findings.append(found);
    }
    Ok(findings)
}

/// One image, several local steps, closed form.
fn single(
    plan: &AuditPlan,
    tiles: &Tiles,
    findings: &mut Findings,
    stage: &mut Stage<'_>,
) -> Result<(), AuditError> {
    let target = ClosedTarget::at_random_start(plan.paper_shape(), tiles.classes.len(), plan.seed)?;
    let chosen = tiles.of_different_groups(0, if plan.quick { 3 } else { 4 })?;
    for (optimiser, key, name) in [
        (Optimiser::Sgd, "update_sgd_5", "closed form on an update of one image, 5 SGD steps"),
        (Optimiser::AdamW, "update_adamw_5", "closed form on an update of one image, 5 AdamW steps"),
    ] {
        let (mut found, mut originals, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (i, tile) in chosen.iter().enumerate() {
            let original = target.picture(tile);
            let pixels = original.normalised(&target.preprocess);
            let moved = train(&target, &pixels, &[tile.label], STEPS, optimiser)?.backbone;
            let recovered = from_positions(target.model.config(), &moved)?;
            let picture = Picture::from_normalised(&recovered.pixels, &target.preprocess);
            let similarity = Similarity::of(&original, &picture)?;
            rows.push(GalleryRow::new(format!("tile {}", i + 1), &original, &picture, similarity));
            found.push(similarity);
            originals.push(original);
            stage.tick(name, i + 1, chosen.len())?;
        }
        let control = mean_control(&originals)?;
        findings.images(key, (Point::Update, View::Clear), name, &found, ("mean of other tiles", &control));
        rows.truncate(2);
        findings.galleries.push(Gallery { title: format!("Model update: {name}"), rows });
    }
    Ok(())
}

/// A batch by gradient matching inside the subspace that linear algebra leaves.
fn batch(
    plan: &AuditPlan,
    tiles: &Tiles,
    images: usize,
    steps: usize,
    findings: &mut Findings,
    stage: &mut Stage<'_>,
) -> Result<(), AuditError> {
    // Sixteen patches of width 192: four images still leave the subspace below the width, as the paper's ViT does.
    let config = Config::plain(64, 16, 192, 4, 3);
    let target = ClosedTarget::at_random_start(config.clone(), tiles.classes.len(), plan.seed)?;
    let after = if steps == 1 { String::new() } else { format!(" after {steps} SGD steps") };
    let name = format!("gradient matching, batch of {images}{after}, small ViT");
    let chosen = tiles.of_different_groups(0, images)?;
    let originals: Vec<Picture> = chosen.iter().map(|t| target.picture(t)).collect();
    let pixels: Vec<f32> = originals.iter().flat_map(|p| p.normalised(&target.preprocess)).collect();
    let labels: Vec<usize> = chosen.iter().map(|t| t.label).collect();
    let seen = train(&target, &pixels, &labels, steps, Optimiser::Sgd)?;
    let Classifier::Linear(head) = &target.head else { return Ok(()) };
    let space = Subspace::new(&config, &seen.backbone, images)?;
    let objective =
        Objective::new(&target.model, head, labels, seen.backbone, seen.head_weight, seen.head_bias)?;
    let search =
        Plan { steps: if plan.quick { 200 } else { 600 }, restarts: 1, seed: plan.seed, ..Plan::default() };
    let mut stopped = None;
    let found = reconstruct(
        &objective,
        &target.preprocess,
        Some(&space),
        None,
        &search,
        &mut |at| match stage.tick(
            &name,
            at.restart * search.steps + at.step + 1,
            search.restarts * search.steps,
        ) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                stopped = Some(e);
                ControlFlow::Break(())
            }
        },
    )?;
    if let Some(e) = stopped {
        return Err(e);
    }
    let cut = found.pixels.chunks_exact(config.pixels());
    let pictures: Vec<Picture> = cut.map(|p| Picture::from_normalised(p, &target.preprocess)).collect();
    let order = best_order(&originals, &pictures);
    let (mut similar, mut rows) = (Vec::new(), Vec::new());
    for (i, (original, at)) in originals.iter().zip(order).enumerate() {
        let s = Similarity::of(original, &pictures[at])?;
        rows.push(GalleryRow::new(format!("tile {}", i + 1), original, &pictures[at], s));
        similar.push(s);
    }
    let at = (if steps == 1 { Point::Gradient } else { Point::Update }, View::Clear);
    let key = if steps == 1 { format!("batch_{images}") } else { format!("batch_{images}_steps_{steps}") };
    // The mean of this very batch is a stronger guess than the mean of other tiles.
    let mean = Picture::mean(&originals);
    let control: Vec<Similarity> = originals
        .iter()
        .zip(mean.iter().cycle())
        .map(|(o, m)| Similarity::of(o, m))
        .collect::<Result<_, _>>()?;
    findings.images(&key, at, &name, &similar, ("mean of the batch itself", &control));
    findings.notes.push(format!(
        "{name}: 1 − cosine {:.2e} after {} steps, {} of {} dimensions a patch left to search.",
        found.distance,
        found.history.len(),
        space.open(),
        config.patch_values()
    ));
    findings.galleries.push(Gallery { title: format!("Batch: {name}"), rows });
    Ok(())
}

/// What a site's upload shows after `steps` steps on one batch: weights before minus weights after.
fn train(
    target: &ClosedTarget,
    pixels: &[f32],
    labels: &[usize],
    steps: usize,
    optimiser: Optimiser,
) -> Result<BatchGradient, AuditError> {
    if steps == 1 && optimiser == Optimiser::Sgd {
        return Ok(batch_gradient(&target.model, &target.head, pixels, labels)?);
    }
    let mut model = target.model.clone();
    let Classifier::Linear(mut head) = target.head.clone() else {
        return Ok(batch_gradient(&target.model, &target.head, pixels, labels)?);
    };
    let mut adam = (AdamW::new(1e-4, 0.0), AdamW::new(1e-3, 0.0));
    let mut last = None;
    for _ in 0..steps {
        let g = batch_gradient(&model, &Classifier::Linear(head.clone()), pixels, labels)?;
        step(&mut model, &mut head, &g, optimiser, &mut adam);
        last = Some(g);
    }
    let Some(mut seen) = last else {
        return Ok(batch_gradient(&target.model, &target.head, pixels, labels)?);
    };
    seen.backbone = difference(target.model.parameters(), model.parameters());
    if let Classifier::Linear(before) = &target.head {
        seen.head_weight = before.weight.iter().zip(&head.weight).map(|(a, b)| a - b).collect();
        seen.head_bias = before.bias.iter().zip(&head.bias).map(|(a, b)| a - b).collect();
    }
    Ok(seen)
}

fn step(
    model: &mut Vit,
    head: &mut LinearHead,
    g: &BatchGradient,
    optimiser: Optimiser,
    adam: &mut (AdamW, AdamW),
) {
    /// A customary step for plain gradient descent.
    const RATE: f32 = 1e-2;
    let descend = |w: &mut [f32], g: &[f32]| w.iter_mut().zip(g).for_each(|(w, g)| *w -= RATE * g);
    match optimiser {
        Optimiser::Sgd => {
            for (w, g) in model.parameters_mut().tensors_mut().into_iter().zip(g.backbone.tensors()) {
                descend(w, g);
            }
            descend(&mut head.weight, &g.head_weight);
            descend(&mut head.bias, &g.head_bias);
        }
        Optimiser::AdamW => {
            let tensors = model.parameters_mut().tensors_mut().into_iter().zip(g.backbone.tensors());
            adam.0.step(tensors.map(|(w, g)| (w.as_mut_slice(), g.as_slice(), false)));
            let layers = [
                (head.weight.as_mut_slice(), g.head_weight.as_slice(), false),
                (&mut head.bias, &g.head_bias, false),
            ];
            adam.1.step(layers.into_iter());
        }
    }
}

fn difference(before: &Parameters, after: &Parameters) -> Parameters {
    let mut out = before.clone();
    for (b, a) in out.tensors_mut().into_iter().zip(after.tensors()) {
        for (b, a) in b.iter_mut().zip(a) {
            *b -= a;
        }
    }
    out
}
