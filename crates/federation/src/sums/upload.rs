//! A site's upload: what it encrypts, shares, seals and signs, in one stream.
//!
//! body ∥ sealed parts that travel, by holder ∥ signed header ∥ in a site's first upload of an epoch, its pair keys

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::header::sent;
use super::pair::{PairKey, PartOf, pairing};
use super::{SignedUpload, SumRefusal, SumRound, UploadHeader};
use crate::{BlobHasher, Error, Result, SealingKey, Signer, SiteId};
use blindscope_aggregate::one_round::{SiteRound, ValuesDigest};
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_wire::{Digest, Hasher};

/// A site's integers, in order, the same each time they are asked for: they are named before they are encrypted.
pub type Values<'a> = dyn Fn() -> Box<dyn Iterator<Item = u64> + Send + 'a> + 'a;

/// Who uploads, in which round, with which keys.
pub struct Uploader<'a> {
    /// The round.
    pub round: &'a SumRound,
    /// The site.
    pub me: SiteId,
    /// The sealing key of this epoch; the site's secret for sums is hashed from it.
    pub sealing: &'a SealingKey,
    /// The site's identity.
    pub signer: &'a dyn Signer,
    /// The set that its input is bound to: [`super::SumSite::bound_to`].
    pub only: Digest,
}

/// Passes a body on, names it, and keeps its first chunk.
struct Tee<'a> {
    out: &'a mut dyn Write,
    hasher: BlobHasher,
    head: Vec<u8>,
    keep: usize,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        let written = bytes.get(..taken).unwrap_or(bytes);
        let more = written.len().min(self.keep - self.head.len());
        self.head.extend_from_slice(&written[..more]);
        self.hasher.update(written);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes an upload of [`SumRound::upload_len`] bytes and returns its header. Nothing of it may be sent before the mark of
/// [`super::SumSite::uploaded`] is stored. `pairs` says whether the pair keys go with it. `random` are 32 fresh bytes: secrets
/// *and* nonce follow from them, site, round and values, so that uploads of other values share nothing even where a generator repeats.
///
/// # Errors
/// [`Error::Aggregate`] for values that are not what the round says; [`SumRefusal::Broken`] where what was encrypted does not
/// decrypt to the values; [`Error::Io`] where writing fails. Nothing of what was written may be sent then.
pub fn write_upload(
    by: &Uploader<'_>,
    pairs: bool,
    values: &Values<'_>,
    random: &[u8; 32],
    out: &mut dyn Write,
) -> Result<SignedUpload> {
    let (round, plan) = (by.round, by.round.plan());
    let mut named = ValuesDigest::new(plan);
    let mut first = Zeroizing::new(Vec::with_capacity(plan.chunk_values().min(1 << 20)));
    for value in values() {
        if first.len() < plan.chunk_values() {
            first.push(value);
        }
        named.push(value);
    }
    let named = named.finish();
    let secret = site_secret(by.sealing);
    let site = SiteRound::new(plan, round.id(), &secret, random, &named);
    let nonce = site.nonce();
    let mut tee = Tee { out, hasher: BlobHasher::default(), head: Vec::new(), keep: plan.first_chunk_len() };
    site.write_body(values(), &named, &mut tee, &mut |_| {})?;
    if !site.decrypts_to(&mut &tee.head[..], &first)? {
        return Err(SumRefusal::Broken.into());
    }
    let body = tee.hasher.finish().digest;
    let (sealed, parts, checks) = deal(by, &site, &nonce, &body)?;
    let header = UploadHeader { round: round.name(), site: by.me, nonce, only: by.only, body, parts, checks };
    let upload = header.sign(by.signer);
    let io = Error::io("write upload");
    let mut rest = sealed;
    rest.extend_from_slice(&upload.to_bytes());
    if pairs {
        rest.append(&mut pairing(round.epoch(), by.me, (by.sealing, by.signer))?);
    }
    out.write_all(&rest).map_err(io)?;
    Ok(upload)
}

/// What a site's uploads and noise are drawn from, beside fresh bytes.
///
/// # Timing
/// The same for any key.
pub(super) fn site_secret(sealing: &SealingKey) -> Zeroizing<[u8; 32]> {
    let mut h = Hasher::new("blindscope/sums/site-secret/v1");
    Zeroizing::new(h.absorb(&*sealing.to_bytes()).finish().0)
}

/// What a site's noise in a round comes from. Its secret is the one of its uploads; what is hashed from it here, no upload is encrypted
/// with. As many sites' noise has to be enough as the smallest set has beside all that may collude.
///
/// # Timing
/// The same for any key.
pub fn noise_key(sealing: &SealingKey, round: &SumRound, input: &Digest) -> NoiseKey {
    let honest = round.least_cohort().saturating_sub(round.epoch().literal().colluders).max(1);
    NoiseKey::new(&site_secret(sealing), round.id(), input, honest)
}

/// Sealed parts, their digests, and check polynomials.
fn deal(
    by: &Uploader<'_>,
    site: &SiteRound<'_>,
    nonce: &[u8; 32],
    body: &Digest,
) -> Result<(Vec<u8>, Vec<Digest>, Vec<u8>)> {
    let (round, epoch) = (by.round, by.round.epoch());
    let holders = &epoch.literal().holders;
    let pair = |to: SiteId| PairKey::drawn(epoch, by.me, to, by.sealing);
    let of = |holder: SiteId| PartOf { round, dealer: by.me, holder, nonce };
    let places = holders.iter().enumerate().map(|(at, to)| (at as u32, *to));
    let derived: Vec<_> = places
        .clone()
        .filter(|(at, _)| round.derives(by.me, *at))
        .map(|(at, to)| (at, pair(to).seed(&of(to))))
        .collect();
    let dealing = site.dealing(&derived)?;
    let (mut sealed, mut digests) = (Vec::new(), Vec::new());
    for (at, to) in places.filter(|(at, _)| !round.derives(by.me, *at)) {
        let mut part = pair(to).seal(&of(to), body, &dealing.part(at))?;
        digests.push(super::intake::digest_of(&part));
        sealed.append(&mut part);
    }
    let checks = dealing.checks(&sent(round, by.me, nonce, body, &digests));
    Ok((sealed, digests, checks))
}
