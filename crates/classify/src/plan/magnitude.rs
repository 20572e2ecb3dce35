//! How large the circuit's values can become, and how errors grow in it.

use super::joint::Ball;
use crate::{Circuit, Head, Powers};

/// Sizes of the values of a head's circuit.
#[derive(Debug, Clone)]
pub(super) struct Magnitudes {
    /// Size of a feature.
    pub(super) feature: f64,
    /// Size of the largest logit or, for a linear head, unit.
    pub(super) logit: f64,
    /// By how much a logit moves when every unit is off by an independent error of one.
    pub(super) gain: f64,
    /// By how much a logit moves when every unit's square is off by an independent error of one.
    pub(super) square_gain: f64,
    /// Size of the largest unit, at least one.
    pub(super) unit: f64,
    /// Root mean square, over units, of the powers that the outer layer multiplies.
    pub(super) power: f64,
    /// Norm of the largest row of the first layer.
    pub(super) first_norm: f64,
    /// Frobenius norm of the largest outer matrix.
    pub(super) outer_norm: f64,
}

impl Magnitudes {
    /// What nothing exceeds: every unit at the bound that tokens within box and ball allow, or at the head's stated range
    /// where that is smaller; logits and their slopes at what the ball allows all units together, where that is smaller.
    ///
    /// The weights of an `encrypted` head are not the template's, so only sizes of single units are taken from those.
    pub(super) fn worst(head: &Head, encrypted: bool) -> Self {
        let normalisation = &head.literal().normalisation;
        let (bound, longest) = (normalisation.bound, normalisation.longest());
        let range = head.literal().range.unwrap_or(f64::INFINITY);
        let first = head.circuit().first();
        let unit = |(w, b): (&Vec<f64>, &f64)| {
            let (in_box, in_ball) = (bound * w.iter().map(|w| w.abs()).sum::<f64>(), longest * norm(w));
            (b.abs() + in_box.min(in_ball)).min(range)
        };
        let units: Vec<f64> = first.weights.iter().zip(&first.bias).map(unit).collect();
        // A feature's root mean square over a token is what its encoding errors weigh with.
        let feature = bound.min(longest / (head.width() as f64).sqrt());
        let mut worst = Self::of(head, &units, feature);
        if let Some(ball) = together(head, longest).filter(|_| !encrypted) {
            worst.logit = worst.logit.min(ball.logit.max(1.0));
            worst.gain = worst.gain.min(ball.gain.max(1e-9));
            // Squares: their root mean square is at most the largest unit's size times that of all units.
            worst.power = worst.power.min(worst.unit * ball.units).max(1.0);
        }
        worst
    }

    /// Root mean squares for independent features of unit variance.
    pub(super) fn typical(head: &Head) -> Self {
        let feature = head.literal().normalisation.bound.min(1.0);
        let first = head.circuit().first();
        let unit = |(w, b): (&Vec<f64>, &f64)| b.hypot(norm(w) * feature);
        let units: Vec<f64> = first.weights.iter().zip(&first.bias).map(unit).collect();
        Self::of(head, &units, feature)
    }

    fn of(head: &Head, units: &[f64], feature: f64) -> Self {
        let first_norm = head.circuit().first().weights.iter().map(|w| norm(w)).fold(1e-9, f64::max);
        let most = units.iter().copied().fold(1.0, f64::max);
        let linear = Self {
            feature,
            logit: most,
            gain: 1.0,
            square_gain: 0.0,
            unit: most,
            power: most,
            first_norm,
            outer_norm: 1.0,
        };
        let Circuit::Powers(powers) = head.circuit() else { return linear };
        let (logit, gain) = outer(powers, units, 1);
        let (_, square_gain) = outer(powers, units, 2);
        let degree = head.circuit().degree() as i32;
        let squares: f64 = units.iter().map(|v| v.powi(2 * degree)).sum();
        let power = (squares / units.len().max(1) as f64).sqrt().max(1.0);
        let frobenius = |a: &Vec<Vec<f64>>| a.iter().map(|row| norm(row).powi(2)).sum::<f64>().sqrt();
        let outer_norm = powers.terms.iter().map(|t| frobenius(&t.1)).fold(1e-9, f64::max);
        Self { logit, gain, square_gain, power, outer_norm, ..linear }
    }
}

/// What no token of a length takes all units of a head of degree two beyond together.
struct Together {
    /// The largest logit.
    logit: f64,
    /// Its largest slope.
    gain: f64,
    /// The largest root mean square of the units.
    units: f64,
}

fn together(head: &Head, longest: f64) -> Option<Together> {
    let Circuit::Powers(powers) = head.circuit() else { return None };
    if head.circuit().degree() != 2 {
        return None;
    }
    let first = &powers.inner;
    let ball = Ball::new(&first.weights, &first.bias, longest)?;
    let none = vec![0.0; first.bias.len()];
    let of = |d: u32, k: usize| powers.terms.iter().find(|t| t.0 == d).map_or(&none, |t| &t.1[k]);
    let each = powers.bias.iter().enumerate().map(|(k, b)| ball.logit(of(2, k), of(1, k), *b));
    let largest = |(size, slope): (f64, f64), (s, g)| (size.max(s), slope.max(g));
    let (logit, gain) = each.fold((0.0, 0.0), largest);
    Some(Together { logit, gain, units: ball.units() / (first.bias.len().max(1) as f64).sqrt() })
}

/// The largest logit and by how much it moves with the `of`-th powers of its units.
fn outer(powers: &Powers, units: &[f64], of: u32) -> (f64, f64) {
    let (mut largest, mut gain) = (1f64, 1e-9f64);
    for (k, b) in powers.bias.iter().enumerate() {
        let (mut size, mut square) = (b.abs(), 0.0);
        for (h, v) in units.iter().enumerate() {
            let slope = |(d, a): &(u32, Vec<Vec<f64>>)| {
                if *d < of { 0.0 } else { a[k][h] * f64::from(d / of) * v.powi((d - of) as i32) }
            };
            size += powers.terms.iter().map(|t| (t.1[k][h] * v.powi(t.0 as i32)).abs()).sum::<f64>();
            square += powers.terms.iter().map(|t| slope(t).abs()).sum::<f64>().powi(2);
        }
        (largest, gain) = (largest.max(size), gain.max(square.sqrt()));
    }
    (largest, gain)
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum::<f64>().sqrt()
}
