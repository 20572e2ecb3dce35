//! A question's payloads: shares of it that sites encrypt, its answer, and what re-encrypts the answer to who asked.
//!
//! | blob | bytes |
//! | --- | --- |
//! | dealt | the asker's public sealing key for this question alone, then for each holder its shares' seeds, sealed to it |
//! | remainder | a [`Remainder`] |
//! | upload | for each share that the holder has a digest of its encryption; then the encryptions that it is to send |
//! | answer | ciphertexts at level 0 |
//! | share | a [`Message`] a ciphertext |

use std::io::{Read, Write};

use blindscope_ckks::{Ciphertext, Evaluator, Parameters, Plaintext, PublicEncryptor, Scale, codec};
use blindscope_threshold::{
    Collector, Dealt, Decryption, DecryptionSession, Holding, Message, Opening as Masks, Remainder,
    Transcript,
};
use blindscope_wire::{Digest, Hasher, Header};
use rand_core::CryptoRng;

use super::encrypted::{LAST, add_ciphertexts, levels, next, read_key};
use super::inference::read_exactly;
use super::open;
use super::round::{Target, committee};
use crate::{
    Asked, Blob, Blobs, Circuit, Contribution, Error, Evaluation, JobId, JobSpec, LearnError, Opening,
    Permit, PublicSealingKey, Question, Result, SEAL_OVERHEAD, SealingKey, SignedHeader, SiteId, Sizes, Step,
    Study,
};

const TAKE: &str = "take question";
const ENCRYPT: &str = "encrypt shares of a question";
const ADD: &str = "add up question";
const ZEROS: &str = "write zeros";
const SHARE: &str = "write share of an answer";
const OPEN: &str = "re-encrypt answer";

/// Bytes of the digest by which a holder vouches.
const DIGEST: usize = 32;
/// Bytes of an asker's public sealing key.
const SENDER: usize = size_of::<PublicSealingKey>();

/// A question's circuit and the question.
pub(super) fn asked(job: &JobSpec) -> Result<(&Circuit, &Question)> {
    let missing = |field| {
        let (found, expected) = ("missing".to_owned(), "there for this kind");
        Error::Field { file: "job file", field, found, expected }
    };
    let circuit = job.circuit.as_deref().ok_or_else(|| missing("circuit"))?;
    Ok((circuit, job.question.as_deref().ok_or_else(|| missing("question"))?))
}

/// Who encrypts which shares of a study's questions.
///
/// # Errors
/// [`Error::Threshold`] for a study whose questions cannot be dealt.
pub fn holding(study: &Study) -> Result<Holding> {
    Ok(Holding::of_roster(study.roster().parties(), study.roster().threshold())?)
}

fn package_len(holding: &Holding) -> usize {
    holding.held(0).len() * Dealt::LEN + SEAL_OVERHEAD
}

fn dealt_len(holding: &Holding) -> usize {
    SENDER + holding.holders() * package_len(holding)
}

/// Bytes of a public key of an asker, of a question's remainder and of its dealt seeds.
///
/// # Errors
/// [`Error::Threshold`], [`Error::Ckks`].
pub fn question_lengths(study: &Study, circuit: &Circuit, pieces: u32) -> Result<[u64; 3]> {
    let params = study.circuit_params(circuit)?;
    let remainder = Remainder::byte_len(&params, pieces as usize);
    let lengths = [codec::public_key_len(&params), remainder, dealt_len(&holding(study)?)];
    Ok(lengths.map(|len| len as u64))
}

/// Bytes of a holder's upload, where a share's encryptions take `unit`; `None` for who is no holder.
pub fn upload_len(study: &Study, question: &Question, site: SiteId, unit: u64) -> Option<u64> {
    let (holding, holder) = (holding(study).ok()?, question.holders.iter().position(|&h| h == site)?);
    let (held, sent) = (holding.held(holder).len() as u64, holding.sent(holder).len() as u64);
    Some(held * DIGEST as u64 + sent * unit)
}

/// Bytes that the steps of a question move; refused where its masks have no room.
pub(crate) fn question_sizes(study: &Study, circuit: &Circuit, question: &Question) -> Result<Sizes> {
    let params = study.circuit_params(circuit)?;
    circuit.flooding(study)?;
    let expected = question_lengths(study, circuit, question.pieces)?;
    let found = [question.asker.len, question.remainder.len, question.dealt.len];
    for (expected, found) in expected.into_iter().zip(found) {
        if expected != found {
            return Err(Error::Length { op: TAKE, expected, found });
        }
    }
    let holders = holding(study)?.holders();
    if question.holders.len() != holders || question.holders.iter().any(|&h| study.site(h).is_none()) {
        let found = format!("{:?}", question.holders);
        let expected = "as many sites of the study as its questions are dealt to";
        return Err(Error::Field { file: "job file", field: "question.holders", found, expected });
    }
    let count = u64::from(question.ciphertexts);
    let unit = u64::from(question.pieces) * codec::ciphertext_len(&params, 2, params.top_level()) as u64;
    let sum = count * codec::ciphertext_len(&params, 2, LAST) as u64;
    let share = count * Decryption::asker_share_len(&params, LAST) as u64;
    Ok(Sizes { openings: count, key_share: 0, relin: 0, upload: unit, sum, share })
}

