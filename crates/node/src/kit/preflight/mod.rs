//! `preflight`: everything that can be known to fail before a job starts, each with its repair.

mod checks;
mod coordinator;
mod remote;
mod sharing;

use serde::Serialize;

use crate::error::Result;
use crate::kit::{CoordinatorSettings, Kit, PartySettings};
use blindscope_federation::Study;

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

/// Checks a kit of any kind, and, but for the coordinator's own, its coordinator over the network: everything that its service
/// or its calls will need.
///
/// # Errors
/// Only when `settings.toml` itself cannot be read; all else is a check's outcome.
pub async fn preflight(kit: &Kit, overrides: &[String]) -> Result<Preflight> {
    // The coordinator is the one who listens.
    let listens = kit.settings::<toml::Table>(overrides)?.contains_key("listen");
    let (mut checks, study) = checks::common(kit);
    let name = if listens {
        let settings: CoordinatorSettings = kit.settings(overrides)?;
        checks.extend(coordinator::of_coordinator(kit, &settings, study.as_ref()));
        if let Some(study) = &study {
            checks.extend(sharing::sharing(&settings, study).await);
        }
        "coordinator".to_owned()
    } else {
        let settings: PartySettings = kit.settings(overrides)?;
        let named = |study: &Study| study.site_named(&settings.name).is_some();
        let is_site = kit.local("policy.toml").exists() || study.as_ref().is_some_and(named);
        if let Some(study) = study.as_ref().filter(|_| is_site) {
            checks.extend(checks::of_site(kit, &settings, study));
        }
        checks.extend(remote::remote(kit, &settings, is_site).await);
        settings.name
    };
    let outcome = checks.iter().map(|check| check.outcome).max().unwrap_or(Outcome::Ok);
    Ok(Preflight { name, outcome, checks })
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
