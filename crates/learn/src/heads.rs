//! From trained heads to heads that are evaluated under encryption.
//!
//! | of the trained head | of the encrypted one |
//! | --- | --- |
//! | clipping range `[l_j, h_j]` of raw feature `j` | mean `(l_j + h_j)/2`, gain `2·bound/(h_j - l_j)`: a clipped feature lies within `±bound` |
//! | `W·x + b` on raw features | `W_j/gain_j` on normalised ones, `b + Σ W_j·mean_j` |
//! | `p`, `W_2`, `b_2` | as they are |

use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::{LinearHead, PolynomialHead};

/// Size of a normalised feature at the end of its range; heads are trained with features clipped to four deviations.
const BOUND: f64 = 4.0;

/// A polynomial head with its own clipping ranges.
///
/// # Errors
/// [`blindscope_classify::Error::Length`] or [`blindscope_classify::Error::Value`] for a head whose parts do not agree.
pub fn polynomial(head: &PolynomialHead) -> Result<Head, blindscope_classify::Error> {
    let normalisation = normalisation(&head.lowest, &head.highest);
    let map = Map::Polynomial {
        inner: on_normalised(&head.weight1, &head.bias1, &normalisation),
        polynomial: head.polynomial.iter().map(|&c| f64::from(c)).collect(),
        outer: affine(&head.weight2, &head.bias2, head.bias1.len()),
    };
    Head::new(HeadLiteral { normalisation, map, range: None })
}

/// A linear head, and the range `[lowest_j, highest_j]` of each raw feature, to which askers clip.
///
/// # Errors
/// As [`polynomial`].
pub fn linear(
    head: &LinearHead,
    lowest: &[f32],
    highest: &[f32],
) -> Result<Head, blindscope_classify::Error> {
    let normalisation = normalisation(lowest, highest);
    let map = Map::Linear { layer: on_normalised(&head.weight, &head.bias, &normalisation) };
    Head::new(HeadLiteral { normalisation, map, range: None })
}

fn normalisation(lowest: &[f32], highest: &[f32]) -> Normalisation {
    let pairs = || lowest.iter().zip(highest).map(|(l, h)| (f64::from(*l), f64::from(*h)));
    Normalisation {
        mean: pairs().map(|(l, h)| f64::midpoint(l, h)).collect(),
        gain: pairs().map(|(l, h)| 2.0 * BOUND / (h - l)).collect(),
        // Rounding may carry a clipped feature a hair over the bound; it is then cut by that hair.
        bound: BOUND,
        radius: None,
    }
}

fn affine(weights: &[f32], bias: &[f32], width: usize) -> Affine {
    let row = |r: &[f32]| r.iter().map(|&w| f64::from(w)).collect();
    Affine {
        weights: weights.chunks_exact(width.max(1)).map(row).collect(),
        bias: bias.iter().map(|&b| f64::from(b)).collect(),
    }
}

fn on_normalised(weights: &[f32], bias: &[f32], n: &Normalisation) -> Affine {
    let mut layer = affine(weights, bias, n.mean.len());
    for (row, b) in layer.weights.iter_mut().zip(&mut layer.bias) {
        for ((w, mean), gain) in row.iter_mut().zip(&n.mean).zip(&n.gain) {
            *b += *w * mean;
            *w /= gain;
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_converted_head_gives_the_trained_logits() {
        let numbers = |count: usize, seed: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.0).collect()
        };
        let (width, hidden, classes) = (12, 5, 3);
        let lowest: Vec<f32> = numbers(width, 1).iter().map(|x| x - 2.0).collect();
        let trained = PolynomialHead {
            width,
            weight1: numbers(hidden * width, 2),
            bias1: numbers(hidden, 3),
            polynomial: vec![0.1, 0.5, 0.25],
            weight2: numbers(classes * hidden, 4),
            bias2: numbers(classes, 5),
            highest: lowest.iter().map(|l| l + 3.0).collect(),
            lowest,
        };
        // Far outside the range as well: both clip.
        let rows: Vec<f32> = numbers(4 * width, 6).iter().map(|x| x * 4.0).collect();
        let want = trained.logits(&rows).unwrap_or_default();
        let tokens: Vec<Vec<f64>> =
            rows.chunks(width).map(|r| r.iter().map(|&x| f64::from(x)).collect()).collect();
        let got = polynomial(&trained).and_then(|h| h.logits(&tokens)).unwrap_or_default();
        let pairs: Vec<_> = got.iter().flatten().zip(&want).collect();
        assert_eq!(pairs.len(), 12);
        for (g, w) in pairs {
            assert!((g - f64::from(*w)).abs() < 1e-4, "{g} {w}");
        }
    }
}
