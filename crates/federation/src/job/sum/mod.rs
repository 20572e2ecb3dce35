//! Rounds of sums: `sum`, and every kind whose learning is a sum of integers. What the integers mean is the learning code's.
//!
//! Each round has keys of its own ([`crate::sums`]): upload, findings, agreement, opening. Here the steps of the protocol meet the
//! state machines' blobs.

mod evaluations;
mod intake;
#[cfg(test)]
mod memory;
mod messages;
mod reading;
mod round;
mod site;
mod spool;
mod start;

use std::collections::BTreeSet;

use rand_core::CryptoRng;

use super::portion::of_sites;
use super::spec::refused;
use super::{Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::sums::{Agreement, PAIRING_LEN, SumMark, SumOpening, SumRefusal, SumRound, SumSite};
use crate::{Ask, Blob, Input, JobId, JobSpec, Mark, Phase, Result, SiteId, Study, Task, Work};
use blindscope_wire::Digest;

/// What each round sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SumJob {
    /// Integers that each site contributes a round.
    values: u64,
    /// Largest of these integers, weight included.
    max: u64,
}

/// A number as a job file gives it: one that is left out is read as none.
fn given(number: u64) -> String {
    if number == 0 { "missing or none".to_owned() } else { number.to_string() }
}

impl SumJob {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        let rounds: &[&str] = if spec.kind.has_rounds() { &["rounds"] } else { &[] };
        spec.has_only(&[rounds, &["values", "max", "data_version", "privacy"]].concat())?;
        if !(1..=1 << 32).contains(&spec.values) {
            return Err(refused("values", given(spec.values), "1 to 4294967296 for a sum"));
        }
        if spec.max == 0 {
            return Err(refused("max", given(spec.max), "at least 1 for a sum"));
        }
        if let Some(privacy) = spec.privacy.as_deref().filter(|privacy| !privacy.has_norm()) {
            return Err(refused("privacy.norm", privacy.norm.to_string(), "a positive number"));
        }
        Ok(Self { values: spec.values, max: spec.max })
    }

    /// A round of it, as each party computes it from its own study.
    fn round(&self, study: &Study, job: JobId, number: u64, start: Option<&Blob>) -> Result<SumRound> {
        let round = SumRound::new(&study.epoch()?, job, number, (self.values, self.max))?;
        Ok(start.map_or(round.clone(), |start| round.started_from(start)))
    }

    /// The round that work is of.
    fn round_of(&self, combining: &Combining<'_>) -> Result<SumRound> {
        let step = combining.work.step();
        self.round(combining.study, step.job, step.round, combining.work.starts_from().as_ref())
    }
}

/// Rounds of other sums, by file and number, that start from the same.
fn of_specs(study: &Study, rounds: &[(JobSpec, u64)], start: Option<&Blob>) -> Result<Vec<SumRound>> {
    rounds.iter().map(|(spec, number)| of_spec(study, (spec, *number), start)).collect()
}

fn of_spec(study: &Study, (spec, number): (&JobSpec, u64), start: Option<&Blob>) -> Result<SumRound> {
    SumJob::of(spec)?.round(study, spec.id(study), number, start)
}

/// Most rounds that a site is told of in one task.
pub(crate) const MOST_TOLD: usize = 32;

/// Takes in how earlier rounds of the same input ended: what the site remembers from then on. What contradicts its marks is refused and
/// leaves none; what it remembers already leaves none either. An upload in its name that it does not know is a copy's.
fn told(making: &mut Making<'_>) -> Result<SumSite> {
    let (tools, task, mut remembered) = (making.tools, making.task, making.tools.sums.clone());
    let Ask::Upload { voids, settled, .. } = &task.ask else { return Ok(remembered) };
    let start = task.starts_from();
    let found = voids.len() + settled.len();
    if found > MOST_TOLD {
        return Err(SumRefusal::Told { found: found as u64, most: MOST_TOLD as u64 }.into());
    }
    let mut rounds = BTreeSet::new();
    for one in settled {
        let then = tools.study.under(one.version)?;
        let opened = of_spec(&then, (&one.spec, one.round), start.as_ref())?;
        let proof = messages::settled(&opened, tools.blobs, &one.proof);
        let known = proof.and_then(|(shown, mark)| {
            // What was uploaded under keys that were this site's before is none of a copy's.
            if same_keys(&then, tools.study, tools.me) {
                shown.judge(&remembered, tools.me, &opened)?;
            }
            Ok(mark)
        });
        let mark = site::stop_if_copied(&opened, making, known)?;
        take((&mut remembered, &mut rounds), making, (&opened, mark))?;
    }
    for one in voids {
        let then = tools.study.under(one.version)?;
        let failed = of_spec(&then, (&one.spec, one.round), start.as_ref())?;
        let mark = messages::voided(&failed, tools.blobs, &one.declared)?;
        take((&mut remembered, &mut rounds), making, (&failed, mark))?;
    }
    Ok(remembered)
}

/// Whether a site goes by the same keys under both versions of the roster.
fn same_keys(then: &Study, now: &Study, site: SiteId) -> bool {
    then.site(site) == now.site(site)
}

/// Remembers what a site was told, unless it does already.
fn take(
    (remembered, rounds): (&mut SumSite, &mut BTreeSet<Digest>),
    making: &mut Making<'_>,
    (round, mark): (&SumRound, SumMark),
) -> Result<()> {
    let again = !rounds.insert(round.name());
    if remembered.remembers(&mark) {
        return if again { Err(SumRefusal::ToldTwice.into()) } else { Ok(()) };
    }
    remembered.apply(&mark).map_err(|reason| SumRefusal::Contradiction { reason })?;
    making.marks.push(Mark::Sum { mark, openings: 0 });
    Ok(())
}

