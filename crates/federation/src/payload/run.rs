//! One call for each side: what a task asks of a site, what work says to the coordinator.

use std::io::Read;

use blindscope_threshold::KeyShare;
use rand_core::CryptoRng;

use super::ceremony::check_public_key;
use super::encrypted::{
    add_ciphertexts, head_sizes, levels, open_answers, open_inference_bundle, question_sizes,
    write_answer_share, write_answer_zeros, write_head,
};
use super::inference::{check_first_sum, check_inference_key};
use super::round::Target;
use super::{
    combine_first, combine_key, combine_relin, combine_sum, open, open_bundle, open_round,
    write_contribution, write_inference_share, write_key_share, write_refresh, write_relin,
};
use crate::{
    Advance, Advanced, Ask, Blob, Blobs, Circuit, Contribution, Error, Input, JobId, JobKind, JobSpec,
    Outcome, Output, Permit, Question, Result, SealingKey, SignedHeader, Site, SiteId, Sizes, Step, Study,
    Task, Work,
};

/// Most bytes of a round's input or a job's result.
pub const MAX_INPUT: u64 = 4 << 30;

/// What a site works with.
pub struct SiteTools<'a> {
    /// The study.
    pub study: &'a Study,
    /// The site.
    pub me: SiteId,
    /// Opens what is sealed to it.
    pub sealing: &'a SealingKey,
    /// The learning code.
    pub learning: &'a dyn Contribution,
    /// The site's blobs; the task's inputs are among them.
    pub blobs: &'a dyn Blobs,
}

/// Computes what a task asks, into a blob. `bundle` is the sealed parts of the key in use ([`Site::key`]) and `permit` the
/// right to share ([`Site::permit`]); both are needed in phase share only.
///
/// # Errors
/// [`Error`]; [`Error::cause`] is what the site then answers.
pub fn site_payload(
    tools: &SiteTools<'_>,
    task: &Task,
    bundle: Option<Blob>,
    permit: Option<Permit>,
    rng: &mut impl CryptoRng,
) -> Result<Blob> {
    let SiteTools { study, me, sealing, blobs, .. } = *tools;
    // The coordinator's sizes are a convenience; the job's file decides.
    let sizes = Sizes::of(study, &task.spec)?;
    if sizes != task.sizes {
        return Err(Error::Length { op: "take task", expected: sizes.upload, found: task.sizes.upload });
    }
    let (job, step) = (task.step.job, task.step);
    let plan = || super::round::plan(study, &task.spec);
    match &task.ask {
        Ask::KeyShare => blobs.create(sizes.key_share, &mut |out| match &task.spec.circuit {
            Some(circuit) => write_inference_share(study, (job, circuit), me, sealing, rng, out),
            None => write_key_share(study, job, me, sealing, rng, out),
        }),
        Ask::Relin { sum, seed, shares } => {
            let circuit = circuit(&task.spec)?;
            check_first_sum(study, (job, circuit), &payloads(shares), sum, blobs)?;
            blobs.create(sizes.relin, &mut |out| {
                write_relin(study, (job, circuit), (me, sealing), (sum, seed), blobs, rng, out)
            })
        }
        Ask::Parts { public_key, bundle, shares } => {
            match &task.spec.circuit {
                Some(circuit) => {
                    check_inference_key(study, (job, circuit), &payloads(shares), public_key, blobs)?;
                }
                None if task.checks_key(shares) => {
                    check_public_key(study, job, &payloads(shares), public_key, blobs)?;
                }
                None => {}
            }
            drop(key_share(tools, &task.spec, job, bundle)?);
            let confirmation = Site::confirmation(task).map(|c| c.to_bytes()).unwrap_or_default();
            blobs.create(confirmation.len() as u64, &mut |out| {
                out.write_all(&confirmation).map_err(Error::io("confirm parts"))
            })
        }
        Ask::Upload { public_key, input } if task.spec.kind == JobKind::EncryptedHead => {
            let (circuit, input) = (circuit(&task.spec)?, read_input(input.as_ref(), blobs)?);
            let plain = tools.learning.plaintexts(&task.spec, &input);
            let plain = plain.map_err(|source| Error::Learning { op: "contribute", source })?;
            blobs.create(sizes.upload, &mut |out| {
                write_head(study, (&task.spec, circuit), public_key, &plain, blobs, rng, out)
            })
        }
        Ask::Upload { public_key, input } => {
            let plan = plan()?;
            let input = read_input(input.as_ref(), blobs)?;
            blobs.create(sizes.upload, &mut |out| {
                let values = tools.learning.values(&task.spec, step.round, &input);
                let values = values.map_err(|source| Error::Learning { op: "contribute", source })?;
                write_contribution(study, &plan, public_key, values, blobs, rng, out)
            })
        }
        Ask::Ready { public_key, opening } if task.spec.question.is_some() => {
            let (circuit, question) = (circuit(&task.spec)?, question(&task.spec)?);
            blobs.create(sizes.upload, &mut |out| {
                let inputs = (public_key, &opening.sum);
                write_answer_zeros(study, circuit, question, inputs, blobs, rng, out)
            })
        }
        Ask::Ready { public_key, .. } => {
            let plan = plan()?;
            blobs.create(sizes.upload, &mut |out| write_refresh(study, &plan, public_key, blobs, rng, out))
        }
        Ask::Share { opening, committee, zeros, target } => {
            let missing = || Error::Permit { step: step.to_string() };
            let bundle = bundle.ok_or_else(missing)?;
            let share = key_share(tools, &task.spec, task.key, &bundle)?;
            let target =
                Target { key: task.key, step, opening, committee, zeros, ciphertexts: target, share: &share };
            let mut permit = Some(permit.ok_or_else(missing)?);
            blobs.create(sizes.share, &mut |out| {
                let permit = permit.take().ok_or_else(missing)?;
                if let Some(question) = task.spec.question.as_deref() {
                    let asked = (circuit(&task.spec)?, question);
                    return write_answer_share(study, asked, &target, permit, blobs, out);
                }
                let plan = plan()?;
                super::round::write_share_of(study, &plan, &target, permit, blobs, rng, out)
            })
        }
    }
}

