//! `bench scale`: many sites over one coordinator; the federation's round and its kills with two coordinators that share PostgreSQL and an object
//! store, one of which leads; questions that workers answer.

use super::{FederationOptions, kills, many, round, take, workers};
use crate::bench::{Better, Figure, Report};
use blindscope_node::Result;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

pub use blindscope_node::processes::Sharing;

const AREA: &str = "scale";
const SITES: usize = 3;
const COORDINATORS: usize = 2;

/// All figures: those of coordinators that share a place, which has to be empty, where one is given.
///
/// # Errors
/// [`blindscope_node::Error`] when no threads can be had; a figure that could not be taken is named in [`Report::missing`].
pub fn run(options: &FederationOptions, sharing: Option<&Sharing>) -> Result<Report> {
    let backend = "processes on loopback".to_owned();
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    blindscope_node::system::runtime()?.block_on(async {
        if options.many > 0 {
            take(&mut report, "many sites", many::figures(options).await);
        }
        match sharing {
            Some(sharing) => shared(&mut report, options, sharing).await,
            None => report.missing.push(
                "coordinators that share a place: name an empty schema with --store postgres://… and an empty place with --blobs s3://…, in a \
                 build with --features scale"
                    .to_owned(),
            ),
        }
    });
    Ok(report)
}

/// Two coordinators over PostgreSQL and an object store.
async fn shared(report: &mut Report, options: &FederationOptions, sharing: &Sharing) {
    let mut study = match begin(options, sharing).await {
        Ok(study) => study,
        Err(error) => return report.missing.push(format!("coordinators that share a place: {error}")),
    };
    take(report, "durable round", rounds(&study, options).await);
    take(report, "kill -9", kills::killed(&mut study, AREA, options).await);
    match sharing.queue {
        Some(_) => take(report, "questions through workers", workers::figures(&mut study).await),
        None => report
            .missing
            .push("questions through workers: name a NATS server with --queue nats://…".to_owned()),
    }
}

async fn begin(options: &FederationOptions, sharing: &Sharing) -> Result<Processes> {
    let (project, learning) = (workers::project(SITES), rehearsal::learning(SITES));
    let folder = options.folder.join("shared");
    let mut study = Processes::provision(&options.binary, &folder, project, &learning)?;
    study.share(sharing, COORDINATORS)?;
    study.start().await?;
    Ok(study)
}

async fn rounds(study: &Processes, options: &FederationOptions) -> Result<Vec<Figure>> {
    let (times, _) = round::durable(study, options.rounds).await?;
    Ok(vec![Figure::of(AREA, "durable-round-shared", "ms", Better::Lower, &times).must(200.0, 80.0)])
}
