use crate::{Answer, Head, Plan, Result};
use blindscope_ckks::{
    Encoder, Encryptor, GaloisKeys, KeyGenerator, Level, Plaintext, PublicEncryptor, PublicKey, RelinKey,
    SecretKey, SeededCiphertext,
};
use rand_core::CryptoRng;

/// The keys that a plan's server needs, each cut to the level at which it is used.
#[derive(Debug, Clone)]
pub struct EvaluationKeys {
    /// Rotations and the conjugation.
    pub galois: GaloisKeys,
    /// For squares.
    pub relin: Option<RelinKey>,
}

impl EvaluationKeys {
    /// The keys of one secret.
    ///
    /// # Errors
    /// [`crate::ClassifyError::Ckks`].
    pub fn generate(plan: &Plan, secret: &SecretKey, rng: &mut impl CryptoRng) -> Result<Self> {
        Self::generate_for(plan, secret, rng, plan.first_level())
    }

    /// As [`Self::generate`], with the relinearisation key for products at the top level, as an encrypted head
    /// needs it.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn generate_for_encrypted_head(
        plan: &Plan,
        secret: &SecretKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Self> {
        Self::generate_for(plan, secret, rng, plan.params.top_level())
    }

    fn generate_for(
        plan: &Plan,
        secret: &SecretKey,
        rng: &mut impl CryptoRng,
        products: Level,
    ) -> Result<Self> {
        let generator = KeyGenerator::new(&plan.params);
        let mut keys = vec![generator.conjugation_key(secret, rng)?.at_level(plan.first_level())];
        for (steps, level) in plan.rotation_keys() {
            keys.push(generator.rotation_key(secret, steps, rng)?.at_level(level));
        }
        let squares = plan.degree > 1 || products == plan.params.top_level();
        let relin = if squares { Some(generator.relin_key(secret, rng)?.at_level(products)) } else { None };
        Ok(Self { galois: GaloisKeys::new(keys), relin })
    }

    /// Bytes of these keys with seeds for their uniform halves.
    pub fn seeded_bytes(&self) -> usize {
        let galois = self.galois.iter().map(|k| k.key().seeded_bytes()).sum::<usize>();
        galois + self.relin.as_ref().map_or(0, |k| k.0.seeded_bytes())
    }
}

/// Normalises, packs and encrypts tokens, and opens answers.
pub struct TokenAsker<'h> {
    head: &'h Head,
    plan: &'h Plan,
    encoder: Encoder,
}

impl<'h> TokenAsker<'h> {
    /// An asker of this head; only its normalisation is used.
    pub fn new(head: &'h Head, plan: &'h Plan) -> Self {
        Self { head, plan, encoder: Encoder::new(&plan.params) }
    }

    fn encode<T: AsRef<[f64]>>(&self, tokens: &[T]) -> Result<Vec<Plaintext>> {
        let x: Result<Vec<_>> =
            tokens.iter().enumerate().map(|(i, t)| self.head.normalise(i, t.as_ref())).collect();
        let one = |group: &[Vec<f64>]| {
            let slots = self.plan.layout.pack(group);
            Ok(self.encoder.encode_slots(&slots, self.plan.params.top_level(), self.plan.fresh)?)
        };
        x?.chunks(self.plan.layout.tokens).map(one).collect()
    }

    /// Encrypts under the asker's own key; a ciphertext holds as many tokens as the plan says.
    ///
    /// # Errors
    /// [`crate::ClassifyError::Width`], [`crate::ClassifyError::NotFinite`], [`crate::ClassifyError::Ckks`].
    pub fn encrypt<T: AsRef<[f64]>>(
        &self,
        tokens: &[T],
        secret: &SecretKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SeededCiphertext>> {
        let encryptor = Encryptor::new(secret);
        self.encode(tokens)?.iter().map(|m| Ok(encryptor.encrypt(m, rng)?)).collect()
    }

    /// Encrypts under a collective public key.
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn encrypt_public<T: AsRef<[f64]>>(
        &self,
        tokens: &[T],
        key: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<blindscope_ckks::Ciphertext>> {
        let encryptor = PublicEncryptor::new(key);
        self.encode(tokens)?.iter().map(|m| Ok(encryptor.encrypt(m, rng)?)).collect()
    }

    /// The logits of every place of one answer, `classes` each; places beyond the tokens asked hold the head's answer
    /// to a token of zeros.
    ///
    /// # Errors
    /// As [`Answer::open`].
    pub fn open(&self, answer: &Answer, secret: &SecretKey) -> Result<Vec<Vec<f64>>> {
        let slots = answer.open(&self.plan.params, &self.encoder, secret)?;
        let (tokens, classes) = (self.plan.layout.tokens, self.head.classes());
        Ok((0..tokens).map(|t| (0..classes).map(|k| slots[k * tokens + t].re).collect()).collect())
    }
}
