//! What a site has in hand: tasks of jobs and of questions side by side, of each job one at a time, of the same values one at a time.
//!
//! One poll is open at the coordinator. It says what is in hand, so it is made anew whenever that changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::Runner;
use super::dial::Dialler;
use crate::documents::Told;
use crate::error::{Error, Result};
use crate::system;
use blindscope_federation::{JobId, JobKind, Task};
use blindscope_transport::Errand;
use blindscope_wire::Digest;

/// The longest that a poll stays open at the coordinator.
const POLL: Duration = Duration::from_secs(25);
/// A poll that is open for so long is no pause between two steps.
const QUIET: Duration = Duration::from_millis(100);
/// Most tasks of questions at a time: while one waits for the disk or the network, another is computed.
const QUESTIONS: usize = 2;

/// A task in hand.
struct InHand {
    is_question: bool,
    values: Option<Digest>,
}

/// The tasks that are done now.
struct Hands {
    at_work: JoinSet<Result<JobId>>,
    tasks: BTreeMap<JobId, InHand>,
    /// Jobs whose task has to wait for one in hand.
    put_off: Vec<JobId>,
    /// Most tasks of jobs at a time.
    jobs: usize,
}

/// Asks for tasks and does them until the site stops.
pub(super) async fn run(runner: &Arc<Runner>) -> Result<()> {
    let mut hands =
        Hands { at_work: JoinSet::new(), tasks: BTreeMap::new(), put_off: Vec::new(), jobs: runner.jobs };
    let mut dialler = Dialler::new()?;
    while !runner.stop.is_stopped() {
        match next(runner, &mut hands, &mut dialler).await? {
            Heard::Task(Errand { task, blobs }) => match Task::from_bytes(&task) {
                Ok(task) => hands.take(runner, (task, blobs), &mut dialler).await?,
                Err(error) => runner.leave(&error, &mut dialler).await?,
            },
            Heard::NoTask => hands.see_to_roster(runner, &mut dialler).await?,
            Heard::Nothing => {}
        }
    }
    // Each notices the stop where it waits.
    while let Some(done) = hands.at_work.join_next().await {
        hands.done(done)?;
    }
    Ok(())
}

/// What became of a poll.
enum Heard {
    /// A task's bytes, and blobs that came with it.
    Task(Errand),
    /// The coordinator has none, or people here have said a word: there may be something else.
    NoTask,
    /// What is in hand changed first, or the site stops.
    Nothing,
}

/// The next task's bytes; nothing where what is in hand changed first.
async fn next(runner: &Runner, hands: &mut Hands, dialler: &mut Dialler) -> Result<Heard> {
    let told = serde_json::to_vec(&hands.told(runner).await).unwrap_or_default();
    let (room, mut quiet) = (hands.has_room(), false);
    let ask = || {
        let (client, told) = (runner.client.clone(), told.clone());
        async move { client.next(told.into(), POLL).await }
    };
    let asking = async {
        if room { dialler.until_heard(&runner.stop, ask).await } else { std::future::pending().await }
    };
    let another_word = runner.another_word();
    tokio::pin!(asking, another_word);
    loop {
        tokio::select! {
            Some(done) = hands.at_work.join_next() => {
                hands.done(done)?;
                // A signature may have waited for that.
                let signs = hands.tasks.is_empty() && runner.waits_for_hands().await;
                return Ok(if signs { Heard::NoTask } else { Heard::Nothing });
            }
            heard = &mut asking => {
                let Some(heard) = heard? else { return Ok(Heard::Nothing) };
                runner.meters.heard();
                return Ok(heard.map_or(Heard::NoTask, Heard::Task));
            }
            () = &mut another_word => return Ok(Heard::NoTask),
            () = tokio::time::sleep(QUIET), if !quiet => {
                quiet = true;
                // Where nothing is asked soon, what waits for the disk goes there. What that makes superfluous goes after it, not before.
                runner.flush().await?;
            }
        }
    }
}

impl Hands {
    /// What is said with a poll: this machine's release, clock, room on the disk; what is in hand.
    async fn told(&self, runner: &Runner) -> Told {
        let free_bytes = rustix::fs::statvfs(runner.kit.state()).ok();
        let free_bytes = free_bytes.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let (jobs, questions) = (self.count(false) < self.jobs, self.count(true) < QUESTIONS);
        Told {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: system::now_ms(),
            free_bytes,
            busy: self.tasks.keys().chain(&self.put_off).copied().collect(),
            jobs,
            questions,
            seen: runner.seen().await.map(|next| next.to_string()),
        }
    }

    fn count(&self, questions: bool) -> usize {
        self.tasks.values().filter(|task| task.is_question == questions).count()
    }

    fn has_room(&self) -> bool {
        self.count(false) < self.jobs || self.count(true) < QUESTIONS
    }

    /// Begins a task, or puts it off where it is one that has to wait.
    async fn take(
        &mut self,
        runner: &Arc<Runner>,
        (task, given): (Task, Vec<Bytes>),
        dialler: &mut Dialler,
    ) -> Result<()> {
        let (job, values) = (task.step.job, task.values());
        if task.version > runner.study().await.version() {
            // What is signed is learned before anything is done under it.
            self.see_to_roster(runner, dialler).await?;
        }
        if self.tasks.contains_key(&job) {
            // The coordinator was told; where it asks all the same, not in a circle.
            dialler.pause(&runner.stop).await;
            return Ok(());
        }
        if values.is_some() && self.tasks.values().any(|other| other.values == values) {
            self.put_off.push(job);
            return Ok(());
        }
        self.tasks.insert(job, InHand { is_question: task.spec.kind == JobKind::Question, values });
        let runner = runner.clone();
        self.at_work.spawn(async move { runner.turn(&task, given).await.map(|()| job) });
        Ok(())
    }

    /// Learns the roster. What the coordinator shows of it and nobody has signed is left: it ends no site.
    async fn see_to_roster(&self, runner: &Runner, dialler: &mut Dialler) -> Result<()> {
        match runner.see_to_roster(self.tasks.is_empty()).await {
            Err(error @ (Error::Federation(_) | Error::Roster { .. })) => runner.leave(&error, dialler).await,
            seen => seen,
        }
    }

    /// A task was done.
    fn done(&mut self, done: std::result::Result<Result<JobId>, tokio::task::JoinError>) -> Result<()> {
        let job = done.map_err(|_| Error::Defect { what: "a task of the site" })??;
        self.tasks.remove(&job);
        self.put_off.clear();
        Ok(())
    }
}
