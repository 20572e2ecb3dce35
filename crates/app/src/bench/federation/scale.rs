//! `bench scale`: the federation's round and its kills with two coordinators that share PostgreSQL and an object store, one of which leads.

use super::{FederationOptions, kills, round, take};
use crate::bench::{Better, Figure, Report};
use blindscope_node::Result;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

pub use blindscope_node::processes::Sharing;

const AREA: &str = "scale";
const SITES: usize = 3;
const COORDINATORS: usize = 2;

/// All figures of coordinators that share a place, which has to be empty.
///
/// # Errors
/// [`blindscope_node::Error`] when the study cannot be run at all; a figure that could not be taken is named in [`Report::missing`].
pub fn run(options: &FederationOptions, sharing: &Sharing) -> Result<Report> {
    let backend = "processes on loopback, two coordinators over PostgreSQL and an object store".to_owned();
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    blindscope_node::system::runtime()?.block_on(async {
        let (project, learning) = (rehearsal::project(SITES, 2, 3), rehearsal::learning(SITES));
        let folder = options.folder.join("shared");
        let mut study = Processes::provision(&options.binary, &folder, project, &learning)?;
        study.share(sharing, COORDINATORS)?;
        study.start().await?;
        take(&mut report, "durable round", rounds(&study, options).await);
        take(&mut report, "kill -9", kills::killed(&mut study, AREA, options).await);
        Ok(report)
    })
}

async fn rounds(study: &Processes, options: &FederationOptions) -> Result<Vec<Figure>> {
    let (times, _) = round::durable(study, options.rounds).await?;
    Ok(vec![Figure::of(AREA, "durable-round-shared", "ms", Better::Lower, &times).must(200.0, 80.0)])
}