impl Kind for SumJob {
    fn sizes(&self, study: &Study, id: JobId) -> Result<Sizes> {
        let round = self.round(study, id, 0, None)?;
        Ok(Sizes {
            openings: round.plan().chunks(),
            upload: round.upload_len(SiteId(0), false),
            sum: round.plan().sum_len(),
            share: SumOpening::len(&round) as u64,
            evaluated: !round.is_small(),
            ..Sizes::default()
        })
    }

    fn payload(&self, mut making: Making<'_>, rng: &mut dyn CryptoRng) -> Result<Blob> {
        let task = making.task;
        let start = task.starts_from();
        let round = self.round(making.tools.study, task.step.job, task.step.round, start.as_ref())?;
        match &task.ask {
            Ask::Upload { input, pairs, .. } => {
                let remembered = told(&mut making)?;
                let start = start::own_start(self, &mut making)?;
                site::upload(&round, making, (&remembered, (input.as_ref(), &start), *pairs), rng)
            }
            Ask::Void { rounds } => {
                site::void(&of_specs(making.tools.study, rounds, start.as_ref())?, making)
            }
            Ask::Findings { headers, bundle } => site::findings(&round, making, (headers, bundle)),
            Ask::Agree { commitment, uploads } => {
                if !making.tools.sums.has_uploaded(&round) {
                    start::own_start(self, &mut making)?;
                }
                site::agree(&round, making, commitment, uploads)
            }
            Ask::Vouch { commitment, uploads } => site::vouch(&round, making, commitment, uploads),
            Ask::Open { headers, bundle, commitment, agreements, vouches } => {
                let agreed = (commitment, agreements, vouches.as_ref());
                site::open(&round, making, (headers, bundle), agreed)
            }
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let start = combining.work.starts_from();
        let round = self.round_of(combining)?;
        match combining.work {
            Work::Voids { rounds, words, .. } => {
                round::voids(&of_specs(combining.study, rounds, start.as_ref())?, combining, words)
            }
            Work::Intake { uploads, pairs, .. } => intake::intake(&round, combining, uploads, pairs),
            Work::Name { uploads, headers, findings, earlier, .. } => {
                round::name(&round, combining, (uploads, earlier), (headers, findings))
            }
            Work::Agreements { commitment, uploads, words, .. } => {
                let all = evaluations::agreements(&round, combining, (commitment, uploads), words);
                evaluations::of_bodies(combining.work.step(), all)
            }
            Work::Vouches { commitment, agreements, gone, vouches, .. } => {
                let of = (commitment, agreements, &gone[..]);
                evaluations::of_bodies(
                    combining.work.step(),
                    evaluations::vouches(&round, combining, of, vouches),
                )
            }
            Work::Result(result) => round::result(&round, combining, result),
            _ => Err(combining.foreign()),
        }
    }

    fn divisible(&self, combining: &Combining<'_>) -> Result<Vec<(SiteId, Blob)>> {
        match combining.work {
            Work::Intake { uploads, .. } => Ok(uploads.clone()),
            Work::Name { uploads, headers, findings, earlier, .. } => {
                let round = self.round_of(combining)?;
                let named = round::named(&round, combining, (uploads, earlier), (headers, findings))?;
                Ok(named.map(|named| named.kept).unwrap_or_default())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn portion(&self, combining: &Combining<'_>, sites: &[SiteId]) -> Result<Blob> {
        let round = self.round_of(combining)?;
        match combining.work {
            Work::Intake { uploads, pairs, .. } => {
                reading::write_portion(&round, combining.blobs, &of_sites(uploads, sites)?, pairs)
            }
            // Who is left out after the findings is not looked at: whoever divides the work has.
            Work::Name { uploads, .. } => round::sum(&round, &of_sites(uploads, sites)?, combining.blobs),
            _ => Err(combining.foreign()),
        }
    }

    fn key(&self) -> KeyUse {
        KeyUse::Rounds
    }

    fn next(&self, phase: Phase) -> Next {
        match phase {
            Phase::Void => Next::Begin,
            Phase::Upload => Next::Ask(Phase::Findings),
            Phase::Findings => Next::Ask(Phase::Agree),
            _ => Next::OpenSum,
        }
    }

    fn payload_len(&self, _: &Study, sizes: &Sizes, phase: Phase, _: SiteId) -> Option<u64> {
        match phase {
            Phase::Upload => Some(sizes.upload),
            Phase::Agree => Some(Agreement::LEN as u64),
            Phase::Open => Some(sizes.share),
            _ => None,
        }
    }

    fn longest_input(&self, study: &Study, task: &Task) -> Result<Option<u64>> {
        // Lengths follow from plan and roster, whatever a round starts from.
        let mut longest = messages::longest(&self.round(study, task.step.job, task.step.round, None)?);
        if let Ask::Upload { voids, settled, .. } = &task.ask {
            let void = voids.iter().map(|void| (&void.spec, void.version));
            for (spec, version) in void.chain(settled.iter().map(|s| (&s.spec, s.version))) {
                // More sites may have been there than now.
                let then = study.under(version)?;
                longest = longest.max(messages::longest(&of_spec(&then, (spec, 0), None)?));
            }
        }
        Ok(Some(longest))
    }

    fn pairs_len(&self, study: &Study, site: SiteId) -> u64 {
        let others = study.holders().len() - usize::from(study.signs(site));
        (others * PAIRING_LEN) as u64
    }
}
