//! Stage 5: search in pixel space for the image behind a token.

use std::ops::ControlFlow;

use super::features::TokenSet;
use super::outcome::{Evidence, Gallery, GalleryRow, Point, View};
use super::tokens::views;
use super::{AuditPlan, Error, Stage};
use blindscope_audit::Picture;
use blindscope_audit::metrics::Similarity;
use blindscope_audit::token::{InversionPlan, invert};

const NAME: &str = "search in pixel space against the frozen backbone";

pub(super) fn run(plan: &AuditPlan, set: &TokenSet, stage: &mut Stage<'_>) -> Result<Evidence, Error> {
    let mut evidence = Evidence::default();
    let views = views(plan, set)?;
    let count = set.victims.pictures.len().min(if plan.quick { 3 } else { 6 });
    let mean = Picture::mean(&set.others.pictures).unwrap_or_else(|| set.victims.pictures[0].clone());
    let originals = &set.victims.pictures[..count];
    let similar = |p: &[Picture]| -> Result<Vec<Similarity>, Error> {
        Ok(originals.iter().zip(p).map(|(a, b)| Similarity::of(a, b)).collect::<Result<_, _>>()?)
    };
    let guess = similar(&vec![mean.clone(); count])?;
    let mut look = |tokens: &[f32]| search(plan, set, &tokens[..count * set.width], &mean, stage);
    let (pictures, distance) = look(&views.clear)?;
    let found = similar(&pictures)?;
    let at = (Point::Token, View::Clear);
    evidence.images("token_search", at, NAME, &found, ("mean of other tiles", &guess));
    evidence
        .notes
        .push(format!("{NAME}: tokens were reached to {:.1} % of their length.", 100.0 * distance.sqrt()));
    let rows = originals.iter().zip(&pictures).zip(&found).take(3).enumerate();
    let row = |(i, ((o, p), s)): (usize, ((&Picture, &Picture), &Similarity))| {
        GalleryRow::new(format!("tile {}", i + 1), o, p, *s)
    };
    let title = "CLS token in the clear: search in pixel space".to_owned();
    evidence.galleries.push(Gallery { title, rows: rows.map(row).collect() });
    let (sealed, random) = (look(&views.sealed)?.0, look(&views.random)?.0);
    let (sealed, random) = (similar(&sealed)?, similar(&random)?);
    let at = (Point::Token, View::Ciphertext);
    evidence.images("token_search_ciphertext", at, NAME, &sealed, ("random tokens", &random));
    Ok(evidence)
}

/// Pictures found for some tokens, and the mean squared distance that is left.
fn search(
    plan: &AuditPlan,
    set: &TokenSet,
    tokens: &[f32],
    mean: &Picture,
    stage: &mut Stage<'_>,
) -> Result<(Vec<Picture>, f64), Error> {
    let steps = if plan.quick { 40 } else { 150 };
    let search = InversionPlan { steps, seed: plan.seed, ..Default::default() };
    let (mut stopped, mut last) = (None, f64::NAN);
    let start = mean.normalised(&set.preprocess);
    let pixels = invert(&set.model, &set.preprocess, tokens, &start, &search, &mut |at| {
        last = at.distance;
        match stage.tick(NAME, at.step, steps) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                stopped = Some(e);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(e) = stopped {
        return Err(e);
    }
    let each = pixels.chunks_exact(set.model.config().pixels());
    Ok((each.map(|p| Picture::from_normalised(p, &set.preprocess)).collect(), last))
}
