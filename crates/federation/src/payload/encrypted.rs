//! Payloads under the inference key: an encrypted head, and answers that are re-encrypted to who asked.
//!
//! All are ciphertexts one after the other, each with its own header. A head's are never opened. An answer's share is a
//! [`Message`] a ciphertext.

use std::cell::Cell;
use std::io::{Read, Write};

use blindscope_ckks::{
    Ciphertext, Evaluator, Level, Parameters, Plaintext, PublicEncryptor, PublicKey, Scale, codec,
};
use blindscope_threshold::{
    Collector, Decryption, DecryptionSession, KeyShare, Message, Opening as Masks, Transcript,
};
use blindscope_wire::Header;
use rand_core::CryptoRng;

use super::inference::read_exactly;
use super::round::{Target, committee};
use super::{Side, blame, open};
use crate::{Blob, Blobs, Circuit, Error, JobSpec, Permit, Question, Result, SiteId, Sizes, Step, Study};

const ADD: &str = "add ciphertexts";
const ENCRYPT: &str = "encrypt head";
const ZEROS: &str = "write zeros";
const SHARE: &str = "write share of an answer";
const OPEN: &str = "re-encrypt answer";

/// Answers stand at the last level.
const LAST: Level = Level(0);

/// Bytes that the steps of a head's job move.
pub(crate) fn head_sizes(study: &Study, circuit: &Circuit, levels: &[Level]) -> Result<Sizes> {
    let params = study.circuit_params(circuit)?;
    let upload = levels.iter().map(|l| codec::ciphertext_len(&params, 2, *l) as u64).sum();
    Ok(Sizes { openings: 0, key_share: 0, relin: 0, upload, sum: upload, share: 0 })
}

/// Bytes that the steps of a question move; refused where its masks have no room.
pub(crate) fn question_sizes(study: &Study, circuit: &Circuit, question: &Question) -> Result<Sizes> {
    let params = study.circuit_params(circuit)?;
    circuit.flooding(study)?;
    let count = u64::from(question.ciphertexts);
    let upload = count * codec::ciphertext_len(&params, 2, LAST) as u64;
    if question.answers.len != upload {
        return Err(Error::Length { op: "take question", expected: upload, found: question.answers.len });
    }
    let asker = codec::public_key_len(&params) as u64;
    if question.asker.len != asker {
        return Err(Error::Length { op: "take question", expected: asker, found: question.asker.len });
    }
    let share = count * Decryption::asker_share_len(&params, LAST) as u64;
    Ok(Sizes { openings: count, key_share: 0, relin: 0, upload, sum: upload, share })
}

/// A public key of a circuit's parameters.
fn read_key(params: &Parameters, op: &'static str, blob: &Blob, blobs: &dyn Blobs) -> Result<PublicKey> {
    let bytes = read_exactly(op, blobs, blob, codec::public_key_len(params) as u64)?;
    Ok(codec::decode_public_key(params, &bytes)?)
}

/// The next ciphertext of a stream.
fn next(params: &Parameters, op: &'static str, level: Level, reader: &mut dyn Read) -> Result<Ciphertext> {
    let mut bytes = vec![0; codec::ciphertext_len(params, 2, level)];
    reader.read_exact(&mut bytes).map_err(Error::io(op))?;
    let c = codec::decode_ciphertext(params, &bytes)?;
    if c.level() != level || c.components().len() != 2 {
        let (expected, found) = (level.0 as u64, c.level().0 as u64);
        return Err(Error::Length { op: "read ciphertext: level", expected, found });
    }
    Ok(c)
}

/// The ciphertexts of an encrypted head or of answers, as they stand in a job's result.
///
/// # Errors
/// [`Error::Ckks`], [`Error::Length`] for bytes that are not these.
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
/// [`Error::Learning`] for plaintexts that are not the job's; [`Error::Length`], [`Error::Ckks`], [`Error::Io`].
pub(crate) fn write_head(
    study: &Study,
    (spec, circuit): (&JobSpec, &Circuit),
    public_key: &Blob,
    plain: &[Plaintext],
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let key = read_key(&params, ENCRYPT, public_key, blobs)?;
    let levels = levels(spec);
    if plain.len() != levels.len() || plain.iter().zip(&levels).any(|(m, l)| m.level() != *l) {
        let source = format!("{} plaintexts, the job has {} levels", plain.len(), levels.len()).into();
        return Err(Error::Learning { op: ENCRYPT, source });
    }
    let encryptor = PublicEncryptor::new(&key);
    plain.iter().try_for_each(|m| {
        let bytes = codec::encode_ciphertext(&encryptor.encrypt(m, rng)?);
        out.write_all(&bytes).map_err(Error::io(ENCRYPT))
    })
}

/// Levels of a head's ciphertexts.
pub(crate) fn levels(spec: &JobSpec) -> Vec<Level> {
    match &spec.question {
        Some(question) => vec![LAST; question.ciphertexts as usize],
        None => spec.levels.iter().map(|l| Level(*l as usize)).collect(),
    }
}

/// Writes the sums of these payloads' ciphertexts, place by place. `base` is what the others refresh.
///
/// # Errors
/// [`Error::Payload`] names the site whose payload does not add; [`Error::Io`].
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

