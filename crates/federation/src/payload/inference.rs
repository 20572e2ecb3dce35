//! An inference ceremony's payloads after everybody has committed.
//!
//! | phase | bytes |
//! | --- | --- |
//! | promise | SHA-256 and length of the payload of phase key-share |
//! | key-share | a share of the public key: a [`blindscope_threshold::Message`]; a message of the relinearisation key's first round; messages of each Galois key, in the circuit's order |
//! | relin | a message of the relinearisation key's second round |
//!
//! All of it is public, apart from the sealed parts: every site adds everybody's up. Shares are a function of seed and session,
//! so that what is promised is what is revealed.

use std::io::{self, Read, Write};

use rand_core::CryptoRng;

use super::ceremony::{Reading, absorb, collect, public_share_len, same};
use super::commit::{generator, secret};
use super::session::KeySession;
use super::{keep, open};
use crate::{Blob, BlobHasher, Blobs, Circuit, Error, Output, Result, SecondRound, SiteId, Study};
use blindscope_ckks::{GaloisKey, GaloisKeys, RelinKey, SecretSeed, Seed, UniformHalf, codec};
use blindscope_threshold::{
    Collector, GaloisKeyProtocol, PublicKeyProtocol, RelinKeyProtocol, RelinKeyRoundTwo, Transcript,
};
use blindscope_wire::Header;

const WRITE: &str = "write key share";
const COMBINE: &str = "combine key shares";
const RELIN: &str = "write relinearisation share";

const EPHEMERAL: &str = "blindscope/federation/inference/ephemeral/v2";
const ERRORS: &str = "blindscope/federation/inference/errors/v1";

fn message_len(collector: &Collector) -> u64 {
    (Header::LEN + collector.shape().payload_len()) as u64
}

/// Bytes of a payload of phase key-share, and of phase relin.
pub(crate) fn inference_lengths(ceremony: &Transcript, circuit: &Circuit) -> (u64, u64) {
    let relin = message_len(&RelinKeyProtocol::collector(ceremony));
    let galois: u64 = shares(ceremony, circuit).map(|share| message_len(&share.collector())).sum();
    let first = public_share_len(ceremony) as u64 + relin + galois;
    (first, message_len(&RelinKeyRoundTwo::collector(ceremony)))
}

fn shares<'a>(session: &'a Transcript, circuit: &'a Circuit) -> impl Iterator<Item = GaloisKeyProtocol> + 'a {
    circuit.galois.iter().map(|g| GaloisKeyProtocol::begin(session, g.element as usize))
}

/// Writes a site's payload of phase key-share: a function of its seed and the session.
///
/// # Errors
/// [`Error::Threshold`] for a session that the circuit does not fit; [`Error::Io`] where `out` takes no more.
pub(crate) fn write_public_shares(
    study: &Study,
    of: KeySession<'_>,
    me: SiteId,
    seed: &SecretSeed,
    out: &mut dyn Write,
) -> Result<()> {
    let (ceremony, session) = (study.inference_ceremony(of.job, of.circuit)?, of.transcript(study)?);
    let secret = secret(seed, &ceremony, study.party(WRITE, me)?)?;
    let rng = &mut generator(seed, ERRORS, &session.digest());
    let message = PublicKeyProtocol::begin(&session).share(&secret, rng);
    let bytes = message.to_bytes(&session, PublicKeyProtocol::collector(&session).shape());
    out.write_all(&bytes).map_err(Error::io(WRITE))?;
    let relin = RelinKeyProtocol::begin(&session);
    let relin = relin.share_resumable(&secret, &mut generator(seed, EPHEMERAL, &session.digest()), rng)?;
    let bytes = relin.to_bytes(&session, RelinKeyProtocol::collector(&session).shape());
    out.write_all(&bytes).map_err(Error::io(WRITE))?;
    for share in shares(&session, of.circuit) {
        let collector = share.collector();
        let bytes = share.share(&secret, rng)?.to_bytes(&session, collector.shape());
        out.write_all(&bytes).map_err(Error::io(WRITE))?;
    }
    Ok(())
}

/// The name of what [`write_public_shares`] writes.
pub(crate) fn name_public_shares(
    study: &Study,
    of: KeySession<'_>,
    me: SiteId,
    seed: &SecretSeed,
) -> Result<Blob> {
    let mut name = BlobHasher::default();
    write_public_shares(study, of, me, seed, &mut name)?;
    Ok(name.finish())
}

