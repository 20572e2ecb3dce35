//! What the coordinator's state says at the moment of a look.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::coordinator::desk::Desk;
use crate::documents::Presence;
use crate::exposition::single;
use blindscope_federation::{Coordinator, JobStatus, JobView};

/// The desk that is looked at.
pub(super) struct State(pub(super) Arc<Desk>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfJob {
    job: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStep {
    job: String,
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSite {
    site: String,
}

impl Collector for State {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.now();
        let jobs = now.jobs();
        self.write_study(&now, &mut to)?;
        write_jobs(&jobs, &mut to)?;
        write_steps(&jobs, &mut to)?;
        self.write_sites(&mut to)
    }
}

impl State {
    fn write_study(&self, now: &Coordinator, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        single(to, "log_records", "Records in the log", now.head().0)?;
        single(to, "opened_ciphertexts", "Ciphertexts that openings were begun for", now.opened())?;
        let most = now.study().literal().decryptions;
        single(to, "opened_ciphertexts_most", "Ciphertexts that the study opens in its life", most)?;
        single(to, "blobs_bytes", "Bytes of all blobs on the disk", self.0.blobs.used())?;
        single(
            to,
            "inputs_waiting",
            "Inputs that wait to be decided and stored",
            self.0.inputs_waiting() as u64,
        )
    }

    fn write_sites(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sites = self.0.presences.views(self.0.now().study());
        let heard = sites.iter().filter_map(|site| Some((site, site.silent_ms?)));
        let silent = heard.map(|(site, ms)| (OfSite { site: site.name.clone() }, ms / 1000));
        let help = "Seconds since a site was last heard; no line where it was not since the start";
        family(to, "site_silent_seconds", help, silent)?;
        let refused = |site: &&crate::documents::SiteView| site.presence == Presence::Refused;
        let refused = sites.iter().filter(refused).map(|site| (OfSite { site: site.name.clone() }, 1));
        family(to, "site_ended_at_start", "Sites that ended at their start, as their own log says", refused)
    }
}

fn write_jobs(jobs: &[JobView], to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let states = ["waiting", "running", "done", "failed"];
    let count = |state| jobs.iter().filter(|job| state_of(job) == state).count() as u64;
    family(to, "jobs", "Jobs by state", states.map(|state| (InState { state }, count(state))).into_iter())?;
    let running = || jobs.iter().filter(|job| state_of(job) == "running");
    let of = |job: &JobView| OfJob { job: job.name.clone(), kind: job.kind.name() };
    let rounds = running().map(|job| (of(job), job.round + 1));
    family(to, "job_round", "The round at work of a job that runs, from 1", rounds)?;
    let rounds = running().map(|job| (of(job), job.rounds));
    family(to, "job_rounds", "Rounds that a job that runs has in all", rounds)
}

fn write_steps(jobs: &[JobView], to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let open = || {
        jobs.iter().filter_map(|job| match &job.status {
            JobStatus::Asking(step) => Some((job, step)),
            _ => None,
        })
    };
    let of = |job: &JobView, phase| OfStep { job: job.name.clone(), phase };
    let asked = open().map(|(job, step)| (of(job, step.step.phase.name()), step.expected.len() as u64));
    family(to, "step_sites_asked", "Sites that an open step asks", asked)?;
    let answered = open().map(|(job, step)| (of(job, step.step.phase.name()), step.answered.len() as u64));
    family(to, "step_sites_answered", "Sites that have answered an open step", answered)?;
    let due = open().map(|(job, step)| (of(job, step.step.phase.name()), step.deadline_ms / 1000));
    family(to, "step_deadline_seconds", "When an open step closes at the latest, seconds since 1970", due)
}

fn state_of(job: &JobView) -> &'static str {
    match job.status {
        JobStatus::Waiting => "waiting",
        JobStatus::Asking(_) | JobStatus::Combining { .. } => "running",
        JobStatus::Done { .. } => "done",
        JobStatus::Failed { .. } => "failed",
    }
}

/// One number for each set of labels.
fn family<L: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    lines: impl Iterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut metric = to.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in lines {
        ConstGauge::new(value as i64).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}
