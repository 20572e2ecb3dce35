//! Updates of any length, a ciphertext at a time.

use crate::{AggregateError, Layout, Result};
use blindscope_ckks::{Ciphertext, Evaluator, PublicEncryptor, PublicKey};
use rand_core::CryptoRng;

/// Encodes and encrypts an update chunk by chunk: one chunk of integers and one ciphertext in memory.
pub struct ChunkEncryptor<'a> {
    layout: &'a Layout,
    encryptor: PublicEncryptor<'a>,
}

impl<'a> ChunkEncryptor<'a> {
    /// Under the collective public key.
    pub fn new(layout: &'a Layout, key: &'a PublicKey) -> Self {
        Self { layout, encryptor: PublicEncryptor::new(key) }
    }

    /// The ciphertexts of an update, in order, made as they are taken.
    pub fn encrypt<'s, R: CryptoRng>(
        &'s self,
        integers: &'s [u64],
        rng: &'s mut R,
    ) -> impl Iterator<Item = Result<Ciphertext>> + 's {
        integers
            .chunks(self.layout.capacity())
            .map(move |chunk| Ok(self.encryptor.encrypt(&self.layout.encode(chunk)?, rng)?))
    }
}

/// The running sum of updates that arrive chunk by chunk, the same chunk of several sites in any order.
pub struct SumStream {
    evaluator: Evaluator,
    sum: Ciphertext,
    limit: u64,
    added: u64,
}

impl SumStream {
    /// The sum of one chunk over at most `limit` sites, the first of which sent `first`.
    pub fn new(first: Ciphertext, limit: u64) -> Self {
        Self { evaluator: Evaluator::new(first.params()), sum: first, limit, added: 1 }
    }

    /// Adds one site's chunk.
    ///
    /// # Errors
    /// [`AggregateError::Mismatch`] beyond the sites that headroom was proved for; [`AggregateError::Ckks`].
    pub fn add(&mut self, chunk: &Ciphertext) -> Result<()> {
        if self.added == self.limit {
            let (expected, found) = (self.limit, self.added + 1);
            return Err(AggregateError::Mismatch { what: "number of sites", expected, found });
        }
        self.evaluator.add_assign(&mut self.sum, chunk)?;
        self.added += 1;
        Ok(())
    }

    /// The sum and how many sites it holds.
    pub fn finish(self) -> (Ciphertext, u64) {
        (self.sum, self.added)
    }
}
