//! Stains by Beer–Lambert: intensity = 255·exp(−(h·H + e·E)) in each channel.

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

/// Optical densities of haematoxylin and eosin (Ruifrok and Johnston, 2001).
const HAEMATOXYLIN: [f32; 3] = [0.65, 0.70, 0.29];
const EOSIN: [f32; 3] = [0.07, 0.99, 0.11];

/// The stain of one laboratory.
#[derive(Clone, Debug, PartialEq)]
pub struct Stain {
    haematoxylin: [f32; 3],
    eosin: [f32; 3],
}

impl Stain {
    /// The stain of a site: each density and each dye's strength perturbed by the seed.
    pub fn of_site(seed: u64, site: usize) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(super::mix(seed, site as u64 ^ 0x5747_4149));
        let mut perturb = |vector: [f32; 3]| {
            let strength: f32 = rng.random_range(0.75..1.30);
            vector.map(|v| (v * strength + rng.random_range(-0.08..0.08f32)).max(0.02))
        };
        Self { haematoxylin: perturb(HAEMATOXYLIN), eosin: perturb(EOSIN) }
    }

    /// RGB of an amount of each dye.
    pub fn colour(&self, h: f32, e: f32) -> [u8; 3] {
        std::array::from_fn(|c| {
            (255.0 * (-(h * self.haematoxylin[c] + e * self.eosin[c])).exp()).round() as u8
        })
    }
}
