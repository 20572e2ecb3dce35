//! `preflight`: everything that can be known to fail before a job starts, each with its repair.

mod checks;

use serde::Serialize;

use crate::error::Result;
use crate::kit::{Kit, PartySettings};

/// How one check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, but not for long or not well.
    Warning,
    /// It will not work.
    Failed,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
    /// What to do; empty when all is well.
    pub repair: String,
}

/// All checks of a kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// Whose kit.
    pub name: String,
    /// The worst outcome.
    pub outcome: Outcome,
    /// In order.
    pub checks: Vec<Check>,
}

/// Checks a kit, and its coordinator over the network.
///
/// # Errors
/// Only when `settings.toml` itself cannot be read; all else is a check's outcome.
pub async fn preflight(kit: &Kit, overrides: &[String]) -> Result<Preflight> {
    let settings: PartySettings = kit.settings(overrides)?;
    let mut checks = checks::local(kit, &settings);
    checks.extend(checks::remote(kit, &settings).await);
    let outcome = checks.iter().map(|check| check.outcome).max().unwrap_or(Outcome::Ok);
    Ok(Preflight { name: settings.name, outcome, checks })
}

impl Check {
    fn new(
        name: &'static str,
        outcome: Outcome,
        found: impl Into<String>,
        repair: impl Into<String>,
    ) -> Self {
        Self { name, outcome, found: found.into(), repair: repair.into() }
    }

    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, Outcome::Ok, found, "")
    }

    fn failed(name: &'static str, found: impl Into<String>, repair: impl Into<String>) -> Self {
        Self::new(name, Outcome::Failed, found, repair)
    }
}
