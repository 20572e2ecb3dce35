//! A site's way from its kit to its first word to the coordinator.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::decline::decline;
use super::hands;
use super::memory::Memory;
use super::meters::Meters;
use super::{Learning, Runner};
use crate::error::{Error, Result};
use crate::kit::{Kit, PartySettings};
use crate::{exposition, files};
use blindscope_federation::{Coordinator, Site, SiteId, Study};
use blindscope_store::{BlobStore, Marks};
use blindscope_transport::{Client, Stop};

/// Runs the site of a kit until `stop`.
///
/// A coordinator that is away is waited for; one that can be told hears that the site ends where its kit, policy or study do not fit.
/// `disk` is the most bytes that the site's blobs may take together.
///
/// # Errors
/// [`Error`] for what does not pass by itself: a kit or policy that is wrong, another study, a full disk.
pub async fn run(kit: &Kit, overrides: &[String], learning: Learning, disk: u64, stop: Stop) -> Result<()> {
    let runner = match begin(kit, overrides, learning, disk, stop).await {
        Ok(runner) => runner,
        Err(error) => {
            // A disk or another process of this kit is no word on whether the site fits.
            if error.is_callers() {
                decline(kit, overrides).await;
            }
            return Err(error);
        }
    };
    let runner = Arc::new(runner);
    hands::run(&runner).await?;
    runner.memory.lock().await.flush().await
}

/// A site that has said hello.
async fn begin(kit: &Kit, overrides: &[String], learning: Learning, disk: u64, stop: Stop) -> Result<Runner> {
    let settings: PartySettings = kit.settings(overrides)?;
    let client = kit.client(&settings.coordinator)?;
    let (me, study) = enter(kit, &settings.name, &client).await?;
    let policy = kit.policy()?;
    files::folder(&kit.state())?;
    let marks = Marks::open(&kit.state().join("marks.db"), &study, me).await?;
    let blobs = BlobStore::open(&kit.state().join("blobs"), disk)?;
    marks.carry(&blobs).await?;
    let site = Site::replay(&study, me, policy, marks.all().await?)?;
    let meters = Meters::default();
    exposition::expose(settings.metrics.as_deref(), meters.registry(), &stop).await?;
    let runner = Runner {
        memory: Mutex::new(Memory::new(site, marks)),
        opening: Mutex::default(),
        blobs,
        signer: Arc::new(kit.identity()?),
        sealing: Arc::new(kit.sealing()?),
        learning,
        client,
        meters,
        jobs: settings.max_jobs.unwrap_or(Coordinator::MAX_JOBS).max(1) as usize,
        kit: kit.clone(),
        stop,
    };
    tracing::info!(site = %settings.name, coordinator = %settings.coordinator, "site runs");
    runner.tidy().await?;
    runner.join(&study).await?;
    match runner.see_to_roster(true).await {
        // A change on its way that nobody has signed ends no site.
        Err(Error::Federation(error)) => tracing::error!(%error, "what is shown of the roster is left"),
        seen => seen?,
    }
    Ok(runner)
}

/// The study as it is known here, and this site's number in it. A site that joined later is not in `study.toml`: it learns the signed
/// changes first.
async fn enter(kit: &Kit, name: &str, client: &Client) -> Result<(SiteId, Study)> {
    let mut study = kit.study_now()?;
    if let Err(unknown) = kit.site(&study, name) {
        // One try: whoever is not of the roster that is known here asks whether there is a newer one.
        match crate::roster::catch_up(client, kit, study).await {
            Ok((newer, _, _)) => study = newer,
            Err(unheard) => {
                tracing::warn!(%unheard, "the roster in force could not be learned");
                return Err(unknown);
            }
        }
    }
    Ok((kit.site(&study, name)?, study))
}
