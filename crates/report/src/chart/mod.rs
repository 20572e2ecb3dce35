//! Drawings as SVG inside the page: each names and describes itself, and takes its colours from the page's style.

mod axis;
mod bars;
mod confusion;
mod frame;
mod lines;

pub use bars::{Bar, BarChart, BarSeries};
pub use confusion::ConfusionMatrix;
pub use lines::{LineChart, LineSeries, ReferenceLine};

use crate::image::ImageGrid;

/// Colours and marks repeat after this many series.
const STYLES: usize = 6;

/// What a figure shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawing {
    /// Values over a running number, such as accuracy by epoch.
    Lines(LineChart),
    /// Values side by side, with intervals.
    Bars(BarChart),
    /// Counts by true and predicted class.
    Confusion(ConfusionMatrix),
    /// Pictures.
    Images(ImageGrid),
}

impl Drawing {
    /// The drawing as an element of a page whose style holds [`crate::STYLE`]. `id` is unique on that page; `caption` names it for who
    /// does not see it.
    pub fn element(&self, id: &str, caption: &str) -> String {
        let mut out = String::new();
        self.write(id, caption, &mut out);
        out
    }

    /// Writes the drawing; `id` is unique on the page.
    pub(crate) fn write(&self, id: &str, caption: &str, out: &mut String) {
        match self {
            Self::Lines(chart) => chart.write(id, caption, out),
            Self::Bars(chart) => chart.write(id, caption, out),
            Self::Confusion(matrix) => matrix.write(id, caption, out),
            Self::Images(grid) => grid.write(out),
        }
    }
}
