//! What the payloads of a ceremony are made of: messages that are added up, and parts of secrets, each sealed to its site.
//!
//! A site's share of the key is the sum of the parts sealed to it, its own among them.

use std::io::{Read, Write};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Blob, Blobs, Error, JobId, Result, SEAL_OVERHEAD, SealingKey, SiteEntry, SiteId, Study};
use blindscope_threshold::{
    Collector, KeyShare, Message, PartyId, PublicKeyProtocol, ShamirPart, SiteSecret, Transcript,
};
use blindscope_wire::{Digest, Hasher, Header};

const WRITE: &str = "write key share";
const COMBINE: &str = "combine key shares";
const OPEN: &str = "open parts";

pub(crate) fn public_share_len(ceremony: &Transcript) -> usize {
    Header::LEN + PublicKeyProtocol::collector(ceremony).shape().payload_len()
}

pub(crate) fn sealed_len(ceremony: &Transcript) -> usize {
    ShamirPart::byte_len(ceremony) + SEAL_OVERHEAD
}

/// Binds a sealed part to study, ceremony, sender and receiver.
pub(crate) fn context(study: &Study, ceremony: JobId, from: SiteId, to: SiteId) -> Digest {
    Hasher::new("blindscope/federation/part/v1")
        .absorb(&study.digest().0)
        .absorb(&ceremony.0.0)
        .absorb_u64(u64::from(from.0))
        .absorb_u64(u64::from(to.0))
        .finish()
}

pub(crate) fn entry<'s>(study: &'s Study, op: &'static str, site: SiteId) -> Result<&'s SiteEntry> {
    study.site(site).ok_or(Error::ForeignSite { op, site })
}

/// Writes a secret's parts, each sealed to its receiver.
pub(crate) fn write_parts(
    study: &Study,
    (job, ceremony): (JobId, &Transcript),
    secret: &SiteSecret,
    me: SiteId,
    sealing: &SealingKey,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    for part in secret.split(ceremony, rng) {
        let stranger = || stranger(part.to());
        let to = study.members().get(usize::from(part.to().0)).ok_or_else(stranger)?.site;
        let receiver = &entry(study, WRITE, to)?.sealing;
        let sealed = sealing.seal(receiver, &context(study, job, me, to), &part.to_bytes(ceremony), rng)?;
        out.write_all(&sealed).map_err(Error::io(WRITE))?;
    }
    Ok(())
}

/// Refuses a blob of other bytes than were recomputed.
pub(crate) fn same(op: &'static str, bytes: &[u8], shown: &Blob) -> Result<()> {
    let computed = Blob::of(bytes);
    if computed == *shown {
        return Ok(());
    }
    Err(Error::OtherKey { op, expected: computed.to_string(), found: shown.to_string() })
}

/// One site's payload being read.
pub(crate) type Reading = (SiteId, Box<dyn Read + Send>);

/// Adds up the shares of the public key, which stand first; the payloads after them.
pub(crate) fn collect(
    ceremony: &Transcript,
    shares: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<(Collector, Vec<Reading>)> {
    let mut collector = PublicKeyProtocol::collector(ceremony);
    let mut readers = Vec::with_capacity(shares.len());
    for (site, blob) in shares {
        readers.push((*site, super::open(COMBINE, blobs, blob)?));
    }
    absorb(ceremony, &mut collector, &mut readers)?;
    Ok((collector, readers))
}

/// Adds the next message of each payload.
pub(crate) fn absorb(
    ceremony: &Transcript,
    collector: &mut Collector,
    readers: &mut [Reading],
) -> Result<()> {
    let mut bytes = vec![0; Header::LEN + collector.shape().payload_len()];
    // All sites have answered, in order: each is the party of its place.
    for (place, (site, reader)) in readers.iter_mut().enumerate() {
        let party = PartyId(place as u16);
        reader.read_exact(&mut bytes).map_err(Error::io(COMBINE))?;
        let absorbed = Message::from_bytes(&bytes, ceremony, collector.shape()).and_then(|message| {
            // Whoever signed the header has to be the one that the message names.
            if message.party() == party { collector.absorb(&message) } else { Err(stranger(party)) }
        });
        absorbed.map_err(|e| Error::Payload { op: COMBINE, site: *site, source: Box::new(e.into()) })?;
    }
    Ok(())
}

fn stranger(party: PartyId) -> blindscope_threshold::Error {
    blindscope_threshold::Error::NotInCommittee { op: COMBINE, party }
}

/// A site's share of the key, from the parts that were sealed to it. Secret; zeroed on drop.
///
/// # Errors
/// [`Error::Payload`] names the sender of a part that does not open or is not of this ceremony; [`Error::Io`] where a blob cannot
/// be read or written.
pub(crate) fn open_parts(
    study: &Study,
    (job, ceremony): (JobId, &Transcript),
    me: SiteId,
    sealing: &SealingKey,
    bundle: &mut dyn Read,
) -> Result<KeyShare> {
    let mut sealed = vec![0; sealed_len(ceremony)];
    let mut parts = Vec::with_capacity(study.roster().parties());
    let to = study.party(OPEN, me)?;
    for from in study.sites() {
        let party = study.party(OPEN, from)?;
        bundle.read_exact(&mut sealed).map_err(Error::io(OPEN))?;
        let sender = &entry(study, OPEN, from)?.sealing;
        let blame = |e: Error| Error::Payload { op: OPEN, site: from, source: Box::new(e) };
        let plain: Zeroizing<Vec<u8>> =
            sealing.open(sender, &context(study, job, from, me), &sealed).map_err(blame)?;
        let part = ShamirPart::from_bytes(ceremony, &plain).map_err(|e| blame(e.into()))?;
        if part.from() != party || part.to() != to {
            return Err(blame(stranger(party).into()));
        }
        parts.push(part);
    }
    let mut rest = Vec::new();
    bundle.take(1).read_to_end(&mut rest).map_err(Error::io(OPEN))?;
    if !rest.is_empty() {
        let expected = (sealed.len() * study.roster().parties()) as u64;
        return Err(Error::Trailing { op: OPEN, expected });
    }
    Ok(KeyShare::combine(ceremony, to, parts)?)
}
