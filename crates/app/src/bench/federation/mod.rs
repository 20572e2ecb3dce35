//! `bench federation`: coordinator and sites as processes of this program, on loopback, over real TLS, with real keys.
//!
//! Wall-clock times: a round waits for disks and other processes, and what a busy machine adds is in them.

mod beside;
mod kills;
mod lost;
mod many;
mod memory;
mod portions;
mod round;
pub mod scale;
mod slow;
mod workers;

use std::path::PathBuf;

use super::{Figure, Report};
use blindscope_federation::Record;
use blindscope_node::Result;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const AREA: &str = "federation";

/// What is measured how often.
#[derive(Debug, Clone)]
pub struct FederationOptions {
    /// This program.
    pub binary: PathBuf,
    /// Where the studies' folders go; emptied afterwards.
    pub folder: PathBuf,
    /// Rounds that times are taken of.
    pub rounds: u64,
    /// Processes killed.
    pub kills: u64,
    /// Sites of the memory figure.
    pub sites: usize,
    /// Sites of the round of many.
    pub many: usize,
    /// Seed of the kills' times.
    pub seed: u64,
}

/// All figures of the federation.
///
/// # Errors
/// [`blindscope_node::Error`] when a study cannot be run at all; a figure that could not be taken is named in [`Report::missing`].
pub fn run(options: &FederationOptions) -> Result<Report> {
    let mut report =
        Report { figures: Vec::new(), missing: Vec::new(), backend: "processes on loopback".to_owned() };
    blindscope_node::system::runtime()?.block_on(async {
        take(&mut report, "durable round", round::figures(options).await);
        take(&mut report, "jobs at once", beside::figures(options).await);
        take(&mut report, "slow connections", slow::figures(options).await);
        take(&mut report, "lost sites", lost::figures(options).await);
        take(&mut report, "kill -9", kills::figures(options).await);
        take(&mut report, "coordinator's memory", memory::figures(options).await);
    });
    Ok(report)
}

fn take(report: &mut Report, what: &str, figures: Result<Vec<Figure>>) {
    match figures {
        Ok(figures) => report.figures.extend(figures),
        Err(error) => report.missing.push(format!("{what}: {error}")),
    }
}

impl FederationOptions {
    /// A study of this project that is ready, in a folder of its own.
    async fn study(&self, name: &str, project: Project) -> Result<Processes> {
        let sites = project.sites.len();
        let study = Processes::provision(
            &self.binary,
            &self.folder.join(name),
            project,
            &rehearsal::learning(sites),
        )?;
        begin(study).await
    }
}

async fn begin(mut study: Processes) -> Result<Processes> {
    study.start().await?;
    Ok(study)
}

/// Waits for a job's result.
async fn finish(admin: &Admin, job: &str) -> Result<()> {
    blindscope_node::admin::jobs::result(admin.study(), &admin.watch(job, |_| {}).await?)?;
    Ok(())
}

/// The log's records.
async fn records(admin: &Admin) -> Result<Vec<Record>> {
    let mut lines = Vec::new();
    admin.log(0, false, &mut lines).await?;
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(Record::from_line).collect::<std::result::Result<_, _>>()?)
}

/// What went wrong in a measurement.
fn wrong(what: &'static str) -> blindscope_node::Error {
    blindscope_node::Error::Defect { what }
}
