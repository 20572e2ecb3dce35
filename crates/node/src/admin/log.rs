//! The audit log outside of the coordinator: verified by anybody who has the study file.

use std::io::BufRead;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::kit::Kit;
use blindscope_federation::{JobStatus, JobView, Mark, Record, Study, verify};

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
}

/// Verifies the lines of an exported log against a study and the receipts of sites.
///
/// # Errors
/// [`Error::Log`] names the first record that does not hold.
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
    })
}

/// The receipts that a site's kit holds: proof of how far the log went when the site last heard of it.
///
/// # Errors
/// [`Error`] where the kit or its log cannot be read: the site must not be running.
pub async fn receipts(kit: &Kit) -> Result<Vec<Record>> {
    let settings: crate::kit::PartySettings = kit.settings(&[])?;
    let study = kit.study()?;
    let me = kit.site(&study, &settings.name)?;
    let marks = blindscope_store::Marks::open(&kit.state().join("marks.db"), &study, me).await?.all().await?;
    let receipt = |mark| match mark {
        Mark::Receipt { record } => Some(record),
        _ => None,
    };
    Ok(marks.into_iter().filter_map(receipt).collect())
}