/// What an asker's seeds are bound to, for one holder: nobody can use them for another head, remainder or key to answer to.
fn context(study: &Study, question: &AskedOf<'_>, holder: SiteId) -> Digest {
    Hasher::new("blindscope/federation/dealt/v1")
        .absorb(&study.digest().0)
        .absorb(&question.key.0.0)
        .absorb(&question.head.0.0)
        .absorb(&question.asker.digest.0)
        .absorb(&question.remainder.digest.0)
        .absorb_u64(u64::from(holder.0))
        .finish()
}

/// What is asked, of whom, and to whom the answer goes.
pub struct AskedOf<'a> {
    /// The ceremony of the inference key.
    pub key: JobId,
    /// The head's job.
    pub head: JobId,
    /// The asker's public key.
    pub asker: &'a Blob,
    /// The question's remainder.
    pub remainder: &'a Blob,
}

/// Deals an encoded question: the remainder's bytes, and its seeds sealed to these holders. The asker's part.
///
/// # Errors
/// [`Error::Threshold`] for a study whose questions cannot be dealt, and for plaintexts of other parameters; [`Error::Field`] for
/// another number of holders; [`Error::ForeignSite`], [`Error::Seal`].
pub fn deal(
    study: &Study,
    (key, head, asker): (JobId, JobId, &Blob),
    holders: &[SiteId],
    message: &[Plaintext],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let holding = holding(study)?;
    if holders.len() != holding.holders() {
        let (found, expected) =
            (format!("{holders:?}"), "as many sites as the study's questions are dealt to");
        return Err(Error::Field { file: "offer", field: "holders", found, expected });
    }
    let seeds: Vec<Dealt> = (0..holding.shares()).map(|_| Dealt::generate(rng)).collect();
    let params = message.first().map(|m| m.params().clone());
    let params = params.ok_or(Error::Length { op: "deal question", expected: 1, found: 0 })?;
    let remainder = Remainder::of(&params, message, &seeds)?.to_bytes(&params);
    let of = AskedOf { key, head, asker, remainder: &Blob::of(&remainder) };
    let sender = SealingKey::generate(rng);
    let mut dealt = sender.public().0.to_vec();
    for (holder, &site) in holders.iter().enumerate() {
        let entry = study.site(site).ok_or(Error::ForeignSite { op: "deal question", site })?;
        let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(package_len(&holding)));
        for share in holding.held(holder) {
            plain.extend_from_slice(&*seeds[share].to_bytes());
        }
        dealt.append(&mut sender.seal(&entry.sealing, &context(study, &of, site), &plain, rng)?);
    }
    Ok((remainder, dealt))
}

/// Writes a holder's upload: it derives the encryptions of all its shares, vouches for each, and sends those that are its to send.
///
/// # Errors
/// [`Error::Seal`] for seeds that are not sealed to this site for this question; [`Error::Threshold`], [`Error::Io`].
pub(crate) fn write_encryptions(
    study: &Study,
    (job, key, step): (&JobSpec, JobId, Step),
    (me, sealing): (SiteId, &SealingKey),
    public_key: &Blob,
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let (circuit, question) = asked(job)?;
    let (params, holding) = (study.circuit_params(circuit)?, holding(study)?);
    let holder = question.holders.iter().position(|&h| h == me);
    let holder = holder.ok_or(Error::ForeignSite { op: ENCRYPT, site: me })?;
    let public_key = read_key(&params, ENCRYPT, public_key, blobs)?;
    let seeds = open_seeds(study, (key, question), (me, sealing), (&holding, holder), blobs)?;
    let sent = holding.sent(holder);
    let mut ciphertexts = Vec::with_capacity(sent.len());
    for (share, seeds) in holding.held(holder).into_iter().zip(seeds) {
        let made = seeds.encrypt(&public_key, &step.job.0, share, question.pieces as usize)?;
        let bytes: Vec<u8> = made.iter().flat_map(codec::encode_ciphertext).collect();
        out.write_all(&vouched(share, &bytes).0).map_err(Error::io(ENCRYPT))?;
        if sent.contains(&share) {
            ciphertexts.push(bytes);
        }
    }
    ciphertexts.iter().try_for_each(|bytes| out.write_all(bytes).map_err(Error::io(ENCRYPT)))
}

