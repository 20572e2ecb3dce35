//! `site run`: asks the coordinator for something to do, judges it, does it, and sends the answer.
//!
//! Before anything leaves the site, what it says of itself is on its disk: the opening that it helps with, the attempt that
//! it spends, the answer that it signed. A site that was killed anywhere goes on from its marks: an answer that was
//! signed is sent again as it was, a share that was spent but not kept is never made again.
//!
//! Tasks of jobs and of questions are done side by side ([`hands`]), each by itself ([`turn`]), over one memory ([`memory`]).

mod decline;
mod dial;
mod hands;
mod memory;
mod meters;
mod turn;
mod work;

pub use decline::decline;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::exposition;
use crate::files;
use crate::kit::{Kit, PartySettings};
use blindscope_federation::{Contribution, Coordinator, IdentityKey, SealingKey, Site, Study};
use blindscope_store::{Folder, Marks};
use blindscope_transport::{Client, Join, Stop};
use dial::Dialler;
use memory::Memory;
use meters::Meters;

/// Learning at the site, shared among threads.
pub type Learning = Arc<dyn Contribution + Send + Sync>;

/// A running site.
struct Runner {
    study: Study,
    /// What it remembers, and the disk that it remembers it on.
    memory: Mutex<Memory>,
    /// Held from the judgement of an opening to its answer: each is judged by what the one before has opened.
    opening: Mutex<()>,
    blobs: Folder,
    signer: Arc<IdentityKey>,
    sealing: Arc<SealingKey>,
    learning: Learning,
    client: Client,
    meters: Meters,
    /// Most tasks of jobs at a time.
    jobs: usize,
    /// Its own folder, for what people here say of jobs and for room on the disk.
    kit: Kit,
    stop: Stop,
}

/// Runs the site of a kit until `stop`.
///
/// A coordinator that is away is waited for. `disk` is the most bytes that the site's blobs may take together.
///
/// # Errors
/// [`Error`] for what does not pass by itself: a kit or policy that is wrong, another study, a full disk.
pub async fn run(kit: &Kit, overrides: &[String], learning: Learning, disk: u64, stop: Stop) -> Result<()> {
    let settings: PartySettings = kit.settings(overrides)?;
    let study = kit.study()?;
    let me = kit.site(&study, &settings.name)?;
    let policy = kit.policy()?;
    files::folder(&kit.state())?;
    let marks = Marks::open(&kit.state().join("marks.db"), &study, me).await?;
    let blobs = Folder::open(&kit.state().join("blobs"), disk)?;
    marks.carry(&blobs).await?;
    let site = Site::replay(&study, me, policy, marks.all().await?)?;
    let meters = Meters::default();
    exposition::expose(settings.metrics.as_deref(), meters.registry(), &stop).await?;
    let runner = Arc::new(Runner {
        study,
        memory: Mutex::new(Memory::new(site, marks)),
        opening: Mutex::default(),
        blobs,
        signer: Arc::new(kit.identity()?),
        sealing: Arc::new(kit.sealing()?),
        learning,
        client: kit.client(&settings.coordinator)?,
        meters,
        jobs: settings.max_jobs.unwrap_or(Coordinator::MAX_JOBS).max(1) as usize,
        kit: kit.clone(),
        stop,
    });
    tracing::info!(site = %settings.name, coordinator = %settings.coordinator, "site runs");
    runner.tidy().await?;
    runner.join().await?;
    hands::run(&runner).await?;
    runner.memory.lock().await.flush().await
}

impl Runner {
    /// Says hello, however long it takes to be heard.
    async fn join(&self) -> Result<()> {
        let study = self.study.digest();
        let software = env!("CARGO_PKG_VERSION").to_owned();
        let hello = || {
            let (client, software) = (self.client.clone(), software.clone());
            async move { client.join(Join { software, study: Some(study) }).await }
        };
        let Some(joined) = Dialler::new()?.until_heard(&self.stop, hello).await? else { return Ok(()) };
        let literal =
            blindscope_federation::StudyLiteral::from_toml(&String::from_utf8_lossy(&joined.study))?;
        if literal != *self.study.literal() {
            let expected = self.study.digest().to_string();
            return Err(Error::OtherStudy { expected, found: literal.name });
        }
        Ok(())
    }

    /// Deletes what no answer needs any more.
    async fn tidy(&self) -> Result<()> {
        let memory = self.memory.lock().await;
        self.blobs.tidy(|| memory.needed())?;
        Ok(())
    }
}
