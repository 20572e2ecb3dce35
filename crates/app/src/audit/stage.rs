//! Stages: how far they are, and keeping what is done.

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{AuditPlan, Error, Evidence};

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditProgress<'a> {
    /// The attack that runs.
    pub attack: &'a str,
    /// Its steps done.
    pub done: usize,
    /// Its steps.
    pub total: usize,
}

/// Called after every step; a break stops the audit, and finished stages are kept.
pub type OnProgress<'a> = &'a mut dyn FnMut(&AuditProgress<'_>) -> ControlFlow<()>;

/// A running stage.
pub struct Stage<'a> {
    progress: OnProgress<'a>,
}

impl std::fmt::Debug for Stage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

impl<'a> Stage<'a> {
    pub(super) fn new(progress: OnProgress<'a>) -> Self {
        Self { progress }
    }

    /// Reports a step.
    pub(super) fn tick(&mut self, attack: &str, done: usize, total: usize) -> Result<(), Error> {
        match (self.progress)(&AuditProgress { attack, done, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped { attack: attack.to_owned(), done, total }),
        }
    }
}

/// A finished stage on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The plan it was made by.
    plan: String,
    evidence: Evidence,
}

fn file(plan: &AuditPlan, name: &str) -> Option<PathBuf> {
    plan.out.as_ref().map(|folder| folder.join(format!("stage-{name}.json")))
}

/// What an earlier run of the same plan found in this stage. A file of another plan, or a broken one, counts as none.
pub(super) fn kept(plan: &AuditPlan, name: &str) -> Option<Evidence> {
    let bytes = std::fs::read(file(plan, name)?).ok()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    (kept.plan == plan.fingerprint()).then_some(kept.evidence)
}

/// Keeps what a stage found; the file is complete or absent.
pub(super) fn keep(plan: &AuditPlan, name: &str, evidence: &Evidence) -> Result<(), Error> {
    let Some(path) = file(plan, name) else { return Ok(()) };
    let kept = Kept { plan: plan.fingerprint(), evidence: evidence.clone() };
    let io = |source| Error::Io { operation: "writing", path: path.clone(), source };
    let bytes = serde_json::to_vec(&kept).map_err(|e| io(e.into()))?;
    let mut partial = path.clone();
    partial.as_mut_os_string().push(".partial");
    std::fs::write(&partial, bytes).map_err(io)?;
    std::fs::rename(&partial, &path).map_err(io)
}
