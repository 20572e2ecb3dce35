//! `state/roster.jsonl`: signed changes of the roster, one a line, oldest first.

use std::path::PathBuf;

use super::Kit;
use crate::error::Result;
use crate::files;
use blindscope_federation::{SignedChange, Study};

/// Longest history.
const MAX: u64 = 64 << 20;

fn path(kit: &Kit) -> PathBuf {
    kit.state().join("roster.jsonl")
}

/// The study under the newest version that is kept here. Every signature is checked again.
pub(super) fn read(kit: &Kit, mut study: Study) -> Result<Study> {
    for signed in kept(kit)? {
        study = study.succeeded(&signed)?;
    }
    Ok(study)
}

/// Keeps changes, those that are there already among them: the file is whole before anything is done under the last of them.
pub(crate) fn keep(kit: &Kit, changes: &[SignedChange]) -> Result<()> {
    let lines: Vec<String> = changes.iter().map(|change| format!("{}\n", change.to_line())).collect();
    files::folder(&kit.state())?;
    files::write(&path(kit), lines.concat().as_bytes())
}

/// The changes that are kept here.
pub(crate) fn kept(kit: &Kit) -> Result<Vec<SignedChange>> {
    let path = path(kit);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = files::read(&path, MAX)?;
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(SignedChange::from_line).collect::<std::result::Result<_, _>>()?)
}
