//! The key ceremony's payloads.
//!
//! | part of phase key-share | bytes |
//! | --- | --- |
//! | share of the public key | a [`Message`] of this ceremony |
//! | for each site in order | a [`ShamirPart`] of the sender's secret, sealed to that site |
//!
//! A site's secret exists until these bytes are written and never again: its share of the key is the sum of the parts sealed to
//! it, its own among them.

use std::io::{Read, Write};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::keep;
use crate::{Blob, Blobs, Error, JobId, Output, Result, SEAL_OVERHEAD, SealingKey, SiteEntry, SiteId, Study};
use blindscope_threshold::{
    Collector, KeyShare, Message, PublicKeyProtocol, ShamirPart, SiteSecret, Transcript,
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

/// Bytes of a site's payload in phase key-share.
pub(crate) fn key_share_len(study: &Study, ceremony: &Transcript) -> u64 {
    (public_share_len(ceremony) + study.roster().parties() * sealed_len(ceremony)) as u64
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

/// Writes a site's payload of phase key-share. The secret behind it is forgotten when this returns.
///
/// # Errors
/// [`Error::Seal`] where sealing fails; [`Error::Threshold`] where the protocols' layer refuses, see there;
/// [`Error::Io`] where the writer fails.
pub fn write_key_share(
    study: &Study,
    job: JobId,
    me: SiteId,
    sealing: &SealingKey,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let ceremony = study.ceremony(job)?;
    let secret = SiteSecret::generate(&ceremony, me.party(), rng)?;
    write_secret(study, (job, &ceremony), &secret, me, sealing, rng, out)
}

/// Writes what is made of a site's secret: its share of the public key, and its parts, each sealed to its receiver.
fn write_secret(
    study: &Study,
    (job, ceremony): (JobId, &Transcript),
    secret: &SiteSecret,
    me: SiteId,
    sealing: &SealingKey,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let message = PublicKeyProtocol::begin(ceremony).share(secret, rng);
    let bytes = message.to_bytes(ceremony, PublicKeyProtocol::collector(ceremony).shape());
    out.write_all(&bytes).map_err(Error::io(WRITE))?;
    write_parts(study, (job, ceremony), secret, me, sealing, rng, out)
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
        let to = SiteId(part.to().0);
        let receiver = &entry(study, WRITE, to)?.sealing;
        let sealed = sealing.seal(receiver, &context(study, job, me, to), &part.to_bytes(ceremony), rng)?;
        out.write_all(&sealed).map_err(Error::io(WRITE))?;
    }
    Ok(())
}

/// Adds up the sites' shares into the public key, and lays their sealed parts together by receiver.
///
/// All payloads are read side by side, one part of each in memory.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload is not one; [`Error::Io`].
pub fn combine_key(
    study: &Study,
    job: JobId,
    shares: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Output> {
    let ceremony = study.ceremony(job)?;
    let (collector, mut readers) = collect(&ceremony, shares, blobs)?;
    let key = PublicKeyProtocol::finish_wide(&ceremony, collector)?.to_bytes();
    let shared = keep(COMBINE, blobs, &key)?;
    let each = lay_bundles(study, &ceremony, &mut readers, blobs)?;
    Ok(Output { each, ..Output::shared(shared) })
}

/// Refuses a public key that is not the one that these payloads make.
pub(crate) fn check_public_key(
    study: &Study,
    job: JobId,
    payloads: &[(SiteId, Blob)],
    shown: &Blob,
    blobs: &dyn Blobs,
) -> Result<()> {
    let ceremony = study.ceremony(job)?;
    let (collector, _) = collect(&ceremony, payloads, blobs)?;
    same("check public key", &PublicKeyProtocol::finish_wide(&ceremony, collector)?.to_bytes(), shown)
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
    for (site, reader) in readers {
        reader.read_exact(&mut bytes).map_err(Error::io(COMBINE))?;
        let absorbed = Message::from_bytes(&bytes, ceremony, collector.shape()).and_then(|message| {
            // Whoever signed the header has to be the one that the message names.
            if message.party() == site.party() { collector.absorb(&message) } else { Err(stranger(*site)) }
        });
        absorbed.map_err(|e| Error::Payload { op: COMBINE, site: *site, source: Box::new(e.into()) })?;
    }
    Ok(())
}

/// Lays the sealed parts together by receiver: one part of each payload in memory.
fn lay_bundles(
    study: &Study,
    ceremony: &Transcript,
    readers: &mut [Reading],
    blobs: &dyn Blobs,
) -> Result<Vec<Blob>> {
    let mut part = vec![0; sealed_len(ceremony)];
    let bundle_len = (part.len() * readers.len()) as u64;
    let bundle = |_| {
        blobs.create(bundle_len, &mut |out| {
            readers.iter_mut().try_for_each(|(_, reader)| {
                reader.read_exact(&mut part).and_then(|()| out.write_all(&part)).map_err(Error::io(COMBINE))
            })
        })
    };
    study.sites().map(bundle).collect()
}

fn stranger(site: SiteId) -> blindscope_threshold::Error {
    blindscope_threshold::Error::NotInCommittee { op: COMBINE, party: site.party() }
}

/// A site's share of the key, from the parts that were sealed to it. Secret; zeroed on drop.
///
/// # Errors
/// [`Error::Payload`] names the sender of a part that does not open or is not of this ceremony; [`Error::Io`].
pub fn open_bundle(
    study: &Study,
    job: JobId,
    me: SiteId,
    sealing: &SealingKey,
    bundle: &mut dyn Read,
) -> Result<KeyShare> {
    open_parts(study, (job, &study.ceremony(job)?), me, sealing, bundle)
}

/// The same of any ceremony.
pub(crate) fn open_parts(
    study: &Study,
    (job, ceremony): (JobId, &Transcript),
    me: SiteId,
    sealing: &SealingKey,
    bundle: &mut dyn Read,
) -> Result<KeyShare> {
    let mut sealed = vec![0; sealed_len(ceremony)];
    let mut parts = Vec::with_capacity(study.roster().parties());
    for from in study.sites() {
        bundle.read_exact(&mut sealed).map_err(Error::io(OPEN))?;
        let sender = &entry(study, OPEN, from)?.sealing;
        let blame = |e: Error| Error::Payload { op: OPEN, site: from, source: Box::new(e) };
        let plain: Zeroizing<Vec<u8>> =
            sealing.open(sender, &context(study, job, from, me), &sealed).map_err(blame)?;
        let part = ShamirPart::from_bytes(ceremony, &plain).map_err(|e| blame(e.into()))?;
        if part.from() != from.party() || part.to() != me.party() {
            return Err(blame(stranger(from).into()));
        }
        parts.push(part);
    }
    let mut rest = Vec::new();
    bundle.take(1).read_to_end(&mut rest).map_err(Error::io(OPEN))?;
    if !rest.is_empty() {
        let expected = (sealed.len() * study.roster().parties()) as u64;
        return Err(Error::Length { op: OPEN, expected, found: expected + 1 });
    }
    Ok(KeyShare::combine(ceremony, me.party(), parts)?)
}
