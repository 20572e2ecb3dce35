//! The first phase of an inference ceremony: each site commits to its secret.
//!
//! | part of phase commit | bytes |
//! | --- | --- |
//! | the seed of the site's secrets | 32 bytes, sealed to the site itself |
//! | for each site in order | a [`blindscope_threshold::ShamirPart`] of the sender's secret, sealed to that site |
//!
//! The coordinator lays a *bundle* together for each site: its own sealed seed, then everybody's part for it. Later phases need the
//! secret again and draw it from the seed; between two phases a site keeps nothing.

use std::io::{Read as _, Write};

use chacha20::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};
use zeroize::Zeroize;

use super::ceremony::{context, entry, open_parts, sealed_len, write_parts};
use super::open;
use crate::{Blob, Blobs, Circuit, Error, JobId, Result, SEAL_OVERHEAD, SealingKey, SiteId, Study};
use blindscope_ckks::SecretSeed;
use blindscope_threshold::{KeyShare, PartyId, SiteSecret, Transcript};
use blindscope_wire::{Digest, Hasher};

const WRITE: &str = "commit to a secret";
const LAY: &str = "lay parts together";
const SEED: &str = "open own seed";

/// Bytes of a sealed seed.
const SEED_LEN: usize = 32 + SEAL_OVERHEAD;

/// Bytes of a site's payload of phase commit, and of a bundle.
pub(crate) fn commitment_len(study: &Study, ceremony: &Transcript) -> u64 {
    (SEED_LEN + study.roster().parties() * sealed_len(ceremony)) as u64
}

/// A generator for one use of a site's seed, in one session.
pub(crate) fn generator(seed: &SecretSeed, purpose: &str, session: &Digest) -> ChaCha20Rng {
    let mut derived = Hasher::new(purpose).absorb(seed.as_bytes()).absorb(&session.0).finish().0;
    let rng = ChaCha20Rng::from_seed(derived);
    derived.zeroize();
    rng
}

/// The secret of a site's seed. `ceremony` is the session that the parts are of.
pub(crate) fn secret(seed: &SecretSeed, ceremony: &Transcript, me: PartyId) -> Result<SiteSecret> {
    const SECRET: &str = "blindscope/federation/inference/secret/v2";
    Ok(SiteSecret::generate(ceremony, me, &mut generator(seed, SECRET, &ceremony.digest()))?)
}

/// Writes a site's payload of phase commit: it draws the seed of its secret, seals it to itself, and a part to each site.
///
/// # Errors
/// [`Error::Seal`] where a site's key is none; [`Error::Threshold`] for a circuit without parameters; [`Error::Io`] where `out` takes no
/// more.
///
/// # Timing
/// Of sizes alone: drawing, sharing and sealing look at no secret to decide what to do.
pub fn write_commitment(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    me: SiteId,
    sealing: &SealingKey,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let seed = SecretSeed::generate(rng);
    let to = &entry(study, WRITE, me)?.sealing;
    let sealed = sealing.seal(to, &context(study, job, me, me), seed.as_bytes(), rng)?;
    out.write_all(&sealed).map_err(Error::io(WRITE))?;
    write_parts(
        study,
        (job, &ceremony),
        &secret(&seed, &ceremony, study.party(WRITE, me)?)?,
        me,
        sealing,
        rng,
        out,
    )
}

/// Lays seeds and sealed parts together by receiver: one part of each payload in memory.
///
/// # Errors
/// [`Error::Io`] where a blob cannot be read or kept; [`Error::Threshold`] for a circuit without parameters.
pub fn lay_commitments(
    study: &Study,
    (job, circuit): (JobId, &Circuit),
    commitments: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Vec<Blob>> {
    let ceremony = study.inference_ceremony(job, circuit)?;
    let (mut readers, mut seeds) = (Vec::new(), Vec::new());
    for (_, blob) in commitments {
        let (mut reader, mut seed) = (open(LAY, blobs, blob)?, [0; SEED_LEN]);
        reader.read_exact(&mut seed).map_err(Error::io(LAY))?;
        readers.push(reader);
        seeds.push(seed);
    }
    let (len, mut part) = (commitment_len(study, &ceremony), vec![0; sealed_len(&ceremony)]);
    let bundle = |seed: &[u8; SEED_LEN]| {
        blobs.create(len, &mut |out| {
            out.write_all(seed).map_err(Error::io(LAY))?;
            readers.iter_mut().try_for_each(|reader| {
                reader.read_exact(&mut part).and_then(|()| out.write_all(&part)).map_err(Error::io(LAY))
            })
        })
    };
    seeds.iter().map(bundle).collect()
}

/// The seed that a site sealed to itself, which stands first in its bundle.
pub(crate) fn open_seed(
    study: &Study,
    job: JobId,
    (me, sealing): (SiteId, &SealingKey),
    bundle: &Blob,
    blobs: &dyn Blobs,
) -> Result<SecretSeed> {
    let mut sealed = [0; SEED_LEN];
    open(SEED, blobs, bundle)?.read_exact(&mut sealed).map_err(Error::io(SEED))?;
    let plain = sealing.open(&entry(study, SEED, me)?.sealing, &context(study, job, me, me), &sealed)?;
    let bytes = plain.as_slice().try_into().map_err(|_| Error::Seal { op: SEED })?;
    Ok(SecretSeed::from_bytes(bytes))
}

/// A site's share of an inference key, from the parts in its bundle.
///
/// # Timing
/// Of the number of parts, and of whether they open.
///
/// # Errors
/// [`Error::Seal`] for parts that are not sealed to this site; [`Error::Threshold`] for parts that are not of this key;
/// [`Error::Io`] where the blob cannot be read.
pub fn open_inference_bundle(
    study: &Study,
    (key, circuit): (JobId, &Circuit),
    (me, sealing): (SiteId, &SealingKey),
    bundle: &Blob,
    blobs: &dyn Blobs,
) -> Result<KeyShare> {
    let ceremony = study.inference_ceremony(key, circuit)?;
    let mut reader = open("open parts", blobs, bundle)?;
    reader.read_exact(&mut [0; SEED_LEN]).map_err(Error::io("open parts"))?;
    open_parts(study, (key, &ceremony), me, sealing, &mut reader)
}
