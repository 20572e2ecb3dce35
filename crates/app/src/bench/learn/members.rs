//! Whether a patient was in the study, told from what a job opens: with noise, and without.
//!
//! A third of all groups are members, dealt to three sites; a third are others; the last third is what the attacker has of its own.

use rand::SeedableRng as _;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom as _;
use rayon::prelude::*;

use super::round::{COLLUDERS, secret};
use super::rows::{SITES, sites};
use super::{AREA, Better, Error, Figure, Result};
use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_audit::membership::{Population, Trial, auc, head_scores, likelihood_ratios};
use blindscope_federation::JobSpec;
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{Model, SiteData, SiteLearner, clear_twin, noised_twin};
use blindscope_wire::Digest;

/// Attacked studies whose sums are traced in.
const TRACED: u64 = 8;
/// Studies with the same candidates, each of half of them: every one is attacked with the others as shadows.
const MODELS: u64 = 32;
/// Share of candidates that are members.
const HALF: f64 = 0.5;

/// A job whose opened sums and heads are attacked, and what its figures are called and held to.
pub(super) struct Target<'t> {
    pub(super) spec: &'t JobSpec,
    pub(super) name: &'t str,
    /// Bar and aim, where there are any.
    pub(super) must: Option<(f64, f64)>,
}

/// Every figure of one job.
pub(super) fn figures(target: &Target<'_>, all: &Features) -> Result<Vec<Figure>> {
    let traced = (0..TRACED).into_par_iter().map(|seed| traced(target.spec, all, seed));
    let traced = traced.collect::<Result<Vec<f64>>>()?;
    let told = by_ratio(target.spec, all)?;
    let figure = |what: &str, found: &[f64]| {
        let name = format!("members_{what}_{}", target.name);
        Figure::of(AREA, name, "AUC", Better::Lower, found).must_if(target.must)
    };
    Ok(vec![figure("in_sum_of_3_sites", &traced), figure("in_head", &told)])
}

/// Rows of the groups for which it is so.
fn of_groups(all: &Features, is_in: impl Fn(usize) -> bool) -> Features {
    let rows: Vec<usize> = (0..all.len()).filter(|row| is_in(all.groups[*row])).collect();
    all.select(&rows)
}

/// Groups in an order that follows from a seed.
fn shuffled(all: &Features, seed: u64) -> Vec<usize> {
    let mut groups = all.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    groups.shuffle(&mut ChaCha12Rng::seed_from_u64(seed ^ 0x6d65_6d62));
    groups
}

/// AUC of tracing a patient in the classes' opened means: how far its mean row lies, in whitened coordinates, in the direction in which
/// the mean of its class differs from the attacker's.
fn traced(spec: &JobSpec, all: &Features, seed: u64) -> Result<f64> {
    let groups = shuffled(all, seed);
    let (members, rest) = groups.split_at(groups.len() / 3);
    let (others, known) = rest.split_at(rest.len() / 2);
    let part = |of: &[usize]| of_groups(all, |group| of.contains(&group));
    let inside = part(members);
    let ends = ends(spec, &inside, seed)?;
    let (known, classes) = (Units::of(&part(known))?, all.classes.len());
    let released = match spec.privacy.as_deref() {
        None => Units::of(&inside)?.means(classes),
        Some(privacy) => opened_means(&ends[0], all.width, classes, privacy.norm),
    };
    let own = known.means(classes);
    let less = |units: &Units| -> Vec<(Vec<f32>, usize)> { units.less(&own) };
    let scattered: Vec<f32> = less(&known).into_iter().flat_map(|(row, _)| row).collect();
    let population = Population::new(&scattered, all.width).map_err(attack)?;
    let scores = |units: &Units| -> Vec<f64> {
        let score = |(row, class): (Vec<f32>, usize)| {
            let moved: Vec<f32> = released[class].iter().zip(&own[class]).map(|(a, b)| a - b).collect();
            population.scores(&moved, &row).first().copied().unwrap_or(0.0)
        };
        less(units).into_iter().map(score).collect()
    };
    Ok(auc(&scores(&Units::of(&inside)?), &scores(&Units::of(&part(others))?)))
}

fn attack(error: blindscope_audit::Error) -> Error {
    Error::Audit(error.into())
}

/// What each round of the job ends in, its result last, over three sites of these rows.
fn ends(spec: &JobSpec, rows: &Features, seed: u64) -> Result<Vec<Vec<u8>>> {
    let sites = sites(rows, true, seed)?;
    let data: Vec<&SiteData> = sites.iter().map(SiteLearner::data).collect();
    if spec.privacy.is_none() {
        return Ok(vec![clear_twin(spec, &data, &|_| {})?]);
    }
    let key = |site: usize, round: u64| {
        let round = RoundId(Digest([round as u8; 32]));
        NoiseKey::new(&secret(seed, site), round, &Digest([0; 32]), SITES as u32 - COLLUDERS)
    };
    Ok(noised_twin(spec, &data, &key)?)
}

