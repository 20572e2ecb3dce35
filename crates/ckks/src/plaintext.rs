use crate::{Level, Parameters, Scale};
use blindscope_ring::{Ntt, Poly};

/// An encoded message: a polynomial with its level and exact scale.
///
/// `Debug` shows its shape only, since a message may be private.
#[derive(Clone, PartialEq, Eq)]
pub struct Plaintext {
    pub(crate) params: Parameters,
    pub(crate) poly: Poly<Ntt>,
    pub(crate) scale: Scale,
}

impl Plaintext {
    /// The parameters it belongs to.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// The polynomial, `level + 1` limbs in evaluations.
    pub fn poly(&self) -> &Poly<Ntt> {
        &self.poly
    }

    /// Its level: it combines with ciphertexts at this level or below.
    pub fn level(&self) -> Level {
        Level(self.poly.limb_count() - 1)
    }

    /// Its scale.
    pub fn scale(&self) -> Scale {
        self.scale
    }
}

impl std::fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log2 = self.params.scale_log2(&self.scale);
        write!(f, "Plaintext(level {}, scale 2^{log2:.4})", self.level())
    }
}
