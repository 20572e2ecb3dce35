//! `inference-keys`: a collective key, under a circuit's parameters, with what evaluation under it needs.
//!
//! Everybody commits before anybody reveals; see [`crate::Promised`]. Known values are opened before the key is first used.

use rand_core::CryptoRng;

use super::spec::refused;
use super::{Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{self, KeySession, combine_first, combine_relin, lay_commitments, write_commitment};
use crate::promise::{PROMISE_LEN, promise_of};
use crate::{
    Ask, Blob, Circuit, Error, EvaluationShares, Input, JobId, JobSpec, Output, Phase, Promised, Result,
    Site, SiteId, Study, Work, common_string,
};

/// The key's parameters and elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InferenceKeys {
    circuit: Circuit,
}

impl InferenceKeys {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        // What the circuit was derived from stands in the file for people; the key starts from nothing.
        spec.has_only(&["circuit", "start"])?;
        spec.named_start()?;
        Ok(Self { circuit: spec.needed_circuit()?.clone() })
    }

    fn session(&self, job: JobId, string: blindscope_wire::Digest) -> KeySession<'_> {
        KeySession { job, circuit: &self.circuit, string }
    }

    fn commit(&self, making: &Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (tools, of) = (making.tools, (making.task.step.job, &self.circuit));
        tools.blobs.create(making.sizes.commit, &mut |out| {
            write_commitment(tools.study, of, tools.me, tools.sealing, &mut rng, out)
        })
    }

    /// Reveals what it promised.
    fn reveal(&self, making: &Making<'_>, bundle: &Blob, promised: &Promised) -> Result<Blob> {
        let (tools, seed) = (making.tools, seed(making, bundle)?);
        let of = self.session(making.task.step.job, promised.string);
        let shares = tools.blobs.create(making.sizes.key_share, &mut |out| {
            payload::write_public_shares(tools.study, of, tools.me, &seed, out)
        })?;
        if promised.holds(tools.me, &shares) {
            return Ok(shares);
        }
        let (expected, found) = ("what this site promised".to_owned(), shares.to_string());
        Err(Error::OtherKey { op: "reveal shares", expected, found })
    }

    /// Makes the whole key of everybody's shares, and adds up the parts.
    fn check(
        &self,
        making: &Making<'_>,
        (public_key, bundle): (&Blob, &Blob),
        first: &[(SiteId, Blob)],
        made: &EvaluationShares,
    ) -> Result<Blob> {
        let (tools, job) = (making.tools, making.task.step.job);
        let (study, blobs, of) = (tools.study, tools.blobs, self.session(job, made.promised.string));
        payload::check_inference_key(study, of, first, public_key, blobs)?;
        payload::check_first_sum(study, of, first, &made.sum, blobs)?;
        let second = (&made.sum, &payload::payloads(&made.shares)[..]);
        payload::check_evaluation_keys(study, of, first, second, &made.keys, blobs)?;
        drop(self.key_share(making, job, bundle)?);
        confirm(making)
    }

    fn key_share(
        &self,
        making: &Making<'_>,
        key: JobId,
        bundle: &Blob,
    ) -> Result<blindscope_threshold::KeyShare> {
        let (tools, of) = (making.tools, (key, &self.circuit));
        payload::open_inference_bundle(tools.study, of, (tools.me, tools.sealing), bundle, tools.blobs)
    }

    /// Shares of the known values that this site's committees open.
    fn trial(&self, making: &Making<'_>, public_key: &Blob, of: KeySession<'_>) -> Result<Blob> {
        let (tools, bundle) =
            (making.tools, making.bundle.ok_or(Error::Incomplete { what: "sealed parts" })?);
        let share = self.key_share(making, of.job, &bundle)?;
        let len = making.sizes.trial * payload::committees_of(tools.study, tools.me);
        tools.blobs.create(len, &mut |out| {
            payload::write_trial_shares(tools.study, of, public_key, &share, tools.blobs, out)
        })
    }
}

impl Kind for InferenceKeys {
    fn sizes(&self, study: &Study, id: JobId) -> Result<Sizes> {
        if study.has_committee() {
            let found = "inference-keys, in a study whose keys of sums a committee holds".to_owned();
            return Err(refused("kind", found, "sums alone, or a study in which all sites hold"));
        }
        self.circuit.flooding(study)?;
        let ceremony = study.inference_ceremony(id, &self.circuit)?;
        let (key_share, relin) = payload::inference_lengths(&ceremony, &self.circuit);
        let commit = payload::commitment_len(study, &ceremony);
        let trial = blindscope_threshold::Trial::share_len(ceremony.params()) as u64;
        Ok(Sizes { commit, key_share, relin, trial, ..Sizes::default() })
    }