/// The payloads behind signed answers.
fn payloads(headers: &[SignedHeader]) -> Vec<(SiteId, Blob)> {
    headers.iter().filter_map(|h| Some((h.header.site, h.payload()?))).collect()
}

/// This site's share of the key that a job makes or uses.
fn key_share(tools: &SiteTools<'_>, spec: &JobSpec, key: JobId, bundle: &Blob) -> Result<KeyShare> {
    let SiteTools { study, me, sealing, blobs, .. } = *tools;
    match &spec.circuit {
        Some(circuit) => open_inference_bundle(study, (key, circuit), (me, sealing), bundle, blobs),
        None => open_bundle(study, key, me, sealing, &mut open("open parts", blobs, bundle)?),
    }
}

fn circuit(spec: &JobSpec) -> Result<&Circuit> {
    spec.circuit.as_deref().ok_or_else(|| missing("circuit"))
}

fn question(spec: &JobSpec) -> Result<&Question> {
    spec.question.as_deref().ok_or_else(|| missing("question"))
}

fn missing(field: &'static str) -> Error {
    Error::Field { file: "job file", field, found: "missing".to_owned(), expected: "there for this kind" }
}

/// Does the coordinator's work: the input that reports its end.
///
/// # Errors
/// [`Error::Io`] and what else is nobody's payload's fault: the work stays to be done.
pub fn combine(study: &Study, work: &Work, learning: &dyn Advance, blobs: &dyn Blobs) -> Result<Input> {
    let step = work.step();
    match run(study, work, learning, blobs) {
        Err(Error::Payload { site, .. }) => Ok(Input::Unusable { step, sites: vec![site] }),
        Err(Error::Learning { .. }) => Ok(Input::Stuck { step }),
        other => other,
    }
}

