//! SEAL's objects as ours. The numbers stay; the order of values and of slots changes.
//!
//! Both transforms use the smallest primitive 2N-th root ψ, so a value moves by its exponent alone. SEAL's slot `i` is the
//! value at ζ^(3^i), ours at ζ^(5^t): where 3^i is 3 modulo 4 it is the conjugate of one of our slots.

use num_complex::Complex64;

use super::definition::exponent;
use super::format::Ciphertext;
use super::sets::Set;
use blindscope_ckks::{
    Arithmetic, ModulusLiteral, Parameters, ParametersLiteral, RelinKey, Scale, SecretKey, Security,
    SwitchingKey,
};
use blindscope_ring::{EvaluationOrder, Ntt, Poly};

/// The same ring, primes and default scale. Without the security row: it is stricter than SEAL's table, and the small
/// set is a toy.
pub(crate) fn parameters(
    path: Arithmetic,
    set: &Set,
    log2_scale: u32,
) -> blindscope_ckks::Result<Parameters> {
    let (special, ciphertext) = set.parameters.primes.split_last().unwrap_or((&0, &[]));
    let literal = ParametersLiteral {
        log_n: set.parameters.n.trailing_zeros(),
        ciphertext: ModulusLiteral::Primes(ciphertext.to_vec()),
        special: ModulusLiteral::Primes(vec![*special]),
        log2_scale,
        security: Security::Classical128,
    };
    Parameters::insecure_for_tests_on(path, literal)
}

pub(crate) fn secret_key(params: &Parameters, secret: &[Vec<u64>]) -> SecretKey {
    SecretKey::from_evaluations(params, poly(secret))
}

/// `scale` is the exact form of the one that SEAL stores as a double.
pub(crate) fn ciphertext(params: &Parameters, c: &Ciphertext, scale: Scale) -> blindscope_ckks::Ciphertext {
    let (stored, exact) = (c.scale, params.scale_value(&scale));
    assert!((stored / exact - 1.0).abs() < 1e-14, "SEAL's scale is {stored:e}, not {exact:e}");
    let components = c.components.iter().map(|limbs| poly(limbs)).collect();
    blindscope_ckks::Ciphertext::from_components(params, components, scale)
}

pub(crate) fn relin_key(params: &Parameters, rows: &[Ciphertext]) -> blindscope_ckks::Result<RelinKey> {
    let half = |i: usize| rows.iter().map(|row| poly(&row.components[i])).collect();
    SwitchingKey::from_pairs(params, half(0), half(1)).map(RelinKey)
}

/// Our slots in SEAL's order.
pub(crate) fn seal_slots(ours: &[Complex64]) -> Vec<Complex64> {
    let two_n = 4 * ours.len();
    let mut at = vec![Complex64::default(); two_n];
    let mut power = 1;
    for &slot in ours {
        at[power] = slot;
        at[two_n - power] = slot.conj();
        power = 5 * power % two_n;
    }
    power = 1;
    let mut next = || {
        let slot = at[power];
        power = 3 * power % two_n;
        slot
    };
    (0..ours.len()).map(|_| next()).collect()
}

fn poly(limbs: &[Vec<u64>]) -> Poly<Ntt> {
    let n = limbs[0].len();
    let order = EvaluationOrder::new(n.trailing_zeros());
    let mut out = Poly::zero(n, limbs.len());
    for (to, from) in out.limbs_mut().zip(limbs) {
        for (j, &value) in from.iter().enumerate() {
            to[order.index(exponent(j, n))] = value;
        }
    }
    out
}
