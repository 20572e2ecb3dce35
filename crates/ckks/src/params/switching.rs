//! Precomputation of hybrid key switching at one level.

use blindscope_ring::extend::Extension;
use blindscope_ring::{Basis, Prime, Shoup};

/// At level `l`: the basis `q_0 … q_l, p_0 … p_(k-1)`, its digits, and division by `P = Π p_j`.
#[derive(Debug)]
pub(crate) struct SwitchTables {
    /// `q_0 … q_l` followed by the special primes.
    pub(crate) raised: Basis,
    /// Ciphertext primes of this level.
    pub(crate) limbs: usize,
    /// Digit `j`: its range of ciphertext primes, and its extension to every prime of `raised`.
    pub(crate) digits: Vec<(std::ops::Range<usize>, Extension)>,
    /// From the special primes to the ciphertext primes.
    pub(crate) down: Extension,
    /// `P mod q_i`
    pub(crate) p_times: Vec<Shoup>,
    /// `P^-1 mod q_i`
    pub(crate) p_inverse: Vec<Shoup>,
}

impl SwitchTables {
    pub(crate) fn new(q: &Basis, special: &Basis, limbs: usize) -> Self {
        let q = q.prefix(limbs);
        let raised = q.concat(special);
        let alpha = special.len();
        let digits = (0..limbs)
            .step_by(alpha)
            .map(|start| {
                let range = start..(start + alpha).min(limbs);
                let extension = Extension::new(&q.primes()[range.clone()], raised.primes());
                (range, extension)
            })
            .collect();
        let p = |q: &Prime| {
            let m = q.modulus();
            special.primes().iter().fold(1, |acc, p| m.mul(acc, m.reduce(p.value())))
        };
        let p_times = q.primes().iter().map(|q| q.constant(p(q))).collect();
        let p_inverse = q.primes().iter().map(|q| q.constant(q.modulus().inv(p(q)))).collect();
        let down = Extension::new(special.primes(), q.primes());
        Self { raised, limbs, digits, down, p_times, p_inverse }
    }

    /// Where limb `i` of a polynomial over `raised` stands in a key over all primes, `top` of them for ciphertexts.
    pub(crate) fn key_limb(&self, i: usize, top: usize) -> usize {
        if i < self.limbs { i } else { i - self.limbs + top }
    }
}
