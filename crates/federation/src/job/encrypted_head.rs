//! `encrypted-head`: the sum of the sites' first layers under the inference key, which nobody ever opens.

use rand_core::CryptoRng;

use super::spec::refused;
use super::{Basis, Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{self, add_ciphertexts, write_head};
use crate::{Ask, Blob, Circuit, Error, Input, JobId, JobSpec, Output, Phase, Result, Study, Work};
use blindscope_ckks::Level;

/// Most ciphertexts of an encrypted head.
const MAX_CIPHERTEXTS: usize = 4096;

/// What a head starts from, and where its ciphertexts stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncryptedHeadJob {
    circuit: Circuit,
    levels: Vec<Level>,
    start: String,
}

impl EncryptedHeadJob {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        spec.has_only(&["circuit", "levels", "start"])?;
        let circuit = spec.needed_circuit()?.clone();
        let primes = circuit.ciphertext.len();
        let count = (1..=MAX_CIPHERTEXTS).contains(&spec.levels.len());
        if !count || spec.levels.iter().any(|l| *l as usize >= primes) {
            let expected = "1 to 4096 levels of the circuit for an encrypted head, otherwise none";
            return Err(refused("levels", format!("{} levels", spec.levels.len()), expected));
        }
        let expected = "an earlier job's name, for inference-keys and encrypted-head";
        let start = spec.named_start()?.ok_or_else(|| refused("start", "missing".to_owned(), expected))?;
        let levels = spec.levels.iter().map(|l| Level(*l as usize)).collect();
        Ok(Self { circuit, levels, start: start.to_owned() })
    }
}

impl Kind for EncryptedHeadJob {
    fn sizes(&self, study: &Study, _: JobId) -> Result<Sizes> {
        let upload = payload::ciphertexts_len(study, &self.circuit, &self.levels)?;
        Ok(Sizes { upload, sum: upload, ..Sizes::default() })
    }

    fn payload(&self, making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let Ask::Upload { public_key: Some(public_key), input, .. } = &making.task.ask else {
            return Err(making.foreign());
        };
        let (study, blobs, spec) = (making.tools.study, making.tools.blobs, &making.task.spec);
        let input = payload::read_input(input.as_ref(), blobs)?;
        let plain = making.tools.learning.plaintexts(spec, &input);
        let plain = plain.map_err(|source| Error::Learning { op: "contribute", source })?;
        let of = (&self.circuit, &self.levels[..]);
        blobs.create(making.sizes.upload, &mut |out| {
            write_head(study, of, public_key, &plain, blobs, &mut rng, out)
        })
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Work::Sum { step, uploads, .. } = combining.work else { return Err(combining.foreign()) };
        let Combining { study, blobs, .. } = *combining;
        let (of, len) = ((&self.circuit, &self.levels[..]), self.sizes(study, step.job)?.sum);
        let sum = blobs.create(len, &mut |out| add_ciphertexts(study, of, None, uploads, blobs, out))?;
        Ok(Input::Combined { step: *step, output: Output::shared(sum) })
    }

    fn key(&self) -> KeyUse {
        KeyUse::Inference
    }

    fn next(&self, _: Phase) -> Next {
        Next::Done
    }

    fn basis(&self) -> Basis<'_> {
        Basis::Result(&self.start)
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(&self.circuit)
    }
}
