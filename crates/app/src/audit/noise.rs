//! Stage 4, third part: who was behind a head, by likelihood ratio, with noise and without.
//!
//! Every model is of a random half of the attacker's tiles; each is attacked with the others as what the attacker trained itself.

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::features::{Part, TokenSet};
use super::outcome::{Cell, Evidence, Point, View};
use super::{AuditPlan, Error, Stage};
use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_audit::membership::{Trial, auc, label_scores, likelihood_ratios};
use blindscope_classify::{Head, class};
use blindscope_federation::{JobKind, JobSpec, Privacy};
use blindscope_learn::jobs::{Examples, Model, SiteData, StatisticsSettings, clear_twin, noised_twin, sized};
use blindscope_wire::{Digest, Hasher};

/// Sites that a study's tiles are dealt to.
const SITES: usize = 3;
/// What is promised, in words of a job file's `[privacy]`; none is a job without noise.
const EPSILONS: [Option<f64>; 3] = [None, Some(8.0), Some(1.0)];
/// By how much the norm that rows are shortened to lies above the mean norm of the attacker's own tokens.
const ROOM: f64 = 1.1;

/// Membership in heads of each promise, and what the heads are worth.
pub(super) fn run(
    plan: &AuditPlan,
    set: &TokenSet,
    evidence: &mut Evidence,
    stage: &mut Stage<'_>,
) -> Result<(), Error> {
    let members = set.others.labels.len() / 2;
    if members < 10 * set.classes {
        evidence.notes.push("too few tiles for membership by likelihood ratio: left out.".into());
        return Ok(());
    }
    for (at, epsilon) in EPSILONS.into_iter().enumerate() {
        let study = Study { plan, set, spec: spec(set, epsilon)? };
        let heads = study.heads(if plan.quick { 8 } else { 32 })?;
        study.put(epsilon, members, &heads, evidence)?;
        stage.tick("membership by likelihood ratio, with noise and without", at + 1, EPSILONS.len())?;
    }
    Ok(())
}

pub(super) fn spec(set: &TokenSet, epsilon: Option<f64>) -> Result<JobSpec, Error> {
    let settings = StatisticsSettings {
        width: set.width,
        classes: set.classes,
        bound: f64::from(set.others.tokens.iter().fold(1.0f32, |most, v| most.max(v.abs()))),
        examples: set.others.labels.len() as u64,
        ..StatisticsSettings::default()
    };
    let norms = set.others.tokens.chunks_exact(set.width);
    let norms = norms.map(|row| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt());
    let norm = ROOM * norms.sum::<f64>() / set.others.labels.len() as f64;
    let promise =
        |epsilon: f64| serde_json::json!({"epsilon": epsilon, "delta": 1e-5, "unit": "tile", "norm": norm});
    let wrong = |e: serde_json::Error| Error::Promise { reason: e.to_string() };
    let privacy: Option<Privacy> =
        epsilon.map(|epsilon| serde_json::from_value(promise(epsilon)).map_err(wrong)).transpose()?;
    Ok(sized(JobSpec {
        kind: JobKind::Auto,
        settings: serde_json::to_value(settings).map_err(wrong)?,
        privacy: privacy.map(Box::new),
        ..JobSpec::named("audit")
    })?)
}

/// One kind of jobs on the attacker's tiles.
pub(super) struct Study<'s> {
    pub(super) plan: &'s AuditPlan,
    pub(super) set: &'s TokenSet,
    pub(super) spec: JobSpec,
}

/// A head, and who was in its training.
pub(super) struct Released {
    pub(super) head: Head,
    pub(super) members: Vec<bool>,
}

