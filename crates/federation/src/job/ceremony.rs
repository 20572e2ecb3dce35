//! `ceremony`: the collective key of sums.

use rand_core::CryptoRng;

use super::{Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{self, combine_key, write_key_share};
use crate::{Ask, Blob, Error, Input, JobId, JobSpec, Phase, Result, Site, Study, Task, Work};

/// A ceremony needs nothing but the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ceremony;

impl Ceremony {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        spec.has_only(&[])?;
        Ok(Self)
    }
}

impl Kind for Ceremony {
    fn sizes(&self, study: &Study, id: JobId) -> Result<Sizes> {
        let key_share = payload::key_share_len(study, &study.ceremony(id)?);
        Ok(Sizes { key_share, ..Sizes::default() })
    }

    fn payload(&self, making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (study, me, job) = (making.tools.study, making.tools.me, making.task.step.job);
        let (sealing, blobs) = (making.tools.sealing, making.tools.blobs);
        match &making.task.ask {
            Ask::KeyShare => blobs.create(making.sizes.key_share, &mut |out| {
                write_key_share(study, job, me, sealing, &mut rng, out)
            }),
            Ask::Parts { public_key, bundle, shares, .. } => {
                if Task::checks_key(shares) {
                    payload::check_public_key(study, job, &payload::payloads(shares), public_key, blobs)?;
                }
                let mut parts = payload::open("open parts", blobs, bundle)?;
                drop(payload::open_bundle(study, job, me, sealing, &mut parts)?);
                confirm(&making)
            }
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Work::Key { step, shares, .. } = combining.work else { return Err(combining.foreign()) };
        let output = combine_key(combining.study, step.job, shares, combining.blobs)?;
        Ok(Input::Combined { step: *step, output })
    }

    fn key(&self) -> KeyUse {
        KeyUse::Makes
    }

    fn next(&self, _: Phase) -> Next {
        Next::Ask(Phase::Parts)
    }

    fn inputs(&self, ask: &Ask) -> Vec<Blob> {
        match ask {
            Ask::Parts { public_key, bundle, shares, .. } if !Task::checks_key(shares) => {
                vec![*public_key, *bundle]
            }
            _ => ask.blobs(),
        }
    }
}

/// Says which key and which parts the site holds from now on.
pub(super) fn confirm(making: &Making<'_>) -> Result<Blob> {
    let confirmation = Site::confirmation(making.task).map(|c| c.to_bytes()).unwrap_or_default();
    making.tools.blobs.create(confirmation.len() as u64, &mut |out| {
        out.write_all(&confirmation).map_err(Error::io("confirm parts"))
    })
}
