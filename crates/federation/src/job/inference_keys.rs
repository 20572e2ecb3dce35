//! `inference-keys`: a second collective key, under a circuit's parameters, with what evaluation under it needs.

use rand_core::CryptoRng;

use super::ceremony::confirm;
use super::{Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{self, combine_first, combine_relin, write_inference_share, write_relin};
use crate::{Ask, Blob, Circuit, Error, Input, JobId, JobSpec, Output, Phase, Result, Study, Work};

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
}

impl Kind for InferenceKeys {
    fn sizes(&self, study: &Study, id: JobId) -> Result<Sizes> {
        self.circuit.flooding(study)?;
        let ceremony = study.inference_ceremony(id, &self.circuit)?;
        let (key_share, relin) = payload::inference_lengths(study, &ceremony, &self.circuit);
        Ok(Sizes { key_share, relin, ..Sizes::default() })
    }

    fn payload(&self, making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (study, me, sealing) = (making.tools.study, making.tools.me, making.tools.sealing);
        let (of, blobs) = ((making.task.step.job, &self.circuit), making.tools.blobs);
        match &making.task.ask {
            Ask::KeyShare => blobs.create(making.sizes.key_share, &mut |out| {
                write_inference_share(study, of, me, sealing, &mut rng, out)
            }),
            Ask::Relin { sum, seed, shares } => {
                payload::check_first_sum(study, of, &payload::payloads(shares), sum, blobs)?;
                blobs.create(making.sizes.relin, &mut |out| {
                    write_relin(study, of, (me, sealing), (sum, seed), blobs, &mut rng, out)
                })
            }
            Ask::Parts { public_key, bundle, shares, evaluation } => {
                let first = payload::payloads(shares);
                payload::check_inference_key(study, of, &first, public_key, blobs)?;
                let made = evaluation.as_deref().ok_or(Error::Incomplete { what: "evaluation keys" })?;
                payload::check_first_sum(study, of, &first, &made.sum, blobs)?;
                let second = (&made.sum, &payload::payloads(&made.shares)[..]);
                payload::check_evaluation_keys(study, of, &first, second, &made.keys, blobs)?;
                drop(payload::open_inference_bundle(study, of, (me, sealing), bundle, blobs)?);
                confirm(&making)
            }
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Combining { study, blobs, .. } = *combining;
        match combining.work {
            Work::Key { step, shares, .. } => {
                let output = combine_first(study, (step.job, &self.circuit), shares, blobs)?;
                Ok(Input::Combined { step: *step, output })
            }
            Work::Relin { step, first, sum, shares, .. } => {
                let keys = combine_relin(study, (step.job, &self.circuit), first, (sum, shares), blobs)?;
                Ok(Input::Combined { step: *step, output: Output::shared(keys) })
            }
            _ => Err(combining.foreign()),
        }
    }

    fn key(&self) -> KeyUse {
        KeyUse::Makes
    }

    fn next(&self, phase: Phase) -> Next {
        Next::Ask(if phase == Phase::KeyShare { Phase::Relin } else { Phase::Parts })
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(&self.circuit)
    }
}
