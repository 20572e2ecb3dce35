//! The audit log outside of the coordinator: verified by anybody who has the study file.

use std::io::BufRead;

use serde::Serialize;

use super::jobs::Admin;
use crate::error::{Error, Result};
use crate::kit::Kit;
use blindscope_federation::{Coordinator, Event, JobStatus, JobView, Mark, Record, Study, verify};

/// What a log that holds together says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Records.
    pub records: u64,
    /// Digest of the last record, hexadecimal.
    pub head: String,
    /// Jobs that ended well, that failed, and that run or wait.
    pub jobs: [usize; 3],
    /// Ciphertexts opened, every attempt counted.
    pub opened: u64,
    /// Receipts that it was held against.
    pub receipts: usize,
    /// Each version of the roster, from which record on it stands, its sites by name, and who signed the change.
    pub rosters: Vec<RosterSpan>,
}

/// A version of the roster in a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RosterSpan {
    /// Its number.
    pub version: u64,
    /// The record from which on it stands.
    pub from: u64,
    /// Its sites.
    pub sites: Vec<String>,
    /// Who signed it; nobody the first, which `study.toml` names.
    pub signed: Vec<String>,
}

/// Versions of the roster: the first, and each change by the record that says it stands.
fn rosters(last: &Coordinator, changed: &[(u64, u64)]) -> Result<Vec<RosterSpan>> {
    let mut spans = Vec::with_capacity(changed.len() + 1);
    for (version, from) in std::iter::once(&(0, 0)).chain(changed) {
        let study = last.study().under(*version)?;
        let change = version.checked_sub(1).and_then(|v| last.history().get(usize::try_from(v).ok()?));
        let signed =
            change.iter().flat_map(|c| &c.signatures).map(|(site, _)| study.name_of(*site)).collect();
        let sites = study.members().iter().map(|m| m.entry.name.clone()).collect();
        spans.push(RosterSpan { version: *version, from: *from, sites, signed });
    }
    Ok(spans)
}

/// Refuses a log that ends under an earlier roster than is known to be signed, or has another one in its place.
///
/// # Errors
/// [`Error::Log`] for such a log, with both versions.
pub fn reaches(now: &Study, known: &Study) -> Result<()> {
    let wrong = |reason: String| Err(Error::Log { reason });
    let (found, least) = (now.version(), known.version());
    if found < least {
        return wrong(format!(
            "it ends under version {found} of the roster, and version {least} is known here to be signed"
        ));
    }
    if least > 0 && now.under(least)?.epoch()?.digest() != known.epoch()?.digest() {
        return wrong(format!(
            "its version {least} of the roster is another one than is known here to be signed"
        ));
    }
    Ok(())
}

/// Verifies the lines of an exported log against a study, its roster as far as it is known here, and the receipts of sites.
///
/// # Errors
/// [`Error::Log`] names the first record that does not hold, or the roster that the log does not come to.
pub fn check(study: &Study, log: &mut dyn BufRead, receipts: &[Record]) -> Result<Verdict> {
    let wrong = |reason: String| Error::Log { reason };
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        let mut bounded = std::io::Read::take(&mut *log, Record::MAX_LEN as u64 + 2);
        let read = bounded.read_until(b'\n', &mut line).map_err(|e| wrong(e.to_string()))?;
        if read == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        lines.push(line);
    }
    let verified =
        verify(study, lines.iter().map(Vec::as_slice), receipts).map_err(|e| wrong(e.to_string()))?;
    reaches(verified.coordinator.study(), study)?;
    let version = |record: Record| match record.body.event {
        Event::Changed { version, .. } => Some((version, record.body.seq)),
        _ => None,
    };
    let changed: Vec<_> = lines.iter().filter_map(|line| version(Record::from_line(line).ok()?)).collect();
    let views = verified.coordinator.jobs();
    let count = |wanted: fn(&JobView) -> bool| views.iter().filter(|view| wanted(view)).count();
    let done = count(|view| matches!(view.status, JobStatus::Done { .. }));
    let failed = count(|view| matches!(view.status, JobStatus::Failed { .. }));
    Ok(Verdict {
        records: verified.records,
        head: verified.head.to_string(),
        jobs: [done, failed, views.len() - done - failed],
        opened: verified.coordinator.opened(),
        receipts: receipts.len(),
        rosters: rosters(&verified.coordinator, &changed)?,
    })
}

impl Admin {
    /// All records of the audit log, verified against the study.
    ///
    /// # Errors
    /// [`Error::Log`] for a log that does not hold together; [`Error::Transport`] where the coordinator cannot be reached.
    pub async fn records(&self) -> Result<Vec<Record>> {
        let mut lines = Vec::new();
        self.log(0, false, &mut lines).await?;
        check(self.study(), &mut lines.as_slice(), &[])?;
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Ok(Record::from_line(line)?)).collect()
    }
}

/// The receipts that a site's kit holds: proof of how far the log went when the site last heard of it.
///
/// # Errors
/// [`Error`] where the kit or its log cannot be read: the site must not be running.
pub async fn receipts(kit: &Kit) -> Result<Vec<Record>> {
    let receipt = |mark| match mark {
        Mark::Receipt { record } => Some(*record),
        _ => None,
    };
    Ok(marks(kit).await?.into_iter().filter_map(receipt).collect())
}

/// Everything that a site's kit remembers, oldest first.
///
/// # Errors
/// As [`receipts`].
pub async fn marks(kit: &Kit) -> Result<Vec<Mark>> {
    let settings: crate::kit::PartySettings = kit.settings(&[])?;
    let study = kit.study_now()?;
    let me = kit.site(&study, &settings.name)?;
    Ok(blindscope_store::Marks::open(&kit.state().join("marks.db"), &study, me).await?.all().await?)
}
