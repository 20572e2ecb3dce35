//! Lines over a running number.

use super::STYLES;
use super::axis::Axis;
use super::frame::{Entry, Key, LEFT, RIGHT, legend, line, mark, open, text, value_axis};
use crate::markup::{coordinate, number, put};

/// Series of values over a running number, such as accuracy by epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineChart {
    /// What runs along the horizontal axis, with its unit.
    pub x: String,
    /// What is drawn, with its unit.
    pub y: String,
    /// Ends of the vertical axis; taken from the values when absent.
    pub limits: Option<(f64, f64)>,
    /// The lines.
    pub series: Vec<LineSeries>,
    /// Values to compare with.
    pub references: Vec<ReferenceLine>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSeries {
    /// Its name.
    pub name: String,
    /// Its points from left to right. A value that is not finite breaks the line.
    pub points: Vec<(f64, f64)>,
}

/// A value drawn from side to side.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceLine {
    /// What it is; without a name it is drawn and not named.
    pub name: String,
    /// The value.
    pub value: f64,
}

/// Height of the plotted area.
const PLOT: f64 = 260.0;
/// Below it: the numbers and the axis' name.
const FOOT: f64 = 52.0;

impl LineChart {
    pub(super) fn write(&self, id: &str, caption: &str, out: &mut String) {
        let mut key = String::new();
        let entries: Vec<Entry<'_>> =
            self.series.iter().enumerate().map(|(i, s)| (Some(i), s.name.as_str())).collect();
        let references = self.references.iter().map(|r| (None, r.name.as_str()));
        let entries: Vec<Entry<'_>> = entries.into_iter().chain(references).collect();
        let top = legend(&entries, Key::Line, &mut key) + 38.0;
        open(id, caption, &self.describe(), top + PLOT + FOOT, out);
        out.push_str(&key);
        let points = || self.series.iter().flat_map(|s| &s.points);
        let values = points().map(|p| p.1).chain(self.references.iter().map(|r| r.value));
        let y = Axis::over(values, self.limits, top + PLOT, top);
        let x = Axis::over(points().map(|p| p.0), self.ends(), LEFT, RIGHT);
        value_axis(&y, &self.y, top, out);
        self.write_x(&x, top + PLOT, out);
        for reference in &self.references {
            let at = y.place(reference.value);
            line(out, (LEFT, at), (RIGHT, at), "r");
        }
        for (i, series) in self.series.iter().enumerate() {
            series.write(i, &x, &y, out);
        }
        out.push_str("</svg>\n");
    }

    /// The running number's own ends, not widened.
    fn ends(&self) -> Option<(f64, f64)> {
        let points = self.series.iter().flat_map(|s| &s.points).map(|p| p.0).filter(|x| x.is_finite());
        let ends = points.fold(None, |ends: Option<(f64, f64)>, x| match ends {
            Some((l, h)) => Some((l.min(x), h.max(x))),
            None => Some((x, x)),
        });
        ends.map(|(l, h)| (if l <= 1.0 { l.min(0.0) } else { l }, h))
    }

    fn write_x(&self, axis: &Axis, bottom: f64, out: &mut String) {
        for tick in &axis.ticks {
            text(out, axis.place(*tick), bottom + 18.0, "t c", &axis.label(*tick));
        }
        text(out, f64::midpoint(LEFT, RIGHT), bottom + 40.0, "t c", &self.x);
    }

    /// Last values in words.
    fn describe(&self) -> String {
        let last = |s: &LineSeries| {
            let value = s.points.iter().rev().find(|p| p.1.is_finite());
            let none = || format!("{} has no value", s.name);
            value.map_or_else(none, |p| {
                format!("{} ends at {} for {} = {}", s.name, number(p.1), self.x, number(p.0))
            })
        };
        let series = self.series.iter().map(last);
        let named = self.references.iter().filter(|r| !r.name.is_empty());
        let references = named.map(|r| format!("{} is {}", r.name, number(r.value)));
        format!("{} over {}. {}.", self.y, self.x, series.chain(references).collect::<Vec<_>>().join("; "))
    }
}

impl LineSeries {
    fn write(&self, index: usize, x: &Axis, y: &Axis, out: &mut String) {
        let mut path = String::new();
        let mut broken = true;
        for (px, py) in &self.points {
            if !(px.is_finite() && py.is_finite()) {
                broken = true;
                continue;
            }
            let (verb, px, py) =
                (if broken { "M" } else { "L" }, coordinate(x.place(*px)), coordinate(y.place(*py)));
            put(&mut path, format_args!("{verb}{px} {py}"));
            broken = false;
        }
        put(out, format_args!("<path d=\"{path}\" class=\"l s{}\"/>\n", index % STYLES));
        // Marks tell lines apart; a dozen a line are enough.
        let every = self.points.len().div_ceil(12).max(1);
        let last = self.points.len().saturating_sub(1);
        for (_, (px, py)) in self.points.iter().enumerate().filter(|(i, _)| (last - i).is_multiple_of(every))
        {
            if px.is_finite() && py.is_finite() {
                mark(out, x.place(*px), y.place(*py), index);
            }
        }
    }
}
