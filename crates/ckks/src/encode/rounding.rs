//! Rounding scaled coefficients to residues, without a branch on their values.

use zeroize::Zeroize;

use blindscope_ring::{Basis, Ntt, Poly};

/// `log2` of the largest coefficient [`round`] represents exactly.
pub(super) const MAX_LOG2: f64 = 82.0;
/// Above this `log2` scale, coefficients may need more than 62 bits.
const NARROW_LOG2_SCALE: f64 = 52.0;

/// The evaluations of the nearest integers. Range: sizes below `2^82`; at scales up to `2^52`, values (coefficients over
/// scale) below `2^10` take the narrow path. The path depends on
/// the scale and on how wide the widest coefficient is, on nothing else.
pub(super) fn round(basis: &Basis, scaled: &[f64], log2_scale: f64) -> Poly<Ntt> {
    let narrow = (62f64).exp2();
    if log2_scale <= NARROW_LOG2_SCALE && scaled.iter().all(|c| c.abs() < narrow) {
        let mut integers: Vec<i64> = scaled
            .iter()
            .map(|&c| {
                let (high, low) = nearest(c);
                (high << SPLIT) + low
            })
            .collect();
        let poly = basis.signed_to_ntt(&integers);
        integers.zeroize();
        poly
    } else {
        let wide = |&c: &f64| {
            let (high, low) = nearest(c);
            (i128::from(high) << SPLIT) + i128::from(low)
        };
        let mut integers: Vec<i128> = scaled.iter().map(wide).collect();
        let poly = basis.to_ntt(basis.from_signed_wide(&integers));
        integers.zeroize();
        poly
    }
}

const SPLIT: u32 = 32;

/// The nearest integer as `high · 2^32 + low`. Range: `|c| < 2^82`.
///
/// Adding `1.5·2^52` rounds a value below `2^51` to an integer and leaves it in the low bits of the sum.
fn nearest(c: f64) -> (i64, i64) {
    const MAGIC: f64 = 1.5 * (1u64 << 52) as f64;
    const UNIT: f64 = (1u64 << SPLIT) as f64;
    let high = c * (1.0 / UNIT) + MAGIC;
    // Exact: `high - MAGIC` is an integer below 2^50, and the difference has no more bits than `c`.
    let low = c - (high - MAGIC) * UNIT + MAGIC;
    let integer = |x: f64| x.to_bits() as i64 - MAGIC.to_bits() as i64;
    (integer(high), integer(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_nearest_over_the_whole_range() {
        for c in [
            0.0,
            0.49,
            -0.49,
            0.51,
            -1.51,
            1e9 + 0.3,
            -(2f64.powi(40)) - 0.75,
            2f64.powi(61) + 1024.0,
            3e24,
            -4.1e24,
        ] {
            let (high, low) = nearest(c);
            assert_eq!((i128::from(high) << SPLIT) + i128::from(low), c.round() as i128, "{c}");
        }
    }
}
