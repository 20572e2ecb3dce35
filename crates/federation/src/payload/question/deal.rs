//! The asker's part: a question in shares, whose seeds are sealed to their holders.

use rand_core::CryptoRng;

use crate::payload::holders::{holding, names, package_len};
use crate::{Blob, Error, JobId, Result, SealingKey, SiteId, Study};
use blindscope_ckks::Plaintext;
use blindscope_threshold::{Dealt, Remainder};
use blindscope_wire::{Digest, Hasher};

/// What an asker's seeds are bound to, for one holder: nobody can use them for another head, remainder or key to answer to.
pub(super) fn context(study: &Study, question: &AskedOf<'_>, holder: SiteId) -> Digest {
    Hasher::new("blindscope/federation/dealt/v1")
        .absorb(&study.digest().0)
        .absorb(&question.key.0.0)
        .absorb(&question.head.0.0)
        .absorb(&question.asker.digest.0)
        .absorb(&question.remainder.digest.0)
        .absorb_u64(u64::from(holder.0))
        .finish()
}

/// What is asked, of whom, and to whom the answer goes.
pub struct AskedOf<'a> {
    /// The ceremony of the inference key.
    pub key: JobId,
    /// The head's job.
    pub head: JobId,
    /// The asker's public key.
    pub asker: &'a Blob,
    /// The question's remainder.
    pub remainder: &'a Blob,
}

/// Deals an encoded question: the remainder's bytes, and its seeds sealed to these holders. The asker's part.
///
/// # Errors
/// [`Error::Threshold`] for a study whose questions cannot be dealt, and for plaintexts of other parameters; [`Error::Field`] for
/// another number of holders; [`Error::ForeignSite`] for a holder that is not of the study; [`Error::Seal`] for one whose key takes
/// no seal.
pub fn deal(
    study: &Study,
    (key, head, asker): (JobId, JobId, &Blob),
    holders: &[SiteId],
    message: &[Plaintext],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let holding = holding(study)?;
    if holders.len() != holding.holders() {
        let (found, expected) = (names(holders), "as many sites as the study's questions are dealt to");
        return Err(Error::Field { file: "offer", field: "holders", found, expected });
    }
    let seeds: Vec<Dealt> = (0..holding.shares()).map(|_| Dealt::generate(rng)).collect();
    let params = message.first().map(|m| m.params().clone());
    let params = params.ok_or(Error::Length { op: "deal question", expected: 1, found: 0 })?;
    let remainder = Remainder::of(&params, message, &seeds)?.to_bytes(&params);
    let of = AskedOf { key, head, asker, remainder: &Blob::of(&remainder) };
    let sender = SealingKey::generate(rng);
    let mut dealt = sender.public().0.to_vec();
    for (holder, &site) in holders.iter().enumerate() {
        let entry = study.site(site).ok_or(Error::ForeignSite { op: "deal question", site })?;
        let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(package_len(&holding)));
        for share in holding.held(holder) {
            plain.extend_from_slice(&*seeds[share].to_bytes());
        }
        dealt.append(&mut sender.seal(&entry.sealing, &context(study, &of, site), &plain, rng)?);
    }
    Ok((remainder, dealt))
}