/// The seeds that are sealed to a holder, in its shares' order.
fn open_seeds(
    study: &Study,
    (key, question): (JobId, &Question),
    (me, sealing): (SiteId, &SealingKey),
    (holding, holder): (&Holding, usize),
    blobs: &dyn Blobs,
) -> Result<Vec<Dealt>> {
    let wrong = || Error::Seal { op: ENCRYPT };
    let bytes = read_exactly(ENCRYPT, blobs, &question.dealt, dealt_len(holding) as u64)?;
    let (sender, packages) = bytes.split_first_chunk::<SENDER>().ok_or_else(wrong)?;
    let sealed = packages.chunks_exact(package_len(holding)).nth(holder).ok_or_else(wrong)?;
    let of = AskedOf { key, head: question.head, asker: &question.asker, remainder: &question.remainder };
    let plain = sealing.open(&PublicSealingKey(*sender), &context(study, &of, me), sealed)?;
    Ok(plain.as_chunks::<{ Dealt::LEN }>().0.iter().map(Dealt::from_bytes).collect())
}

/// What a holder vouches for: the bytes of a share's encryptions.
fn vouched(share: usize, bytes: &[u8]) -> Digest {
    let mut h = Hasher::new("blindscope/federation/dealt/ciphertexts/v1");
    h.absorb_u64(share as u64).absorb(bytes).finish()
}

