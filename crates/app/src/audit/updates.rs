//! Stage 2: updates after several local steps on one image.

use super::gradients::mean_control;
use super::outcome::{Evidence, Gallery, GalleryRow, Point, View};
use super::{AuditPlan, ClosedTarget, Error, Stage, Tiles};
use blindscope_audit::Picture;
use blindscope_audit::closed::from_positions;
use blindscope_audit::metrics::Similarity;
use blindscope_vision::head::{AdamW, LinearHead};
use blindscope_vision::train::{BatchGradient, Classifier, batch_gradient};
use blindscope_vision::vit::{Parameters, Vit};

/// Local steps of a site before it uploads.
pub(super) const STEPS: usize = 5;

/// A customary step for plain gradient descent.
const RATE: f32 = 1e-2;

/// How a site trains between two uploads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Optimiser {
    Sgd,
    AdamW,
}

/// Updates of one image.
pub(super) fn run(plan: &AuditPlan, tiles: &Tiles, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    single(plan, tiles, &mut evidence, stage)?;
    Ok(evidence)
}

/// One image, several local steps, closed form.
fn single(
    plan: &AuditPlan,
    tiles: &Tiles,
    evidence: &mut Evidence,
    stage: &mut Stage<'_>,
) -> Result<(), Error> {
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
        evidence.images(key, (Point::Update, View::Clear), name, &found, ("mean of other tiles", &control));
        rows.truncate(2);
        evidence.galleries.push(Gallery { title: format!("Model update: {name}"), rows });
    }
    Ok(())
}

/// What a site's upload shows after `steps` steps on one batch: weights before minus weights after.
pub(super) fn train(
    target: &ClosedTarget,
    pixels: &[f32],
    labels: &[usize],
    steps: usize,
    optimiser: Optimiser,
) -> Result<BatchGradient, Error> {
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
