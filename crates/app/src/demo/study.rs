//! The study's services: a coordinator and three sites as processes, driven by an administrator over mutual TLS.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::error::{Error, Result, read};
use super::inference::{Answers, LONE, compare, lone_processor_ms, median, smallest_lead};
use super::options::{DemoOptions, SITES};
use super::results::SameClasses;
use super::tiles::ASKER;
use blindscope_classify::Head;
use blindscope_federation::{JobSpec, JobStatus, JobView, Record};
use blindscope_node::admin::jobs::{Admin, result};
use blindscope_node::admin::log;
use blindscope_node::asker::Asking;
use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Processes;
use blindscope_node::system;

/// How often a job is looked at.
const LOOK: Duration = Duration::from_millis(40);
/// After this long without a result a job is given up.
const PATIENCE: Duration = Duration::from_hours(1);

/// Running services. Dropped, they end.
pub(super) struct Study {
    runtime: Runtime,
    processes: Processes,
    admin: Admin,
    logs: PathBuf,
    folder: PathBuf,
}

impl Study {
    /// Starts the services of the kits below `kits`, which are made first where they are not there.
    pub(super) fn start(
        options: &DemoOptions,
        kits: &Path,
        project: Project,
        learning: &[toml::Table],
    ) -> Result<Self> {
        let made = kits.join("coordinator").join("startup").join("study.toml").is_file();
        let mut processes = if made {
            Processes::open(&options.program, kits, &SITES)
        } else {
            Processes::provision(&options.program, kits, project, learning)?
        };
        let runtime = system::runtime()?;
        let logs = kits.join("logs");
        runtime.block_on(processes.start())?;
        let admin = {
            // A connection is tied to the runtime in which it is made.
            let _inside = runtime.enter();
            processes.admin()?
        };
        Ok(Self { runtime, processes, admin, logs, folder: options.folder.clone() })
    }

    /// Submits a job, follows it to its end, and fetches its result. A job that was done before is only fetched.
    pub(super) fn run(
        &mut self,
        spec: &JobSpec,
        progress: &mut dyn FnMut(&JobView),
        cancel: &AtomicBool,
    ) -> Result<Vec<u8>> {
        let job = self.runtime.block_on(self.admin.submit(spec))?.to_string();
        let begun = Instant::now();
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Stopped { folder: self.folder.clone() });
            }
            self.check()?;
            let view = self.runtime.block_on(self.admin.status(&job))?;
            progress(&view);
            if let JobStatus::Failed { failure } = &view.status {
                return Err(Error::Job {
                    job: spec.name.clone(),
                    reason: failure.explain(self.admin.study()),
                });
            }
            if view.is_over() {
                break;
            }
            if begun.elapsed() > PATIENCE {
                let (what, seconds) = (format!("job {}", spec.name), PATIENCE.as_secs());
                return Err(Error::Late { what, seconds, logs: self.logs.clone() });
            }
            std::thread::sleep(LOOK);
        }
        let view = self.runtime.block_on(self.admin.status(&job))?;
        if result(self.admin.study(), &view)?.len == 0 {
            return Ok(Vec::new());
        }
        Ok(self.runtime.block_on(self.admin.download(&job, Vec::new()))?.0)
    }

    /// Has the head of a finished job asked about `tokens` by the asker, over the network. `head` is the same in the clear.
    pub(super) fn ask(&self, job: &str, head: &Head, tokens: &[Vec<f64>]) -> Result<Answers> {
        let mut rng = system::rng()?;
        let kit = self.processes.kit(ASKER);
        let asking = self.runtime.block_on(Asking::begin(&kit, &[], job, &mut rng))?;
        let plan = asking.plan().clone();
        let mut lone = Vec::new();
        for token in tokens.iter().take(LONE) {
            let start = Instant::now();
            self.runtime.block_on(asking.ask(std::slice::from_ref(token), &mut rng))?;
            lone.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let start = Instant::now();
        let logits = self.runtime.block_on(asking.ask(tokens, &mut rng))?;
        let seconds = start.elapsed().as_secs_f64();
        let clear = head.logits(tokens)?;
        let (same_class, worst_error) = compare(&clear, &logits);
        let batches = || tokens.chunks(plan.literal().batch.max(1)).map(<[Vec<f64>]>::len);
        let agreement = SameClasses {
            head: job.to_owned(),
            tokens: tokens.len(),
            same_class,
            worst_error,
            error_bound: plan.literal().error_bound,
            smallest_lead: smallest_lead(&clear),
            key_bytes: plan.keys_len(),
            question_bytes: batches().map(|n| plan.upload_len(n)).sum(),
            answer_bytes: batches().map(|n| plan.answer_len(n)).sum(),
            seconds,
            lone_token_bytes: plan.upload_len(1),
            lone_ms: median(lone),
            lone_cpu_ms: lone_processor_ms(head, tokens, &mut rng)?,
        };
        Ok(Answers { logits, agreement })
    }

    /// Refuses to go on without a process that ended by itself.
    fn check(&mut self) -> Result<()> {
        let Some(name) = self.processes.ended() else { return Ok(()) };
        let log = self.logs.join(format!("{name}.log"));
        let text = String::from_utf8_lossy(&read(&log)?).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(8)..].join("\n");
        Err(Error::Process { name, status: "by itself".into(), log, tail })
    }

    /// The audit log, verified against the study.
    pub(super) fn records(&self) -> Result<Vec<Record>> {
        let mut bytes = Vec::new();
        self.runtime.block_on(self.admin.log(0, false, &mut bytes))?;
        let verdict = log::check(&self.processes.study()?, &mut bytes.as_slice(), &[])?;
        let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
        let records: Vec<Record> =
            lines.map(Record::from_line).collect::<blindscope_federation::Result<_>>()?;
        debug_assert_eq!(records.len() as u64, verdict.records, "what was verified is what was read");
        Ok(records)
    }
}
