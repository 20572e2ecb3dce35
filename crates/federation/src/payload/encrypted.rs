//! An encrypted head's payloads under the inference key: ciphertexts one after the other, each with its own header. They are never
//! opened.

use std::cell::Cell;
use std::io::{Read, Write};

use rand_core::CryptoRng;

use super::inference::read_exactly;
use super::{Side, blame, open};
use crate::{Blob, Blobs, Circuit, Error, Result, SiteId, Study};
use blindscope_ckks::{
    Ciphertext, Evaluator, Level, Parameters, Plaintext, PublicEncryptor, PublicKey, codec,
};

const ADD: &str = "add ciphertexts";
const ENCRYPT: &str = "encrypt head";

/// Answers stand at the last level.
pub(crate) const LAST: Level = Level(0);

/// Bytes of ciphertexts at these levels.
pub(crate) fn ciphertexts_len(study: &Study, circuit: &Circuit, levels: &[Level]) -> Result<u64> {
    let params = study.circuit_params(circuit)?;
    Ok(levels.iter().map(|l| codec::ciphertext_len(&params, 2, *l) as u64).sum())
}

/// A public key of a circuit's parameters.
pub(crate) fn read_key(
    params: &Parameters,
    op: &'static str,
    blob: &Blob,
    blobs: &dyn Blobs,
) -> Result<PublicKey> {
    let bytes = read_exactly(op, blobs, blob, codec::public_key_len(params) as u64)?;
    Ok(codec::decode_public_key(params, &bytes)?)
}

/// The next ciphertext of a stream.
pub(crate) fn next(
    params: &Parameters,
    op: &'static str,
    level: Level,
    reader: &mut dyn Read,
) -> Result<Ciphertext> {
    let mut bytes = vec![0; codec::ciphertext_len(params, 2, level)];
    reader.read_exact(&mut bytes).map_err(Error::io(op))?;
    let c = codec::decode_ciphertext(params, &bytes)?;
    if c.level() != level || c.components().len() != 2 {
        return Err(Error::Level { op, expected: level.0, found: c.level().0 });
    }
    Ok(c)
}

/// The ciphertexts of an encrypted head or of answers, as they stand in a job's result.
///
/// # Errors
/// [`Error::Ckks`] or [`Error::Length`] for bytes that are not these.
pub fn read_ciphertexts(
    study: &Study,
    circuit: &Circuit,
    levels: &[Level],
    bytes: &[u8],
) -> Result<Vec<Ciphertext>> {
    let params = study.circuit_params(circuit)?;
    let mut rest = bytes;
    let all: Vec<_> =
        levels.iter().map(|l| next(&params, "read ciphertexts", *l, &mut rest)).collect::<Result<_>>()?;
    if rest.is_empty() {
        return Ok(all);
    }
    let expected = (bytes.len() - rest.len()) as u64;
    Err(Error::Length { op: "read ciphertexts", expected, found: bytes.len() as u64 })
}

/// Encrypts a site's part of a head under the inference key.
///
/// # Errors
/// [`Error::Learning`] for plaintexts that are not the job's; [`Error::Length`] or [`Error::Ckks`] for a key that is none;
/// [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn write_head(
    study: &Study,
    (circuit, levels): (&Circuit, &[Level]),
    public_key: &Blob,
    plain: &[Plaintext],
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let key = read_key(&params, ENCRYPT, public_key, blobs)?;
    if plain.len() != levels.len() || plain.iter().zip(levels).any(|(m, l)| m.level() != *l) {
        let source = format!("{} plaintexts, the job has {} levels", plain.len(), levels.len()).into();
        return Err(Error::Learning { op: ENCRYPT, source });
    }
    let encryptor = PublicEncryptor::new(&key);
    plain.iter().try_for_each(|m| {
        let bytes = codec::encode_ciphertext(&encryptor.encrypt(m, rng)?);
        out.write_all(&bytes).map_err(Error::io(ENCRYPT))
    })
}

/// Writes the sums of these payloads' ciphertexts, place by place. `base` is what the others refresh.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload does not add; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn add_ciphertexts(
    study: &Study,
    (circuit, levels): (&Circuit, &[Level]),
    base: Option<&Blob>,
    payloads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let (evaluator, last) = (Evaluator::new(&params), Cell::new(None));
    let named = base.map(|b| (None, b)).into_iter().chain(payloads.iter().map(|(s, b)| (Some(*s), b)));
    let side = |(site, blob): (Option<SiteId>, &Blob)| {
        Ok(Side { last: &last, site, reader: open(ADD, blobs, blob)? })
    };
    let mut inputs = named.map(side).collect::<Result<Vec<_>>>()?;
    let mut add = |level: &Level| {
        let mut sum: Option<Ciphertext> = None;
        for input in &mut inputs {
            let c = next(&params, ADD, *level, input)?;
            match &mut sum {
                Some(sum) => evaluator.add_assign(sum, &c)?,
                None => sum = Some(c),
            }
        }
        match sum {
            Some(sum) => out.write_all(&codec::encode_ciphertext(&sum)).map_err(Error::io(ADD)),
            None => Ok(()),
        }
    };
    levels.iter().try_for_each(&mut add).map_err(|e| blame(ADD, &last, e))
}
