//! Encryption under the secret key (half the size) and under a public key.

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::{Ciphertext, Plaintext, PublicKey, Result, SecretKey, Seed, SeededCiphertext};
use blindscope_ring::sample::{self, SecretSeed};

/// What one encryption under a secret key takes from a generator.
pub struct EncryptionDraws {
    uniform: Seed,
    error: SecretSeed,
}

impl std::fmt::Debug for EncryptionDraws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncryptionDraws(..)")
    }
}

impl EncryptionDraws {
    /// What [`Encryptor::encrypt`] would take from this generator next: for several threads that encrypt in the order of one.
    ///
    /// # Timing
    /// The same for any draw.
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        Self { uniform: Seed::generate(rng), error: SecretSeed::generate(rng) }
    }
}

/// Encrypts under a secret key.
pub struct Encryptor<'k> {
    secret: &'k SecretKey,
}

impl<'k> Encryptor<'k> {
    /// An encryptor for this key.
    pub fn new(secret: &'k SecretKey) -> Self {
        Self { secret }
    }

    /// `c_0 = m + e - a·s`, with `a` expanded from a fresh seed that stands in for `c_1`.
    ///
    /// # Timing
    /// Depends on the parameters and the level alone: no branch and no index hangs on message, secret or errors.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters.
    pub fn encrypt(&self, plaintext: &Plaintext, rng: &mut impl CryptoRng) -> Result<SeededCiphertext> {
        // Before anything is drawn.
        self.secret.params.check_same("encrypt", &plaintext.params)?;
        self.encrypt_with(plaintext, EncryptionDraws::new(rng))
    }

    /// As [`Self::encrypt`], with what was drawn for it.
    ///
    /// # Timing
    /// As [`Self::encrypt`].
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    #[expect(clippy::needless_pass_by_value, reason = "what was drawn serves once")]
    pub fn encrypt_with(&self, plaintext: &Plaintext, draws: EncryptionDraws) -> Result<SeededCiphertext> {
        let params = &self.secret.params;
        params.check_same("encrypt", &plaintext.params)?;
        let basis = params.q().prefix(plaintext.level().limbs());
        let mut c0 = sample::uniform(&basis, &draws.uniform, 0);
        basis.mul_assign(&mut c0, &self.secret.s);
        basis.neg_assign(&mut c0);
        basis.add_assign(&mut c0, &plaintext.poly);
        let mut e = sample::error_poly_of(&basis, &draws.error);
        basis.add_assign(&mut c0, &e);
        e.zeroize();
        Ok(SeededCiphertext { params: params.clone(), c0, seed: draws.uniform, scale: plaintext.scale })
    }
}

/// Encrypts under a public key: anyone can, and both halves travel.
pub struct PublicEncryptor<'k> {
    key: &'k PublicKey,
}

impl<'k> PublicEncryptor<'k> {
    /// An encryptor for this key.
    pub fn new(key: &'k PublicKey) -> Self {
        Self { key }
    }

    /// `(b·u + e_0 + m, a·u + e_1)` with fresh ternary `u`.
    ///
    /// # Timing
    /// Depends on the parameters and the level alone: no branch and no index hangs on message, secret or errors.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters.
    pub fn encrypt(&self, plaintext: &Plaintext, rng: &mut impl CryptoRng) -> Result<Ciphertext> {
        let params = &self.key.params;
        params.check_same("encrypt", &plaintext.params)?;
        let basis = params.q().prefix(plaintext.level().limbs());
        let u = Zeroizing::new(sample::ternary_poly(&basis, rng));
        let mut half = |key| {
            let mut c = sample::error_poly(&basis, rng);
            basis.mul_add_assign(&mut c, key, &u);
            c
        };
        let mut c0 = half(&self.key.b);
        let c1 = half(&self.key.a);
        basis.add_assign(&mut c0, &plaintext.poly);
        Ok(Ciphertext { params: params.clone(), components: vec![c0, c1], scale: plaintext.scale })
    }
}
