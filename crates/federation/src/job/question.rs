//! `question`: an answer of an encrypted head, re-encrypted to who asked.

use rand_core::CryptoRng;

use super::spec::refused;
use super::{Basis, Combining, KeyUse, Kind, Making, Next, Sizes};
use crate::payload::{
    self, Answering, QuestionOf, Target, evaluate_question, open_answers, refresh_answers,
    write_answer_share, write_answer_zeros, write_encryptions,
};
use crate::{
    Ask, Asked, Blob, Circuit, Error, Input, JobId, JobSpec, Outcome, Output, Phase, Question, Result,
    SiteId, Study, Work,
};
use blindscope_threshold::KeyShare;

/// What is asked, under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuestionJob {
    circuit: Circuit,
    question: Question,
}

impl QuestionJob {
    pub(super) fn of(spec: &JobSpec) -> Result<Self> {
        spec.has_only(&["circuit", "question"])?;
        let circuit = spec.needed_circuit()?.clone();
        let question = spec.question.as_deref();
        let question = question
            .ok_or_else(|| refused("question", "missing".to_owned(), "there for a question alone"))?;
        question.check()?;
        Ok(Self { circuit, question: question.clone() })
    }

    /// The question.
    pub(crate) fn question(&self) -> &Question {
        &self.question
    }

    fn of_question(&self) -> QuestionOf<'_> {
        QuestionOf { circuit: &self.circuit, question: &self.question }
    }

    /// This site's share of the re-encryption.
    fn share(&self, mut making: Making<'_>) -> Result<Blob> {
        let (bundle, permit) = making.shares()?;
        let Ask::Share { opening, committee, zeros, target, evaluation } = &making.task.ask else {
            return Err(making.foreign());
        };
        let evaluation = evaluation.as_deref().ok_or(Error::Incomplete { what: "evaluation" })?;
        let share = self.key_share(&making, &bundle)?;
        let (tools, task) = (making.tools, making.task);
        let (step, key) = (task.step, task.key);
        let target = Target { key, step, opening, committee, zeros, ciphertexts: target, share: &share };
        let answering =
            Answering { job: &task.spec, of: self.of_question(), evaluation, checked: tools.checked };
        let mut permit = Some(permit);
        tools.blobs.create(making.sizes.share, &mut |out| {
            let permit = permit.take().ok_or_else(|| Error::Permit { step: step.to_string() })?;
            write_answer_share(tools.study, &answering, &target, permit, tools.learning, tools.blobs, out)
        })
    }

    fn key_share(&self, making: &Making<'_>, bundle: &Blob) -> Result<KeyShare> {
        let (tools, of) = (making.tools, (making.task.key, &self.circuit));
        payload::open_inference_bundle(tools.study, of, (tools.me, tools.sealing), bundle, tools.blobs)
    }
}

impl Kind for QuestionJob {
    fn sizes(&self, study: &Study, _: JobId) -> Result<Sizes> {
        payload::question_sizes(study, &self.of_question())
    }

    fn payload(&self, making: Making<'_>, mut rng: &mut dyn CryptoRng) -> Result<Blob> {
        let (study, blobs, task) = (making.tools.study, making.tools.blobs, making.task);
        match &task.ask {
            Ask::Upload { public_key: Some(public_key), .. } => {
                let me = making.tools.me;
                let len = self.payload_len(study, &making.sizes, Phase::Upload, me);
                let len = len.ok_or(Error::ForeignSite { op: "encrypt shares of a question", site: me })?;
                let site = (me, making.tools.sealing);
                let of = (self.of_question(), task.key, task.step);
                blobs.create(len, &mut |out| write_encryptions(study, of, site, public_key, blobs, out))
            }
            Ask::Ready { public_key, opening } => blobs.create(making.sizes.sum, &mut |out| {
                let inputs = (public_key, &opening.sum);
                write_answer_zeros(study, self.of_question(), inputs, blobs, &mut rng, out)
            }),
            Ask::Share { .. } => self.share(making),
            _ => Err(making.foreign()),
        }
    }

    fn combine(&self, combining: &Combining<'_>) -> Result<Input> {
        let Combining { study, learning, blobs, .. } = *combining;
        let of = self.of_question();
        match combining.work {
            Work::Sum { step, spec, uploads, evaluation } => {
                let evaluation = evaluation.as_deref().ok_or(Error::Incomplete { what: "evaluation" })?;
                let evaluate = |asked: Asked<'_>| learning.evaluate(asked, blobs);
                let answer = evaluate_question(study, (spec, of, evaluation), uploads, &evaluate, blobs)?;
                Ok(Input::Combined { step: *step, output: Output::shared(answer) })
            }
            Work::Refresh { step, sum, zeros, .. } => {
                let refreshed = refresh_answers(study, of, sum, zeros, blobs)?;
                Ok(Input::Combined { step: *step, output: Output::shared(refreshed) })
            }
            Work::Open { step, target, shares, .. } => {
                // As long as what it is made of: as many ciphertexts at the same level.
                let result = blobs.create(target.len, &mut |out| {
                    open_answers(study, of, *step, target, shares, blobs, out)
                })?;
                Ok(Input::Opened { step: *step, outcome: Outcome::Final(result) })
            }
            _ => Err(combining.foreign()),
        }
    }

    fn key(&self) -> KeyUse {
        KeyUse::Inference
    }

    fn next(&self, _: Phase) -> Next {
        Next::Open
    }

    fn basis(&self) -> Basis<'_> {
        Basis::Head(self.question.head)
    }

    fn circuit(&self) -> Option<&Circuit> {
        Some(&self.circuit)
    }

    fn holders(&self) -> Option<&[SiteId]> {
        Some(&self.question.holders)
    }

    fn avoided(&self) -> &[SiteId] {
        &self.question.avoided
    }

    fn opens(&self) -> bool {
        true
    }

    fn payload_len(&self, study: &Study, sizes: &Sizes, phase: Phase, site: SiteId) -> Option<u64> {
        match phase {
            Phase::Upload => payload::upload_len(study, &self.question, site, sizes.upload),
            Phase::Ready => Some(sizes.sum),
            Phase::Share => Some(sizes.share),
            _ => None,
        }
    }

    fn inputs(&self, ask: &Ask) -> Vec<Blob> {
        let mut inputs = ask.blobs();
        match ask {
            Ask::Upload { .. } => inputs.push(self.question.dealt),
            // Zeros are made at the scales of the answer's ciphertexts.
            Ask::Ready { opening, .. } => inputs.push(opening.sum),
            Ask::Share { opening, evaluation, .. } => {
                // The answer itself is computed, not fetched.
                inputs.retain(|blob| *blob != opening.sum);
                let uploads = opening.committed.iter().filter_map(crate::SignedHeader::payload);
                inputs.extend([self.question.asker, self.question.remainder].into_iter().chain(uploads));
                if let Some(evaluation) = evaluation {
                    inputs.extend([evaluation.start, evaluation.opening.sum, evaluation.keys]);
                    inputs.extend(ask.head_uploads());
                }
            }
            _ => {}
        }
        inputs
    }

    fn attached(&self) -> Vec<Blob> {
        vec![self.question.asker, self.question.remainder, self.question.dealt]
    }
}
