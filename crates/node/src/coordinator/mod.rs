//! `coordinator serve`: the state machine behind the sockets, over the disk.
//!
//! A message is accepted when its payload is a blob on the disk and its record is in the log; only then is it acknowledged.
//! A coordinator that was killed replays its log and goes on where it was, with nothing to do by hand.

mod admin;
mod callers;
mod desk;
mod handler;
mod hands;
mod inference;
mod metrics;
mod place;
mod presence;
mod refusal;
mod roster;
#[cfg(feature = "scale")]
mod sent_away;
mod uploads;
mod worker;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::exposition;
use crate::files;
use crate::kit::provision;
use crate::kit::{CoordinatorSettings, Kit};
use blindscope_federation::{Event, IdentityKey, Study};
use blindscope_store::Home;
use blindscope_transport::{Limits, Server, Stop};

#[cfg(feature = "scale")]
pub(crate) use inference::Offered;
pub use inference::{HeadReader, Served};
pub use worker::Learning;

use callers::Callers;
use desk::Desk;
use handler::Coordinating;
use hands::Hands;
use inference::Oracle;
use metrics::{Counted, Meters};

/// What a coordinator needs besides its kit.
pub struct Parts {
    /// What follows from a sum.
    pub learning: Learning,
    /// What callers may do.
    pub limits: Limits,
    /// Most bytes of all blobs together.
    pub disk: u64,
    /// Reads the head in a job's result, for predictions.
    pub heads: HeadReader,
}

/// Serves a kit until `stop`. `ready` is called once, with the address, when sites can call: where several coordinators share a place, once this
/// one leads.
///
/// # Errors
/// [`Error::Kit`] for the folder of somebody else, or one whose files do not belong together; [`Error::Store`] for a database
/// of another study, one that another process holds, or where another coordinator leads by now; [`Error::Transport`] for an address that
/// cannot be listened on, or certificates that cannot be used.
pub async fn serve(
    kit: &Kit,
    overrides: &[String],
    parts: Parts,
    stop: Stop,
    ready: impl FnOnce(SocketAddr) + Send,
) -> Result<()> {
    let settings: CoordinatorSettings = kit.settings(overrides)?;
    let study = kit.study()?;
    let signer = kit.identity()?;
    if !provision::is_coordinator(&study, signer.public()) {
        return Err(Error::Kit {
            folder: kit.folder().to_owned(),
            what: "local/identity.key",
            found: "another key".to_owned(),
            expected: "the coordinator's that study.toml names".to_owned(),
            repair: "serve from the folder that `provision` wrote",
        });
    }
    let Some(home) = place::open(kit, &settings, &study, parts.disk, &stop).await? else { return Ok(()) };
    let leading = tokio::spawn(lead(home.clone(), stop.clone()));
    let served = serve_from(kit, settings, (&home, study, signer), parts, &stop, ready).await;
    stop.stop();
    home.records.close().await;
    match leading.await.map_err(|_| Error::Defect { what: "the lease of the store" })? {
        Some(lost) => Err(lost.into()),
        None => served,
    }
}

/// Stops the service once another coordinator leads: why it does not any more.
async fn lead(home: Home, stop: Stop) -> Option<blindscope_store::Error> {
    tokio::select! {
        biased;
        lost = home.lost() => {
            stop.stop();
            Some(lost)
        }
        () = stop.clone().stopped() => None,
    }
}

/// Serves what is kept at home.
async fn serve_from(
    kit: &Kit,
    settings: CoordinatorSettings,
    (home, study, signer): (&Home, Study, IdentityKey),
    parts: Parts,
    stop: &Stop,
    ready: impl FnOnce(SocketAddr) + Send,
) -> Result<()> {
    let (records, blobs) = (home.records.clone(), home.blobs.clone());
    let study_file = files::read(&kit.startup("study.toml"), 4 << 20)?.to_vec().into();
    let meters = Arc::new(Meters::default());
    let desk = Arc::new(
        Desk::open(study, settings.side_by_side(), records, blobs, signer, meters.clone(), stop.clone())
            .await?,
    );
    roster::keep(&desk.now(), kit)?;
    let callers = Callers::new(desk.clone(), kit)?;
    let limits = parts.limits.for_callers(desk.now().study().members().len());
    let server = Server::bind(address(&settings.listen)?, kit.server()?, limits).await?;
    exposition::expose(settings.metrics.as_deref(), meters.registry(&desk), stop).await?;
    let hands = Hands::open(&settings, desk.now().study(), (&meters, stop)).await?;
    let of_worker = (parts.learning, hands.clone());
    let worker = tokio::spawn(worker::run(desk.clone(), kit.clone(), of_worker, stop.clone()));
    ready(server.address());
    let oracle = settings.inference.map(|inference| Oracle::open(inference, parts.heads, home, hands));
    let oracle = oracle.transpose()?;
    let questions = Arc::default();
    let coordinating = Coordinating { oracle, questions, desk: desk.clone(), callers, study_file };
    let counted = Counted { inner: coordinating, meters };
    let served = server.serve(Arc::new(counted), stop.clone()).await;
    stop.stop();
    worker.await.map_err(|_| Error::Defect { what: "the coordinator's worker" })?;
    if desk.is_broken() {
        return Err(Error::Defect { what: "the log of records" });
    }
    Ok(served?)
}

fn address(listen: &str) -> Result<SocketAddr> {
    let found = listen.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Error::Unknown {
        what: "address",
        name: listen.to_owned(),
        repair: "set listen = \"ADDRESS:PORT\" in startup/settings.toml",
    })
}

/// An event's name, for the log of the process.
fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Founded { .. } => "founded",
        Event::Submitted { .. } => "submitted",
        Event::Opened { .. } => "opened",
        Event::Accepted { .. } => "accepted",
        Event::Closed { .. } => "closed",
        Event::Excluded { .. } => "excluded",
        Event::Combined { .. } => "combined",
        Event::Advanced { .. } => "advanced",
        Event::Done { .. } => "done",
        Event::Failed { .. } => "failed",
        Event::Proposed { .. } => "proposed",
        Event::Withdrawn => "withdrawn",
        Event::Said { .. } => "said",
        Event::Changed { .. } => "changed",
    }
}
