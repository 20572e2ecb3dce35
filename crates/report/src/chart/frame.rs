//! What all charts share: the labelled SVG element, the legend, the value axis.

use super::STYLES;
use super::axis::Axis;
use crate::markup::{coordinate, escape, put};

/// Width of every chart in its own units.
pub(super) const WIDTH: f64 = 720.0;
/// Left and right end of the plotted area.
pub(super) const LEFT: f64 = 62.0;
pub(super) const RIGHT: f64 = 704.0;
/// Height of one line of the legend.
const LEGEND_LINE: f64 = 20.0;

/// Opens an SVG element that names and describes itself.
pub(super) fn open(id: &str, title: &str, description: &str, height: f64, out: &mut String) {
    let (title, description) = (escape(title), escape(description));
    put(
        out,
        format_args!(
            "<svg role=\"img\" viewBox=\"0 0 {WIDTH} {}\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>\n",
            coordinate(height)
        ),
    );
}

/// Text at a place. `class` decides size and anchor.
pub(super) fn text(out: &mut String, x: f64, y: f64, class: &str, content: &str) {
    let (x, y, content) = (coordinate(x), coordinate(y), escape(content));
    put(out, format_args!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{content}</text>\n"));
}

/// A straight line.
pub(super) fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
    let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(coordinate);
    put(out, format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>\n"));
}

/// The mark of a series: its shape tells series apart where colour does not.
pub(super) fn mark(out: &mut String, x: f64, y: f64, series: usize) {
    let class = format!("m s{}", series % STYLES);
    let corners: &[(f64, f64)] = match series % STYLES {
        0 => {
            let (x, y) = (coordinate(x), coordinate(y));
            put(out, format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"3.2\" class=\"{class}\"/>\n"));
            return;
        }
        1 => &[(-3.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-3.0, 3.0)],
        2 => &[(0.0, -4.0), (3.6, 3.0), (-3.6, 3.0)],
        3 => &[(0.0, -4.2), (4.2, 0.0), (0.0, 4.2), (-4.2, 0.0)],
        4 => &[(0.0, 4.0), (3.6, -3.0), (-3.6, -3.0)],
        _ => &[(-3.6, -1.2), (3.6, -1.2), (3.6, 1.2), (-3.6, 1.2)],
    };
    polygon(out, corners.iter().map(|(dx, dy)| (x + dx, y + dy)), &class);
}

/// A filled polygon.
pub(super) fn polygon(out: &mut String, corners: impl Iterator<Item = (f64, f64)>, class: &str) {
    let points: Vec<String> = corners.map(|(x, y)| format!("{},{}", coordinate(x), coordinate(y))).collect();
    put(out, format_args!("<polygon points=\"{}\" class=\"{class}\"/>\n", points.join(" ")));
}

/// One entry of a legend: the number of its series, or none for a reference, and its name. Without a name it is left out.
pub(super) type Entry<'a> = (Option<usize>, &'a str);

/// How a legend shows a series: as its line with marks, or as a patch of its colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Line,
    Patch,
}

/// Writes the legend and returns the height it took.
pub(super) fn legend(entries: &[Entry<'_>], key: Key, out: &mut String) -> f64 {
    if entries.is_empty() {
        return 0.0;
    }
    let (mut x, mut y) = (LEFT, LEGEND_LINE);
    for (series, name) in entries.iter().filter(|(_, name)| !name.is_empty()) {
        // About seven units a letter at the legend's size.
        let width = 36.0 + 7.0 * name.chars().count() as f64;
        if x + width > RIGHT && x > LEFT {
            (x, y) = (LEFT, y + LEGEND_LINE);
        }
        match series {
            Some(series) if key == Key::Patch => {
                let corners = [(4.0, -11.0), (18.0, -11.0), (18.0, 1.0), (4.0, 1.0)];
                let class = format!("b s{}", series % STYLES);
                polygon(out, corners.into_iter().map(|(dx, dy)| (x + dx, y + dy)), &class);
            }
            Some(series) => {
                line(out, (x, y - 4.0), (x + 22.0, y - 4.0), &format!("l s{}", series % STYLES));
                mark(out, x + 11.0, y - 4.0, *series);
            }
            None => line(out, (x, y - 4.0), (x + 22.0, y - 4.0), "r"),
        }
        text(out, x + 28.0, y, "t", name);
        x += width;
    }
    y + LEGEND_LINE / 2.0
}

/// Writes grid lines and numbers of the value axis, and its name.
pub(super) fn value_axis(axis: &Axis, name: &str, top: f64, out: &mut String) {
    for tick in &axis.ticks {
        let y = axis.place(*tick);
        line(out, (LEFT, y), (RIGHT, y), "g");
        text(out, LEFT - 8.0, y + 4.0, "t e", &axis.label(*tick));
    }
    text(out, LEFT - 48.0, top - 24.0, "t", name);
}
