//! From values to places, with round numbers at the ticks.

use crate::markup::number;

/// A linear scale between two places on the page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// Values at the ends.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Places at the ends.
    from: f64,
    to: f64,
    /// Values that get a tick.
    pub(super) ticks: Vec<f64>,
}

impl Axis {
    /// A scale that holds all `values`, widened to round numbers; values that are not finite are left out.
    pub(super) fn over(
        values: impl Iterator<Item = f64>,
        limits: Option<(f64, f64)>,
        from: f64,
        to: f64,
    ) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = limits.unwrap_or(if low <= high { (low, high) } else { (0.0, 1.0) });
        let (low, high) = if high - low > 1e-12 { (low, high) } else { (low - 0.5, high + 0.5) };
        let step = step(high - low);
        let first = (low / step + 1e-9).floor();
        let last = (high / step - 1e-9).ceil();
        let count = (last - first).clamp(1.0, 40.0) as usize;
        let ticks: Vec<f64> = (0..=count).map(|k| (first + k as f64) * step).collect();
        Self { low: first * step, high: (first + count as f64) * step, from, to, ticks }
    }

    /// A tick's number with the decimals that tell it from its neighbours.
    pub(super) fn label(&self, tick: f64) -> String {
        let step = (self.high - self.low) / (self.ticks.len().max(2) - 1) as f64;
        let decimals = (0..6).find(|d| {
            let scaled = step * 10f64.powi(*d);
            (scaled - scaled.round()).abs() < 1e-6
        });
        match decimals.unwrap_or(6) as usize {
            0 => number(tick),
            decimals => format!("{tick:.decimals$}").replace('-', "−"),
        }
    }

    /// The place of a value; values beyond the ends are drawn at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides a span into four to ten parts.
fn step(span: f64) -> f64 {
    let power = 10f64.powf((span / 5.0).log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| span / (m * power) <= 7.0);
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_values() {
        for (low, high) in [(0.853, 0.962), (1.0, 30.0), (-3.0, 250.0), (0.5, 0.5)] {
            let axis = Axis::over([low, high, f64::NAN].into_iter(), None, 0.0, 100.0);
            assert!(axis.low <= low && axis.high >= high, "{low}..{high}: {axis:?}");
            assert!((3..=12).contains(&axis.ticks.len()), "{low}..{high}: {axis:?}");
        }
    }

    #[test]
    fn ticks_of_one_axis_have_the_same_decimals() {
        let axis = Axis::over([0.85, 1.0].into_iter(), None, 0.0, 100.0);
        let labels: Vec<String> = axis.ticks.iter().map(|t| axis.label(*t)).collect();
        assert_eq!(labels.first().map(String::as_str), Some("0.85"), "{labels:?}");
        assert_eq!(labels.last().map(String::as_str), Some("1.00"), "{labels:?}");
    }

    #[test]
    fn nothing_to_show_is_still_an_axis() {
        let axis = Axis::over([f64::NAN].into_iter(), None, 0.0, 100.0);
        assert!(axis.place(0.5).is_finite());
    }
}
