//! Parameter sets with a name.

use super::{ModulusLiteral, ParametersLiteral, Security};

/// Two multiplications at scale `2^40`, `N = 8192`: the set the core is benchmarked with.
pub fn depth_two() -> ParametersLiteral {
    ParametersLiteral {
        log_n: 13,
        ciphertext: ModulusLiteral::bits(&[46, 40, 40]),
        special: ModulusLiteral::bits(&[46]),
        log2_scale: 40,
        security: Security::Classical128,
    }
}

/// One multiplication, `N = 4096`: a linear head.
pub fn linear_head() -> ParametersLiteral {
    ParametersLiteral {
        log_n: 12,
        ciphertext: ModulusLiteral::bits(&[37, 31]),
        special: ModulusLiteral::bits(&[37]),
        log2_scale: 31,
        security: Security::Classical128,
    }
}