fn run(study: &Study, work: &Work, learning: &dyn Advance, blobs: &dyn Blobs) -> Result<Input> {
    match work {
        Work::Key { step, circuit: None, shares } => {
            Ok(Input::Combined { step: *step, output: combine_key(study, step.job, shares, blobs)? })
        }
        Work::Key { step, circuit: Some(circuit), shares } => {
            let output = combine_first(study, (step.job, circuit), shares, blobs)?;
            Ok(Input::Combined { step: *step, output })
        }
        Work::Relin { step, circuit, first, sum, shares } => {
            let keys = combine_relin(study, (step.job, circuit), first, (sum, shares), blobs)?;
            Ok(Input::Combined { step: *step, output: Output::shared(keys) })
        }
        Work::Sum { step, spec, uploads } => add(study, *step, spec, None, uploads, blobs),
        Work::Refresh { step, spec, sum, zeros } => add(study, *step, spec, Some(sum), zeros, blobs),
        Work::Open { step, spec, target, shares, .. } if spec.question.is_some() => {
            let asked = (circuit(spec)?, question(spec)?);
            // As long as what it is made of: as many ciphertexts at the same level.
            let result = blobs.create(target.len, &mut |out| {
                open_answers(study, asked, *step, target, shares, blobs, out)
            })?;
            Ok(Input::Opened { step: *step, outcome: Outcome::Final(result) })
        }
        Work::Open { step, spec, input, target, shares, committed, .. } => {
            let plan = super::round::plan(study, spec)?;
            let values = open_round(study, &plan, *step, target, shares, blobs)?;
            let input = read_input(input.as_ref(), blobs)?;
            let advanced = learning.advance(spec, step.round, &input, &values, *committed);
            let advanced = advanced.map_err(|source| Error::Learning { op: "advance", source })?;
            let keep = |bytes: &[u8]| {
                blobs
                    .create(bytes.len() as u64, &mut |out| out.write_all(bytes).map_err(Error::io("advance")))
            };
            let outcome = match advanced {
                Advanced::Next(bytes) => Outcome::Next(keep(&bytes)?),
                Advanced::Final(bytes) => Outcome::Final(keep(&bytes)?),
            };
            Ok(Input::Opened { step: *step, outcome })
        }
    }
}

fn add(
    study: &Study,
    step: Step,
    spec: &JobSpec,
    base: Option<&Blob>,
    payloads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Input> {
    let shared = if let Some(circuit) = &spec.circuit {
        let (levels, len) = (levels(spec), Sizes::of(study, spec)?.sum);
        blobs
            .create(len, &mut |out| add_ciphertexts(study, (circuit, &levels), base, payloads, blobs, out))?
    } else {
        let plan = super::round::plan(study, spec)?;
        blobs.create(plan.sum_len(), &mut |out| combine_sum(&plan, base, payloads, blobs, out))?
    };
    Ok(Input::Combined { step, output: Output::shared(shared) })
}

fn read_input(input: Option<&Blob>, blobs: &dyn Blobs) -> Result<Vec<u8>> {
    let Some(blob) = input else { return Ok(Vec::new()) };
    if blob.len > MAX_INPUT {
        return Err(Error::Length { op: "read input", expected: MAX_INPUT, found: blob.len });
    }
    let mut bytes = Vec::with_capacity(blob.len as usize);
    open("read input", blobs, blob)?.read_to_end(&mut bytes).map_err(Error::io("read input"))?;
    Ok(bytes)
}

impl Sizes {
    /// What the steps of a job move, by the study's parameters.
    ///
    /// # Errors
    /// [`Error::Aggregate`] with the numbers, where the job's sums have no room.
    pub fn of(study: &Study, spec: &JobSpec) -> Result<Self> {
        let none = Self { openings: 0, key_share: 0, relin: 0, upload: 0, sum: 0, share: 0 };
        if spec.kind == JobKind::Ceremony {
            let ceremony = study.ceremony(spec.id(study))?;
            return Ok(Self { key_share: super::ceremony::key_share_len(study, &ceremony), ..none });
        }
        match (&spec.circuit, &spec.question) {
            (Some(circuit), Some(question)) => return question_sizes(study, circuit, question),
            (Some(circuit), None) if spec.kind == JobKind::InferenceKeys => {
                circuit.flooding(study)?;
                let ceremony = study.inference_ceremony(spec.id(study), circuit)?;
                let (key_share, relin) = super::inference::lengths(study, &ceremony, circuit);
                return Ok(Self { key_share, relin, ..none });
            }
            (Some(circuit), None) => return head_sizes(study, circuit, &levels(spec)),
            (None, _) => {}
        }
        let plan = super::round::plan(study, spec)?;
        Ok(Self {
            openings: plan.chunks(),
            key_share: 0,
            relin: 0,
            upload: plan.upload_len(),
            sum: plan.sum_len(),
            share: plan.share_len(),
        })
    }
}
