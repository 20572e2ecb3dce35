//! The automorphisms `X -> X^g`, `g` odd, on transformed polynomials: permutations of their values.

use crate::{EvaluationOrder, Ntt, Poly};

/// The permutation that applies `X -> X^g` to transformed polynomials of one degree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automorphism {
    element: usize,
    /// Output `j` is input `source[j]`.
    source: Vec<u32>,
}

impl Automorphism {
    /// `X -> X^element` at degree `2^log_n`; the element is taken modulo `2N`. Range: odd.
    pub fn new(element: usize, log_n: u32) -> Self {
        debug_assert!(element % 2 == 1, "only odd powers are automorphisms");
        let element = element % (2 << log_n);
        let order = EvaluationOrder::new(log_n);
        // (f∘X^g)(ψ^e) = f(ψ^(e·g))
        let source = (0..1 << log_n).map(|j| order.index(order.exponent(j) * element) as u32).collect();
        Self { element, source }
    }

    /// The Galois element `g`.
    pub fn element(&self) -> usize {
        self.element
    }

    /// One limb. Range: `out` and `x` have `N` words.
    pub fn apply_limb(&self, out: &mut [u64], x: &[u64]) {
        debug_assert!(out.len() == self.source.len() && x.len() == self.source.len());
        for (o, &s) in out.iter_mut().zip(&self.source) {
            *o = x[s as usize];
        }
    }

    /// Every limb.
    pub fn apply(&self, x: &Poly<Ntt>) -> Poly<Ntt> {
        let mut out = Poly::unspecified(x.n(), x.limb_count());
        self.apply_into(&mut out, x);
        out
    }

    /// Every limb that `out` has.
    pub fn apply_into(&self, out: &mut Poly<Ntt>, x: &Poly<Ntt>) {
        for (i, limb) in out.limbs_mut().enumerate() {
            self.apply_limb(limb, x.limb(i));
        }
    }
}

/// The Galois element that rotates the slots left by `steps` (right if negative): `5^steps mod 2N`.
///
/// Reference: Cheon, Kim, Kim, Song, "Homomorphic encryption for arithmetic of approximate numbers", 2017, §4.
pub fn rotation_element(steps: i64, log_n: u32) -> usize {
    let two_n = 2usize << log_n;
    let steps = steps.rem_euclid(1 << (log_n - 1));
    (0..steps).fold(1, |g, _| g * 5 % two_n)
}

/// The Galois element that conjugates the slots: `-1 mod 2N`.
pub fn conjugation_element(log_n: u32) -> usize {
    (2 << log_n) - 1
}
