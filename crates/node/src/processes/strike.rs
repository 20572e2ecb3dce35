//! Processes killed at random times, whichever they are, and started again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand_core::Rng;
use tokio::time::timeout;

use super::{Processes, START};
use crate::error::Result;
use blindscope_federation::{JobId, JobSpec};

/// How long nobody may answer until it is looked whether anything has ended.
const LOOK: Duration = Duration::from_secs(2);

/// Between two tries to submit a job.
const PAUSE: Duration = Duration::from_millis(100);

/// One process of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Site(usize),
    Coordinator(usize),
    Worker(usize),
    Server(usize),
}

/// How often processes of each kind were killed.
pub type Kills = BTreeMap<&'static str, u64>;

impl Processes {
    /// Kills one process with SIGKILL within the next 400 milliseconds, of a kind that none was killed of yet, and then each as likely as another;
    /// starts it again up to 100 milliseconds later, with those that have ended because it was gone. Adds what it was to `kills`.
    ///
    /// # Errors
    /// [`crate::Error::File`] where a command cannot be started; [`crate::Error::Defect`] for a server that does not come back.
    pub async fn strike(&mut self, rng: &mut impl Rng, kills: &mut Kills) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(rng.next_u64() % 400)).await;
        let mut targets = self.targets();
        if targets.iter().any(|target| !kills.contains_key(self.kind(*target))) {
            targets.retain(|target| !kills.contains_key(self.kind(*target)));
        }
        // There are sites always.
        let target = targets.get((rng.next_u64() % targets.len().max(1) as u64) as usize);
        if let Some(target) = target.copied() {
            *kills.entry(self.kind(target)).or_default() += 1;
            self.kill(target);
        }
        tokio::time::sleep(Duration::from_millis(rng.next_u64() % 100)).await;
        self.again()
    }

    /// Waits until a coordinator answers, and meanwhile starts again whatever has ended.
    ///
    /// # Errors
    /// As [`Self::strike`]; [`crate::Error::Transport`] where nobody has answered after a minute.
    pub async fn recovered(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            self.again()?;
            match timeout(LOOK, self.ready()).await {
                Ok(ready) => return ready,
                Err(_) if begun.elapsed() < START => {}
                Err(_) => return self.ready().await,
            }
        }
    }

    /// Puts a job in the queue, again where whoever led has ended meanwhile: the same file is the same job.
    ///
    /// # Errors
    /// As [`Self::recovered`]; [`crate::Error::Transport`] where the job is refused for a minute.
    pub async fn submit(&mut self, spec: &JobSpec) -> Result<JobId> {
        let begun = Instant::now();
        loop {
            self.recovered().await?;
            match self.admin()?.submit(spec).await {
                Err(_) if begun.elapsed() < START => tokio::time::sleep(PAUSE).await,
                ended => return ended,
            }
        }
    }

    fn targets(&self) -> Vec<Target> {
        let sites = (0..self.sites.len()).map(Target::Site);
        let coordinators = (0..self.coordinators.len()).map(Target::Coordinator);
        let workers = (0..self.workers.len()).map(Target::Worker);
        let servers = (0..self.servers.len()).map(Target::Server);
        sites.chain(coordinators).chain(workers).chain(servers).collect()
    }

    fn kind(&self, target: Target) -> &'static str {
        match target {
            Target::Site(_) => "sites",
            Target::Coordinator(_) => "coordinators",
            Target::Worker(_) => "workers",
            Target::Server(which) => self.servers.get(which).map_or("servers", super::Server::name),
        }
    }

    fn kill(&mut self, target: Target) {
        match target {
            Target::Site(which) => self.kill_site(which),
            Target::Coordinator(which) => self.kill_coordinator(which),
            Target::Worker(which) => self.kill_worker(which),
            Target::Server(which) => {
                if let Some(server) = self.servers.get_mut(which) {
                    server.kill();
                }
            }
        }
    }

    /// Starts whatever was killed, servers first; and, of several coordinators, those that have ended by themselves, as one does whose lease
    /// ran out while its server was gone.
    ///
    /// # Errors
    /// As [`Self::strike`].
    fn again(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(super::Server::again)?;
        self.start_coordinator()?;
        (0..self.workers.len()).try_for_each(|worker| self.start_worker(worker))?;
        (0..self.sites.len()).try_for_each(|site| self.start_site(site))
    }
}
