//! Parameter sets for sums, and how many messages go beside one uniform half under each.

use blindscope_ckks::{ModulusLiteral, ParametersLiteral, Security};

/// Messages beside one uniform half under [`sum`].
pub const SUM_WIDTH: usize = 4;
/// Messages beside one uniform half under [`medium_sum`].
pub const MEDIUM_SUM_WIDTH: usize = 2;
/// Messages beside one uniform half under [`small_sum`].
pub const SMALL_SUM_WIDTH: usize = 1;

/// `N = 8192`, 214 bits in five primes, no special prime: additions only. For thousands of values and more.
pub fn sum() -> ParametersLiteral {
    literal(13, &[43, 43, 43, 43, 42])
}

/// `N = 4096`, 106 bits in three primes: thousands of values.
pub fn medium_sum() -> ParametersLiteral {
    literal(12, &[36, 35, 35])
}

/// `N = 2048`, 53 bits in two primes: about a thousand values of few sites, opened once or twice.
pub fn small_sum() -> ParametersLiteral {
    literal(11, &[27, 26])
}

/// All of them with their widths, the smallest ring first.
pub fn all() -> [(ParametersLiteral, usize); 3] {
    [(small_sum(), SMALL_SUM_WIDTH), (medium_sum(), MEDIUM_SUM_WIDTH), (sum(), SUM_WIDTH)]
}

fn literal(log_n: u32, widths: &[u32]) -> ParametersLiteral {
    ParametersLiteral {
        log_n,
        ciphertext: ModulusLiteral::bits(widths),
        special: ModulusLiteral::bits(&[]),
        log2_scale: 20,
        security: Security::Classical128,
    }
}
