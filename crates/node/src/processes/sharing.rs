//! Several coordinators of one study over a place that they share.

use std::fs;
use std::path::Path;

use super::{COORDINATOR, Processes, set};
use crate::error::Result;
use crate::files::{self, failed};
use crate::kit::{CoordinatorSettings, Kit, PartySettings};
use crate::system;

/// The place.
pub struct Sharing {
    /// `postgres://USER@HOST/DATABASE`
    pub store: String,
    /// `s3://BUCKET/PREFIX`
    pub blobs: String,
    /// What the coordinators find in their environment besides ours.
    pub environment: Vec<(String, String)>,
    /// How long after the leader was heard last another one takes over.
    pub lease_seconds: u32,
}

impl Processes {
    /// Lets so many coordinators share a place, from the start of the study on: each has a copy of the first one's kit and an address of
    /// its own, and every party knows all of them.
    ///
    /// # Errors
    /// [`crate::Error::File`] or [`crate::Error::Settings`] where a kit cannot be read, copied or written.
    pub fn share(&mut self, sharing: &Sharing, coordinators: usize) -> Result<()> {
        let first: CoordinatorSettings = self.kit(COORDINATOR).settings(&[])?;
        let mut addresses = Vec::new();
        for number in 0..coordinators.max(1) {
            let (name, listen) = if number == 0 {
                (COORDINATOR.to_owned(), first.listen.clone())
            } else {
                let name = format!("{COORDINATOR}-{number}");
                copy(self.kit(COORDINATOR).folder(), self.kit(&name).folder())?;
                self.coordinators.push((name.clone(), None));
                (name, system::free_port()?)
            };
            addresses.push(listen.clone());
            let (store, blobs) = (Some(sharing.store.clone()), Some(sharing.blobs.clone()));
            let lease_seconds = Some(sharing.lease_seconds);
            set(
                &self.kit(&name),
                &CoordinatorSettings { listen, store, blobs, lease_seconds, ..first.clone() },
            )?;
        }
        self.environment.clone_from(&sharing.environment);
        for name in self.sites.iter().map(String::as_str).chain(["admin"]) {
            let kit: Kit = self.kit(name);
            let settings: PartySettings = kit.settings(&[])?;
            set(&kit, &PartySettings { coordinator: addresses.join(","), ..settings })?;
        }
        Ok(())
    }
}

/// Copies a folder and everything below it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    files::folder(to)?;
    for entry in fs::read_dir(from).map_err(failed("list", from))? {
        let entry = entry.map_err(failed("list", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            // With its rights: there are keys among them.
            fs::copy(&path, &target).map_err(failed("copy", &path))?;
        }
    }
    Ok(())
}
