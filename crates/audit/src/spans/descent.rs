//! L-BFGS (Liu and Nocedal 1989) with a bisection for the weak Wolfe conditions (Lewis and Overton 2013).

use std::collections::VecDeque;

/// Pairs of steps kept.
const MEMORY: usize = 20;
/// The search ends when this many steps have lowered the value by less than a thousandth.
const PATIENCE: usize = 15;

/// Value and gradient at a point, or nothing to stop.
type Evaluate<'a> = &'a mut dyn FnMut(&[f64]) -> Option<(f64, Vec<f64>)>;

/// A point with its value and gradient.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) at: Vec<f64>,
    pub(super) value: f64,
    gradient: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// −H·g by the two-loop recursion.
fn direction(gradient: &[f64], pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = Vec::with_capacity(pairs.len());
    for (s, y, curvature) in pairs.iter().rev() {
        let a = dot(s, &d) / curvature;
        d.iter_mut().zip(y).for_each(|(d, y)| *d -= a * y);
        weights.push(a);
    }
    if let Some((_, y, curvature)) = pairs.back() {
        let scale = curvature / dot(y, y);
        for d in &mut d {
            *d *= scale;
        }
    }
    for ((s, y, curvature), a) in pairs.iter().zip(weights.iter().rev()) {
        let b = dot(y, &d) / curvature;
        d.iter_mut().zip(s).for_each(|(d, s)| *d += (a - b) * s);
    }
    d
}

/// Follows `direction` from `from` to a point with enough decrease and enough curvature; nothing when none is found.
fn line_search(from: &Point, direction: &[f64], first: f64, evaluate: Evaluate<'_>) -> Option<Point> {
    let slope = dot(direction, &from.gradient);
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, first);
    let mut best = None;
    for _ in 0..25 {
        let at: Vec<f64> = from.at.iter().zip(direction).map(|(x, d)| x + step * d).collect();
        let (value, gradient) = evaluate(&at)?;
        if !value.is_finite() || value > from.value + 1e-4 * step * slope {
            high = step;
        } else {
            let enough = dot(direction, &gradient) >= 0.9 * slope;
            best = Some(Point { at, value, gradient });
            if enough {
                break;
            }
            low = step;
        }
        step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * step };
    }
    best
}

/// The lowest point found from `start` in at most `steps` steps. `evaluate` gives value and gradient, or nothing to stop.
/// Nothing when it stops at the start.
pub(super) fn descend(start: Vec<f64>, steps: usize, evaluate: Evaluate<'_>) -> Option<Point> {
    let (value, gradient) = evaluate(&start)?;
    let mut point = Point { at: start, value, gradient };
    let mut pairs = VecDeque::with_capacity(MEMORY);
    let mut values = vec![value];
    for _ in 0..steps {
        let mut d = direction(&point.gradient, &pairs);
        if dot(&d, &point.gradient) >= 0.0 {
            pairs.clear();
            d = direction(&point.gradient, &pairs);
        }
        let length = dot(&point.gradient, &point.gradient).sqrt();
        let first = if pairs.is_empty() { 1.0 / length.max(f64::MIN_POSITIVE) } else { 1.0 };
        let Some(next) = line_search(&point, &d, first, evaluate) else { break };
        let s: Vec<f64> = next.at.iter().zip(&point.at).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next.gradient.iter().zip(&point.gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&s, &y);
        if curvature > 1e-12 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((s, y, curvature));
        }
        point = next;
        values.push(point.value);
        let before = values.len().checked_sub(PATIENCE + 1).map(|i| values[i]);
        if before.is_some_and(|b| b - point.value < 1e-3 * b) {
            break;
        }
    }
    Some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_end() {
        let mut calls = 0;
        let found = descend(vec![-1.2, 1.0], 200, &mut |x| {
            calls += 1;
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            Some((a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b]))
        });
        let at = found.map(|p| p.at).unwrap_or_default();
        assert!((at[0] - 1.0).abs() < 1e-4 && (at[1] - 1.0).abs() < 1e-4, "{at:?} after {calls}");
        assert!(calls < 300, "{calls}");
    }
}
