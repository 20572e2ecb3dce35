//! `state/roster.jsonl`: signed changes of the roster, one a line, oldest first.
//!
//! A service and commands of the same kit learn the same changes, each for itself; whoever is first writes one down.

use std::fs::File;
use std::path::PathBuf;

use super::Kit;
use crate::error::{Error, Result};
use crate::files;
use blindscope_federation::{SignedChange, Study};

/// Longest history.
const MAX: u64 = 64 << 20;

fn path(kit: &Kit) -> PathBuf {
    kit.state().join("roster.jsonl")
}

/// The study under the newest version that is kept here. Every signature is checked again.
pub(super) fn read(kit: &Kit, study: Study) -> Result<Study> {
    under(study, &kept(kit)?)
}

/// The study after these changes. One that stands there twice is made once.
fn under(mut study: Study, changes: &[SignedChange]) -> Result<Study> {
    for (at, signed) in changes.iter().enumerate() {
        if !changes.iter().take(at).any(|earlier| earlier.change == signed.change) {
            study = study.succeeded(signed)?;
        }
    }
    Ok(study)
}

/// Keeps changes, of which others of this kit may have kept some: those that are not there yet go behind the rest, and the file is whole
/// before anything is done under the last of them.
///
/// # Errors
/// [`Error::Federation`] for changes that do not follow from those that are there; [`Error::Roster`] for more than the file may have;
/// [`Error::File`] where it cannot be written. It is as it was then.
pub(crate) fn keep(kit: &Kit, changes: &[SignedChange]) -> Result<()> {
    files::folder(&kit.state())?;
    let lock = kit.state().join("roster.lock");
    let alone = File::create(&lock).map_err(files::failed("create", &lock))?;
    alone.lock().map_err(files::failed("lock", &lock))?;
    let mut all = kept(kit)?;
    let before = all.len();
    for signed in changes {
        if all.iter().all(|known| known.change != signed.change) {
            all.push(signed.clone());
        }
    }
    if all.len() == before {
        return Ok(());
    }
    under(kit.study()?, &all)?;
    let lines: Vec<String> = all.iter().map(|change| change.to_line() + "\n").collect();
    let text = lines.concat();
    if text.len() as u64 > MAX {
        let reason = "its history is too long to be kept; found a new study".to_owned();
        return Err(Error::Roster { reason });
    }
    files::write(&path(kit), text.as_bytes())
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