    fn payload(&self, making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (tools, job) = (making.tools, making.task.step.job);
        match &making.task.ask {
            Ask::Commit => self.commit(&making, rng),
            Ask::Promise { bundle, commitments } => {
                promise(&making, self.session(job, common_string(commitments)), bundle)
            }
            Ask::Reveal { bundle, promised } => self.reveal(&making, bundle, promised),
            Ask::Relin { sum, bundle, shares, promised } => {
                let of = self.session(job, promised.string);
                payload::check_first_sum(tools.study, of, &payload::payloads(shares), sum, tools.blobs)?;
                let seed = seed(&making, bundle)?;
                tools.blobs.create(making.sizes.relin, &mut |out| {
                    let site = (tools.me, &seed);
                    payload::write_relin(tools.study, of, site, sum, tools.blobs, &mut rng, out)
                })
            }
            Ask::Parts { public_key, bundle, shares, evaluation } => {
                let made = evaluation.as_deref().ok_or(Error::Incomplete { what: "evaluation keys" })?;
                self.check(&making, (public_key, bundle), &payload::payloads(shares), made)
            }
            Ask::Trial { public_key, string } => self.trial(&making, public_key, self.session(job, *string)),
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Combining { study, blobs, .. } = *combining;
        let step = combining.work.step();
        let of = |string: &_| self.session(step.job, *string);
        let output = match combining.work {
            Work::Commit { commitments, string, .. } => {
                let each = lay_commitments(study, (step.job, &self.circuit), commitments, blobs)?;
                let shared = payload::keep("keep common string", blobs, &string.0)?;
                Output { each, ..Output::shared(shared) }
            }
            Work::Key { shares, string, .. } => combine_first(study, of(string), shares, blobs)?,
            Work::Relin { first, sum, shares, string, .. } => {
                Output::shared(combine_relin(study, of(string), first, (sum, shares), blobs)?)
            }
            Work::Trial { public_key, shares, string, .. } => {
                payload::check_trials(study, of(string), public_key, shares, blobs)?;
                Output::shared(*public_key)
            }
            _ => return Err(combining.foreign()),
        };
        Ok(Input::Combined { step, output })
    }

    fn key(&self) -> KeyUse {
        KeyUse::Makes
    }

    fn first(&self) -> Phase {
        Phase::Commit
    }

    fn next(&self, phase: Phase) -> Next {
        match phase {
            Phase::Commit => Next::Ask(Phase::Promise),
            Phase::Promise => Next::Ask(Phase::KeyShare),
            Phase::KeyShare => Next::Ask(Phase::Relin),
            Phase::Relin => Next::Ask(Phase::Parts),
            Phase::Parts => Next::Ask(Phase::Trial),
            _ => Next::Done,
        }
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(&self.circuit)
    }

    fn payload_len(&self, study: &Study, sizes: &Sizes, phase: Phase, site: SiteId) -> Option<u64> {
        match phase {
            Phase::Commit => Some(sizes.commit),
            Phase::Promise => Some(PROMISE_LEN),
            Phase::KeyShare => Some(sizes.key_share),
            Phase::Relin => Some(sizes.relin),
            Phase::Parts => Some(crate::Confirmation::len(true)),
            Phase::Trial => Some(sizes.trial * payload::committees_of(study, site)),
            _ => None,
        }
    }
}

/// Says which key and which parts the site holds from now on.
fn confirm(making: &Making<'_>) -> Result<Blob> {
    let confirmation = Site::confirmation(making.task).map(|c| c.to_bytes()).unwrap_or_default();
    payload::keep("confirm parts", making.tools.blobs, &confirmation)
}

/// Names what this site will reveal.
fn promise(making: &Making<'_>, of: KeySession<'_>, bundle: &Blob) -> Result<Blob> {
    let (tools, seed) = (making.tools, seed(making, bundle)?);
    let shares = payload::name_public_shares(tools.study, of, tools.me, &seed)?;
    payload::keep("promise shares", tools.blobs, &promise_of(&shares))
}

/// The seed of this site's secrets, from its bundle.
fn seed(making: &Making<'_>, bundle: &Blob) -> Result<blindscope_ckks::SecretSeed> {
    let (tools, job) = (making.tools, making.task.step.job);
    payload::open_seed(tools.study, job, (tools.me, tools.sealing), bundle, tools.blobs)
}
