//! The polynomial head that sites train: its start, its numbers in one order, the rows that it takes.

use crate::jobs::Result;
use crate::jobs::model::matrix;
use blindscope_classify::{Affine, HeadLiteral, Map, Normalisation};
use blindscope_vision::head::{HeadPlan, LinearHead, PolynomialHead, Scaling, train_polynomial};

/// Norm to which a standardised token is shortened: twice the root mean square, since the squares of `width` standardised
/// features are `width` in the mean. Known to all sites without looking at any data.
pub(in crate::jobs) fn reach(width: usize) -> f32 {
    2.0 * (width as f32).sqrt()
}

/// Standardised rows clipped as askers clip them: to the box of `clip`, then to the ball of `radius`.
pub(in crate::jobs) fn shortened(mut rows: Vec<f32>, width: usize, clip: f32, radius: f32) -> Vec<f32> {
    for row in rows.chunks_exact_mut(width.max(1)) {
        let mut square = 0.0f64;
        for x in row.iter_mut() {
            *x = x.clamp(-clip, clip);
            square += f64::from(*x) * f64::from(*x);
        }
        let norm = square.sqrt() as f32;
        if norm > radius {
            for x in row {
                *x *= radius / norm;
            }
        }
    }
    rows
}

/// A head that nobody trained. It is drawn as training draws it: from two rows a class, all ones and all minus ones, whose
/// mean is 0 and deviation 1 in every feature.
pub(in crate::jobs) fn seeded_head(width: usize, classes: usize, plan: &HeadPlan) -> Result<PolynomialHead> {
    let rows: Vec<f32> =
        (0..2 * classes).flat_map(|i| vec![if i % 2 == 0 { 1.0 } else { -1.0 }; width]).collect();
    let labels: Vec<usize> = (0..2 * classes).map(|i| i / 2).collect();
    let plan = HeadPlan { epochs: 0, ..*plan };
    Ok(train_polynomial(&rows, width, &labels, classes, &plan, None)?.head)
}

/// A head that nobody trained and that answers as `linear` does, up to what all logits have in common and the rounding of `f32`.
///
/// The polynomial is `c₁·h` and something even, so `p(h) − p(−h) = 2c₁·h`: two units of opposite sign are a linear map. Each class but the
/// first has such a pair for what it has over the first; the other units are drawn and have no say yet. Range: `plan.hidden` is at least
/// `2·(classes − 1)`.
pub(super) fn started_from(linear: &LinearHead, plan: &HeadPlan) -> Result<PolynomialHead> {
    let (width, classes) = (linear.width, linear.bias.len());
    let mut head = seeded_head(width, classes, plan)?;
    let slope = head.polynomial[1];
    head.weight2.fill(0.0);
    let (first, others) = linear.weight.split_at(width);
    for (pair, (row, bias)) in others.chunks_exact(width).zip(&linear.bias[1..]).enumerate() {
        let over: Vec<f32> = row.iter().zip(first).map(|(w, w0)| w - w0).collect();
        let norm = over.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>().sqrt() as f32;
        // Both layers take the same part of the weights' size, so that neither is clipped before the other.
        let scale = if norm > 0.0 { 1.0 / norm.sqrt() } else { 1.0 };
        for (unit, sign) in [(2 * pair, 1.0), (2 * pair + 1, -1.0)] {
            let weights = head.weight1[unit * width..][..width].iter_mut().zip(&over);
            weights.for_each(|(to, w)| *to = sign * scale * w);
            head.bias1[unit] = sign * scale * (bias - linear.bias[0]);
            head.weight2[(pair + 1) * plan.hidden + unit] = sign / (2.0 * slope * scale);
        }
    }
    Ok(head)
}

/// Every number of a head in one order: W₁, b₁, p, W₂, b₂.
pub(in crate::jobs) fn parameters_of(head: &PolynomialHead) -> Vec<f32> {
    [&head.weight1, &head.bias1, &head.polynomial, &head.weight2, &head.bias2]
        .into_iter()
        .flatten()
        .copied()
        .collect()
}

/// The reverse of [`parameters_of`]. Range: as many values as the head has.
pub(in crate::jobs) fn set_parameters(head: &mut PolynomialHead, values: &[f32]) {
    let mut values = values.iter();
    let PolynomialHead { weight1, bias1, polynomial, weight2, bias2, .. } = head;
    for tensor in [weight1, bias1, polynomial, weight2, bias2] {
        tensor.iter_mut().zip(&mut values).for_each(|(to, from)| *to = *from);
    }
}

/// The head of inference: standardised by the asker, clipped, evaluated as trained.
pub(super) fn literal(head: &PolynomialHead, scaling: &Scaling, clip: f32) -> HeadLiteral {
    let inner = Affine { weights: matrix(&head.weight1, head.width), bias: wide(&head.bias1) };
    let outer = Affine { weights: matrix(&head.weight2, head.bias1.len()), bias: wide(&head.bias2) };
    let map = Map::Polynomial { inner, polynomial: wide(&head.polynomial), outer };
    HeadLiteral { normalisation: normalisation(scaling, clip), range: None, map }
}

/// The same of a linear head on standardised rows.
pub(super) fn linear_literal(head: &LinearHead, scaling: &Scaling, clip: f32) -> HeadLiteral {
    let layer = Affine { weights: matrix(&head.weight, head.width), bias: wide(&head.bias) };
    HeadLiteral { normalisation: normalisation(scaling, clip), range: None, map: Map::Linear { layer } }
}

fn normalisation(scaling: &Scaling, clip: f32) -> Normalisation {
    Normalisation {
        mean: wide(&scaling.mean),
        gain: scaling.deviation.iter().map(|d| 1.0 / f64::from(*d)).collect(),
        bound: f64::from(clip),
        radius: Some(f64::from(reach(scaling.mean.len()))),
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscope_vision::head::Activation;

    /// A linear head and rows from a little generator, of numbers between −1 and 1.
    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn a_start_answers_as_its_linear_head() {
        let (width, rows) = (24, numbers(24 * 50, 1));
        for (classes, degree, size) in [(2, 2, 1.0), (3, 2, 30.0), (5, 4, 0.01), (3, 4, 0.0)] {
            let weight = numbers(classes * width, 2).iter().map(|w| w * size).collect();
            let linear = LinearHead { weight, bias: numbers(classes, 3), width };
            let activation = Activation::Trained { degree };
            let plan = HeadPlan { hidden: 2 * (classes - 1) + 3, activation, ..HeadPlan::default() };
            let head = started_from(&linear, &plan).unwrap();
            let (found, expected) = (head.logits(&rows).unwrap(), linear.logits(&rows).unwrap());
            for (found, expected) in found.chunks(classes).zip(expected.chunks(classes)) {
                for (f, e) in found.iter().zip(expected) {
                    let (f, e) = (f - found[0], e - expected[0]);
                    assert!((f - e).abs() < 1e-4 * (1.0 + size), "{classes} {degree} {size}: {f} {e}");
                }
            }
        }
    }
}
