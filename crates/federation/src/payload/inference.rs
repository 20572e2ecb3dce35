//! The inference ceremony's payloads.
//!
//! | part of phase key-share | bytes |
//! | --- | --- |
//! | share of the public key, and a sealed part for each site | as in the ceremony |
//! | the seed of the site's secrets | 32 bytes, sealed to the site itself |
//! | first round of the relinearisation key | a [`blindscope_threshold::Message`] |
//! | share of each Galois key, in the circuit's order | messages |
//!
//! | phase relin | bytes |
//! | --- | --- |
//! | second round of the relinearisation key | a message |
//!
//! The second round needs the site's secret and an ephemeral one again. Both are drawn from a seed that exists at the site
//! while a payload is written and otherwise sealed to the site itself; the coordinator keeps it for the time of the ceremony.

use std::io::{self, Read, Write};

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroize;

use super::ceremony::{
    Reading, absorb, collect, context, entry, key_share_len, lay_bundles, same, write_secret,
};
use super::{keep, open};
use crate::{
    Blob, Blobs, Circuit, Error, JobId, Output, Result, SEAL_OVERHEAD, SealingKey, SecondRound, SiteId, Study,
};
use blindscope_ckks::{GaloisKey, GaloisKeys, RelinKey, SecretSeed, Seed, UniformHalf, codec};
use blindscope_threshold::{
    Collector, GaloisKeyProtocol, PublicKeyProtocol, RelinKeyProtocol, RelinKeyRoundTwo, SiteSecret,
    Transcript,
};
use blindscope_wire::{Hasher, Header};

const WRITE: &str = "write key share";
const COMBINE: &str = "combine key shares";
const RELIN: &str = "write relinearisation share";

/// Bytes of a sealed seed.
const SEED_LEN: usize = 32 + SEAL_OVERHEAD;

fn message_len(collector: &Collector) -> u64 {
    (Header::LEN + collector.shape().payload_len()) as u64
}

/// Bytes of a payload of phase key-share, and of phase relin.
pub(crate) fn inference_lengths(study: &Study, ceremony: &Transcript, circuit: &Circuit) -> (u64, u64) {
    let relin = message_len(&RelinKeyProtocol::collector(ceremony));
    let galois: u64 = shares(ceremony, circuit).map(|share| message_len(&share.collector())).sum();
    let first = key_share_len(study, ceremony) + SEED_LEN as u64 + relin + galois;
    (first, message_len(&RelinKeyRoundTwo::collector(ceremony)))
}

fn shares<'a>(
    ceremony: &'a Transcript,
    circuit: &'a Circuit,
) -> impl Iterator<Item = GaloisKeyProtocol> + 'a {
    circuit.galois.iter().map(|g| GaloisKeyProtocol::begin(ceremony, g.element as usize))
}

/// A generator for one use of a site's seed.
fn generator(seed: &SecretSeed, purpose: &str) -> ChaCha20Rng {
    let mut derived = Hasher::new(purpose).absorb(seed.as_bytes()).finish().0;
    let rng = ChaCha20Rng::from_seed(derived);
    derived.zeroize();
    rng
}

const SECRET: &str = "blindscope/federation/inference/secret/v1";
const EPHEMERAL: &str = "blindscope/federation/inference/ephemeral/v1";

/// Writes a site's payload of phase key-share in an inference ceremony.
///
/// # Errors
/// [`Error::Seal`] where sealing fails; [`Error::Threshold`] where the protocols' layer refuses, see there;
/// [`Error::Io`] where the writer fails.
pub fn write_inference_share(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    me: SiteId,
    sealing: &SealingKey,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let seed = SecretSeed::generate(rng);
    let secret = SiteSecret::generate(&ceremony, me.party(), &mut generator(&seed, SECRET))?;
    write_secret(study, (job, &ceremony), &secret, me, sealing, rng, out)?;
    let to = &entry(study, WRITE, me)?.sealing;
    let sealed = sealing.seal(to, &context(study, job, me, me), seed.as_bytes(), rng)?;
    out.write_all(&sealed).map_err(Error::io(WRITE))?;
    let relin = RelinKeyProtocol::begin(&ceremony);
    let relin = relin.share_resumable(&secret, &mut generator(&seed, EPHEMERAL), rng)?;
    let bytes = relin.to_bytes(&ceremony, RelinKeyProtocol::collector(&ceremony).shape());
    out.write_all(&bytes).map_err(Error::io(WRITE))?;
    for share in shares(&ceremony, circuit) {
        let collector = share.collector();
        let bytes = share.share(&secret, rng)?.to_bytes(&ceremony, collector.shape());
        out.write_all(&bytes).map_err(Error::io(WRITE))?;
    }
    Ok(())
}

