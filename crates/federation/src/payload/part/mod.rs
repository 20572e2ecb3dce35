//! An encrypted head's payloads: each site's part, which it deals to holders, and the encryptions that they make of all parts' sum. So
//! no site, and no `f` of them, chooses a ciphertext of the head.
//!
//! | blob | bytes |
//! | --- | --- |
//! | part | a [`Remainder`]; of each share the commitment to its seeds; for each holder its shares' seeds, sealed to it |
//! | sum of a job's parts | the [`Remainder`] of all of them |
//! | upload of a holder | for each share that it has a digest of its encryption; then the encryptions that it is to send |
//! | head | ciphertexts at the job's levels, scale one |

mod add;
mod deal;
mod encrypt;

pub(crate) use add::{Made, check_head, write_encrypted, write_remainder};
pub(crate) use deal::write_part;
pub(crate) use encrypt::write_head_encryptions;

use super::holders::{holding, names, package_len};
use crate::{Blob, Circuit, Error, JobId, Result, SignedHeader, SiteId, Sizes, Study};
use blindscope_ckks::{Level, Parameters, codec};
use blindscope_threshold::{Holding, Remainder};
use blindscope_wire::{Digest, Hasher};

/// Bytes of a commitment to seeds.
const COMMITMENT: usize = 32;

/// A head: the circuit of its key, its ciphertexts' levels, and to whom parts of it are dealt.
#[derive(Clone, Copy)]
pub(crate) struct HeadOf<'a> {
    pub(crate) circuit: &'a Circuit,
    pub(crate) levels: &'a [Level],
    pub(crate) holders: &'a [SiteId],
}

impl HeadOf<'_> {
    /// The place of a site among the holders.
    fn place(&self, op: &'static str, site: SiteId) -> Result<usize> {
        self.holders.iter().position(|&h| h == site).ok_or(Error::ForeignSite { op, site })
    }
}

/// Bytes of a part that everybody may read: remainder and commitments.
fn open_len(params: &Parameters, holding: &Holding, levels: &[Level]) -> usize {
    Remainder::byte_len_at(params, levels) + holding.shares() * COMMITMENT
}

/// Bytes of a part.
fn part_len(params: &Parameters, holding: &Holding, levels: &[Level]) -> usize {
    open_len(params, holding, levels) + holding.holders() * package_len(holding)
}

/// Bytes that the steps of a head move.
///
/// # Errors
/// [`Error::Field`] for more or fewer holders than a message of the study is dealt to, [`Error::ForeignSite`] for one that is no site of it;
/// [`Error::Threshold`] for a study without any.
pub(crate) fn head_sizes(study: &Study, of: HeadOf<'_>) -> Result<Sizes> {
    let (params, holding) = (study.circuit_params(of.circuit)?, holding(study)?);
    if let Some(site) = of.holders.iter().copied().find(|&h| study.site(h).is_none()) {
        return Err(Error::ForeignSite { op: "deal parts of a head", site });
    }
    if of.holders.len() != holding.holders() {
        let found = if of.holders.is_empty() { "missing".to_owned() } else { names(of.holders) };
        let found = format!("{found}, of {} sites", holding.holders());
        let expected = "as many sites in order as parts of a head are dealt to, which is the last number; leave holders, circuit and \
                        levels out, and they are filled in";
        return Err(Error::Field { file: "job file", field: "holders", found, expected });
    }
    let upload = part_len(&params, &holding, of.levels) as u64;
    let sum = of.levels.iter().map(|l| codec::ciphertext_len(&params, 2, *l) as u64).sum();
    Ok(Sizes { upload, sum, ..Sizes::default() })
}

/// What a head's encryptions are made for: the job, and exactly these signed parts. Remainders and seeds stand before it is known, and
/// whoever adds up other remainders finds that nobody vouches for them.
fn named(head: JobId, parts: &[SignedHeader]) -> Digest {
    let mut h = Hasher::new("blindscope/federation/head-encryptions/v1");
    h.absorb(&head.0.0).absorb_u64(parts.len() as u64);
    for part in parts {
        h.absorb(&part.header.digest().0);
    }
    h.finish()
}

/// What a site's seeds are bound to, for one holder: nobody can use them for another job, key or dealer, or beside another remainder or
/// other commitments.
fn context(
    study: &Study,
    (key, head): (JobId, JobId),
    (dealer, open): (SiteId, &[u8]),
    holder: SiteId,
) -> Digest {
    Hasher::new("blindscope/federation/part/v1")
        .absorb(&study.digest().0)
        .absorb(&key.0.0)
        .absorb(&head.0.0)
        .absorb_u64(u64::from(dealer.0))
        .absorb(&Blob::of(open).digest.0)
        .absorb_u64(u64::from(holder.0))
        .finish()
}
