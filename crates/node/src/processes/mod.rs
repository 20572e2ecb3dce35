//! A whole study on this machine: a coordinator and its sites as processes of the same program, over real TLS on loopback.
//!
//! For trials, for measuring, and for tests that kill processes.

mod crowd;
mod servers;
mod sharing;
mod strike;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::admin::jobs::Admin;
use crate::error::{Error, Result};
use crate::files;
use crate::files::failed;
use crate::kit::provision::{self, Project};
use crate::kit::{CoordinatorSettings, Kit, PartySettings};
use crate::system;
use blindscope_federation::Study;

pub use crowd::Crowd;
pub use servers::Server;
pub use sharing::Sharing;
pub use strike::Kills;

/// How long a coordinator may take to answer after its start.
const START: Duration = Duration::from_mins(1);

/// The processes of one study. Dropped, they are killed; where this process is killed itself, they end with it, but for servers that were lent to it.
pub struct Processes {
    binary: PathBuf,
    folder: PathBuf,
    sites: Vec<String>,
    /// By their kits. The first one is there always.
    coordinators: Vec<(String, Option<Child>)>,
    /// By their kits.
    workers: Vec<(String, Option<Child>)>,
    /// What coordinators and workers lean on and may be killed, too.
    servers: Vec<Server>,
    /// What coordinators and workers find in their environment besides ours.
    environment: Vec<(String, String)>,
    running: Vec<Option<Child>>,
}

/// The kit of the first coordinator.
const COORDINATOR: &str = "coordinator";

impl Processes {
    /// Provisions `project` below `folder`, which must be empty, with a free port of this machine, one administrator named
    /// `admin`, and the table `learning` of each site's settings. Nothing runs yet.
    ///
    /// # Errors
    /// [`Error::Defect`] where no port is free; [`Error::File`] where `folder` cannot be written; as [`provision::all_local`].
    pub fn provision(
        binary: &Path,
        folder: &Path,
        mut project: Project,
        learning: &[toml::Table],
    ) -> Result<Self> {
        let port = system::free_port()?;
        project.address.clone_from(&port);
        project.listen = Some(port);
        if !project.admins.iter().any(|name| name == "admin") {
            project.admins.push("admin".to_owned());
        }
        provision::all_local(&project, folder, system::now_ms(), &mut system::rng()?)?;
        for (site, learning) in project.sites.iter().zip(learning) {
            let kit = Kit::at(folder.join(site));
            let mut settings: PartySettings = kit.settings(&[])?;
            settings.learning = learning.clone();
            set(&kit, &settings)?;
        }
        files::folder(&folder.join("logs"))?;
        let running = project.sites.iter().map(|_| None).collect();
        Ok(Self::of(binary, folder, project.sites, running))
    }

    fn of(binary: &Path, folder: &Path, sites: Vec<String>, running: Vec<Option<Child>>) -> Self {
        let (binary, folder) = (binary.to_owned(), folder.to_owned());
        let coordinators = vec![(COORDINATOR.to_owned(), None)];
        let (workers, servers, environment) = (Vec::new(), Vec::new(), Vec::new());
        Self { binary, folder, sites, coordinators, workers, servers, environment, running }
    }

    /// The study that was provisioned below `folder` before, with its sites in the project's order. Nothing runs yet.
    pub fn open(binary: &Path, folder: &Path, sites: &[&str]) -> Self {
        let running = sites.iter().map(|_| None).collect();
        let sites = sites.iter().map(|&name| name.to_owned()).collect();
        Self::of(binary, folder, sites, running)
    }

    /// Lets the coordinator have so many jobs at work at a time, from its next start on.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Settings`] where its settings cannot be read or written.
    pub fn allow_jobs(&self, most: u32) -> Result<()> {
        let kit = self.kit(COORDINATOR);
        let settings: CoordinatorSettings = kit.settings(&[])?;
        set(&kit, &CoordinatorSettings { max_jobs: Some(most), ..settings })
    }

    /// Starts everything.
    ///
    /// # Errors
    /// [`Error::File`] where the command cannot be started; as [`Self::ready`].
    pub async fn start(&mut self) -> Result<()> {
        self.start_coordinator()?;
        (0..self.sites.len()).try_for_each(|site| self.start_site(site))?;
        self.ready().await
    }

    /// Starts every coordinator that does not run: it was not started yet or was killed, or, of several, has ended because another leads.
    ///
    /// # Errors
    /// [`Error::File`] where the command cannot be started, or its log cannot be written.
    pub fn start_coordinator(&mut self) -> Result<()> {
        let several = self.coordinators.len() > 1;
        for which in 0..self.coordinators.len() {
            let Some((name, child)) = self.coordinators.get_mut(which) else { continue };
            if child.as_mut().is_some_and(|child| !several || matches!(child.try_wait(), Ok(None))) {
                continue;
            }
            let name = name.clone();
            let child = self.spawn(&["coordinator", "serve"], &name)?;
            if let Some((_, place)) = self.coordinators.get_mut(which) {
                *place = Some(child);
            }
        }
        Ok(())
    }

