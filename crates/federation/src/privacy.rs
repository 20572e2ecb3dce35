//! What a job promises of differential privacy: the `[privacy]` table of a job file, in numbers that have one form everywhere.

use serde::{Deserialize, Serialize};

/// A privacy loss `ε`, in millionths: one form in files, records and policies, and sums without rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Epsilon(u64);

/// A probability `δ` with which the promise may fail, in parts of 10^15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Delta(u64);

/// Millionths of one.
const MILLION: f64 = 1e6;
/// Parts of a probability.
const PARTS: f64 = 1e15;

impl Epsilon {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// The largest: beyond it the word promises nothing.
    pub const MOST: f64 = 1000.0;

    /// Both together, as losses of two jobs on the same data add up.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// As a number.
    pub fn value(self) -> f64 {
        self.0 as f64 / MILLION
    }
}

impl Delta {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Both together, as those of two jobs add up.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// As a number.
    pub fn value(self) -> f64 {
        self.0 as f64 / PARTS
    }
}

impl TryFrom<f64> for Epsilon {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        let parts = (value * MILLION).round();
        if parts >= 1.0 && value <= Self::MOST {
            return Ok(Self(parts as u64));
        }
        Err(format!("epsilon is {value}, expected a number above 0, at most {}", Self::MOST))
    }
}

impl TryFrom<f64> for Delta {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        let parts = (value * PARTS).round();
        if parts >= 1.0 && value <= 0.01 {
            return Ok(Self(parts as u64));
        }
        Err(format!(
            "delta is {value}, expected a number above 0, at most 0.01; well below one in all patients"
        ))
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> Self {
        epsilon.value()
    }
}

impl From<Delta> for f64 {
    fn from(delta: Delta) -> Self {
        delta.value()
    }
}

impl std::fmt::Display for Epsilon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value().fmt(f)
    }
}

impl std::fmt::Display for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:e}", self.value())
    }
}

/// Whose presence the noise hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrivacyUnit {
    /// One tile: whoever has a hundred tiles in the study is hidden a hundred times less.
    Tile,
    /// Everything of one patient, or of one group of tiles where patients are not named.
    Patient,
}

impl std::fmt::Display for PrivacyUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tile => "tile",
            Self::Patient => "patient",
        })
    }
}

/// What a job promises: whether a unit is there or not changes the chance of any outcome by a factor `e^ε` at most, `δ` aside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// `ε` of everything that the job opens.
    pub epsilon: Epsilon,
    /// `δ` of it.
    pub delta: Delta,
    /// Whose presence is hidden.
    pub unit: PrivacyUnit,
    /// Norm to which rows are shortened, so that a unit's part of a sum is bounded. A constant of the study, not of anybody's data.
    pub norm: f64,
}

impl Privacy {
    /// Whether the norm is one.
    pub(crate) fn has_norm(&self) -> bool {
        self.norm.is_finite() && self.norm > 0.0
    }
}

impl std::fmt::Display for Privacy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { epsilon, delta, unit, .. } = self;
        write!(f, "\u{3b5} = {epsilon}, \u{3b4} = {delta} by {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for value in [8.0, 0.000_001, 1.5, 999.999_999, 0.1 + 0.2] {
            let epsilon = Epsilon::try_from(value).unwrap();
            let text = serde_json::to_string(&epsilon).unwrap();
            assert_eq!(serde_json::from_str::<Epsilon>(&text).unwrap(), epsilon, "{text}");
        }
        for value in [1e-5, 1e-15, 0.01, 3.3e-9] {
            let delta = Delta::try_from(value).unwrap();
            let text = serde_json::to_string(&delta).unwrap();
            assert_eq!(serde_json::from_str::<Delta>(&text).unwrap(), delta, "{text}");
        }
        for wrong in ["0", "-1", "1001", "1e-9"] {
            assert!(serde_json::from_str::<Epsilon>(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0", "-1e-5", "0.011", "1e-16"] {
            assert!(serde_json::from_str::<Delta>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::from_str::<Epsilon>("8").unwrap().and(Epsilon::NONE).to_string(), "8");
    }
}
