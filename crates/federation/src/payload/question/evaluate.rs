//! What is asked, added up from all holders' uploads, and the answer to it: the same at the coordinator and at every site.

use std::io::Read as _;

use super::{DIGEST, QuestionOf, holding, vouched};
use crate::payload::encrypted::{LAST, next};
use crate::payload::inference::read_exactly;
use crate::payload::{keep, open};
use crate::{Asked, Blob, Blobs, Error, Evaluation, JobSpec, LearnError, Result, SiteId, Study};
use blindscope_ckks::{Ciphertext, Evaluator, Parameters, Scale, codec};
use blindscope_threshold::Remainder;

const ADD: &str = "add up question";

/// The question's ciphertexts, from all holders' uploads: each share's encryption is one that all its holders vouch for.
///
/// # Errors
/// [`Error::Vouched`] names the holders that disagree; [`Error::Field`] for uploads of others than the holders; [`Error::Io`] where
/// a blob cannot be read or written.
pub(crate) fn add_up(
    study: &Study,
    QuestionOf { circuit, question }: QuestionOf<'_>,
    uploads: &[(SiteId, Blob)],
    blobs: &dyn Blobs,
) -> Result<Vec<Ciphertext>> {
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
        let (found, expected) = ("another".to_owned(), "one, as encryptions of shares have");
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
    (job, of, evaluation): (&JobSpec, QuestionOf<'_>, &Evaluation),
    uploads: &[(SiteId, Blob)],
    evaluate: &dyn Fn(Asked<'_>) -> std::result::Result<Vec<Ciphertext>, LearnError>,
    blobs: &dyn Blobs,
) -> Result<Blob> {
    let question = add_up(study, of, uploads, blobs)?;
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
