//! The asking side: normalises, packs and encrypts tokens, and opens answers.

use std::io::Write;
use std::ops::Range;

use rand_core::CryptoRng;
use rayon::prelude::*;

use crate::answer::{self, Answer, shape};
use crate::{AskerSecret, Comb, Error, KeyOwner, Plan, Result, question};
use blindscope_ckks::{
    Ciphertext, Decryptor, Encoder, EncryptionDraws, Encryptor, Plaintext, PublicEncryptor, PublicKey,
    SecretKey, Strand, codec,
};

/// Ciphertexts made at a time, for each thread.
const PER_THREAD: usize = 2;

/// Tokens as the head takes them.
type Normalised = Vec<Vec<f64>>;

/// Asks by one plan. It knows the plan, which is public, and nothing of the head's weights.
pub struct Asker {
    plan: Plan,
    encoder: Encoder,
}

impl Asker {
    /// An asker of this plan.
    pub fn new(plan: &Plan) -> Self {
        Self { plan: plan.clone(), encoder: Encoder::new(plan.params()) }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A question under the asker's own key: [`Plan::upload_len`] bytes.
    ///
    /// # Timing
    /// Depends on the plan and the number of tokens alone; a token that is refused is told by its place.
    ///
    /// # Errors
    /// [`Error::Width`] for a token of another width, [`Error::NotFinite`] for one that is not finite, [`Error::Count`] for more
    /// tokens than the plan's batch, [`Error::OtherMode`] for a plan under a collective key, [`Error::Ckks`] for a secret key of
    /// other parameters.
    pub fn encrypt<T: AsRef<[f64]>>(
        &self,
        tokens: &[T],
        secret: &AskerSecret,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(self.plan.upload_len(tokens.len()));
        self.encrypt_into(tokens, secret, rng, &mut out)?;
        Ok(out)
    }

    /// As [`Self::encrypt`], written as it is made.
    ///
    /// # Timing
    /// As [`Self::encrypt`].
    ///
    /// # Errors
    /// As [`Self::encrypt`], and [`Error::Stream`].
    pub fn encrypt_into<T: AsRef<[f64]>>(
        &self,
        tokens: &[T],
        secret: &AskerSecret,
        rng: &mut impl CryptoRng,
        out: &mut impl Write,
    ) -> Result<()> {
        self.plan.require_key("encrypt", KeyOwner::Asker)?;
        let encryptor = Encryptor::new(&secret.secret);
        let sparse = self.plan.sparse_question()?;
        let bytes = |tokens: &Normalised, piece, draws| -> Result<Vec<u8>> {
            let c = encryptor.encrypt_with(&self.plaintext(tokens, piece)?, draws)?;
            Ok(match &sparse {
                Some(sparse) => codec::encode_sparse(&c, sparse),
                None => codec::encode_seeded(&c),
            })
        };
        self.write(tokens, out, |tokens, pieces| {
            // Drawn in order before threads share them: the bytes are those of one thread.
            let draws: Vec<_> = pieces.clone().map(|_| EncryptionDraws::new(rng)).collect();
            if pieces.len() == 1 {
                // Not worth waking another thread.
                return pieces.zip(draws).map(|(piece, draws)| bytes(tokens, piece, draws)).collect();
            }
            pieces.into_par_iter().zip(draws).map(|(piece, draws)| bytes(tokens, piece, draws)).collect()
        })
    }

    /// A question under a collective public key.
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn encrypt_public<T: AsRef<[f64]>>(
        &self,
        tokens: &[T],
        key: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>> {
        self.plan.require_key("encrypt_public", KeyOwner::Collective)?;
        let encryptor = PublicEncryptor::new(key);
        let mut out = Vec::with_capacity(self.plan.upload_len(tokens.len()));
        self.write(tokens, &mut out, |tokens, pieces| {
            let bytes = |piece| {
                let c = encryptor.encrypt(&self.plaintext(tokens, piece)?, rng)?;
                Ok(codec::encode_ciphertext(&c))
            };
            pieces.map(bytes).collect()
        })?;
        Ok(out)
    }

    /// The plaintexts of a question, at the top level: for those who encrypt elsewhere, as sites do that a question is dealt to.
    /// [`crate::question_of`] makes a question of their encryptions.
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn encode<T: AsRef<[f64]>>(&self, tokens: &[T]) -> Result<Vec<Plaintext>> {
        self.plan.require_key("encode", KeyOwner::Collective)?;
        let mut plain = Vec::with_capacity(self.plan.pieces(tokens.len()));
        self.write(tokens, &mut std::io::sink(), |tokens, pieces| {
            for piece in pieces {
                plain.push(self.plaintext(tokens, piece)?);
            }
            Ok(Vec::new())
        })?;
        Ok(plain)
    }

    /// Writes a question; `make` gives the bytes of a run of its pieces.
    fn write<T: AsRef<[f64]>>(
        &self,
        tokens: &[T],
        out: &mut impl Write,
        mut make: impl FnMut(&Normalised, Range<usize>) -> Result<Vec<Vec<u8>>>,
    ) -> Result<()> {
        question::check_tokens("encrypt", &self.plan, tokens.len())?;
        let normalisation = &self.plan.literal().normalisation;
        let apply = |(i, t): (usize, &T)| normalisation.apply(i, t.as_ref());
        let normalised: Normalised = tokens.iter().enumerate().map(apply).collect::<Result<_>>()?;
        question::write_head(&self.plan, tokens.len(), out)?;
        let (count, most) = (self.plan.pieces(tokens.len()), PER_THREAD * rayon::current_num_threads());
        for from in (0..count).step_by(most) {
            for bytes in make(&normalised, from..(from + most).min(count))? {
                question::write_all(&bytes, out)?;
            }
        }
        Ok(())
    }

    /// What piece `piece` of a question encrypts.
    fn plaintext(&self, tokens: &Normalised, piece: usize) -> Result<Plaintext> {
        let (top, fresh) = (self.plan.params().top_level(), self.plan.fresh());
        let group = |each: usize, index: usize| {
            let from = (index * each).min(tokens.len());
            &tokens[from..(from + each).min(tokens.len())]
        };
        if let Some(l) = self.plan.token_layout() {
            let slots: Vec<_> = l.combs().map(|comb| l.pack(&comb, group(l.tokens, piece))).collect();
            let strand = |(comb, slots): (Comb, _)| Strand { slots, shift: comb.shift as i64, divisor: 1 };
            let strands: Vec<_> = l.combs().zip(slots.iter().map(Vec::as_slice)).map(strand).collect();
            return Ok(self.encoder.encode_strands(&strands, top, fresh)?);
        }
        let slots = self
            .plan
            .feature_layout()
            .map_or_else(Vec::new, |l| l.pack(group(l.slots, piece / l.columns), piece % l.columns));
        Ok(self.encoder.encode_slots(&slots, top, fresh)?)
    }

    /// The logits of every token of a question, `classes` each, from the bytes of its answer.
    ///
    /// # Timing
    /// Depends on the plan and the number of tokens alone.
    ///
    /// # Errors
    /// As [`Answer::from_bytes`] and [`Answer::open`].
    pub fn open(&self, tokens: usize, answer: &[u8], secret: &AskerSecret) -> Result<Vec<Vec<f64>>> {
        self.plan.require_key("open", KeyOwner::Asker)?;
        Answer::from_bytes(&self.plan, tokens, answer)?.open(&self.plan, &self.encoder, &secret.small)
    }

    /// The logits of every token, from ciphertexts that a committee has re-encrypted to this key; see
    /// [`crate::Server::logits`].
    ///
    /// # Timing
    /// Depends on the plan and the number of tokens alone.
    ///
    /// # Errors
    /// [`Error::OtherMode`] for a plan under the asker's own key; [`Error::Count`] for another number of ciphertexts or tokens
    /// than the plan's; [`Error::NotOpened`] for what is no answer by its form, as one is not that a wrong share went into;
    /// [`Error::Ckks`] for ciphertexts of other parameters.
    pub fn open_ciphertexts(
        &self,
        tokens: usize,
        answers: &[Ciphertext],
        secret: &SecretKey,
    ) -> Result<Vec<Vec<f64>>> {
        self.plan.require_key("open_ciphertexts", KeyOwner::Collective)?;
        question::check_tokens("open", &self.plan, tokens)?;
        let shapes = shape::pieces(&self.plan, tokens);
        if shapes.len() != answers.len() {
            let (what, found) = ("ciphertexts", answers.len());
            return Err(Error::Count { op: "open", what, found, expected: shapes.len().to_string() });
        }
        let decryptor = Decryptor::new(secret);
        let mut values = Vec::with_capacity(answers.len());
        for (c, shape) in answers.iter().zip(&shapes) {
            let coefficients = self.encoder.decode_coefficients(&decryptor.decrypt(c)?)?;
            values.push(shape.places.iter().map(|&p| coefficients[p]).collect());
        }
        answer::require_answer(&self.plan, &self.encoder, &values)?;
        answer::logits(&self.plan, &self.encoder, tokens, &values)
    }
}

/// The place of the largest logit; the first of equal ones.
pub fn class(logits: &[f64]) -> usize {
    let better = |best: usize, (i, x): (usize, &f64)| if *x > logits[best] { i } else { best };
    logits.iter().enumerate().fold(0, better)
}
