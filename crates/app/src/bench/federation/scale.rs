//! `bench scale`: many sites over one coordinator; the federation's round and its kills with two coordinators that share PostgreSQL and an object
//! store, one of which leads; questions that workers answer.

use super::{FederationOptions, kills, many, portions, round, take, workers};
use crate::bench::{Better, Figure, Report};
use blindscope_node::Result;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

pub use blindscope_node::processes::{Server, Sharing};

const AREA: &str = "scale";
const SITES: usize = 3;
const COORDINATORS: usize = 2;
const WORKERS: usize = 2;
/// Values of a sum whose uploads are in the bucket, and are gone over in portions where there are workers.
const LARGE: u64 = 2_000_000;

/// What coordinators share.
pub struct Shared {
    /// Where it is.
    pub sharing: Sharing,
    /// Servers that are the benchmark's own, and are killed like everybody else.
    pub servers: Vec<Server>,
}

/// All figures: those of coordinators that share a place, which has to be empty, where one is given.
///
/// # Errors
/// [`blindscope_node::Error`] when no threads can be had; a figure that could not be taken is named in [`Report::missing`].
pub fn run(options: &FederationOptions, place: Option<Shared>) -> Result<Report> {
    let backend = "processes on loopback".to_owned();
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    blindscope_node::system::runtime()?.block_on(async {
        if options.many > 0 {
            take(&mut report, "many sites", many::figures(options).await);
        }
        match place {
            Some(place) => shared(&mut report, options, place).await,
            None => report.missing.push(
                "coordinators that share a place: name an empty place with --blobs s3://… and servers with --own-servers, or an empty schema with \
                 --store postgres://…, in a build with --features scale"
                    .to_owned(),
            ),
        }
    });
    Ok(report)
}

/// Two coordinators over PostgreSQL and an object store.
async fn shared(report: &mut Report, options: &FederationOptions, place: Shared) {
    let mut study = match begin(options, place).await {
        Ok(study) => study,
        Err(error) => return report.missing.push(format!("coordinators that share a place: {error}")),
    };
    take(report, "durable round", rounds(&study, options).await);
    let values = [kills::VALUES, LARGE];
    take(report, "kill -9", kills::killed(&mut study, (AREA, &values), options).await);
    match study.workers() {
        1.. => {
            take(report, "sums in portions", portions::figures(&mut study).await);
            take(report, "questions through workers", workers::figures(&mut study).await);
        }
        0 => report.missing.push(
            "sums in portions, questions through workers: name a NATS server with --queue nats://…, or --own-servers"
                .to_owned(),
        ),
    }
}

/// Workers are founded where there is a queue, and run once something was killed.
async fn begin(options: &FederationOptions, place: Shared) -> Result<Processes> {
    let Shared { sharing, servers } = place;
    let (project, learning) = (workers::project(SITES), rehearsal::learning(SITES));
    let folder = options.folder.join("shared");
    let mut study = Processes::provision(&options.binary, &folder, project, &learning)?;
    study.share(&sharing, COORDINATORS)?;
    if sharing.queue.is_some() {
        study.found_workers(WORKERS)?;
    }
    study.start().await?;
    for server in servers {
        study.lean_on(server);
    }
    Ok(study)
}

async fn rounds(study: &Processes, options: &FederationOptions) -> Result<Vec<Figure>> {
    let (times, _) = round::durable(study, options.rounds).await?;
    Ok(vec![Figure::of(AREA, "durable-round-shared", "ms", Better::Lower, &times).must(200.0, 80.0)])
}
