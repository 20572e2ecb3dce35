//! Ciphertexts under the inference key, one after the other, each with its own header.

use std::cell::Cell;
use std::io::{Read, Write};

use super::inference::read_exactly;
use super::{Side, blame, open};
use crate::{Blob, Blobs, Circuit, Error, Result, SiteId, Study};
use blindscope_ckks::{Ciphertext, Evaluator, Level, Parameters, PublicKey, codec};

const ADD: &str = "add ciphertexts";

/// Answers stand at the last level.
pub(crate) const LAST: Level = Level(0);

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

/// Writes the sums of `base` and these payloads' ciphertexts, place by place: the payloads refresh it.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload does not add; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn add_ciphertexts(
    study: &Study,
    (circuit, levels): (&Circuit, &[Level]),
    base: &Blob,
    payloads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let (evaluator, last) = (Evaluator::new(&params), Cell::new(None));
    let named = std::iter::once((None, base)).chain(payloads.iter().map(|(s, b)| (Some(*s), b)));
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
