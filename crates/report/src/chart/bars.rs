//! Bars side by side, with intervals and values to compare with.

use super::STYLES;
use super::axis::Axis;
use super::frame::{Entry, Key, LEFT, RIGHT, legend, line, open, polygon, text, value_axis};
use crate::markup::{coordinate, number, put};

/// Groups of bars: a group for each quantity, a bar in it for each series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarChart {
    /// What is drawn, with its unit.
    pub y: String,
    /// Ends of the vertical axis; from zero to the largest value when absent.
    pub limits: Option<(f64, f64)>,
    /// Names of the groups.
    pub groups: Vec<String>,
    /// The series, each with a bar in every group.
    pub series: Vec<BarSeries>,
    /// What the reference marks are; needed when a bar has one.
    pub reference: String,
}

/// The bars of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct BarSeries {
    /// Its name.
    pub name: String,
    /// A bar a group.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Its height; none is drawn when it is not finite.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// A value of another source, drawn as a diamond.
    pub reference: Option<f64>,
}

/// Height of the plotted area.
const PLOT: f64 = 270.0;
/// Below it: the groups' names.
const FOOT: f64 = 36.0;

impl BarChart {
    pub(super) fn write(&self, id: &str, caption: &str, out: &mut String) {
        let mut key = String::new();
        let has_reference = self.bars().any(|b| b.reference.is_some());
        let height = self.legend(has_reference, &mut key);
        let top = height + 46.0;
        open(id, caption, &self.describe(), top + PLOT + FOOT, out);
        out.push_str(&key);
        let of = |b: &Bar| {
            [Some(b.value), b.reference, b.interval.map(|i| i.0), b.interval.map(|i| i.1), Some(0.0)]
        };
        let values = self.bars().flat_map(of).flatten();
        let y = Axis::over(values, self.limits, top + PLOT, top);
        value_axis(&y, &self.y, top, out);
        let group_width = (RIGHT - LEFT) / self.groups.len().max(1) as f64;
        for (g, name) in self.groups.iter().enumerate() {
            let start = LEFT + g as f64 * group_width;
            text(out, start + group_width / 2.0, top + PLOT + 22.0, "t c", name);
            self.write_group(g, start, group_width, &y, out);
        }
        out.push_str("</svg>\n");
    }

    fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.series.iter().flat_map(|s| &s.bars)
    }

    fn legend(&self, has_reference: bool, out: &mut String) -> f64 {
        let mut lines = String::new();
        let names: Vec<Entry<'_>> =
            self.series.iter().enumerate().map(|(i, s)| (Some(i), s.name.as_str())).collect();
        let height = legend(&names, Key::Patch, &mut lines);
        out.push_str(&lines);
        if !has_reference {
            return height;
        }
        let y = height + 12.0;
        polygon(out, diamond(LEFT + 11.0, y - 4.0), "d");
        text(out, LEFT + 28.0, y, "t", &self.reference);
        height + 18.0
    }

    fn write_group(&self, group: usize, start: f64, width: f64, y: &Axis, out: &mut String) {
        let count = self.series.len().max(1) as f64;
        let each = (width * 0.84 / count).min(64.0);
        let left = start + (width - each * count) / 2.0;
        for (i, series) in self.series.iter().enumerate() {
            let Some(bar) = series.bars.get(group).filter(|b| b.value.is_finite()) else { continue };
            bar.write(i, left + i as f64 * each, each, y, out);
        }
    }

    fn describe(&self) -> String {
        let group = |(g, name): (usize, &String)| {
            let bars = self.series.iter().filter_map(|s| {
                let bar = s.bars.get(g)?;
                Some(format!("{} {}", s.name, number(bar.value)))
            });
            format!("{name}: {}", bars.collect::<Vec<_>>().join(", "))
        };
        let groups: Vec<String> = self.groups.iter().enumerate().map(group).collect();
        format!("{}. {}.", self.y, groups.join("; "))
    }
}

impl Bar {
    fn write(&self, series: usize, left: f64, each: f64, y: &Axis, out: &mut String) {
        let (base, top) = (y.place(0.0_f64.max(y.low)), y.place(self.value));
        let (width, middle) = (each * 0.86, left + each * 0.43);
        let rectangle = [left, top.min(base), width, (base - top).abs()].map(coordinate);
        let [rx, ry, rw, rh] = rectangle;
        let class = series % STYLES;
        put(
            out,
            format_args!(
                "<rect x=\"{rx}\" y=\"{ry}\" width=\"{rw}\" height=\"{rh}\" class=\"b s{class}\"/>\n"
            ),
        );
        let mut highest = top;
        if let Some((low, high)) = self.interval {
            let (low, high) = (y.place(low), y.place(high));
            highest = highest.min(high);
            line(out, (middle, low), (middle, high), "w");
            for at in [low, high] {
                line(out, (middle - 4.0, at), (middle + 4.0, at), "w");
            }
        }
        if let Some(reference) = self.reference {
            highest = highest.min(y.place(reference) - 4.0);
            polygon(out, diamond(middle, y.place(reference)), "d");
        }
        text(out, middle, highest - 5.0, "t c v", &number(self.value));
    }
}

fn diamond(x: f64, y: f64) -> impl Iterator<Item = (f64, f64)> {
    [(0.0, -5.5), (5.5, 0.0), (0.0, 5.5), (-5.5, 0.0)].into_iter().map(move |(dx, dy)| (x + dx, y + dy))
}
