//! A measured figure beside what it has to reach.

use serde::Serialize;

/// Which way a figure is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Times, bytes.
    Lower,
    /// Rates, ratios over a peer, precision.
    Higher,
}

/// One measured figure with what it has to reach.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// `core`, `sum`, …
    pub area: &'static str,
    /// Stable name.
    pub figure: String,
    /// The median.
    pub value: f64,
    /// `ms`, `us`, `s`, `bytes`, `bits`, `dB`, `img/s`, `%`, `rel` (a relative error), `t` (Welch's) or `x` (times a peer, shares).
    pub unit: &'static str,
    /// Which way is good.
    pub better: Better,
    /// What must hold, if anything must.
    pub bar: Option<f64>,
    /// Where it is to go.
    pub aim: Option<f64>,
    /// Whether the bar holds.
    pub holds: Option<bool>,
    /// How many measurements the median is of.
    pub runs: usize,
    /// First and third quartile.
    pub spread: [f64; 2],
}

impl Figure {
    /// The figure of these measurements: median and quartiles.
    pub fn of(
        area: &'static str,
        figure: impl Into<String>,
        unit: &'static str,
        better: Better,
        samples: &[f64],
    ) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quantile = |q: f64| sorted[(q * (sorted.len() - 1) as f64).round() as usize];
        Self {
            area,
            figure: figure.into(),
            value: quantile(0.5),
            unit,
            better,
            bar: None,
            aim: None,
            holds: None,
            runs: sorted.len(),
            spread: [quantile(0.25), quantile(0.75)],
        }
    }

    /// As [`Self::must`], where anything must hold.
    #[must_use]
    pub fn must_if(self, must: Option<(f64, f64)>) -> Self {
        match must {
            Some((bar, aim)) => self.must(bar, aim),
            None => self,
        }
    }

    /// With what must hold and where it is to go.
    #[must_use]
    pub fn must(mut self, bar: f64, aim: f64) -> Self {
        self.bar = Some(bar);
        self.aim = Some(aim);
        self.holds = Some(match self.better {
            Better::Lower => self.value <= bar,
            Better::Higher => self.value >= bar,
        });
        self
    }
}

/// The figures of one area.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Figures in reading order.
    pub figures: Vec<Figure>,
    /// What was not measured, and why.
    pub missing: Vec<String>,
    /// What ran and by which clock, in words.
    pub backend: String,
}