/// Writes encryptions of zero for the ciphertexts of an answer, each at its scale. They are made one level higher and
/// rescaled, so that they bring the noise of a rounding and not that of an encryption.
///
/// # Errors
/// [`Error::Length`], [`Error::Ckks`], [`Error::Io`].
pub(crate) fn write_answer_zeros(
    study: &Study,
    circuit: &Circuit,
    question: &Question,
    (public_key, answers): (&Blob, &Blob),
    blobs: &dyn Blobs,
    rng: &mut impl CryptoRng,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let key = read_key(&params, ZEROS, public_key, blobs)?;
    let (encryptor, evaluator) = (PublicEncryptor::new(&key), Evaluator::new(&params));
    let mut reader = open(ZEROS, blobs, answers)?;
    for _ in 0..question.ciphertexts {
        let scale = next(&params, ZEROS, LAST, &mut reader)?.scale().times(Scale::prime(1));
        let zero = Plaintext::from_polynomial(&params, params.q().prefix(2).zero(), scale);
        let mut c = encryptor.encrypt(&zero, rng)?;
        evaluator.rescale_assign(&mut c)?;
        out.write_all(&codec::encode_ciphertext(&c)).map_err(Error::io(ZEROS))?;
    }
    Ok(())
}

/// Writes a site's shares of the re-encryption of an answer, refreshed by its members' zeros, which it adds itself.
///
/// # Errors
/// [`Error::NotRefreshed`] where what it computes is not what it is asked to share of; [`Error::Threshold`], [`Error::Io`].
pub(crate) fn write_answer_share(
    study: &Study,
    (circuit, question): (&Circuit, &Question),
    target: &Target<'_>,
    mut permit: Permit,
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let step = target.step;
    if permit.step() != step {
        return Err(Error::Permit { step: step.to_string() });
    }
    let params = study.circuit_params(circuit)?;
    let asker = read_key(&params, SHARE, &question.asker, blobs)?;
    let levels = vec![LAST; question.ciphertexts as usize];
    let zeros = target.zeros.iter().filter_map(|z| Some((z.header.site, z.payload()?)));
    let zeros: Vec<_> = zeros.collect();
    let computed = blobs.create(target.ciphertexts.len, &mut |out| {
        add_ciphertexts(study, (circuit, &levels), Some(&target.opening.sum), &zeros, blobs, out)
    })?;
    if computed != *target.ciphertexts {
        let (expected, found) = (computed.to_string(), target.ciphertexts.to_string());
        return Err(Error::NotRefreshed { expected, found });
    }
    let ceremony = study.inference_ceremony(target.key, circuit)?;
    let round = study.opening_under(&params, step.job, step.round, step.attempt);
    let members = committee(study, target.committee)?;
    let masks = Masks {
        flooding: circuit.flooding(study)?,
        room_log2: circuit.room_log2(),
        ciphertexts: u64::from(question.ciphertexts),
    };
    let mut session =
        DecryptionSession::begin(&ceremony, &round, target.share, &members, masks, &mut permit)?;
    let mut reader = open(SHARE, blobs, &computed)?;
    for index in 0..u64::from(question.ciphertexts) {
        let c = next(&params, SHARE, LAST, &mut reader)?;
        let collector = Decryption::to_asker(&round, &c, index, &asker)?.collector(&members);
        let (message, rest) = session.share_for(&c, &asker)?;
        session = rest;
        let bytes = message.to_bytes(&round, collector.shape());
        out.write_all(&bytes).map_err(Error::io(SHARE))?;
    }
    Ok(())
}

/// Writes the answer under the asker's key, from its committee's shares.
///
/// # Errors
/// [`Error::Payload`] names the member whose share does not fit; [`Error::Io`].
pub(crate) fn open_answers(
    study: &Study,
    (circuit, question): (&Circuit, &Question),
    step: Step,
    target: &Blob,
    shares: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let params = study.circuit_params(circuit)?;
    let asker = read_key(&params, OPEN, &question.asker, blobs)?;
    let round = study.opening_under(&params, step.job, step.round, step.attempt);
    let sites: Vec<SiteId> = shares.iter().map(|(site, _)| *site).collect();
    let members = committee(study, &sites)?;
    let mut reader = open(OPEN, blobs, target)?;
    let opened = shares.iter().map(|(site, blob)| Ok((*site, open(OPEN, blobs, blob)?)));
    let mut inputs = opened.collect::<Result<Vec<_>>>()?;
    for index in 0..u64::from(question.ciphertexts) {
        let c = next(&params, OPEN, LAST, &mut reader)?;
        let answer = Decryption::to_asker(&round, &c, index, &asker)?;
        let mut collector = answer.collector(&members);
        for (site, input) in &mut inputs {
            let absorbed = absorb(&round, &mut collector, *site, input);
            absorbed.map_err(|e| match e {
                Error::Io { .. } => e,
                e => Error::Payload { op: OPEN, site: *site, source: Box::new(e) },
            })?;
        }
        let c = answer.finish_for(collector)?;
        out.write_all(&codec::encode_ciphertext(&c)).map_err(Error::io(OPEN))?;
    }
    Ok(())
}

fn absorb(round: &Transcript, collector: &mut Collector, site: SiteId, input: &mut dyn Read) -> Result<()> {
    let mut bytes = vec![0; Header::LEN + collector.shape().payload_len()];
    input.read_exact(&mut bytes).map_err(Error::io(OPEN))?;
    let message = Message::from_bytes(&bytes, round, collector.shape())?;
    if message.party() != site.party() {
        let (op, party) = (OPEN, site.party());
        return Err(blindscope_threshold::ThresholdError::NotInCommittee { op, party }.into());
    }
    Ok(collector.absorb(&message)?)
}

/// A site's share of an inference key, from the parts that were sealed to it.
pub(crate) fn open_inference_bundle(
    study: &Study,
    (key, circuit): (crate::JobId, &Circuit),
    (me, sealing): (SiteId, &crate::SealingKey),
    bundle: &Blob,
    blobs: &dyn Blobs,
) -> Result<KeyShare> {
    let ceremony = study.inference_ceremony(key, circuit)?;
    super::ceremony::open_parts(study, (key, &ceremony), me, sealing, &mut open("open parts", blobs, bundle)?)
}
