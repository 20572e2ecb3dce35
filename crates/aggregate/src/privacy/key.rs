//! Where a site's noise comes from.
//!
//! A second draw of noise for the same values would let whoever sees both average it away: after a crash, a lost answer, a copy of the
//! site that was restored. So nothing is drawn afresh. Noise follows from the site's secret, the round, what the round's input is called,
//! and the values themselves: the same of all four gives the same noise, and other values have other noise, so that the difference of
//! two uploads never shows the difference of the values.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::{Zeroize, Zeroizing};

use super::DiscreteGaussian;
use crate::Result;
use crate::one_round::RoundId;
use blindscope_wire::{Digest, Hasher};

/// A site's key of the noise of one round. Zeroed on drop.
pub struct NoiseKey {
    key: Zeroizing<[u8; 32]>,
    honest: u32,
}

impl NoiseKey {
    /// Of a site's secret, a round, the name of its input, and how many sites' noise has to be enough: all of a set but those that may
    /// collude. Range: at least one.
    pub fn new(site_secret: &[u8; 32], round: RoundId, input: &Digest, honest: u32) -> Self {
        let mut h = Hasher::new("blindscope/privacy/noise-key/v1");
        h.absorb(site_secret).absorb(&round.0.0).absorb(&input.0);
        Self { key: Zeroizing::new(h.finish().0), honest: honest.max(1) }
    }

    /// Sites whose noise together is enough.
    pub fn honest(&self) -> u32 {
        self.honest
    }

    /// The noise of these values.
    ///
    /// # Timing
    /// Depends on the number of values alone.
    pub fn for_values(&self, values: &[i64]) -> ShareOfNoise {
        let mut h = Hasher::new("blindscope/privacy/noise/v1");
        h.absorb(&*self.key).absorb_u64(values.len() as u64);
        let mut bytes = Zeroizing::new(Vec::with_capacity(RUN * 8));
        for run in values.chunks(RUN) {
            for v in run {
                bytes.extend_from_slice(&v.to_le_bytes());
            }
            h.absorb(&bytes);
            bytes.zeroize();
        }
        let seed = Zeroizing::new(h.finish().0);
        ShareOfNoise { rng: ChaCha20Rng::from_seed(*seed), honest: self.honest }
    }
}

/// Values that are absorbed at a time.
const RUN: usize = 4096;

impl std::fmt::Debug for NoiseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoiseKey(..)")
    }
}

/// One site's noise for one vector of values, drawn in their order.
pub struct ShareOfNoise {
    rng: ChaCha20Rng,
    honest: u32,
}

impl ShareOfNoise {
    /// Adds this site's share of noise with variance `whole` to some values: `⌈whole/h⌉`, so that `h` sites' shares are enough.
    ///
    /// # Timing
    /// As [`DiscreteGaussian::sample`].
    ///
    /// # Errors
    /// As [`DiscreteGaussian::new`].
    pub fn add_to(&mut self, values: &mut [i64], whole: u64) -> Result<()> {
        let noise = DiscreteGaussian::new(whole.div_ceil(u64::from(self.honest)))?;
        // Range: sums of units are below 2^52 and noise below 2^36.
        for v in values.iter_mut() {
            *v = v.saturating_add(noise.sample(&mut self.rng));
        }
        Ok(())
    }
}

impl std::fmt::Debug for ShareOfNoise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShareOfNoise(..)")
    }
}
