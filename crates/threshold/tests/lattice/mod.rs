//! What the attacks on shares have in common: toy parameters, numbers out of bytes, and short vectors of a plane.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shared by the test files"
)]

use rand_core::CryptoRng;

use blindscope_ckks::{
    Ciphertext, ModulusLiteral, Parameters, ParametersLiteral, Plaintext, PublicEncryptor, PublicKey, Scale,
    Security,
};
use blindscope_ring::{Ntt, Poly, Prime};
use blindscope_threshold::{Committee, Decryption, DecryptionSession};
use blindscope_wire::{packed_len, unpack};

/// One prime of 60 bits, sixteen coefficients: the product of two masks stays far below it, as under every real set.
pub fn toy() -> Parameters {
    Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 4,
        ciphertext: ModulusLiteral::bits(&[60]),
        special: ModulusLiteral::bits(&[]),
        log2_scale: 20,
        security: Security::Classical128,
    })
    .unwrap()
}

/// The short `(x, y)` with `a·x − b·y = v` modulo `q`: reduce the plane of solutions of `a·x = b·y`, and round.
pub fn short_solution(a: u64, b: u64, v: u64, p: &Prime) -> (i128, i128) {
    let (m, q) = (p.modulus(), i128::from(p.value()));
    let slope = i128::from(m.mul(b, m.inv(a)));
    let (mut u, mut w) = ((q, 0), (slope, 1));
    let dot = |s: (i128, i128), t: (i128, i128)| s.0 as f64 * t.0 as f64 + s.1 as f64 * t.1 as f64;
    while dot(u, u) > dot(w, w) {
        let k = (dot(u, w) / dot(w, w)).round() as i128;
        (u, w) = (w, (u.0 - k * w.0, u.1 - k * w.1));
    }
    // One solution, less the lattice point near it.
    let x = (i128::from(m.mul(v, m.inv(a))), 0);
    let det = (u.0 * w.1 - u.1 * w.0) as f64;
    let k = ((x.0 as f64 * w.1 as f64) / det).round() as i128;
    let l = ((-(u.1 as f64) * x.0 as f64) / det).round() as i128;
    (x.0 - k * u.0 - l * w.0, x.1 - k * u.1 - l * w.1)
}

/// An encryption of zero, and its `c_1`, evaluations.
pub fn zero(key: &PublicKey, rng: &mut impl CryptoRng) -> (Ciphertext, Vec<u64>) {
    let params = key.params();
    let nothing = Plaintext::from_polynomial(params, params.q().zero(), Scale::ONE);
    let ciphertext = PublicEncryptor::new(key).encrypt(&nothing, rng).unwrap();
    let c1 = ciphertext.components()[1].limb(0).to_vec();
    (ciphertext, c1)
}

/// The coefficients of the share of a ciphertext that a session sends, out of its bytes.
pub fn sent(session: DecryptionSession, ciphertext: &Ciphertext, committee: &Committee) -> Vec<u64> {
    let round = session.transcript().clone();
    let shape = Decryption::new(&round, ciphertext, 0).unwrap().collector(committee).shape().clone();
    let bytes = session.share(ciphertext).unwrap().0.to_bytes(&round, &shape);
    let q = round.params().q();
    let mut share: Poly<Ntt> = q.zero();
    share.limb_mut(0).copy_from_slice(&evaluations(round.params(), &bytes));
    q.to_coeff(share).limb(0).to_vec()
}

pub fn evaluations(params: &Parameters, bytes: &[u8]) -> Vec<u64> {
    let mut out = vec![0; params.n()];
    let bits = params.q().prime(0).modulus().bits();
    unpack(&bytes[bytes.len() - packed_len(params.n(), bits)..], bits, &mut out).unwrap();
    out
}