impl Study<'_> {
    pub(super) fn heads(&self, count: u64) -> Result<Vec<Released>, Error> {
        let one = |number: u64| {
            let mut order: Vec<usize> = (0..self.set.others.labels.len()).collect();
            order.shuffle(&mut ChaCha12Rng::seed_from_u64(self.plan.seed ^ (number << 32) ^ 0x4c69_5241));
            order.truncate(order.len() / 2);
            let members = (0..self.set.others.labels.len()).map(|at| order.contains(&at)).collect();
            Ok(Released { head: self.head(&order, number)?, members })
        };
        (0..count).into_par_iter().map(one).collect()
    }

    /// The job's recommended head of these tiles.
    fn head(&self, which: &[usize], number: u64) -> Result<Head, Error> {
        let sites: Vec<SiteData> = (0..SITES).map(|site| self.site(which, site)).collect();
        let sites: Vec<&SiteData> = sites.iter().collect();
        let result = if self.spec.privacy.is_some() {
            let key = |site: usize, round: u64| {
                let mut secret = Hasher::new("blindscope/audit/noise/v1");
                secret.absorb_u64(self.plan.seed).absorb_u64(number).absorb_u64(site as u64);
                let round = RoundId(Digest([round as u8; 32]));
                NoiseKey::new(&secret.finish().0, round, &Digest([0; 32]), SITES as u32 - 1)
            };
            noised_twin(&self.spec, &sites, &key)?.pop().unwrap_or_default()
        } else {
            clear_twin(&self.spec, &sites, &|_| {})?
        };
        Ok(Model::from_json(&result)?.head()?)
    }

    fn site(&self, which: &[usize], site: usize) -> SiteData {
        let (d, part) = (self.set.width, &self.set.others);
        let mut train = Examples::default();
        for at in which.iter().skip(site).step_by(SITES) {
            train.rows.extend(part.tokens[at * d..(at + 1) * d].iter().copied());
            train.labels.push(part.labels[*at]);
        }
        SiteData { train, ..SiteData::default() }
    }

    fn put(
        &self,
        epsilon: Option<f64>,
        members: usize,
        heads: &[Released],
        evidence: &mut Evidence,
    ) -> Result<(), Error> {
        let trials = heads.iter().map(|released| self.trial(released)).collect::<Result<Vec<_>, _>>()?;
        let (found, chance) = self.told(&trials)?;
        let (key, noise) = match epsilon {
            None => (String::new(), "without noise".to_owned()),
            Some(e) => (format!("_epsilon_{e}"), format!("with noise of \u{3b5} = {e} by tile")),
        };
        let at = (Point::Head, View::Released);
        let name =
            format!("membership by likelihood ratio on a head of {members} tiles at {SITES} sites, {noise}");
        let control = ("shuffled members", chance.as_slice());
        evidence.put(Cell::new(format!("membership_ratio{key}"), at, name, ("AUC", ""), &found, control));
        let right = heads.iter().map(|r| right(&r.head, &self.set.victims, self.set.width));
        let right = right.collect::<Result<Vec<f64>, _>>()?;
        let name = format!("what such a head is worth, {noise}: right answers on other tiles");
        let guess = [1.0 / self.set.classes as f64; 2];
        let worth =
            Cell::new(format!("worth_of_head{key}"), at, name, ("share", ""), &right, ("a guess", &guess));
        // A good head is no leak.
        evidence.put(worth.map(|cell| Cell { leaks: false, ..cell }));
        Ok(())
    }

    /// AUC of each model, attacked with the others as shadows; and where members are dealt anew.
    pub(super) fn told(&self, trials: &[Trial]) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let mut rng = ChaCha12Rng::seed_from_u64(self.plan.seed ^ 0x5241_5449);
        let (mut found, mut chance) = (Vec::new(), Vec::new());
        for (at, attacked) in trials.iter().enumerate() {
            let shadows: Vec<&Trial> =
                trials.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, t)| t).collect();
            let ratios = likelihood_ratios(&attacked.scores, &shadows)?;
            let told = |members: &[bool]| {
                let side = |inside| -> Vec<f64> {
                    ratios.iter().zip(members).filter(|(_, m)| **m == inside).map(|(r, _)| *r).collect()
                };
                auc(&side(true), &side(false))
            };
            found.push(told(&attacked.members));
            let mut dealt = attacked.members.clone();
            dealt.shuffle(&mut rng);
            chance.push(told(&dealt));
        }
        Ok((found, chance))
    }

    fn trial(&self, released: &Released) -> Result<Trial, Error> {
        let part = &self.set.others;
        let logits = released.head.logits(&rows(part, self.set.width))?;
        Ok(trial(&logits, &part.labels, &released.members))
    }
}

/// `ln p − ln(1 − p)` of each tile's class, by what a head answers.
pub(super) fn trial(logits: &[Vec<f64>], labels: &[usize], members: &[bool]) -> Trial {
    let surer = |ln_p: f64| ln_p - (-ln_p.exp_m1()).max(1e-12).ln();
    let scores = label_scores(logits, labels).into_iter().map(surer).collect();
    Trial { scores, members: members.to_vec() }
}

pub(super) fn rows(part: &Part, width: usize) -> Vec<Vec<f64>> {
    part.tokens.chunks_exact(width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
}

fn right(head: &Head, part: &Part, width: usize) -> Result<f64, Error> {
    let logits = head.logits(&rows(part, width)).map_err(blindscope_audit::Error::from)?;
    let right = logits.iter().zip(&part.labels).filter(|(row, label)| class(row) == **label).count();
    Ok(right as f64 / part.labels.len().max(1) as f64)
}
