//! `encrypted-head`: the sum of the sites' first layers under the inference key, which nobody ever opens.
//!
//! Each site deals its part to the holders that the job's file names (phase upload). Holders add up the shares of all parts in the set
//! and encrypt the sums (phase encrypt), each vouching for what it derives: no site chooses a ciphertext.

use rand_core::CryptoRng;

use super::spec::refused;
use super::{Basis, Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{
    self, HeadOf, Made, head_sizes, write_encrypted, write_head_encryptions, write_part, write_remainder,
};
use crate::{Ask, Blob, Circuit, Error, Input, JobId, JobSpec, Output, Phase, Result, SiteId, Study, Work};
use blindscope_ckks::Level;

/// Most ciphertexts of an encrypted head.
const MAX_CIPHERTEXTS: usize = 4096;

/// What a head starts from, where its ciphertexts stand, and to whom its parts are dealt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncryptedHeadJob {
    circuit: Circuit,
    levels: Vec<Level>,
    /// Nobody in files of earlier releases, whose heads were sums of sites' own ciphertexts.
    holders: Vec<SiteId>,
    start: String,
}

impl EncryptedHeadJob {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        spec.has_only(&["circuit", "levels", "holders", "start"])?;
        let circuit = spec.needed_circuit()?.clone();
        let primes = circuit.ciphertext.len();
        let count = (1..=MAX_CIPHERTEXTS).contains(&spec.levels.len());
        if !count || spec.levels.iter().any(|l| *l as usize >= primes) {
            let expected = "1 to 4096 levels of the circuit for an encrypted head, otherwise none";
            return Err(refused("levels", format!("{} levels", spec.levels.len()), expected));
        }
        if !spec.holders.windows(2).all(|w| w.first() < w.last()) {
            return Err(refused("holders", format!("{:?}", spec.holders), "sites in order, each once"));
        }
        let expected = "an earlier job's name, for inference-keys and encrypted-head";
        let start = spec.named_start()?.ok_or_else(|| refused("start", "missing".to_owned(), expected))?;
        let levels = spec.levels.iter().map(|l| Level(*l as usize)).collect();
        Ok(Self { circuit, levels, holders: spec.holders.clone(), start: start.to_owned() })
    }

    fn of_head(&self) -> HeadOf<'_> {
        HeadOf { circuit: &self.circuit, levels: &self.levels, holders: &self.holders }
    }

    /// This site's part, in shares.
    fn part(&self, making: &Making<'_>, input: Option<&Blob>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (tools, task) = (making.tools, making.task);
        let input = payload::read_input(input, tools.blobs)?;
        let plain = tools.learning.plaintexts(&task.spec, &input);
        let plain = plain.map_err(|source| Error::Learning { op: "contribute", source })?;
        let (of, site) = ((self.of_head(), task.key, task.step.job), (tools.me, tools.sealing));
        tools
            .blobs
            .create(making.sizes.upload, &mut |out| write_part(tools.study, of, site, &plain, &mut rng, out))
    }
}

impl Kind for EncryptedHeadJob {
    fn sizes(&self, study: &Study, _: JobId) -> Result<Sizes> {
        head_sizes(study, self.of_head())
    }

    fn payload(&self, making: Making<'_>, rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (tools, task) = (making.tools, making.task);
        match &task.ask {
            Ask::Upload { public_key: Some(_), input, .. } => self.part(&making, input.as_ref(), rng),
            Ask::Encrypt { public_key, parts } => {
                let len = self.payload_len(tools.study, &making.sizes, Phase::Encrypt, tools.me);
                let site = tools.me;
                let len = len.ok_or(Error::ForeignSite { op: "encrypt shares of a head", site })?;
                let (of, site) = ((self.of_head(), task.key, task.step), (tools.me, tools.sealing));
                tools.blobs.create(len, &mut |out| {
                    write_head_encryptions(tools.study, of, site, (public_key, parts), tools.blobs, out)
                })
            }
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Combining { study, blobs, .. } = *combining;
        let (step, shared) = match combining.work {
            Work::Sum { step, uploads, .. } => {
                (*step, write_remainder(study, self.of_head(), uploads, blobs)?)
            }
            Work::Encrypted { step, parts, remainder, encryptions, .. } => {
                let len = self.sizes(study, step.job)?.sum;
                let inputs = (remainder, Made { head: step.job, parts, encryptions });
                let head = blobs
                    .create(len, &mut |out| write_encrypted(study, self.of_head(), inputs, blobs, out))?;
                (*step, head)
            }
            _ => return Err(combining.foreign()),
        };
        Ok(Input::Combined { step, output: Output::shared(shared) })
    }

    fn key(&self) -> KeyUse {
        KeyUse::Inference
    }

    fn next(&self, phase: Phase) -> Next {
        if phase == Phase::Upload && !self.holders.is_empty() {
            Next::Ask(Phase::Encrypt)
        } else {
            Next::Done
        }
    }

    fn basis(&self) -> Basis<'_> {
        Basis::Result(&self.start)
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(&self.circuit)
    }

    fn encryptors(&self) -> &[SiteId] {
        &self.holders
    }

    fn payload_len(&self, study: &Study, sizes: &Sizes, phase: Phase, site: SiteId) -> Option<u64> {
        match phase {
            Phase::Upload => Some(sizes.upload),
            Phase::Encrypt => payload::encryptions_len(study, &self.holders, site, sizes.sum),
            _ => None,
        }
    }
}
