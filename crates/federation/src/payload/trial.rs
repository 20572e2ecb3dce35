//! The last phase of an inference ceremony: known values are opened by committees of neighbours before the key is first used.
//!
//! | phase trial | bytes |
//! | --- | --- |
//! | for each trial committee that the site is in, in order | a [`blindscope_threshold::Message`] |

use std::collections::BTreeSet;
use std::io::{Read as _, Write};

use super::encrypted::read_key;
use super::open;
use super::session::KeySession;
use crate::{Blob, Blobs, Error, Result, SiteId, Study};
use blindscope_ckks::PublicKey;
use blindscope_threshold::{KeyShare, Trial, trial_committees};

const SHARE: &str = "write trial shares";
const OPEN: &str = "open trial values";

/// Trial committees that a site is in.
pub(crate) fn committees_of(study: &Study, site: SiteId) -> u64 {
    let Ok(party) = study.party(SHARE, site) else { return 0 };
    let of_site = |c: &&blindscope_threshold::Committee| c.contains(party);
    trial_committees(study.roster()).iter().filter(of_site).count() as u64
}

fn trials(study: &Study, of: KeySession<'_>, key: &PublicKey) -> Result<Vec<Trial>> {
    let ceremony = study.inference_ceremony(of.job, of.circuit)?;
    let count = trial_committees(study.roster()).len();
    (0..count).map(|index| Ok(Trial::new(&ceremony, &of.string, key, index)?)).collect()
}

/// Writes a site's shares of the trial values of its committees: the same bytes whenever they are made.
///
/// # Errors
/// [`Error::Threshold`] for masks without room; [`Error::Length`] or [`Error::Ckks`] for a key that is none; [`Error::Io`] where a
/// blob cannot be read or written.
pub(crate) fn write_trial_shares(
    study: &Study,
    of: KeySession<'_>,
    public_key: &Blob,
    share: &KeyShare,
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let key = read_key(&study.circuit_params(of.circuit)?, SHARE, public_key, blobs)?;
    let (flooding, room) = (of.circuit.flooding(study)?, of.circuit.room_log2());
    let mine = |trial: &Trial| trial.committee().contains(share.party());
    for trial in trials(study, of, &key)?.into_iter().filter(mine) {
        out.write_all(&trial.share(share, flooding, room)?).map_err(Error::io(SHARE))?;
    }
    Ok(())
}

/// Opens every trial value, from all sites' shares.
///
/// # Errors
/// [`Error::Payload`] names a site whose bytes are no shares; [`Error::Trial`] the sites that are in no committee that opened its
/// value, where one did not; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn check_trials(
    study: &Study,
    of: KeySession<'_>,
    public_key: &Blob,
    shares: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<()> {
    let key = read_key(&study.circuit_params(of.circuit)?, OPEN, public_key, blobs)?;
    let mut readers = Vec::with_capacity(shares.len());
    for (site, blob) in shares {
        readers.push((*site, study.party(OPEN, *site)?, open(OPEN, blobs, blob)?));
    }
    let mut sound = BTreeSet::new();
    let mut failed = false;
    for trial in trials(study, of, &key)? {
        let mut collector = trial.collector()?;
        let len = Trial::share_len(&study.circuit_params(of.circuit)?);
        for (site, _, reader) in readers.iter_mut().filter(|(_, p, _)| trial.committee().contains(*p)) {
            let mut bytes = vec![0; len];
            reader.read_exact(&mut bytes).map_err(Error::io(OPEN))?;
            let read = trial.read_share(&bytes, collector.shape());
            let absorbed = read.and_then(|message| collector.absorb(&message));
            absorbed.map_err(|e| Error::Payload { op: OPEN, site: *site, source: Box::new(e.into()) })?;
        }
        if trial.opens(collector, of.circuit.room_log2())? {
            sound.extend(trial.committee().iter());
        } else {
            failed = true;
        }
    }
    let suspects = || {
        let sites = study.sites();
        let rest: Vec<SiteId> =
            sites.filter(|s| study.party(OPEN, *s).is_ok_and(|p| !sound.contains(&p))).collect();
        // Every site opened somewhere: the parts of one sender lie on no polynomial, and nothing says whose.
        if rest.is_empty() { study.sites().collect() } else { rest }
    };
    if failed { Err(Error::Trial { sites: suspects() }) } else { Ok(()) }
}