/// Adds up the shares of the public key and of the relinearisation key's first round; lays parts and seeds together.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload is not one; [`Error::Io`].
pub fn combine_first(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    payloads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Output> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let (collector, mut readers) = collect(&ceremony, payloads, blobs)?;
    let key = PublicKeyProtocol::finish(&ceremony, collector)?;
    let shared = keep(COMBINE, blobs, &codec::encode_public_key(&key))?;
    let each = lay_bundles(study, &ceremony, &mut readers, blobs)?;
    let mut seed = [0; SEED_LEN];
    let mut seeds = Vec::with_capacity(readers.len());
    for (_, reader) in &mut readers {
        reader.read_exact(&mut seed).map_err(Error::io(COMBINE))?;
        seeds.push(keep(COMBINE, blobs, &seed)?);
    }
    let sum = keep(COMBINE, blobs, &first_sum(&ceremony, &mut readers)?)?;
    Ok(Output { each, second: Some(SecondRound { sum, seeds }), ..Output::shared(shared) })
}

/// Refuses a public key that is not the one that these payloads of phase key-share make.
pub(crate) fn check_inference_key(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    payloads: &[(SiteId, Blob)],
    shown: &Blob,
    blobs: &dyn Blobs,
) -> Result<()> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let (collector, _) = collect(&ceremony, payloads, blobs)?;
    let key = PublicKeyProtocol::finish(&ceremony, collector)?;
    same("check public key", &codec::encode_public_key(&key), shown)
}

/// Refuses a sum of the first round that is not the one of these payloads: under another sum the second round would give the
/// site's secret away.
pub(crate) fn check_first_sum(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    payloads: &[(SiteId, Blob)],
    shown: &Blob,
    blobs: &dyn Blobs,
) -> Result<()> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let mut readers = readers(payloads, blobs)?;
    skip(&mut readers, key_share_len(study, &ceremony) + SEED_LEN as u64)?;
    same("check first round", &first_sum(&ceremony, &mut readers)?, shown)
}

/// The sum of the first round, of payloads that are read as far as its messages.
fn first_sum(ceremony: &Transcript, readers: &mut [Reading]) -> Result<Vec<u8>> {
    let mut collector = RelinKeyProtocol::collector(ceremony);
    absorb(ceremony, &mut collector, readers)?;
    Ok(RelinKeyProtocol::sum_to_bytes(ceremony, &RelinKeyProtocol::finish(collector)?))
}

fn skip(readers: &mut [Reading], len: u64) -> Result<()> {
    readers.iter_mut().try_for_each(|(_, reader)| {
        io::copy(&mut reader.by_ref().take(len), &mut io::sink()).map(drop).map_err(Error::io(COMBINE))
    })
}

/// Writes a site's payload of phase relin.
///
/// # Errors
/// [`Error::Seal`] for a seed that is not this site's of this ceremony; [`Error::Threshold`], [`Error::Io`].
pub fn write_relin(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    (me, sealing): (SiteId, &SealingKey),
    (sum, seed): (&Blob, &Blob),
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let sealed = read_exactly(RELIN, blobs, seed, SEED_LEN as u64)?;
    let plain = sealing.open(&entry(study, RELIN, me)?.sealing, &context(study, job, me, me), &sealed)?;
    let bytes = plain.as_slice().try_into().map_err(|_| Error::Seal { op: RELIN })?;
    let seed = SecretSeed::from_bytes(bytes);
    let secret = SiteSecret::generate(&ceremony, me.party(), &mut generator(&seed, SECRET))?;
    let two = RelinKeyRoundTwo::resume(&ceremony, &mut generator(&seed, EPHEMERAL));
    let bytes = read_exactly(RELIN, blobs, sum, RelinKeyProtocol::sum_len(&ceremony) as u64)?;
    let sum = RelinKeyProtocol::sum_from_bytes(&ceremony, &bytes)?;
    let message = two.share(&secret, &sum, rng)?;
    let bytes = message.to_bytes(&ceremony, RelinKeyRoundTwo::collector(&ceremony).shape());
    out.write_all(&bytes).map_err(Error::io(RELIN))
}

