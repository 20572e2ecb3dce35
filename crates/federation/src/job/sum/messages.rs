//! What a sum's parties say to each other, as it stands in blobs: bounded before it is read, checked once.

use std::io::Read as _;

use crate::payload;
use crate::sums::{
    Agreed, Agreement, Commitment, CommittedSet, Inclusion, SetRoot, SignedUpload, SumMark, SumOpening,
    SumRefusal, SumRound, SumSite, Void, Vouch,
};
use crate::{Blob, Blobs, Error, Result, SettledProof, SiteId};

/// The bytes of a blob that is small by the round's own numbers.
pub(super) fn read(blobs: &dyn Blobs, blob: &Blob, max: u64) -> Result<Vec<u8>> {
    const OP: &str = "read a sum's message";
    if blob.len > max {
        return Err(Error::Oversize { what: "a sum's message", found: blob.len, max });
    }
    let mut bytes = Vec::with_capacity(blob.len as usize);
    payload::open(OP, blobs, blob)?.take(max).read_to_end(&mut bytes).map_err(Error::io(OP))?;
    Ok(bytes)
}

/// Most bytes of anything that a round's parties show each other.
pub(super) fn longest(round: &SumRound) -> u64 {
    let members = &round.epoch().literal().members;
    let words = members.len() * Agreement::LEN.max(Vouch::LEN).max(Void::LEN);
    let uploads = members.iter().map(|m| round.upload_len(m.site, true));
    let small = [Commitment::max_len(round), words, SumOpening::len(round)].map(|len| len as u64);
    let large = [max_headers(round), max_bundle(round), round.plan().sum_len()];
    uploads.chain(small).chain(large).max().unwrap_or(0)
}

fn max_bundle(round: &SumRound) -> u64 {
    let one = crate::sums::PAIRING_LEN + round.sealed_len();
    (round.epoch().literal().members.len() * one) as u64
}

pub(super) fn max_headers(round: &SumRound) -> u64 {
    (round.epoch().literal().members.len() * SignedUpload::len(round)) as u64
}

pub(super) fn read_headers(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Vec<SignedUpload>> {
    let bytes = read(blobs, blob, max_headers(round))?;
    let uploads: Vec<_> = bytes
        .chunks(SignedUpload::len(round))
        .map(|h| SignedUpload::from_bytes(round, h))
        .collect::<Result<_>>()?;
    for pair in uploads.windows(2) {
        if let [a, b] = pair
            && a.header.site >= b.header.site
        {
            return Err(SumRefusal::Order { site: b.header.site }.into());
        }
    }
    Ok(uploads)
}

pub(super) fn read_commitment(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Commitment> {
    Commitment::from_bytes(round, &read(blobs, blob, Commitment::max_len(round) as u64)?)
}

/// What a site that does not hold is shown of a large sum's set.
pub(super) fn read_inclusion(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Inclusion> {
    Inclusion::from_bytes(round, &read(blobs, blob, Inclusion::max_len(round) as u64)?)
}

pub(super) fn read_bundle(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Vec<u8>> {
    read(blobs, blob, max_bundle(round))
}

pub(super) fn read_agreed(
    round: &SumRound,
    blobs: &dyn Blobs,
    commitment: &dyn CommittedSet,
    (agreements, vouches): (&Blob, Option<&Blob>),
) -> Result<Agreed> {
    let members = round.epoch().literal().members.len();
    let bytes = read(blobs, agreements, (members * Agreement::LEN) as u64)?;
    let words = bytes.chunks(Agreement::LEN).map(|w| Agreement::from_bytes(round, w));
    let words = words.collect::<Result<Vec<_>>>()?;
    let bytes = vouches.map_or(Ok(Vec::new()), |v| read(blobs, v, (members * Vouch::LEN) as u64))?;
    let vouches = bytes.chunks(Vouch::LEN).map(|v| Vouch::from_bytes(round, v));
    Agreed::new(round, commitment, &words, &vouches.collect::<Result<Vec<_>>>()?)
}

/// A set that a quorum has signed, as it is shown to whoever goes on from it: all headers, or the root where it is signed by that.
pub(super) enum Shown {
    Headers(Commitment),
    Root(SetRoot),
}

impl Shown {
    pub(super) fn read(round: &SumRound, blobs: &dyn Blobs, blob: &Blob) -> Result<Self> {
        if round.has_roots() {
            let bytes = read(blobs, blob, SetRoot::len(round) as u64)?;
            return Ok(Self::Root(SetRoot::from_bytes(round, &bytes)?));
        }
        Ok(Self::Headers(read_commitment(round, blobs, blob)?))
    }

    pub(super) fn set(&self) -> &dyn CommittedSet {
        match self {
            Self::Headers(commitment) => commitment,
            Self::Root(root) => root,
        }
    }

    /// Whether it has nothing in this site's name that the site does not know.
    pub(super) fn judge(&self, site: &SumSite, me: SiteId, round: &SumRound) -> Result<()> {
        match self {
            Self::Headers(commitment) => site.judge_known(me, round, &commitment.uploads)?,
            Self::Root(root) => site.judge_named(me, round, root)?,
        }
        Ok(())
    }
}

/// The set of a round that a quorum has signed, and its mark.
pub(super) fn settled(round: &SumRound, blobs: &dyn Blobs, proof: &SettledProof) -> Result<(Shown, SumMark)> {
    let shown = Shown::read(round, blobs, &proof.commitment)?;
    let agreed = read_agreed(round, blobs, shown.set(), (&proof.agreements, proof.vouches.as_ref()))?;
    let mark = SumSite::settled(round, shown.set(), &agreed)?;
    Ok((shown, mark))
}

/// The mark of a round that these declarations make void.
pub(super) fn voided(round: &SumRound, blobs: &dyn Blobs, declared: &Blob) -> Result<SumMark> {
    let members = round.epoch().literal().members.len();
    let bytes = read(blobs, declared, (members * Void::LEN) as u64)?;
    let voids = bytes.chunks(Void::LEN).map(|v| Void::from_bytes(round, v)).collect::<Result<Vec<_>>>()?;
    Ok(SumSite::voided(round, &voids)?)
}
