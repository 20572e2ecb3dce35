//! Encryption under the secret key (half the size) and under a public key.

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::{Ciphertext, Plaintext, PublicKey, Result, SecretKey, Seed, SeededCiphertext};
use blindscope_ring::sample;

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
        let params = &self.secret.params;
        params.check_same("encrypt", &plaintext.params)?;
        let basis = params.q().prefix(plaintext.level().limbs());
        let seed = Seed::generate(rng);
        let mut c0 = sample::uniform(&basis, &seed, 0);
        basis.mul_assign(&mut c0, &self.secret.s);
        basis.neg_assign(&mut c0);
        basis.add_assign(&mut c0, &plaintext.poly);
        let mut e = sample::error_poly(&basis, rng);
        basis.add_assign(&mut c0, &e);
        e.zeroize();
        Ok(SeededCiphertext { params: params.clone(), c0, seed, scale: plaintext.scale })
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