/// The evaluation keys, each cut to the level at which it is used: the circuit's Galois keys in order, then the
/// relinearisation key.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload is not one; [`Error::Io`].
pub fn combine_relin(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    first: &[(SiteId, Blob)],
    (sum, second): (&Blob, &[(SiteId, Blob)]),
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let before = key_share_len(study, &ceremony) + SEED_LEN as u64;
    let before = before + message_len(&RelinKeyProtocol::collector(&ceremony));
    let mut readers = readers(first, blobs)?;
    skip(&mut readers, before)?;
    let mut keys = Vec::new();
    for (share, demand) in shares(&ceremony, circuit).zip(&circuit.galois) {
        let mut collector = share.collector();
        absorb(&ceremony, &mut collector, &mut readers)?;
        let key = share.finish(collector)?.at_level(blindscope_ckks::Level(demand.level as usize));
        keys.extend(codec::encode_galois_key(&key));
    }
    let mut collector = RelinKeyRoundTwo::collector(&ceremony);
    absorb(&ceremony, &mut collector, &mut self::readers(second, blobs)?)?;
    let bytes = read_exactly(COMBINE, blobs, sum, RelinKeyProtocol::sum_len(&ceremony) as u64)?;
    let sum = RelinKeyProtocol::sum_from_bytes(&ceremony, &bytes)?;
    let relin = RelinKeyRoundTwo::finish(&ceremony, &sum, collector)?.at_level(circuit.relin_level());
    keys.extend(codec::encode_relin_key(&relin));
    keep(COMBINE, blobs, &keys)
}

/// Refuses evaluation keys that are not the ones that everybody's payloads make. They stay here: what is evaluated, a site
/// evaluates under them.
pub(crate) fn check_evaluation_keys(
    study: &Study,
    of: (JobId, &Circuit),
    first: &[(SiteId, Blob)],
    second: (&Blob, &[(SiteId, Blob)]),
    shown: &Blob,
    blobs: &dyn Blobs,
) -> Result<()> {
    let computed = combine_relin(study, of, first, second, blobs)?;
    if computed == *shown {
        return Ok(());
    }
    let (expected, found) = (computed.to_string(), shown.to_string());
    Err(Error::OtherKey { op: "check evaluation keys", expected, found })
}

fn readers(payloads: &[(SiteId, Blob)], blobs: &dyn Blobs) -> Result<Vec<Reading>> {
    payloads.iter().map(|(site, blob)| Ok((*site, open(COMBINE, blobs, blob)?))).collect()
}

/// The bytes of a blob that has to be this long.
pub(crate) fn read_exactly(op: &'static str, blobs: &dyn Blobs, blob: &Blob, len: u64) -> Result<Vec<u8>> {
    if blob.len != len {
        return Err(Error::Length { op, expected: len, found: blob.len });
    }
    let mut bytes = Vec::with_capacity(len as usize);
    open(op, blobs, blob)?.read_to_end(&mut bytes).map_err(Error::io(op))?;
    Ok(bytes)
}

/// The evaluation keys of their bytes, as [`combine_relin`] made them.
///
/// # Errors
/// [`Error::Length`] for another length than the sizes say; [`Error::Ckks`] where the scheme refuses, see there.
pub fn read_evaluation_keys(
    study: &Study,
    circuit: &Circuit,
    bytes: &[u8],
) -> Result<(GaloisKeys, RelinKey)> {
    const OP: &str = "read evaluation keys";
    let params = study.circuit_params(circuit)?;
    let seeded = UniformHalf::Seeded(Seed([0; 32]));
    let galois = |g: &crate::GaloisDemand| {
        codec::galois_key_len(&params, blindscope_ckks::Level(g.level as usize), seeded)
    };
    let relin = codec::relin_key_len(&params, circuit.relin_level(), UniformHalf::Explicit);
    let expected = (circuit.galois.iter().map(galois).sum::<usize>() + relin) as u64;
    let wrong = || Error::Length { op: OP, expected, found: bytes.len() as u64 };
    let mut rest = bytes;
    let mut keys: Vec<GaloisKey> = Vec::with_capacity(circuit.galois.len());
    for demand in &circuit.galois {
        let (key, after) = rest.split_at_checked(galois(demand)).ok_or_else(wrong)?;
        keys.push(codec::decode_galois_key(&params, key)?);
        rest = after;
    }
    if rest.len() != relin {
        return Err(wrong());
    }
    Ok((GaloisKeys::new(keys), codec::decode_relin_key(&params, rest)?))
}