/// Means of classes that the first of two rounds with noise opened: behind the spread, and units and excess of each class.
fn opened_means(start: &[u8], width: usize, classes: usize, norm: f64) -> Vec<Vec<f32>> {
    let (numbers, _) = start.as_chunks::<8>();
    let means = numbers.iter().skip(1 + 2 * classes).map(|v| (f64::from_le_bytes(*v) * norm) as f32);
    means.collect::<Vec<f32>>().chunks(width).map(<[f32]>::to_vec).collect()
}

/// The mean row of each group, and its class.
struct Units(Vec<(Vec<f32>, usize)>);

impl Units {
    fn of(rows: &Features) -> Result<Self> {
        let labels = rows.known_labels()?;
        let mut units: std::collections::BTreeMap<usize, (Vec<f32>, usize, f32)> =
            std::collections::BTreeMap::new();
        for (at, label) in labels.iter().enumerate() {
            let row = rows.row(at)?;
            let unit = units.entry(rows.groups[at]).or_insert_with(|| (vec![0.0; row.len()], *label, 0.0));
            unit.0.iter_mut().zip(row.iter()).for_each(|(s, v)| *s += v);
            unit.2 += 1.0;
        }
        let mean = |(sum, label, n): (Vec<f32>, usize, f32)| (sum.iter().map(|s| s / n).collect(), label);
        Ok(Self(units.into_values().map(mean).collect()))
    }

    /// Mean over units of each class.
    fn means(&self, classes: usize) -> Vec<Vec<f32>> {
        let width = self.0.first().map_or(0, |(row, _)| row.len());
        let mut means = vec![(vec![0.0f32; width], 0.0f32); classes];
        for (row, class) in &self.0 {
            means[*class].0.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            means[*class].1 += 1.0;
        }
        means.into_iter().map(|(sum, n)| sum.iter().map(|s| s / n.max(1.0)).collect()).collect()
    }

    /// Each unit less the mean of its class.
    fn less(&self, means: &[Vec<f32>]) -> Vec<(Vec<f32>, usize)> {
        let less = |(row, class): &(Vec<f32>, usize)| {
            (row.iter().zip(&means[*class]).map(|(a, b)| a - b).collect(), *class)
        };
        self.0.iter().map(less).collect()
    }
}

/// AUC of a likelihood ratio on heads, one for each attacked model: candidates are all groups, half of which are members of each.
fn by_ratio(spec: &JobSpec, all: &Features) -> Result<Vec<f64>> {
    let groups = shuffled(all, 0);
    let trials = (0..MODELS).into_par_iter().map(|seed| {
        let mut order = groups.clone();
        order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed ^ 0x7261_7469));
        order.truncate((HALF * groups.len() as f64) as usize);
        let inside = of_groups(all, |group| order.contains(&group));
        let model = ends(spec, &inside, seed + 500)?.pop().unwrap_or_default();
        let model = Model::from_json(&model)?;
        let members = groups.iter().map(|group| order.contains(group)).collect();
        Ok(Trial { scores: sureness(&model, all, &groups)?, members })
    });
    let trials = trials.collect::<Result<Vec<Trial>>>()?;
    let one = |at: usize| {
        let shadows: Vec<&Trial> =
            trials.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, t)| t).collect();
        let ratios = likelihood_ratios(&trials[at].scores, &shadows).map_err(attack)?;
        let side = |inside: bool| -> Vec<f64> {
            ratios.iter().zip(&trials[at].members).filter(|(_, m)| **m == inside).map(|(r, _)| *r).collect()
        };
        Ok(auc(&side(true), &side(false)))
    };
    (0..trials.len()).map(one).collect()
}

/// How sure a head is of each group: the mean over its rows of `ln p − ln(1 − p)`, `p` being what it gives the right class.
fn sureness(model: &Model, all: &Features, groups: &[usize]) -> Result<Vec<f64>> {
    let rows = all.values.whole()?;
    let tokens: Vec<Vec<f64>> =
        rows.chunks_exact(all.width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect();
    let scores = head_scores(&model.head()?, &tokens, &all.known_labels()?).map_err(attack)?;
    let mut sums = std::collections::HashMap::new();
    for (score, group) in scores.iter().zip(&all.groups) {
        // The score is ln p.
        let of: &mut (f64, f64) = sums.entry(*group).or_default();
        *of = (of.0 + score - (-score.exp_m1()).max(1e-12).ln(), of.1 + 1.0);
    }
    Ok(groups.iter().map(|group| sums.get(group).map_or(0.0, |(sum, n)| sum / n)).collect())
}
