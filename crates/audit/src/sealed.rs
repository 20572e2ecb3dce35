//! What a coordinator holds while everything is encrypted: bytes. The same attacks are given these bytes as if they were
//! the values, with the values' true mean and deviation thrown in.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::error::{Error, Result};
use blindscope_ckks::{
    Ciphertext, Encoder, Evaluator, KeyGenerator, Parameters, PublicEncryptor, PublicKey, codec, presets,
};

/// A collective public key and what encrypts under it. The secret key is dropped at once: nobody here opens anything.
pub struct Sealer {
    params: Parameters,
    key: PublicKey,
    encoder: Encoder,
    rng: ChaCha20Rng,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Draws a key pair of the parameters that inference uses, and forgets the secret half.
    ///
    /// # Errors
    /// [`Error::Ckks`] where the parameters are refused: not with those built in.
    pub fn new(seed: [u8; 32]) -> Result<Self> {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let params = Parameters::new(presets::linear_head())?;
        let generator = KeyGenerator::new(&params);
        let key = generator.public_key(&generator.secret_key(&mut rng), &mut rng);
        Ok(Self { encoder: Encoder::new(&params), params, key, rng })
    }

    /// The bytes that carry `values` to the coordinator: coefficients of as many ciphertexts as they need.
    ///
    /// # Errors
    /// [`Error::Ckks`] for values beyond the modulus.
    pub fn seal(&mut self, values: &[f32]) -> Result<Vec<u8>> {
        Ok(self.encrypt(values)?.iter().flat_map(codec::encode_ciphertext).collect())
    }

    /// The bytes of the encrypted sum of equally long lists, as the coordinator holds it before any decryption.
    ///
    /// # Errors
    /// As [`Sealer::seal`]; [`Error::Shape`] for lists of different lengths, or none.
    pub fn seal_sum(&mut self, parts: &[Vec<f32>]) -> Result<Vec<u8>> {
        let mut sum: Option<Vec<Ciphertext>> = None;
        let evaluator = Evaluator::new(&self.params);
        for part in parts {
            let next = self.encrypt(part)?;
            match &mut sum {
                None => sum = Some(next),
                Some(sum) if sum.len() == next.len() => {
                    for (a, b) in sum.iter_mut().zip(&next) {
                        evaluator.add_assign(a, b)?;
                    }
                }
                Some(sum) => return Err(Error::shape("summing ciphertexts", sum.len(), next.len())),
            }
        }
        let sum = sum.ok_or_else(|| Error::shape("summing ciphertexts", "at least one list", 0))?;
        Ok(sum.iter().flat_map(codec::encode_ciphertext).collect())
    }

    fn encrypt(&mut self, values: &[f32]) -> Result<Vec<Ciphertext>> {
        let (top, scale) = (self.params.top_level(), self.params.default_scale());
        let encryptor = PublicEncryptor::new(&self.key);
        let mut out = Vec::new();
        for chunk in values.chunks(self.params.n()) {
            let wide: Vec<f64> = chunk.iter().map(|v| f64::from(*v)).collect();
            let plaintext = self.encoder.encode_coefficients(&wide, top, scale)?;
            out.push(encryptor.encrypt(&plaintext, &mut self.rng)?);
        }
        Ok(out)
    }
}

/// Reads bytes as if they were values: 16-bit words, uniform when the bytes are, brought to the mean and deviation of
/// `like`. Words are spread over the whole message, so each part of it is looked at.
pub fn read_as_values(bytes: &[u8], like: &[f32]) -> Vec<f32> {
    let (mean, deviation) = moments(like);
    let words = bytes.len() / 2;
    (0..like.len())
        .map(|i| {
            let at = if words > like.len() { i * (words / like.len()) } else { i % words.max(1) };
            let word = bytes.get(2 * at..2 * at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
            // A uniform word has deviation 1/√12 of its range.
            let z = (f64::from(word) / 65_535.0 - 0.5) * 12f64.sqrt();
            (mean + deviation * z) as f32
        })
        .collect()
}

/// Values that were read, right or wrong, brought to the mean and deviation of `like`: right ones stay what they are.
pub fn rescaled(read: &[f32], like: &[f32]) -> Vec<f32> {
    let ((mean, deviation), (own, spread)) = (moments(like), moments(read));
    let spread = if spread > 0.0 { spread } else { 1.0 };
    read.iter().map(|v| (mean + deviation * (f64::from(*v) - own) / spread) as f32).collect()
}

/// Mean and deviation.
fn moments(values: &[f32]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    (mean, (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt())
}
