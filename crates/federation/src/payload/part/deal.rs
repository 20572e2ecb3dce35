//! A site's part of a head, in shares: the site's own step.

use std::io::Write;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{HeadOf, context};
use crate::payload::holders::{holding, package_len};
use crate::{Error, JobId, Result, SealingKey, SiteId, Study};
use blindscope_ckks::Plaintext;
use blindscope_threshold::{Dealt, Holding, Remainder};

const DEAL: &str = "deal part of a head";

/// Writes a site's part of a head: what is left of it once its shares are taken off, commitments to their seeds, and the seeds, sealed to
/// their holders by this site.
///
/// # Errors
/// [`Error::Learning`] for plaintexts that are not the job's; [`Error::Threshold`] for a study without holders; [`Error::Seal`] for a
/// holder whose key takes no seal; [`Error::Io`] where the writer fails.
pub(crate) fn write_part(
    study: &Study,
    (of, key, head): (HeadOf<'_>, JobId, JobId),
    (me, sealing): (SiteId, &SealingKey),
    plain: &[Plaintext],
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let (params, holding) = (study.circuit_params(of.circuit)?, holding(study)?);
    if plain.len() != of.levels.len() || plain.iter().zip(of.levels).any(|(m, l)| m.level() != *l) {
        let source = format!("{} plaintexts, the job has {} levels", plain.len(), of.levels.len()).into();
        return Err(Error::Learning { op: DEAL, source });
    }
    let seeds: Vec<Dealt> = (0..holding.shares()).map(|_| Dealt::generate(rng)).collect();
    let mut open = Remainder::at(&params, of.levels, plain, &seeds)?.to_bytes(&params);
    seeds.iter().enumerate().for_each(|(share, s)| open.extend_from_slice(&s.commitment(share).0));
    out.write_all(&open).map_err(Error::io(DEAL))?;
    for (holder, &site) in of.holders.iter().enumerate() {
        let entry = study.site(site).ok_or(Error::ForeignSite { op: DEAL, site })?;
        let plain = package(&holding, &seeds, holder);
        let bound = context(study, (key, head), (me, &open), site);
        let sealed = sealing.seal(&entry.sealing, &bound, &plain, rng)?;
        out.write_all(&sealed).map_err(Error::io(DEAL))?;
    }
    Ok(())
}

/// A holder's seeds, in its shares' order.
fn package(holding: &Holding, seeds: &[Dealt], holder: usize) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(package_len(holding)));
    let held = holding.held(holder).into_iter().filter_map(|share| seeds.get(share));
    held.for_each(|seeds| plain.extend_from_slice(&*seeds.to_bytes()));
    plain
}