/// Adds up the shares of the public key and of the relinearisation key's first round.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload is not one; [`Error::Io`] where a blob cannot be read or written.
pub fn combine_first(
    study: &Study,
    of: KeySession<'_>,
    payloads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Output> {
    let session = of.transcript(study)?;
    let (collector, mut readers) = collect(&session, payloads, blobs)?;
    let key = PublicKeyProtocol::finish(&session, collector)?;
    let shared = keep(COMBINE, blobs, &codec::encode_public_key(&key))?;
    let sum = keep(COMBINE, blobs, &first_sum(&session, &mut readers)?)?;
    let second = Some(SecondRound { sum, seeds: Vec::new() });
    Ok(Output { second, ..Output::shared(shared) })
}

/// Refuses a public key that is not the one that these payloads of phase key-share make.
pub(crate) fn check_inference_key(
    study: &Study,
    of: KeySession<'_>,
    payloads: &[(SiteId, Blob)],
    shown: &Blob,
    blobs: &dyn Blobs,
) -> Result<()> {
    let session = of.transcript(study)?;
    let (collector, _) = collect(&session, payloads, blobs)?;
    let key = PublicKeyProtocol::finish(&session, collector)?;
    same("check public key", &codec::encode_public_key(&key), shown)
}

/// Refuses a sum of the first round that is not the one of these payloads: under another sum the second round would give the
/// site's secret away.
pub(crate) fn check_first_sum(
    study: &Study,
    of: KeySession<'_>,
    payloads: &[(SiteId, Blob)],
    shown: &Blob,
    blobs: &dyn Blobs,
) -> Result<()> {
    let session = of.transcript(study)?;
    let mut readers = readers(payloads, blobs)?;
    skip(&mut readers, public_share_len(&session) as u64)?;
    same("check first round", &first_sum(&session, &mut readers)?, shown)
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
/// [`Error::Threshold`] and [`Error::Length`] for a sum that is none of the session's; [`Error::Io`] where a blob cannot be read, or `out`
/// takes no more.
pub(crate) fn write_relin(
    study: &Study,
    of: KeySession<'_>,
    (me, seed): (SiteId, &SecretSeed),
    sum: &Blob,
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let (ceremony, session) = (study.inference_ceremony(of.job, of.circuit)?, of.transcript(study)?);
    let secret = secret(seed, &ceremony, study.party(WRITE, me)?)?;
    let two = RelinKeyRoundTwo::resume(&session, &mut generator(seed, EPHEMERAL, &session.digest()));
    let bytes = read_exactly(RELIN, blobs, sum, RelinKeyProtocol::sum_len(&session) as u64)?;
    let sum = RelinKeyProtocol::sum_from_bytes(&session, &bytes)?;
    let message = two.share(&secret, &sum, rng)?;
    let bytes = message.to_bytes(&session, RelinKeyRoundTwo::collector(&session).shape());
    out.write_all(&bytes).map_err(Error::io(RELIN))
}

/// The evaluation keys, each cut to the level at which it is used: the circuit's Galois keys in order, then the
/// relinearisation key.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload is not one; [`Error::Io`] where a blob cannot be read or written.
pub fn combine_relin(
    study: &Study,
    of: KeySession<'_>,
    first: &[(SiteId, Blob)],
    (sum, second): (&Blob, &[(SiteId, Blob)]),
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let session = of.transcript(study)?;
    let before = public_share_len(&session) as u64 + message_len(&RelinKeyProtocol::collector(&session));
    let mut readers = readers(first, blobs)?;
    skip(&mut readers, before)?;
    let mut keys = Vec::new();
    for (share, demand) in shares(&session, of.circuit).zip(&of.circuit.galois) {
        let mut collector = share.collector();
        absorb(&session, &mut collector, &mut readers)?;
        let key = share.finish(collector)?.at_level(blindscope_ckks::Level(demand.level as usize));
        keys.extend(codec::encode_galois_key(&key));
    }
    let mut collector = RelinKeyRoundTwo::collector(&session);
    absorb(&session, &mut collector, &mut self::readers(second, blobs)?)?;
    let bytes = read_exactly(COMBINE, blobs, sum, RelinKeyProtocol::sum_len(&session) as u64)?;
    let sum = RelinKeyProtocol::sum_from_bytes(&session, &bytes)?;
    let relin = RelinKeyRoundTwo::finish(&session, &sum, collector)?.at_level(of.circuit.relin_level());
    keys.extend(codec::encode_relin_key(&relin));
    keep(COMBINE, blobs, &keys)
}

/// Refuses evaluation keys that are not the ones that everybody's payloads make. They stay here: what is evaluated, a site
/// evaluates under them.
pub(crate) fn check_evaluation_keys(
    study: &Study,
    of: KeySession<'_>,
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
