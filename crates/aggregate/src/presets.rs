//! Parameter sets for sums.

use blindscope_ckks::{ModulusLiteral, ParametersLiteral, Security};

/// `N = 8192`, 214 bits in five primes, no special prime: additions only.
pub fn sum() -> ParametersLiteral {
    ParametersLiteral {
        log_n: 13,
        ciphertext: ModulusLiteral::bits(&[43, 43, 43, 43, 42]),
        special: ModulusLiteral::bits(&[]),
        log2_scale: 20,
        security: Security::Classical128,
    }
}
