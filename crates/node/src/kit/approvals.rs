//! `local/approvals.toml` of a site: what people there say of single jobs, by their ids, and of changes of the roster. Neither the coordinator nor `-c` can change it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kit, config};
use crate::error::{Error, Result};
use crate::files;
use blindscope_federation::JobId;
use blindscope_wire::Digest;

const FILE: &str = "approvals.toml";
const HEAD: &str = "# What people at this site say of single jobs. `blindscope site approve` and `refuse` write it, and the console.\n";

/// Whether a site takes part in a job, as people there say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// It takes part.
    Approved,
    /// It takes no part.
    Refused,
}

/// What was said of single jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Whether a job is waited with until somebody has said a word on it. Questions are not asked about: a policy allows them or not.
    #[serde(default)]
    pub ask: bool,
    /// Words, by the job's id.
    #[serde(default)]
    job: BTreeMap<String, Approval>,
    /// Words on changes of the roster, by the digest of the version that follows. They are asked for always.
    #[serde(default)]
    roster: BTreeMap<String, Approval>,
}

/// One word, and when it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Whether it takes part.
    pub consent: Consent,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

impl Approvals {
    /// What stands in a kit; nothing is asked where the file is not there.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read; [`Error::Settings`] for text that is not its format.
    pub fn of(kit: &Kit) -> Result<Self> {
        let path = kit.local(FILE);
        if path.exists() { config::load(&path, &[]) } else { Ok(Self::default()) }
    }

    /// What stands for a file that cannot be read: nothing was said of any job, and each needs a word.
    pub(crate) fn unread() -> Self {
        Self { ask: true, job: BTreeMap::new(), roster: BTreeMap::new() }
    }

    /// What was said of a job.
    pub fn said(&self, job: JobId) -> Option<Approval> {
        self.job.get(&job.to_string()).copied()
    }

    /// Says a word on a job, in place of an earlier one.
    pub fn say(&mut self, job: JobId, consent: Consent, at_ms: u64) {
        self.job.insert(job.to_string(), Approval { consent, at_ms });
    }

    /// What was said of a change of the roster, by the version that follows.
    pub fn said_of_change(&self, next: &Digest) -> Option<Approval> {
        self.roster.get(&next.to_string()).copied()
    }

    /// Says a word on a change of the roster, in place of an earlier one.
    pub fn say_of_change(&mut self, next: &Digest, consent: Consent, at_ms: u64) {
        self.roster.insert(next.to_string(), Approval { consent, at_ms });
    }

    /// Keeps it in a kit.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be written.
    pub fn keep(&self, kit: &Kit) -> Result<()> {
        let path = kit.local(FILE);
        let text = toml::to_string_pretty(self)
            .map_err(|e| Error::Settings { path: path.clone(), reason: e.to_string() })?;
        files::write(&path, format!("{HEAD}{text}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_stands_and_survives() {
        let folder = tempfile::tempdir().unwrap();
        let kit = Kit::at(folder.path());
        kit.create().unwrap();
        let (a, b) = (JobId(Digest([1; 32])), JobId(Digest([2; 32])));
        let mut approvals = Approvals::of(&kit).unwrap();
        assert!(!approvals.ask && approvals.said(a).is_none());
        approvals.ask = true;
        approvals.say(a, Consent::Refused, 5);
        approvals.say(a, Consent::Approved, 6);
        approvals.keep(&kit).unwrap();
        let again = Approvals::of(&kit).unwrap();
        assert_eq!(again, approvals);
        assert_eq!((again.said(a).unwrap().consent, again.said(b)), (Consent::Approved, None));
        std::fs::write(kit.local(FILE), "ask = 3").unwrap();
        assert!(Approvals::of(&kit).is_err(), "what cannot be read approves nothing");
    }
}
