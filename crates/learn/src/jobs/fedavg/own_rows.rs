//! The start and the promise of the job on one party's own rows: training starts from the best linear head, and ends with it where it makes
//! the answers to what is held out worse.

use super::head::started_from;
use super::held_out::{Asked, Parted, compare, figures, measured, parted};
use super::state::State;
use super::{FedAvg, FedAvgSettings, linear};
use crate::jobs::choice::{Choice, HeadFigures};
use crate::jobs::{Advanced, Error, Examples, Result, SiteData, tally};
use blindscope_vision::head::{Activation, HeadPlan, PolynomialHead, Scaling, TrainedHead, train_polynomial};

/// A head on raw features, and what it was held against.
pub(crate) struct OwnHead {
    /// The head that answers better, with the epochs of training.
    pub trained: TrainedHead,
    /// Both heads' figures on what was held out.
    pub chosen: Choice,
    /// Rows that were learned from.
    pub learned: usize,
}

/// Trains by `plan` on what is not held out of `rows`. Nothing where nothing can be held out or no linear head be started from: too few
/// groups or units, a polynomial without a linear term.
///
/// # Errors
/// [`Error::Vision`] for rows that cannot be read any more or an unserved degree.
pub(crate) fn train_on_own(
    rows: &Examples,
    width: usize,
    classes: usize,
    plan: &HeadPlan,
) -> Result<Option<OwnHead>> {
    let Some((job, state, data)) = started(rows, width, classes, plan)? else { return Ok(None) };
    let (s, scaling) = (&job.settings, &state.scaling);
    let Parted { learned, held } = parted(s, &data.train)?;
    let (Some(linear), false) = (state.linear.first(), held.is_empty()) else { return Ok(None) };
    let start = on_raw_features(started_from(linear, plan)?, scaling, plan.clip);
    let mut trained = train_polynomial(&learned.rows, width, &learned.labels, classes, plan, Some(&start))?;
    let heads = [Asked::Polynomial(&trained.head), Asked::Polynomial(&start)];
    let sums = measured(s, &held, &heads, &|rows| rows)?;
    let Some((held, each)) = sums.split_first_chunk::<2>() else { return Ok(None) };
    let (of_trained, of_start) = each.split_at(tally::each(classes));
    let worse = compare(of_trained, of_start, classes).is_gt();
    if worse {
        trained.seen = start.reach(&learned.rows)?;
        trained.head = start;
    }
    let (family, lambda) = state.chosen.as_ref().map_or(("lda", 0.0), |(at, _)| linear::named(*at));
    let kept = if worse { of_start } else { of_trained };
    let heads = [("polynomial", kept), (family, of_start)];
    let heads: Vec<HeadFigures> = heads.map(|(name, sums)| figures(name, *held, sums, classes)).into();
    let (features, tried, settings) = ("all".to_owned(), Vec::new(), Vec::new());
    let chosen = Choice { folds: s.folds, features, lambda, tried, heads, settings };
    Ok(Some(OwnHead { trained, chosen, learned: learned.len() }))
}

/// The job after its linear heads were measured.
fn started(
    rows: &Examples,
    width: usize,
    classes: usize,
    plan: &HeadPlan,
) -> Result<Option<(FedAvg, State, SiteData)>> {
    let mut bound = f32::MIN_POSITIVE;
    for block in rows.rows.blocks() {
        bound = block?.iter().fold(bound, |most, v| most.max(v.abs()));
    }
    let settings = FedAvgSettings {
        width,
        classes,
        rounds: 1,
        hidden: plan.hidden,
        clip: plan.clip,
        bound: f64::from(bound),
        examples: rows.len() as u64,
        seed: plan.seed,
        ..FedAvgSettings::default()
    };
    let units = plan.hidden >= 2 * classes.saturating_sub(1);
    if !units || matches!(plan.activation, Activation::Square) {
        return Ok(None);
    }
    let job = FedAvg::new(settings)?;
    let data = SiteData { train: rows.clone(), ..SiteData::default() };
    // Too few groups of a class, or features that a grid over all of them tells too little of.
    let begun = match job.begin(&data).and_then(|sums| job.begun(&sums, 1)) {
        Ok(Advanced::Next(begun)) => State::from_bytes(&begun, &job.settings)?,
        Ok(Advanced::Final(_)) | Err(Error::Sums { .. } | Error::Data { .. }) => return Ok(None),
        Err(other) => return Err(other),
    };
    let sums = job.measure_linear(&data, &begun)?;
    let Advanced::Next(measured) = job.linear_measured(begun, &sums)? else { return Ok(None) };
    let state = State::from_bytes(&measured, &job.settings)?;
    Ok(Some((job, state, data)))
}

/// A head on standardised features as one on raw features, clipped where standardised ones are.
fn on_raw_features(mut head: PolynomialHead, scaling: &Scaling, clip: f32) -> PolynomialHead {
    for (row, bias) in head.weight1.chunks_exact_mut(head.width.max(1)).zip(&mut head.bias1) {
        let mut shift = 0.0f64;
        for ((w, mean), deviation) in row.iter_mut().zip(&scaling.mean).zip(&scaling.deviation) {
            *w /= deviation;
            shift += f64::from(*w) * f64::from(*mean);
        }
        *bias -= shift as f32;
    }
    let limits = || scaling.mean.iter().zip(&scaling.deviation);
    head.lowest = limits().map(|(mean, deviation)| mean - clip * deviation).collect();
    head.highest = limits().map(|(mean, deviation)| mean + clip * deviation).collect();
    head
}
