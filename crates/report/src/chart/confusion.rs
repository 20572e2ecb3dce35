//! The confusion matrix.

use super::frame::{open, text};
use crate::markup::{coordinate, put};

/// Counts by true class (rows) and predicted class (columns).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfusionMatrix {
    /// Class names.
    pub classes: Vec<String>,
    /// `[true class][predicted class]`.
    pub counts: Vec<Vec<u64>>,
}

/// Left of the cells: the rows' names.
const LEFT: f64 = 190.0;
/// Above the cells: the columns' names.
const TOP: f64 = 62.0;
/// Most room for all cells.
const ROOM: f64 = 420.0;

impl ConfusionMatrix {
    pub(super) fn write(&self, id: &str, caption: &str, out: &mut String) {
        let side = (ROOM / self.classes.len().max(1) as f64).min(96.0);
        let height = side * 0.72;
        open(id, caption, &self.describe(), TOP + height * self.counts.len() as f64 + 10.0, out);
        let middle = LEFT + side * self.classes.len() as f64 / 2.0;
        text(out, middle, 20.0, "t c", "predicted class");
        text(out, LEFT - 12.0, 20.0, "t e", "true class");
        for (c, name) in self.classes.iter().enumerate() {
            text(out, LEFT + (c as f64 + 0.5) * side, TOP - 12.0, "t c", name);
        }
        for (r, row) in self.counts.iter().enumerate() {
            let y = TOP + r as f64 * height;
            let name = self.classes.get(r).map_or("", String::as_str);
            text(out, LEFT - 12.0, y + height / 2.0 + 5.0, "t e", name);
            let total: u64 = row.iter().sum();
            for (c, count) in row.iter().enumerate() {
                let share = if total == 0 { 0.0 } else { *count as f64 / total as f64 };
                cell(out, (LEFT + c as f64 * side, y), (side, height), share, *count);
            }
        }
        out.push_str("</svg>\n");
    }

    fn describe(&self) -> String {
        let row = |(name, row): (&String, &Vec<u64>)| {
            let cells = self.classes.iter().zip(row).map(|(guess, n)| format!("{n} as {guess}"));
            format!("of {name}: {}", cells.collect::<Vec<_>>().join(", "))
        };
        let rows: Vec<String> = self.classes.iter().zip(&self.counts).map(row).collect();
        format!("Counts by true and predicted class. {}.", rows.join("; "))
    }
}

/// One cell, shaded by its share of the row.
fn cell(out: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), share: f64, count: u64) {
    let [rx, ry, rw, rh] = [x + 1.5, y + 1.5, width - 3.0, height - 3.0].map(coordinate);
    let shade = coordinate(0.06 + 0.94 * share);
    let rectangle = format!("<rect x=\"{rx}\" y=\"{ry}\" width=\"{rw}\" height=\"{rh}\" rx=\"3\"");
    put(out, format_args!("{rectangle} class=\"h\" fill-opacity=\"{shade}\"/>\n"));
    let class = if share > 0.5 { "t c i" } else { "t c" };
    text(out, x + width / 2.0, y + height / 2.0, class, &count.to_string());
    let percent = format!("{:.0} %", share * 100.0);
    text(out, x + width / 2.0, y + height / 2.0 + 16.0, &format!("{class} v"), &percent);
}