/// The question's ciphertexts, from all holders' uploads: each share's encryption is one that all its holders vouch for.
///
/// # Errors
/// [`Error::Vouched`] names the holders that disagree; [`Error::Field`] for uploads of others than the holders; [`Error::Io`].
pub(crate) fn add_up(
    study: &Study,
    job: &JobSpec,
    uploads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Vec<Ciphertext>> {
    let (circuit, question) = asked(job)?;
    let (params, holding) = (study.circuit_params(circuit)?, holding(study)?);
    if !uploads.iter().map(|(site, _)| site).eq(&question.holders) {
        let (found, expected) = (format!("{} uploads", uploads.len()), "an upload of every holder");
        return Err(Error::Field { file: "question", field: "holders", found, expected });
    }
    let (mut said, mut readers) = (Vec::new(), Vec::new());
    for (holder, (_, blob)) in uploads.iter().enumerate() {
        let mut reader = open(ADD, blobs, blob)?;
        let mut digests = vec![[0; DIGEST]; holding.held(holder).len()];
        digests.iter_mut().try_for_each(|d| reader.read_exact(d)).map_err(Error::io(ADD))?;
        said.push(holding.held(holder).into_iter().zip(digests).collect::<Vec<_>>());
        readers.push(reader);
    }
    let (pieces, evaluator) = (question.pieces as usize, Evaluator::new(&params));
    let unit = pieces * codec::ciphertext_len(&params, 2, params.top_level());
    let (mut bytes, mut sum) = (vec![0; unit], Vec::new());
    for share in 0..holding.shares() {
        readers[holding.sender(share)].read_exact(&mut bytes).map_err(Error::io(ADD))?;
        let digest = vouched(share, &bytes);
        let of = holding.holders_of(share);
        if of.iter().any(|&h| !said[h].contains(&(share, digest.0))) {
            let sites = of.iter().map(|&h| question.holders[h]).collect();
            return Err(Error::Vouched { share, sites });
        }
        let made = share_ciphertexts(&params, pieces, &bytes)?;
        if sum.is_empty() {
            sum = made;
        } else {
            sum.iter_mut().zip(&made).try_for_each(|(s, c)| evaluator.add_assign(s, c))?;
        }
    }
    let len = Remainder::byte_len(&params, pieces) as u64;
    let bytes = read_exactly(ADD, blobs, &question.remainder, len)?;
    Remainder::from_bytes(&params, pieces, &bytes)?.add_to(&params, &mut sum)?;
    Ok(sum)
}

fn share_ciphertexts(params: &Parameters, pieces: usize, mut bytes: &[u8]) -> Result<Vec<Ciphertext>> {
    let made = (0..pieces).map(|_| next(params, ADD, params.top_level(), &mut bytes));
    let made = made.collect::<Result<Vec<_>>>()?;
    if made.iter().any(|c| c.scale() != Scale::ONE) {
        let (found, expected) = (format!("{made:?}"), "encryptions of shares, scale one");
        return Err(Error::Field { file: "question", field: "scale", found, expected });
    }
    Ok(made)
}

/// The answer to a question that is added up here, as a blob: the same at the coordinator and at every site.
///
/// # Errors
/// As [`add_up`]; [`Error::Learning`] where it cannot be evaluated.
pub(crate) fn evaluate_question(
    study: &Study,
    (job, evaluation): (&JobSpec, &Evaluation),
    uploads: &[(SiteId, Blob)],
    evaluate: &dyn Fn(Asked<'_>) -> std::result::Result<Vec<Ciphertext>, LearnError>,
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let question = add_up(study, job, uploads, blobs)?;
    let failed = |source| Error::Learning { op: "evaluate question", source };
    let answers = evaluate(Asked { study, job, evaluation, question }).map_err(failed)?;
    let expected = asked(job)?.1.ciphertexts as usize;
    let last = |c: &Ciphertext| c.level() == LAST && c.components().len() == 2;
    if answers.len() != expected || !answers.iter().all(last) {
        return Err(failed(format!("{} ciphertexts at level 0, announced {expected}", answers.len()).into()));
    }
    let bytes: Vec<u8> = answers.iter().flat_map(codec::encode_ciphertext).collect();
    blobs.create(bytes.len() as u64, &mut |out| out.write_all(&bytes).map_err(Error::io("keep answer")))
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

/// What a site is asked to share of.
pub(crate) struct Answering<'a> {
    pub(crate) job: &'a JobSpec,
    pub(crate) evaluation: &'a Evaluation,
    /// Whether this site has added up the head's uploads before.
    pub(crate) checked: bool,
}

/// Writes a site's shares of the re-encryption of an answer. The site adds the question up itself, evaluates it, adds the members'
/// zeros of a later attempt, and shares only of what came out.
///
/// # Errors
/// [`Error::Vouched`], [`Error::OtherAnswer`], [`Error::NotRefreshed`] where what it computes is not what it is asked to share of;
/// [`Error::Threshold`], [`Error::Learning`], [`Error::Io`].
pub(crate) fn write_answer_share(
    study: &Study,
    answering: &Answering<'_>,
    target: &Target<'_>,
    mut permit: Permit,
    learning: &dyn Contribution,
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let (circuit, question) = asked(answering.job)?;
    let step = target.step;
    if permit.step() != step {
        return Err(Error::Permit { step: step.to_string() });
    }
    let params = study.circuit_params(circuit)?;
    let asker = read_key(&params, SHARE, &question.asker, blobs)?;
    if !answering.checked {
        check_head(study, circuit, answering.evaluation, blobs)?;
    }
    let computed = answered(study, answering, &target.opening.committed, learning, blobs)?;
    let computed = refreshed(study, (circuit, question), target, computed, blobs)?;
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

/// The answer as this site evaluates it, if it is the one it is asked to share of.
fn answered(
    study: &Study,
    answering: &Answering<'_>,
    uploads: &[SignedHeader],
    learning: &dyn Contribution,
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let uploads: Vec<_> = uploads.iter().filter_map(|h| Some((h.header.site, h.payload()?))).collect();
    let evaluate = |asked: Asked<'_>| learning.evaluate(asked, blobs);
    evaluate_question(study, (answering.job, answering.evaluation), &uploads, &evaluate, blobs)
}

/// The ciphertexts of an attempt, if they are the target: the answer, with the members' zeros in a later one.
fn refreshed(
    study: &Study,
    (circuit, question): (&Circuit, &Question),
    target: &Target<'_>,
    answer: Blob,
    blobs: &dyn Blobs,
) -> Result<Blob> {
    if answer != target.opening.sum {
        let (expected, found) = (answer.to_string(), target.opening.sum.to_string());
        return Err(Error::OtherAnswer { expected, found });
    }
    let mut computed = answer;
    if !target.zeros.is_empty() {
        let levels = vec![LAST; question.ciphertexts as usize];
        let zeros: Vec<_> = target.zeros.iter().filter_map(|z| Some((z.header.site, z.payload()?))).collect();
        computed = blobs.create(target.ciphertexts.len, &mut |out| {
            add_ciphertexts(study, (circuit, &levels), Some(&answer), &zeros, blobs, out)
        })?;
    }
    if computed == *target.ciphertexts {
        return Ok(computed);
    }
    let (expected, found) = (computed.to_string(), target.ciphertexts.to_string());
    Err(Error::NotRefreshed { expected, found })
}

/// Refuses a head that is not the sum of its signed uploads.
fn check_head(study: &Study, circuit: &Circuit, evaluation: &Evaluation, blobs: &dyn Blobs) -> Result<()> {
    let Opening { committed, sum } = &evaluation.opening;
    let uploads: Vec<_> = committed.iter().filter_map(|h| Some((h.header.site, h.payload()?))).collect();
    let levels = levels(&evaluation.head);
    let computed = blobs
        .create(sum.len, &mut |out| add_ciphertexts(study, (circuit, &levels), None, &uploads, blobs, out))?;
    if computed == *sum {
        return Ok(());
    }
    let (expected, found) = (computed.to_string(), sum.to_string());
    Err(Error::OtherKey { op: "check encrypted head", expected, found })
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
        return Err(blindscope_threshold::Error::NotInCommittee { op, party }.into());
    }
    Ok(collector.absorb(&message)?)
}
