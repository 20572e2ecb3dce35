//! What is asked, added up from all holders' uploads, and the answer to it: the same at the coordinator and at every site.

use super::QuestionOf;
use crate::payload::encrypted::LAST;
use crate::payload::holders::holding;
use crate::payload::inference::read_exactly;
use crate::payload::keep;
use crate::payload::vouched::{Summed, sum_vouched};
use crate::{Asked, Blob, Blobs, Error, Evaluation, JobId, JobSpec, LearnError, Result, SiteId, Study};
use blindscope_ckks::{Ciphertext, codec};
use blindscope_threshold::Remainder;

const ADD: &str = "add up question";

/// The question's ciphertexts, from all holders' uploads: each share's encryption is one that all its holders vouch for.
///
/// # Errors
/// [`Error::Vouched`] names the holders that disagree; [`Error::Field`] for uploads of others than the holders; [`Error::Io`] where
/// a blob cannot be read or written.
pub(crate) fn add_up(
    study: &Study,
    (job, QuestionOf { circuit, question }): (JobId, QuestionOf<'_>),
    uploads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Vec<Ciphertext>> {
    let (params, holding) = (study.circuit_params(circuit)?, holding(study)?);
    let pieces = question.pieces as usize;
    let levels = vec![params.top_level(); pieces];
    let summed =
        Summed { op: ADD, holding: &holding, holders: &question.holders, levels: &levels, round: job.0 };
    let mut sum = sum_vouched(&params, summed, uploads, blobs)?;
    let len = Remainder::byte_len(&params, pieces) as u64;
    let bytes = read_exactly(ADD, blobs, &question.remainder, len)?;
    Remainder::from_bytes(&params, pieces, &bytes)?.add_to(&params, &mut sum)?;
    Ok(sum)
}

/// The answer to a question that is added up here, as a blob: the same at the coordinator and at every site.
///
/// # Errors
/// As [`add_up`]; [`Error::Learning`] where it cannot be evaluated.
pub(crate) fn evaluate_question(
    study: &Study,
    (job, of, evaluation): (&JobSpec, QuestionOf<'_>, &Evaluation),
    uploads: &[(SiteId, Blob)],
    evaluate: &dyn Fn(Asked<'_>) -> std::result::Result<Vec<Ciphertext>, LearnError>,
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let question = add_up(study, (job.id(study), of), uploads, blobs)?;
    let failed = |source| Error::Learning { op: "evaluate question", source };
    let answers = evaluate(Asked { study, job, evaluation, question }).map_err(failed)?;
    let expected = of.question.ciphertexts as usize;
    let last = |c: &Ciphertext| c.level() == LAST && c.components().len() == 2;
    if answers.len() != expected || !answers.iter().all(last) {
        return Err(failed(format!("{} ciphertexts at level 0, announced {expected}", answers.len()).into()));
    }
    let bytes: Vec<u8> = answers.iter().flat_map(codec::encode_ciphertext).collect();
    keep("keep answer", blobs, &bytes)
}
