//! Several coordinators of one study over a place that they share.

use std::fs;
use std::path::Path;

use super::{COORDINATOR, Processes, Server, kill, set};
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
    /// `nats://HOST:PORT`, where workers are asked.
    pub queue: Option<String>,
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
            let (queue, lease_seconds) = (sharing.queue.clone(), Some(sharing.lease_seconds));
            set(
                &self.kit(&name),
                &CoordinatorSettings { listen, store, blobs, queue, lease_seconds, ..first.clone() },
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

impl Processes {
    /// Founds so many workers: each has a copy of what the first coordinator was started with, and none of its keys. They run once
    /// [`Self::start_worker`] is called.
    ///
    /// # Errors
    /// [`crate::Error::File`] where a kit cannot be copied.
    pub fn found_workers(&mut self, workers: usize) -> Result<()> {
        for number in self.workers.len()..workers {
            let name = format!("worker-{number}");
            let startup = self.kit(COORDINATOR).startup("");
            copy(&startup, &self.kit(&name).startup(""))?;
            self.workers.push((name, None));
        }
        Ok(())
    }

    /// Starts a worker, by its number, unless it runs: one piece at a time, on one thread.
    ///
    /// # Errors
    /// [`crate::Error::File`] where the command cannot be started, or its log cannot be written.
    pub fn start_worker(&mut self, which: usize) -> Result<()> {
        let Some((name, None)) = self.workers.get(which) else { return Ok(()) };
        let child = self.spawn(&["worker", "--pieces", "1"], &name.clone())?;
        if let Some((_, place)) = self.workers.get_mut(which) {
            *place = Some(child);
        }
        Ok(())
    }

    /// Kills a worker with SIGKILL, by its number, and waits until it is gone.
    pub fn kill_worker(&mut self, which: usize) {
        if let Some((_, child)) = self.workers.get_mut(which) {
            kill(child);
        }
    }

    /// Has a server that runs already be one of the study's processes, from [`Self::strike`] to the end.
    pub fn lean_on(&mut self, server: Server) {
        self.servers.push(server);
    }

    /// How often a worker has begun to go over a portion of some work, by its own log.
    ///
    /// # Errors
    /// [`crate::Error::File`] where there is no log.
    pub fn portions_of(&self, worker: usize) -> Result<usize> {
        let name = self.workers.get(worker).map_or_else(String::new, |(name, _)| name.clone());
        let path = self.folder.join("logs").join(format!("{name}.log"));
        let said = fs::read_to_string(&path).map_err(failed("read", &path))?;
        Ok(said.matches("going over a portion").count())
    }

    /// How many workers there are, running or not.
    pub fn workers(&self) -> usize {
        self.workers.len()
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
