//! A question's payloads: shares of it that sites encrypt, its answer, and what re-encrypts the answer to who asked.
//!
//! | blob | bytes |
//! | --- | --- |
//! | dealt | the asker's public sealing key for this question alone, then for each holder its shares' seeds, sealed to it |
//! | remainder | a [`Remainder`] |
//! | upload | for each share that the holder has a digest of its encryption; then the encryptions that it is to send |
//! | answer | ciphertexts at level 0 |
//! | share | a [`blindscope_threshold::Message`] a ciphertext |

mod deal;
mod encrypt;
mod evaluate;
mod open;
mod share;

pub use deal::{AskedOf, deal};

pub(crate) use encrypt::write_encryptions;
pub(crate) use evaluate::evaluate_question;
pub(crate) use open::open_answers;
pub(crate) use share::{Answering, refresh_answers, write_answer_share, write_answer_zeros};

use super::encrypted::LAST;
use super::holders::{encryptions_len, holding, names, package_len};
use crate::{Circuit, Error, PublicSealingKey, Question, Result, SiteId, Sizes, Study};
use blindscope_ckks::codec;
use blindscope_threshold::{Decryption, Holding, Remainder};

/// Bytes of an asker's public sealing key.
const SENDER: usize = size_of::<PublicSealingKey>();

/// A question, and the circuit of the key that it is asked under.
#[derive(Clone, Copy)]
pub(crate) struct QuestionOf<'a> {
    pub(crate) circuit: &'a Circuit,
    pub(crate) question: &'a Question,
}

fn dealt_len(holding: &Holding) -> usize {
    SENDER + holding.holders() * package_len(holding)
}

/// Bytes of a public key of an asker, of a question's remainder and of its dealt seeds.
///
/// # Errors
/// [`Error::Threshold`] where the protocols' layer refuses, see there; [`Error::Ckks`] where the scheme refuses,
/// see there.
pub fn question_lengths(study: &Study, circuit: &Circuit, pieces: u32) -> Result<[u64; 3]> {
    let params = study.circuit_params(circuit)?;
    let remainder = Remainder::byte_len(&params, pieces as usize);
    let lengths = [codec::public_key_len(&params), remainder, dealt_len(&holding(study)?)];
    Ok(lengths.map(|len| len as u64))
}

/// Bytes of a holder's upload, where a share's encryptions take `unit`; `None` for who is no holder.
pub fn upload_len(study: &Study, question: &Question, site: SiteId, unit: u64) -> Option<u64> {
    encryptions_len(study, &question.holders, site, unit)
}

/// Bytes that the steps of a question move; refused where its masks have no room.
pub(crate) fn question_sizes(study: &Study, of: &QuestionOf<'_>) -> Result<Sizes> {
    let QuestionOf { circuit, question } = *of;
    let params = study.circuit_params(circuit)?;
    circuit.flooding(study)?;
    let expected = question_lengths(study, circuit, question.pieces)?;
    let found = [question.asker.len, question.remainder.len, question.dealt.len];
    for (expected, found) in expected.into_iter().zip(found) {
        if expected != found {
            return Err(Error::Length { op: "take question", expected, found });
        }
    }
    let holders = holding(study)?.holders();
    if question.holders.len() != holders || question.holders.iter().any(|&h| study.site(h).is_none()) {
        let found = names(&question.holders);
        let expected = "as many sites of the study as its questions are dealt to";
        return Err(Error::Field { file: "job file", field: "question.holders", found, expected });
    }
    let count = u64::from(question.ciphertexts);
    let unit = u64::from(question.pieces) * codec::ciphertext_len(&params, 2, params.top_level()) as u64;
    let sum = count * codec::ciphertext_len(&params, 2, LAST) as u64;
    let share = count * Decryption::asker_share_len(&params, LAST) as u64;
    Ok(Sizes { openings: count, upload: unit, sum, share, ..Sizes::default() })
}
