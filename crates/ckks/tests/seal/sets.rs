//! The committed vectors: what `make_seal_vectors.py` wrote, and the messages it encrypted.

use std::path::PathBuf;

use num_complex::Complex64;

use super::format::{
    Ciphertext, Parameters, Result, SealError, ciphertext, parameters, secret_key, switching_keys,
};
use super::protobuf::field;

/// One folder of vectors: parameters, the secret, and ciphertexts by name.
pub(crate) struct Set {
    folder: &'static str,
    pub(crate) parameters: Parameters,
    pub(crate) secret: Vec<Vec<u64>>,
}

impl Set {
    /// Objects as SEAL serialised them.
    pub(crate) fn seal(folder: &'static str) -> Result<Self> {
        let parameters = parameters(&file(folder, "parameters.seal")?)?;
        let secret = secret_key(&file(folder, "secret_key.seal")?, &parameters)?;
        Ok(Self { folder, parameters, secret })
    }

    /// Messages as TenSEAL serialised them: field 1 of a context holds the parameters, field 3 the private part with the
    /// secret key in its field 1.
    pub(crate) fn tenseal() -> Result<Self> {
        let folder = "tenseal";
        let context = file(folder, "context.tenseal")?;
        let parameters = parameters(field(&context, 1)?)?;
        let secret = secret_key(field(field(&context, 3)?, 1)?, &parameters)?;
        Ok(Self { folder, parameters, secret })
    }

    /// The ciphertext of this name; in a TenSEAL vector it is field 2.
    pub(crate) fn ciphertext(&self, name: &str) -> Result<Ciphertext> {
        if self.folder == "tenseal" {
            return ciphertext(field(&file(self.folder, &format!("{name}.tenseal"))?, 2)?);
        }
        ciphertext(&file(self.folder, &format!("{name}.seal"))?)
    }

    /// The rows of the relinearisation key, one for each digit.
    pub(crate) fn relin_key(&self) -> Result<Vec<Ciphertext>> {
        let mut keys = switching_keys(&file(self.folder, "relin_key.seal")?)?;
        if keys.len() != 1 {
            return Err(SealError::Array { expected: 1, found: keys.len() });
        }
        Ok(keys.remove(0))
    }

    /// The two messages: dyadic rationals in [-1, 1], exact in f64.
    pub(crate) fn values(&self) -> (Vec<Complex64>, Vec<Complex64>) {
        let slots = self.parameters.n / 2;
        let part = |i: usize, step: usize, start: usize| ((i * step + start) % 257) as f64 / 128.0 - 1.0;
        let x = (0..slots).map(|i| Complex64::new(part(i, 73, 5), part(i, 31, 90))).collect();
        let y = (0..slots).map(|i| Complex64::new(part(i, 101, 17), part(i, 19, 201))).collect();
        (x, y)
    }
}

fn file(folder: &str, name: &str) -> Result<Vec<u8>> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "vectors", folder, name].iter().collect();
    std::fs::read(&path).map_err(|e| SealError::File(path, e))
}
