//! Rounds of sums: `sum`, and every kind whose learning is a sum of integers. What the integers mean is the learning code's.

use blindscope_aggregate::SumPlan;
use rand_core::CryptoRng;

use super::spec::refused;
use super::{Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{
    self, Target, combine_sum, open_round, write_contribution, write_refresh, write_share_of,
};
use crate::{
    Advanced, Ask, Blob, Error, Input, JobId, JobSpec, Outcome, Output, Phase, Result, SiteId, Step, Study,
    Work,
};

/// What each round sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SumJob {
    /// Integers that each site contributes a round.
    values: u64,
    /// Largest of these integers, weight included.
    max: u64,
}

impl SumJob {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        let rounds: &[&str] = if spec.kind.has_rounds() { &["rounds"] } else { &[] };
        spec.has_only(&[rounds, &["values", "max"]].concat())?;
        let expected = "1 to 4294967296 for a sum, otherwise 0";
        if !(1..=1 << 32).contains(&spec.values) {
            return Err(refused("values", spec.values.to_string(), expected));
        }
        if spec.max == 0 {
            return Err(refused("max", "0".to_owned(), "at least 1 for a sum, otherwise 0"));
        }
        Ok(Self { values: spec.values, max: spec.max })
    }

    /// The plan of its rounds.
    fn plan(&self, study: &Study) -> Result<SumPlan> {
        let literal = study.literal();
        let sum = blindscope_aggregate::SumPlanLiteral {
            values: self.values,
            max: self.max,
            sites: literal.sites.len() as u32,
            threshold: literal.threshold,
            width: study.key_width() as u32,
            budget: literal.decryptions,
            statistical_bits: literal.statistical_bits,
            attempts: literal.attempts,
        };
        Ok(SumPlan::new(study.params(), sum)?)
    }

    fn share(&self, mut making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (bundle, permit) = making.shares()?;
        let Ask::Share { opening, committee, zeros, target, .. } = &making.task.ask else {
            return Err(making.foreign());
        };
        let (tools, step, key) = (making.tools, making.task.step, making.task.key);
        let (study, plan) = (tools.study, self.plan(tools.study)?);
        let mut parts = payload::open("open parts", tools.blobs, &bundle)?;
        let share = payload::open_bundle(study, key, tools.me, tools.sealing, &mut parts)?;
        let target = Target { key, step, opening, committee, zeros, ciphertexts: target, share: &share };
        let mut permit = Some(permit);
        tools.blobs.create(making.sizes.share, &mut |out| {
            let permit = permit.take().ok_or_else(|| Error::Permit { step: step.to_string() })?;
            write_share_of(study, &plan, &target, permit, tools.blobs, &mut rng, out)
        })
    }

    fn add(
        &self,
        combining: &Combining<'_>,
        step: Step,
        base: Option<&Blob>,
        payloads: &[(SiteId, Blob)],
    ) -> Result<Input> {
        let (plan, blobs) = (self.plan(combining.study)?, combining.blobs);
        let sum = blobs.create(plan.sum_len(), &mut |out| combine_sum(&plan, base, payloads, blobs, out))?;
        Ok(Input::Combined { step, output: Output::shared(sum) })
    }
}

impl Kind for SumJob {
    fn sizes(&self, study: &Study, _: JobId) -> Result<Sizes> {
        let plan = self.plan(study)?;
        let (upload, sum, share) = (plan.upload_len(), plan.sum_len(), plan.share_len());
        Ok(Sizes { openings: plan.chunks(), upload, sum, share, ..Sizes::default() })
    }

    fn payload(&self, making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (tools, task, len) = (making.tools, making.task, making.sizes.upload);
        let (study, blobs, plan) = (tools.study, tools.blobs, self.plan(tools.study)?);
        match &task.ask {
            Ask::Upload { public_key, input } => {
                let input = payload::read_input(input.as_ref(), blobs)?;
                blobs.create(len, &mut |out| {
                    let values = tools.learning.values(&task.spec, task.step.round, &input);
                    let values = values.map_err(|source| Error::Learning { op: "contribute", source })?;
                    write_contribution(study, &plan, public_key, values, blobs, &mut rng, out)
                })
            }
            Ask::Ready { public_key, .. } => {
                blobs.create(len, &mut |out| write_refresh(study, &plan, public_key, blobs, &mut rng, out))
            }
            Ask::Share { .. } => self.share(making, rng),
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Combining { study, blobs, .. } = *combining;
        match combining.work {
            Work::Sum { step, uploads, .. } => self.add(combining, *step, None, uploads),
            Work::Refresh { step, sum, zeros, .. } => self.add(combining, *step, Some(sum), zeros),
            Work::Open { step, spec, input, target, shares, committed, .. } => {
                let values = open_round(study, &self.plan(study)?, *step, target, shares, blobs)?;
                let input = payload::read_input(input.as_ref(), blobs)?;
                let advanced = combining.learning.advance(spec, step.round, &input, &values, *committed);
                let advanced = advanced.map_err(|source| Error::Learning { op: "advance", source })?;
                let outcome = match advanced {
                    Advanced::Next(bytes) => Outcome::Next(payload::keep("advance", blobs, &bytes)?),
                    Advanced::Final(bytes) => Outcome::Final(payload::keep("advance", blobs, &bytes)?),
                };
                Ok(Input::Opened { step: *step, outcome })
            }
            Work::Key { .. } | Work::Relin { .. } => Err(combining.foreign()),
        }
    }

    fn key(&self) -> KeyUse {
        KeyUse::Sums
    }

    fn next(&self, _: Phase) -> Next {
        Next::Open
    }

    fn opens(&self) -> bool {
        true
    }
}
