//! A holder's step: it opens what each site dealt to it, adds its shares up and encrypts the sums, the same as their other holders.

use std::io::Write;

use super::{COMMITMENT, HeadOf, context, named, open_len, part_len};
use crate::payload::encrypted::read_key;
use crate::payload::holders::{holding, package_len};
use crate::payload::inference::read_exactly;
use crate::payload::vouched::write_vouched;
use crate::{Blob, Blobs, Error, JobId, Result, SealingKey, SignedHeader, SiteId, Step, Study};
use blindscope_ckks::Parameters;
use blindscope_threshold::{Dealt, Holding};

const ENCRYPT: &str = "encrypt shares of a head";

/// Writes a holder's upload: the encryptions of its shares' sums over these signed parts, vouched for, and those that are its to send.
///
/// # Errors
/// [`Error::Part`] names the site whose seeds are not sealed to this one for this job, or not those that it committed to;
/// [`Error::Threshold`] for a key of other parameters; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn write_head_encryptions(
    study: &Study,
    (of, key, step): (HeadOf<'_>, JobId, Step),
    (me, sealing): (SiteId, &SealingKey),
    (public_key, parts): (&Blob, &[SignedHeader]),
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let (params, holding) = (study.circuit_params(of.circuit)?, holding(study)?);
    let holder = of.place(ENCRYPT, me)?;
    let public_key = read_key(&params, ENCRYPT, public_key, blobs)?;
    let held = holding.held(holder);
    let mut dealt: Vec<Vec<Dealt>> = held.iter().map(|_| Vec::with_capacity(parts.len())).collect();
    let opening = Opening { study, of, params: &params, holding: &holding, key, head: step.job, me, holder };
    for part in parts {
        let seeds = opening.seeds(sealing, part, blobs)?;
        dealt.iter_mut().zip(seeds).for_each(|(share, seeds)| share.push(seeds));
    }
    let round = named(step.job, parts);
    let mut dealt = dealt.into_iter();
    let mut made = |share| {
        let dealt = dealt.next().unwrap_or_default();
        Ok(Dealt::encrypt_sum(&dealt, &public_key, &round, share, of.levels)?)
    };
    write_vouched((ENCRYPT, &holding, holder), &round, &mut made, out)
}

/// A holder that opens what was dealt to it.
struct Opening<'a> {
    study: &'a Study,
    of: HeadOf<'a>,
    params: &'a Parameters,
    holding: &'a Holding,
    key: JobId,
    head: JobId,
    me: SiteId,
    holder: usize,
}

impl Opening<'_> {
    /// The seeds that a site dealt, in this holder's shares' order, each the one that the site has committed to.
    fn seeds(&self, sealing: &SealingKey, part: &SignedHeader, blobs: &dyn Blobs) -> Result<Vec<Dealt>> {
        let (dealer, me) = (part.header.site, self.me);
        let wrong = || Error::Part { dealer, holder: me };
        let blob = part.payload().ok_or_else(wrong)?;
        let len = part_len(self.params, self.holding, self.of.levels);
        let bytes = read_exactly(ENCRYPT, blobs, &blob, len as u64)?;
        let (open, packages) =
            bytes.split_at_checked(open_len(self.params, self.holding, self.of.levels)).ok_or_else(wrong)?;
        let sealed = packages.chunks_exact(package_len(self.holding)).nth(self.holder).ok_or_else(wrong)?;
        let entry = self.study.site(dealer).ok_or(Error::ForeignSite { op: ENCRYPT, site: dealer })?;
        let bound = context(self.study, (self.key, self.head), (dealer, open), me);
        let plain = sealing.open(&entry.sealing, &bound, sealed).map_err(|_| wrong())?;
        let seeds: Vec<Dealt> = plain.as_chunks::<{ Dealt::LEN }>().0.iter().map(Dealt::from_bytes).collect();
        let (_, commitments) =
            open.split_at_checked(open.len() - self.holding.shares() * COMMITMENT).ok_or_else(wrong)?;
        let committed = |share: usize, seeds: &Dealt| {
            commitments.chunks_exact(COMMITMENT).nth(share) == Some(&seeds.commitment(share).0[..])
        };
        let held = self.holding.held(self.holder);
        let fits =
            held.len() == seeds.len() && held.iter().zip(&seeds).all(|(share, s)| committed(*share, s));
        if fits { Ok(seeds) } else { Err(wrong()) }
    }
}
