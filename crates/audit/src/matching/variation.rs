//! Total variation, the prior that neighbours look alike.

/// Guard of the root, so that flat places have a derivative.
const GUARD: f32 = 1e-3;

/// Mean of √(dx² + dy² + guard²) over pixels of `[.., side, side]` planes; adds `weight` times its derivative to
/// `gradient`.
pub fn total_variation(pixels: &[f32], side: usize, weight: f32, gradient: &mut [f32]) -> f64 {
    let n = pixels.len().max(1) as f32;
    let mut total = 0.0;
    let planes = pixels.chunks_exact(side * side).zip(gradient.chunks_exact_mut(side * side));
    for (plane, gradient) in planes {
        for y in 0..side - 1 {
            for x in 0..side - 1 {
                let at = y * side + x;
                let (dx, dy) = (plane[at + 1] - plane[at], plane[at + side] - plane[at]);
                let length = (dx * dx + dy * dy + GUARD * GUARD).sqrt();
                total += f64::from(length);
                let scale = weight / (length * n);
                gradient[at + 1] += scale * dx;
                gradient[at + side] += scale * dy;
                gradient[at] -= scale * (dx + dy);
            }
        }
    }
    total / f64::from(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivative_is_the_difference_quotient() {
        let mut x: Vec<f32> = (0..48).map(|i| ((i * 37 % 11) as f32) * 0.1).collect();
        let mut g = vec![0.0; 48];
        total_variation(&x, 4, 1.0, &mut g);
        for at in [0, 5, 17, 42] {
            let kept = x[at];
            let mut value = |v: f32| {
                x[at] = v;
                total_variation(&x, 4, 0.0, &mut [0.0; 48])
            };
            let quotient = (value(kept + 1e-2) - value(kept - 1e-2)) / 2e-2;
            x[at] = kept;
            assert!((quotient - f64::from(g[at])).abs() < 2e-3, "{at}: {quotient} against {}", g[at]);
        }
    }
}
