//! Which parameters serve which circuit.

use super::PlanLiteral;
use blindscope_ckks::{ModulusLiteral, ParametersLiteral, Security};

/// `log2` of the parameters' default scale, which plans do not use: theirs depends on the head.
const DEFAULT_LOG2: u32 = 30;

/// Ciphertext primes, the special prime and the degree. The top prime is the scale of the first layer's weights; an
/// encrypted first layer carries noise of its own and needs a wide one.
pub(super) fn parameters(plan: &PlanLiteral) -> ParametersLiteral {
    let (log_n, ciphertext, special): (u32, &[u32], u32) = match (plan.degree, plan.quantum) {
        // What a committee re-encrypts is masked some forty bits above its noise: wide primes keep the noise that far
        // down, and each layer's weights take two narrow ones together as their scale.
        (1, _) if plan.is_wide() => (14, &[60, 35, 35], 61),
        (2, _) if plan.is_wide() => (14, &[60, 34, 34, 58, 36, 36], 61),
        (_, _) if plan.is_wide() => (15, &[60, 60, 60, 60, 35, 35], 61),
        (1, _) if plan.encrypted_head => (13, &[44, 44], 46),
        (2, false) if plan.encrypted_head => (13, &[44, 44, 44], 46),
        (2, true) if plan.encrypted_head => (14, &[44, 44, 44], 46),
        (_, false) if plan.encrypted_head => (13, &[46, 46, 31, 44], 46),
        (_, true) if plan.encrypted_head => (14, &[46, 46, 31, 44], 46),
        (1, false) => (12, &[39, 27], 40),
        (1, true) => (13, &[42, 32], 46),
        (2, _) => (13, &[44, 44, 27], 46),
        (_, false) => (13, &[46, 46, 31, 28], 46),
        (_, true) => (14, &[46, 46, 31, 28], 46),
    };
    ParametersLiteral {
        log_n,
        ciphertext: ModulusLiteral::bits(ciphertext),
        special: ModulusLiteral::bits(&[special]),
        log2_scale: DEFAULT_LOG2,
        security: if plan.quantum { Security::Quantum128 } else { Security::Classical128 },
    }
}
