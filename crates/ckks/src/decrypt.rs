//! Decryption by the holder of a secret key.

use zeroize::Zeroize;

use crate::{Ciphertext, Plaintext, Result, SecretKey};

/// Decrypts under a secret key.
///
/// The result carries the scheme's noise, which depends on the key: show it only to the key's holder. For others,
/// round or flood first (Li and Micciancio, "On the security of homomorphic encryption on approximate numbers",
/// 2021).
pub struct Decryptor<'k> {
    secret: &'k SecretKey,
}

impl<'k> Decryptor<'k> {
    /// A decryptor for this key.
    pub fn new(secret: &'k SecretKey) -> Self {
        Self { secret }
    }

    /// `Σ c_i·s^i`, for any number of components.
    ///
    /// # Timing
    /// Depends on the parameters, the level and the number of components alone.
    ///
    /// # Errors
    /// [`crate::Error::Parameters`] for operands of other parameters.
    pub fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Plaintext> {
        let params = &self.secret.params;
        params.check_same("decrypt", &ciphertext.params)?;
        let basis = params.q();
        // Horner's rule from the highest component.
        let mut components = ciphertext.components.iter().rev();
        let mut m = components.next().map_or_else(|| basis.zero(), Clone::clone);
        for c in components {
            basis.mul_assign(&mut m, &self.secret.s);
            basis.add_assign(&mut m, c);
        }
        Ok(Plaintext { params: params.clone(), poly: m, scale: ciphertext.scale })
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        // Messages are as private as the keys that hide them.
        self.poly.zeroize();
    }
}
