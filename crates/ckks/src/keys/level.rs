//! Keys for the levels at which they are used: at level `l` a switch reads `l + 1` digits over `l + 2` primes or so, and
//! the rest of a key over all primes need neither travel nor stay in memory.

use super::{GaloisKey, GaloisKeys, RelinKey, SwitchingKey, UniformHalf};
use crate::{Level, Parameters, Seed};
use blindscope_ring::{Basis, Ntt, Poly, sample};

impl SwitchingKey {
    /// The highest level at which this key switches.
    pub fn level(&self) -> Level {
        let special = self.params.special().map_or(0, Basis::len);
        Level(self.b[0].limb_count() - special - 1)
    }

    /// The part of this key that levels up to `level` use. A higher level leaves it as it is.
    #[must_use]
    pub fn at_level(&self, level: Level) -> Self {
        if level >= self.level() {
            return self.clone();
        }
        let special = self.params.special().map_or(1, Basis::len);
        let digits = level.limbs().div_ceil(special);
        let cut =
            |rows: &[Poly<Ntt>]| rows[..digits].iter().map(|r| cut_row(r, level.limbs(), special)).collect();
        Self { params: self.params.clone(), b: cut(&self.b), a: cut(&self.a), half: self.half }
    }

    /// The primes of a key for levels up to `level`: its ciphertext primes, then the special ones.
    pub(crate) fn basis_at(params: &Parameters, level: Level) -> Basis {
        let q = params.q().prefix(level.limbs());
        params.special().map_or_else(|| q.clone(), |special| q.concat(special))
    }

    /// Digits of a key for levels up to `level`.
    pub(crate) fn digits_at(params: &Parameters, level: Level) -> usize {
        params.special().map_or(0, |special| level.limbs().div_ceil(special.len()))
    }

    /// A cut key from its `b` and its seed, which stands for the uniform halves over all primes.
    pub(crate) fn from_seed_at(params: &Parameters, level: Level, b: Vec<Poly<Ntt>>, seed: Seed) -> Self {
        let special = params.special().map_or(0, Basis::len);
        let row = |j| cut_row(&sample::uniform(params.qp(), &seed, j), level.limbs(), special);
        let a = (0..b.len() as u64).map(row).collect();
        Self { params: params.clone(), b, a, half: UniformHalf::Seeded(seed) }
    }
}

/// The first `limbs` limbs and the last `special` ones.
fn cut_row(row: &Poly<Ntt>, limbs: usize, special: usize) -> Poly<Ntt> {
    let mut out = Poly::zero(row.n(), limbs + special);
    let kept = (0..limbs).chain(row.limb_count() - special..row.limb_count());
    for (limb, i) in out.limbs_mut().zip(kept) {
        limb.copy_from_slice(row.limb(i));
    }
    out
}

impl GaloisKey {
    /// As [`SwitchingKey::at_level`].
    #[must_use]
    pub fn at_level(&self, level: Level) -> Self {
        Self { key: self.key.at_level(level), automorphism: self.automorphism.clone() }
    }
}

impl GaloisKeys {
    /// As [`SwitchingKey::at_level`], for each key.
    #[must_use]
    pub fn at_level(&self, level: Level) -> Self {
        Self::new(self.iter().map(|k| k.at_level(level)))
    }
}

impl RelinKey {
    /// As [`SwitchingKey::at_level`].
    #[must_use]
    pub fn at_level(&self, level: Level) -> Self {
        Self(self.0.at_level(level))
    }
}
