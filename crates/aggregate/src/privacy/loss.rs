//! What a mechanism gives away: zero-concentrated differential privacy, `ρ` of it.
//!
//! Integers whose squared distance between neighbouring inputs is at most `Δ²`, with discrete Gaussian noise of variance `σ²`, have
//! `ρ = Δ²/2σ²`. Losses of several mechanisms, or rounds, on the same data add up.

use crate::{Error, Result};

/// A privacy loss `ρ`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Loss(f64);

/// Halvings of a search: enough for the last bit of a double.
const HALVINGS: u32 = 200;

impl Loss {
    /// None at all.
    pub const NONE: Self = Self(0.0);

    /// Of this `ρ`.
    ///
    /// # Errors
    /// [`Error::Privacy`] unless it is a number from 0 on.
    pub fn new(rho: f64) -> Result<Self> {
        if rho.is_finite() && rho >= 0.0 {
            Ok(Self(rho))
        } else {
            Err(Error::Privacy { what: "rho", found: rho, expected: "a number from 0 on" })
        }
    }

    /// `ρ`
    pub fn rho(self) -> f64 {
        self.0
    }

    /// Of both together (Bun and Steinke, lemma 2.3).
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Of a sum to which each of `sites` adds discrete Gaussian noise of variance `variance`, over `dimension` integers between whose
    /// neighbours the squared distance is at most `squared`.
    ///
    /// `ρ = ε²/2` with `ε = min(√(Δ²/nσ² + τd/2), Δ/(√n·σ) + τ√d)` and `τ = 10·Σ_{k=1}^{n−1} exp(−2π²σ²·k/(k+1))`: sums of discrete
    /// Gaussians are not quite discrete Gaussians (Kairouz, Liu, Steinke 2021, proposition 14).
    ///
    /// # Errors
    /// [`Error::Privacy`] for no site, or a variance below ¼.
    pub fn of_sum(sites: u32, variance: f64, squared: f64, dimension: u64) -> Result<Self> {
        if sites == 0 {
            return Err(Error::Privacy { what: "sites", found: 0.0, expected: "at least one" });
        }
        if variance.is_nan() || variance < 0.25 {
            return Err(Error::Privacy { what: "variance", found: variance, expected: "at least 0.25" });
        }
        let term = |k: u32| {
            let k = f64::from(k);
            (-2.0 * std::f64::consts::PI.powi(2) * variance * k / (k + 1.0)).exp()
        };
        let tau = 10.0 * (1..sites).map(term).sum::<f64>();
        let (whole, d) = (squared / (f64::from(sites) * variance), dimension as f64);
        let epsilon = (whole + 0.5 * tau * d).sqrt().min(whole.sqrt() + tau * d.sqrt());
        Self::new(epsilon * epsilon / 2.0)
    }

    /// The `ε` of it at `delta`: `min_α αρ + ln(1 − 1/α) − ln(δα)/(α − 1)` over `α > 1` (Canonne, Kamath, Steinke 2020, proposition 12).
    /// Every `α` gives a bound that holds; the search only decides how tight it is.
    ///
    /// # Errors
    /// [`Error::Privacy`] unless `delta` is between 0 and 1.
    pub fn epsilon(self, delta: f64) -> Result<f64> {
        check_delta(delta)?;
        if self.0 <= 0.0 {
            return Ok(0.0);
        }
        let at = |log: f64| {
            let alpha = 1.0 + log.exp();
            alpha * self.0 + (-1.0 / alpha).ln_1p() - (delta * alpha).ln() / (alpha - 1.0)
        };
        let (mut low, mut high) = (-12.0f64, 30.0f64);
        for _ in 0..HALVINGS {
            let (a, b) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
            if at(a) < at(b) { high = b } else { low = a }
        }
        Ok(at(low.midpoint(high)).max(0.0))
    }

    /// The largest loss whose `ε` at `delta` is at most `epsilon`.
    ///
    /// # Errors
    /// [`Error::Privacy`] for an `epsilon` that is not a positive number up to 1000, or a `delta` that is not between 0 and 1.
    pub fn within(epsilon: f64, delta: f64) -> Result<Self> {
        check_delta(delta)?;
        if !(epsilon > 0.0 && epsilon <= 1000.0) {
            return Err(Error::Privacy {
                what: "epsilon",
                found: epsilon,
                expected: "above 0, at most 1000",
            });
        }
        // Pure privacy of ε has ρ ≤ ε; more than ε never serves.
        let (mut low, mut high) = (0.0, epsilon);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if Self(middle).epsilon(delta)? <= epsilon { low = middle } else { high = middle }
        }
        Self::new(low)
    }
}

fn check_delta(delta: f64) -> Result<()> {
    if delta > 0.0 && delta < 1.0 {
        return Ok(());
    }
    Err(Error::Privacy { what: "delta", found: delta, expected: "between 0 and 1" })
}
