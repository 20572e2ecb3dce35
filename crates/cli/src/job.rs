//! `blindscope job`

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use blindscope_node::JobStatus;
use blindscope_node::JobView;
use blindscope_node::Study;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::kit::Kit;
use blindscope_node::system;

/// Jobs of a study, by its administrators.
#[derive(Debug, Args)]
pub(crate) struct JobOptions {
    /// The administrator's folder.
    #[arg(long, global = true, default_value = ".")]
    kit: PathBuf,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE", global = true)]
    overrides: Vec<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: JobCommand,
}

#[derive(Debug, Subcommand)]
enum JobCommand {
    /// Put a job in the queue. The same file again gives the same job.
    #[command(after_help = "Example: blindscope job submit statistics.toml --kit admin --wait")]
    Submit {
        /// The job file, TOML or JSON.
        file: PathBuf,
        /// Wait for its end; a job that fails ends this with exit code 6.
        #[arg(long)]
        wait: bool,
    },
    /// All jobs, oldest first.
    #[command(after_help = "Example: blindscope job list --kit admin --json")]
    List,
    /// One job.
    #[command(after_help = "Example: blindscope job status statistics --kit admin")]
    Status {
        /// Its name, its id, or the first digits of its id.
        job: String,
    },
    /// Follow a job to its end; one that fails ends this with exit code 6.
    #[command(after_help = "Example: blindscope job watch statistics --kit admin")]
    Watch {
        /// Its name, its id, or the first digits of its id.
        job: String,
    },
    /// End a job without a result.
    #[command(after_help = "Example: blindscope job abort statistics --kit admin")]
    Abort {
        /// Its name, its id, or the first digits of its id.
        job: String,
    },
    /// The audit log's records, one JSON object a line.
    #[command(after_help = "Example: blindscope job log --kit admin --follow")]
    Log {
        /// The first record.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Wait for more.
        #[arg(long)]
        follow: bool,
    },
    /// Fetch a job's result.
    #[command(after_help = "Example: blindscope job download statistics --out head.json --kit admin")]
    Download {
        /// Its name, its id, or the first digits of its id.
        job: String,
        /// Where the result goes.
        #[arg(long, short)]
        out: PathBuf,
    },
}

pub(crate) fn run(options: &JobOptions) -> anyhow::Result<()> {
    let runtime = system::runtime()?;
    runtime.block_on(async {
        let admin = Admin::of(&Kit::at(&options.kit), &options.overrides)?;
        let show = |view: &JobView| show(admin.study(), view, options.json);
        match &options.command {
            JobCommand::Submit { file, wait } => {
                let spec = jobs::read_spec(file)?;
                let id = admin.submit_draft(spec).await?.to_string();
                if *wait {
                    return finished(&admin, &id, options.json).await;
                }
                show(&admin.status(&id).await?)
            }
            JobCommand::List => {
                let all = admin.list().await?;
                if options.json {
                    return print(&all);
                }
                all.iter().try_for_each(show)
            }
            JobCommand::Status { job } => show(&admin.status(job).await?),
            JobCommand::Watch { job } => finished(&admin, job, options.json).await,
            JobCommand::Abort { job } => show(&admin.abort(job).await?),
            JobCommand::Log { from, follow } => {
                admin.log(*from, *follow, &mut io::stdout()).await?;
                Ok(())
            }
            JobCommand::Download { job, out } => download(&admin, job, out, options.json).await,
        }
    })
}

async fn finished(admin: &Admin, job: &str, json: bool) -> anyhow::Result<()> {
    let mut broken = Ok(());
    let last = admin
        .watch(job, |view| {
            if broken.is_ok() {
                broken = show(admin.study(), view, json);
            }
        })
        .await?;
    broken?;
    jobs::result(admin.study(), &last)?;
    Ok(())
}

async fn download(admin: &Admin, job: &str, out: &PathBuf, json: bool) -> anyhow::Result<()> {
    // Whole or not at all: a part of a result must not look like one.
    let part = out.with_extension("part");
    let file = File::create(&part).with_context(|| format!("create {}", part.display()))?;
    let (file, len) = admin.download(job, file).await?;
    file.sync_all().context("flush the result")?;
    std::fs::rename(&part, out).with_context(|| format!("place {}", out.display()))?;
    if json {
        return print(&serde_json::json!({ "file": out, "bytes": len }));
    }
    Ok(writeln!(io::stdout(), "{}: {len} bytes", out.display())?)
}

fn print(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    Ok(writeln!(out)?)
}

fn show(study: &Study, view: &JobView, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, view)?;
        return Ok(writeln!(out)?);
    }
    let state = match &view.status {
        JobStatus::Waiting => "waiting".to_owned(),
        JobStatus::Asking(step) => {
            let (there, all) = (step.answered.len(), step.expected.len());
            format!("{}: {there} of {all} sites have answered", step.step.phase)
        }
        JobStatus::Combining { step } => format!("combining after {}", step.phase),
        JobStatus::Done { result } => format!("done: {result}"),
        JobStatus::Failed { failure } => format!("FAILED: {}", failure.explain(study)),
    };
    let round = (view.round + 1).min(view.rounds);
    writeln!(
        out,
        "{}  {:20} {:14} round {round}/{}  {state}",
        view.id.short(),
        view.name,
        view.kind.name(),
        view.rounds
    )?;
    Ok(out.flush()?)
}
