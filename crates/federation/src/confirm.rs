//! What a site confirms at the end of a ceremony.

use serde::{Deserialize, Serialize};

use crate::{Answer, Blob, Error, JobId, Phase, Result, SignedHeader, Step, Study};
use blindscope_wire::Writer;

/// The key and the parts that a site holds: the payload of phase parts. Both sides compute it; nobody parses it.
///
/// | bytes | field |
/// | ---: | --- |
/// | 32 + 8 | SHA-256 and length of the public key |
/// | 32 + 8 | SHA-256 and length of the bundle of parts |
/// | 32 + 8 | of an inference key: SHA-256 and length of the evaluation keys |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The collective public key.
    pub public_key: Blob,
    /// The parts sealed to the site.
    pub bundle: Blob,
    /// The evaluation keys of an inference key.
    pub evaluation_keys: Option<Blob>,
}

impl Confirmation {
    /// Bytes of one.
    pub fn len(inference: bool) -> u64 {
        if inference { 120 } else { 80 }
    }

    /// The confirmation as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, Self::len(self.evaluation_keys.is_some()) as usize);
        for blob in [self.public_key, self.bundle].into_iter().chain(self.evaluation_keys) {
            w.bytes(&blob.digest.0);
            w.u64(blob.len);
        }
        w.finish();
        out
    }
}

/// A site's signed word for the key that it holds a share of, and the parts that it names beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    /// The site's answer in phase parts.
    pub answer: SignedHeader,
    /// The parts sealed to it.
    pub bundle: Blob,
    /// The evaluation keys that it has made of everybody's shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_keys: Option<Blob>,
}

/// Checks that every site of the study has signed that this is the public key of a ceremony: what somebody does who is to
/// encrypt under a key that a coordinator shows.
///
/// # Errors
/// [`Error::OtherKey`] for another key, a site that is missing, or a signature that is not the site's.
pub fn check_confirmed(
    study: &Study,
    ceremony: JobId,
    public_key: Blob,
    confirmed: &[Confirmed],
) -> Result<()> {
    let step = Step { job: ceremony, round: 0, attempt: 0, phase: Phase::Parts };
    let by = |site| {
        let entry = study.site(site)?;
        let of_site = |c: &&Confirmed| c.answer.header.site == site && c.answer.is_by(&entry.identity);
        let Confirmed { answer, bundle, evaluation_keys } = confirmed.iter().find(of_site)?;
        let confirmation = Confirmation { public_key, bundle: *bundle, evaluation_keys: *evaluation_keys };
        let said = Blob::of(&confirmation.to_bytes());
        let header = &answer.header;
        let same = header.study == study.digest() && header.key == ceremony && header.step == step;
        (same && header.answer == Answer::Payload(said)).then_some(())
    };
    let missing = study.sites().find(|site| by(*site).is_none());
    missing.map_or(Ok(()), |site| {
        let (expected, found) = (format!("what {site} has signed"), public_key.to_string());
        Err(Error::OtherKey { op: "check public key", expected, found })
    })
}
