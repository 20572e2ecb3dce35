//! A member's part: zeros for a later attempt, and its share of the re-encryption of an answer that it evaluates itself.

use std::io::Write;

use rand_core::CryptoRng;

use super::{QuestionOf, evaluate_question};
use crate::payload::encrypted::{LAST, add_ciphertexts, next, read_key};
use crate::payload::part::check_head;
use crate::payload::round::{Target, committee};
use crate::payload::{open, payloads};
use crate::{
    Asked, Blob, Blobs, Contribution, Error, Evaluation, JobSpec, Permit, Result, SignedHeader, SiteId, Study,
};
use blindscope_ckks::{Evaluator, Plaintext, PublicEncryptor, Scale, codec};
use blindscope_threshold::{Decryption, DecryptionSession};

const ZEROS: &str = "write zeros";
const SHARE: &str = "write share of an answer";

/// Writes encryptions of zero for the ciphertexts of an answer, each at its scale. They are made one level higher and
/// rescaled, so that they bring the noise of a rounding and not that of an encryption.
///
/// # Errors
/// [`Error::Length`] for another length than the sizes say; [`Error::Ckks`] where the scheme refuses, see there;
/// [`Error::Io`] where the writer fails.
pub(crate) fn write_answer_zeros(
    study: &Study,
    QuestionOf { circuit, question }: QuestionOf<'_>,
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

/// The answer's ciphertexts with members' zeros added.
///
/// # Errors
/// [`Error::Payload`] names the site whose zeros do not add; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn refresh_answers(
    study: &Study,
    QuestionOf { circuit, question }: QuestionOf<'_>,
    answer: &Blob,
    zeros: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let levels = vec![LAST; question.ciphertexts as usize];
    blobs.create(answer.len, &mut |out| add_ciphertexts(study, (circuit, &levels), answer, zeros, blobs, out))
}

/// What a site is asked to share of.
pub(crate) struct Answering<'a> {
    pub(crate) job: &'a JobSpec,
    pub(crate) of: QuestionOf<'a>,
    pub(crate) evaluation: &'a Evaluation,
    /// Whether this site has added up the head's uploads before.
    pub(crate) checked: bool,
}

/// Writes a site's shares of the re-encryption of an answer. The site adds the question up itself, evaluates it, adds the members'
/// zeros of a later attempt, and shares only of what came out; it covers every coefficient that holds no logit.
///
/// # Errors
/// [`Error::Vouched`], [`Error::OtherAnswer`] or [`Error::NotRefreshed`] where what it computes is not what it is asked to share
/// of; [`Error::Threshold`] where the round is spent or the masks have no room; [`Error::Learning`] where the head cannot be
/// evaluated; [`Error::Io`] where a blob cannot be read or written.
pub(crate) fn write_answer_share(
    study: &Study,
    answering: &Answering<'_>,
    target: &Target<'_>,
    mut permit: Permit,
    learning: &dyn Contribution,
    blobs: &dyn Blobs,
    out: &mut dyn Write,
) -> Result<()> {
    let QuestionOf { circuit, question } = answering.of;
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
    let computed = refreshed(study, answering.of, target, computed, blobs)?;
    let shown = shown(study, answering, learning, blobs)?;
    let ceremony = study.inference_ceremony(target.key, circuit)?;
    let round = study.opening(&params, step.job, step.round, step.attempt);
    let members = committee(study, target.committee)?;
    let masks = blindscope_threshold::Opening {
        flooding: circuit.flooding(study)?,
        room_log2: circuit.room_log2(),
        ciphertexts: u64::from(question.ciphertexts),
    };
    let mut session =
        DecryptionSession::begin(&ceremony, &round, target.share, &members, masks, &mut permit)?;
    let mut reader = open(SHARE, blobs, &computed)?;
    for (index, places) in (0..).zip(&shown) {
        let c = next(&params, SHARE, LAST, &mut reader)?;
        let collector = Decryption::to_asker(&round, &c, index, &asker)?.collector(&members);
        let (message, rest) = session.share_shown(&c, &asker, places)?;
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
    let uploads = payloads(uploads);
    let evaluate = |asked: Asked<'_>| learning.evaluate(asked, blobs);
    evaluate_question(study, (answering.job, answering.of, answering.evaluation), &uploads, &evaluate, blobs)
}

/// Where the answer's ciphertexts hold logits, one after the other.
fn shown(
    study: &Study,
    answering: &Answering<'_>,
    learning: &dyn Contribution,
    blobs: &dyn Blobs,
) -> Result<Vec<Vec<usize>>> {
    let failed = |source| Error::Learning { op: SHARE, source };
    let shown = learning.shown(study, answering.job, answering.evaluation, blobs).map_err(failed)?;
    let (found, expected) = (shown.len(), answering.of.question.ciphertexts as usize);
    if found == expected {
        return Ok(shown);
    }
    Err(failed(format!("logits in {found} ciphertexts, announced {expected}").into()))
}

/// The ciphertexts of an attempt, if they are the target: the answer, with the members' zeros in a later one.
fn refreshed(
    study: &Study,
    of: QuestionOf<'_>,
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
        computed = refresh_answers(study, of, &answer, &payloads(target.zeros), blobs)?;
    }
    if computed == *target.ciphertexts {
        return Ok(computed);
    }
    let (expected, found) = (computed.to_string(), target.ciphertexts.to_string());
    Err(Error::NotRefreshed { expected, found })
}
