//! Ciphertexts: polynomials with a level and an exact scale, and the short form of one whose uniform half is a seed.

use crate::{Level, Parameters, Scale, Seed};
use blindscope_ring::sample;
use blindscope_ring::{Ntt, Poly};

/// A ciphertext: `Σ c_i·s^i ≈ scale · message` modulo the primes of its level.
#[derive(Clone, PartialEq, Eq)]
pub struct Ciphertext {
    pub(crate) params: Parameters,
    pub(crate) components: Vec<Poly<Ntt>>,
    pub(crate) scale: Scale,
}

impl Ciphertext {
    /// A ciphertext of zero, without noise or secrecy: a place to write results to.
    pub fn empty(params: &Parameters) -> Self {
        let zero = Poly::zero(params.n(), 1);
        Self { params: params.clone(), components: vec![zero.clone(), zero], scale: Scale::ONE }
    }

    /// A ciphertext with these components, as protocols assemble them. Range: at least two, of equal limb counts, at
    /// most as many as there are ciphertext primes.
    pub fn from_components(params: &Parameters, components: Vec<Poly<Ntt>>, scale: Scale) -> Self {
        debug_assert!(components.len() >= 2);
        debug_assert!(components.iter().all(|c| c.limb_count() == components[0].limb_count()));
        Self { params: params.clone(), components, scale }
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// The polynomials, `level + 1` limbs each; two, or three after a product.
    pub fn components(&self) -> &[Poly<Ntt>] {
        &self.components
    }

    /// Its level.
    pub fn level(&self) -> Level {
        Level(self.components[0].limb_count() - 1)
    }

    /// Its scale.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Reinterprets the message: the same polynomials under another scale, so the slots are multiplied by the
    /// quotient of the scales. Free, exact, and easily wrong: the caller answers for the meaning.
    pub fn set_scale(&mut self, scale: Scale) {
        self.scale = scale;
    }

    /// Makes this ciphertext's memory fit a result; its contents are unspecified afterwards.
    pub(crate) fn reshape(&mut self, params: &Parameters, components: usize, limbs: usize, scale: Scale) {
        let fits = self.components.len() == components
            && self.components.iter().all(|c| c.n() == params.n() && c.limb_count() == limbs);
        if !fits {
            self.components = (0..components).map(|_| Poly::unspecified(params.n(), limbs)).collect();
        }
        self.params = params.clone();
        self.scale = scale;
    }
}

impl std::fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log2 = self.params.scale_log2(&self.scale);
        write!(
            f,
            "Ciphertext({} components, level {}, scale 2^{log2:.4})",
            self.components.len(),
            self.level()
        )
    }
}

/// A fresh secret-key ciphertext whose uniform half is 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SeededCiphertext {
    pub(crate) params: Parameters,
    pub(crate) c0: Poly<Ntt>,
    pub(crate) seed: Seed,
    pub(crate) scale: Scale,
}

impl SeededCiphertext {
    /// The full ciphertext, its uniform half expanded.
    pub fn expand(&self) -> Ciphertext {
        let basis = self.params.q().prefix(self.c0.limb_count());
        let c1 = sample::uniform(&basis, &self.seed, 0);
        Ciphertext { params: self.params.clone(), components: vec![self.c0.clone(), c1], scale: self.scale }
    }

    /// As [`Self::expand`], without copying the other half.
    pub fn into_ciphertext(self) -> Ciphertext {
        let basis = self.params.q().prefix(self.c0.limb_count());
        let c1 = sample::uniform(&basis, &self.seed, 0);
        Ciphertext { params: self.params, components: vec![self.c0, c1], scale: self.scale }
    }

    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// Its level.
    pub fn level(&self) -> Level {
        Level(self.c0.limb_count() - 1)
    }

    /// Its scale.
    pub fn scale(&self) -> Scale {
        self.scale
    }
}

impl std::fmt::Debug for SeededCiphertext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log2 = self.params.scale_log2(&self.scale);
        write!(f, "SeededCiphertext(level {}, scale 2^{log2:.4})", self.level())
    }
}