    /// Starts a site, by its number, unless it runs.
    ///
    /// # Errors
    /// [`Error::File`] where the command cannot be started, or its log cannot be written.
    pub fn start_site(&mut self, site: usize) -> Result<()> {
        let Some(name) = self.sites.get(site).cloned() else { return Ok(()) };
        if self.running.get(site).is_some_and(Option::is_some) {
            return Ok(());
        }
        let child = self.spawn(&["site", "run"], &name)?;
        if let Some(place) = self.running.get_mut(site) {
            *place = Some(child);
        }
        Ok(())
    }

    /// Kills a coordinator with SIGKILL, by its number (0 is the one that there is always), and waits until it is gone.
    pub fn kill_coordinator(&mut self, which: usize) {
        if let Some((_, child)) = self.coordinators.get_mut(which) {
            kill(child);
        }
    }

    /// Kills a site with SIGKILL and waits until it is gone.
    pub fn kill_site(&mut self, site: usize) {
        if let Some(running) = self.running.get_mut(site) {
            kill(running);
        }
    }

    /// Waits until the coordinator answers.
    ///
    /// # Errors
    /// [`Error::Transport`] where nobody has answered after a minute.
    pub async fn ready(&self) -> Result<()> {
        let admin = self.admin()?;
        let begun = Instant::now();
        loop {
            match admin.list().await {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > START => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// The administrator.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Settings`] where the kit of `admin` cannot be read.
    pub fn admin(&self) -> Result<Admin> {
        Admin::of(&self.kit("admin"), &[])
    }

    /// Where the coordinator is, `HOST:PORT`.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Settings`] where the settings of `admin` cannot be read.
    pub fn address(&self) -> Result<String> {
        let settings: PartySettings = self.kit("admin").settings(&[])?;
        Ok(settings.coordinator)
    }

    /// The study.
    ///
    /// # Errors
    /// [`Error::File`] where the study of `admin` cannot be read; [`Error::Federation`] for one that is none.
    pub fn study(&self) -> Result<Study> {
        self.kit("admin").study()
    }

    /// A party's kit, by its name.
    pub fn kit(&self, name: &str) -> Kit {
        Kit::at(self.folder.join(name))
    }

    /// How many sites there are.
    pub fn sites(&self) -> usize {
        self.sites.len()
    }

    /// How many coordinators there are.
    pub fn coordinators(&self) -> usize {
        self.coordinators.len()
    }

    /// A coordinator's process id, by its number, if it runs.
    pub fn coordinator_id(&self, which: usize) -> Option<u32> {
        self.coordinators.get(which)?.1.as_ref().map(Child::id)
    }

    /// A site's process id, if it runs.
    pub fn site_id(&self, site: usize) -> Option<u32> {
        self.running.get(site)?.as_ref().map(Child::id)
    }

    /// Whether a process that should run has ended by itself, by its name: a site, or else a worker, or else a coordinator.
    pub fn ended(&mut self) -> Option<String> {
        let gone =
            |child: &mut Option<Child>| child.as_mut().is_some_and(|c| matches!(c.try_wait(), Ok(Some(_))));
        let sites = self.running.iter_mut().zip(&self.sites);
        let services = self.workers.iter_mut().chain(&mut self.coordinators);
        let services = services.map(|(name, child)| (child, &*name));
        sites.chain(services).find_map(|(child, name)| gone(child).then(|| name.clone()))
    }

    fn spawn(&self, command: &[&str], name: &str) -> Result<Child> {
        let path = self.folder.join("logs").join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(&path).map_err(failed("open", &path))?;
        let mut process = Command::new(&self.binary);
        process.args(command).arg("--kit").arg(self.folder.join(name)).arg("--until-input-ends");
        if self.workers.iter().any(|(worker, _)| worker == name) {
            process.env("RAYON_NUM_THREADS", "1");
        }
        if self.coordinators.iter().chain(&self.workers).any(|(service, _)| service == name) {
            process.envs(self.environment.iter().map(|(name, value)| (name, value)));
        }
        process.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        process.spawn().map_err(failed("start", &self.binary))
    }
}

/// Writes the settings of a kit.
fn set(kit: &Kit, settings: &impl Serialize) -> Result<()> {
    let path = kit.startup("settings.toml");
    let text = toml::to_string(settings)
        .map_err(|e| Error::Settings { path: path.clone(), reason: e.to_string() })?;
    files::write(&path, text.as_bytes())
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.coordinators.iter_mut().chain(&mut self.workers).for_each(|(_, child)| kill(child));
        self.running.iter_mut().for_each(kill);
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        // It may have ended already; then there is nothing to kill.
        let _ = child.kill();
        let _ = child.wait();
    }
}
