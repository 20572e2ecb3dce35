//! L-BFGS (Liu and Nocedal 1989) with a bisection for the weak Wolfe conditions (Lewis and Overton 2013).

use std::collections::VecDeque;

/// Pairs of steps kept.
const MEMORY: usize = 20;
/// The search ends when this many steps have lowered the value by less than a thousandth.
const PATIENCE: usize = 15;
/// Points tried on one line.
const TRIES: usize = 25;

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

/// A line search under way: a bracket of steps and the best point with enough decrease.
#[derive(Debug)]
struct Line {
    direction: Vec<f64>,
    slope: f64,
    low: f64,
    high: f64,
    step: f64,
    tries: usize,
    best: Option<Point>,
}

impl Line {
    fn next(&mut self) {
        self.step = if self.high.is_finite() { 0.5 * (self.low + self.high) } else { 2.0 * self.step };
    }
}

/// A descent that is told value and gradient where it asks for them, so that many can share one evaluation.
#[derive(Debug)]
pub(super) struct Walk {
    asks: Vec<f64>,
    point: Option<Point>,
    line: Option<Line>,
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
    values: Vec<f64>,
    steps: usize,
}

impl Walk {
    /// A descent from `start` of at most `steps` steps.
    pub(super) fn new(start: Vec<f64>, steps: usize) -> Self {
        let pairs = VecDeque::with_capacity(MEMORY);
        Self { asks: start, point: None, line: None, pairs, values: Vec::new(), steps }
    }

    /// Where value and gradient are wanted next; nothing once the descent has ended.
    pub(super) fn asks(&self) -> Option<&[f64]> {
        (self.point.is_none() || self.line.is_some()).then_some(self.asks.as_slice())
    }

    /// The lowest point so far that ended a step; nothing before the first value.
    pub(super) fn lowest(&self) -> Option<&Point> {
        self.point.as_ref()
    }

    /// Takes value and gradient at [`Walk::asks`].
    pub(super) fn tell(&mut self, value: f64, gradient: Vec<f64>) {
        let told = Point { at: self.asks.clone(), value, gradient };
        let Some(from) = &self.point else {
            self.values.push(value);
            self.point = Some(told);
            self.set_out();
            return;
        };
        let Some(line) = &mut self.line else { return };
        let mut ends = false;
        if !value.is_finite() || value > from.value + 1e-4 * line.step * line.slope {
            line.high = line.step;
        } else {
            ends = dot(&line.direction, &told.gradient) >= 0.9 * line.slope;
            line.best = Some(told);
            line.low = line.step;
        }
        line.tries += 1;
        if ends || line.tries == TRIES {
            let best = line.best.take();
            self.line = None;
            if let Some(next) = best {
                self.arrive(next);
            }
        } else {
            line.next();
            self.asks = along(from, line);
        }
    }

    /// Ends a step at `next`, and sets out on another unless the descent is over.
    fn arrive(&mut self, next: Point) {
        if let Some(from) = &self.point {
            let s: Vec<f64> = next.at.iter().zip(&from.at).map(|(a, b)| a - b).collect();
            let y: Vec<f64> = next.gradient.iter().zip(&from.gradient).map(|(a, b)| a - b).collect();
            let curvature = dot(&s, &y);
            if curvature > 1e-12 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
                if self.pairs.len() == MEMORY {
                    self.pairs.pop_front();
                }
                self.pairs.push_back((s, y, curvature));
            }
        }
        self.values.push(next.value);
        let before = self.values.len().checked_sub(PATIENCE + 1).map(|i| self.values[i]);
        let idle = before.is_some_and(|b| b - next.value < 1e-3 * b);
        self.point = Some(next);
        if !idle {
            self.set_out();
        }
    }

    /// Opens the next line search, unless all steps are done.
    fn set_out(&mut self) {
        let Some(point) = self.point.as_ref().filter(|_| self.values.len() <= self.steps) else { return };
        let mut d = direction(&point.gradient, &self.pairs);
        if dot(&d, &point.gradient) >= 0.0 {
            self.pairs.clear();
            d = direction(&point.gradient, &self.pairs);
        }
        let length = dot(&point.gradient, &point.gradient).sqrt();
        let step = if self.pairs.is_empty() { 1.0 / length.max(f64::MIN_POSITIVE) } else { 1.0 };
        let slope = dot(&d, &point.gradient);
        let line = Line { direction: d, slope, low: 0.0, high: f64::INFINITY, step, tries: 0, best: None };
        self.asks = along(point, &line);
        self.line = Some(line);
    }
}

fn along(from: &Point, line: &Line) -> Vec<f64> {
    from.at.iter().zip(&line.direction).map(|(x, d)| x + line.step * d).collect()
}

/// The lowest point found from `start` in at most `steps` steps. `evaluate` gives value and gradient, or nothing to stop.
/// Nothing when it stops at the start.
pub(super) fn descend(start: Vec<f64>, steps: usize, evaluate: Evaluate<'_>) -> Option<Point> {
    let mut walk = Walk::new(start, steps);
    while let Some(at) = walk.asks() {
        let Some((value, gradient)) = evaluate(at) else { break };
        walk.tell(value, gradient);
    }
    walk.point
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
