//! The answering side of any packing.

use std::io::Read;

use rand_core::CryptoRng;

use crate::answer::{Answer, Lanes, shape};
use crate::feature::FeatureServer;
use crate::question::Pieces;
use crate::token::TokenServer;
use crate::{EncryptedHead, EvaluationKeys, Head, KeyOwner, Plan, Result};
use blindscope_ckks::Ciphertext;

/// Evaluates one head by one plan. Shared freely: it holds no keys and no state.
pub struct Server {
    plan: Plan,
    packing: Packed,
}

enum Packed {
    Token(Box<TokenServer>),
    Feature(Box<FeatureServer>),
}

impl Server {
    /// Encodes a head for its plan.
    ///
    /// # Errors
    /// [`crate::Error::OtherPlan`] for another head's plan, [`crate::Error::Ckks`] for a weight that does not fit the plan's
    /// modulus.
    pub fn new(head: &Head, plan: &Plan) -> Result<Self> {
        let packing = match (plan.token_layout(), plan.feature_layout()) {
            (None, Some(_)) => Packed::Feature(Box::new(FeatureServer::new(head, plan)?)),
            _ => Packed::Token(Box::new(TokenServer::new(head, plan)?)),
        };
        Ok(Self { plan: plan.clone(), packing })
    }

    /// A server whose first layer is encrypted. Only the outer layer of `template` is read.
    ///
    /// # Errors
    /// As [`Self::new`], and [`crate::Error::OtherMode`] if the plan is for a head in the clear.
    pub fn encrypted(template: &Head, plan: &Plan, first: EncryptedHead) -> Result<Self> {
        let server = TokenServer::encrypted(template, plan, first)?;
        Ok(Self { plan: plan.clone(), packing: Packed::Token(Box::new(server)) })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The bytes of the answer to the bytes of a question.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn answer_bytes(&self, keys: &EvaluationKeys, question: &[u8]) -> Result<Vec<u8>> {
        Ok(self.answer(keys, question)?.to_bytes(&self.plan))
    }

    /// The answer to a question, read one ciphertext at a time.
    ///
    /// # Errors
    /// [`crate::Error::OtherPlan`] and [`crate::Error::Wire`] for other or malformed questions, [`crate::Error::Stream`] where
    /// reading or writing fails, [`crate::Error::OtherMode`] under a collective key, [`crate::Error::MissingRelinKey`],
    /// [`crate::Error::MissingRingSwitchKey`] or [`crate::Error::Ckks`] for a key that is missing.
    pub fn answer(&self, keys: &EvaluationKeys, question: impl Read) -> Result<Answer> {
        self.plan.require_key("answer", KeyOwner::Asker)?;
        let (tokens, lanes) = self.evaluate(keys, question)?;
        let shapes = shape::pieces(&self.plan, tokens);
        let compact = |(l, s): (&Lanes, _)| l.compact(&self.plan, keys.ring_switch.as_ref(), s);
        let pieces = lanes.iter().zip(&shapes).map(compact).collect::<Result<_>>()?;
        Ok(Answer::new(tokens, pieces))
    }

    /// The number of tokens and the logits as ciphertexts at level 0, for a committee to re-encrypt to the asker.
    /// Coefficients that hold no logit are masked by uniform ones, so the asker learns nothing from them.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn logits(
        &self,
        keys: &EvaluationKeys,
        question: impl Read,
        rng: &mut impl CryptoRng,
    ) -> Result<(usize, Vec<Ciphertext>)> {
        self.plan.require_key("logits", KeyOwner::Collective)?;
        let (tokens, lanes) = self.evaluate(keys, question)?;
        let shapes = shape::pieces(&self.plan, tokens);
        let masked = lanes.into_iter().zip(&shapes).map(|(l, s)| l.masked(&self.plan, s, rng));
        Ok((tokens, masked.collect()))
    }

    fn evaluate(&self, keys: &EvaluationKeys, question: impl Read) -> Result<(usize, Vec<Lanes>)> {
        let mut pieces = Pieces::open(&self.plan, question)?;
        let tokens = pieces.tokens();
        let lanes = match &self.packing {
            Packed::Token(s) => s.lanes(keys, &mut pieces)?,
            Packed::Feature(s) => s.lanes(keys, &mut pieces)?,
        };
        pieces.finish()?;
        Ok((tokens, lanes))
    }
}
