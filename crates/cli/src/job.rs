//! `blindscope job`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::export::{self, ExportOptions};
use blindscope_learn::jobs::Clips;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::admin::{Downloaded, PATIENCE};
use blindscope_node::kit::Kit;
use blindscope_node::{Cause, Failure, JobStatus, JobView, SiteView, Study, system};

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
        /// Wait for its end; a job that fails ends this with exit code 6, one for which nothing comes with 9.
        #[arg(long)]
        wait: bool,
        /// Seconds until the wait is given up where too few sites were ever heard. The job stays as it is.
        #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs(), requires = "wait")]
        patience: u64,
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
    /// Follow a job to its end; one that fails ends this with exit code 6, one for which nothing comes with 9.
    #[command(after_help = "Example: blindscope job watch statistics --kit admin")]
    Watch {
        /// Its name, its id, or the first digits of its id.
        job: String,
        /// Seconds until the wait is given up where too few sites were ever heard. The job stays as it is.
        #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs())]
        patience: u64,
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
    /// How each site was last heard.
    #[command(after_help = "Example: blindscope job sites --kit admin")]
    Sites,
    /// Fetch a job's result.
    #[command(after_help = "Example: blindscope job download statistics --out head.json --kit admin")]
    Download {
        /// Its name, its id, or the first digits of its id.
        job: String,
        /// Where the result goes.
        #[arg(long, short)]
        out: PathBuf,
    },
    /// Show a job that has ended to a tracker of experiments: its rounds, bytes and result.
    #[command(
        after_help = "Examples: blindscope job export statistics --mlflow mlruns --kit admin\n          \
        blindscope job export statistics --tensorboard runs --history hospital-a.jsonl --kit admin"
    )]
    Export(ExportOptions),
}

pub(crate) fn run(options: &JobOptions) -> anyhow::Result<()> {
    let runtime = system::runtime()?;
    runtime.block_on(async {
        let mut admin = Admin::of(&Kit::at(&options.kit), &options.overrides)?;
        if let JobCommand::Submit { file, .. } = &options.command {
            // Before anybody is called.
            admin.check_draft(&jobs::read_spec(file)?)?;
        }
        admin.learn_roster().await?;
        let show = |view: &JobView| show(admin.study(), view, None, options.json);
        match &options.command {
            JobCommand::Submit { file, wait, patience } => {
                let spec = jobs::read_spec(file)?;
                let id = admin.submit_draft(spec).await?.to_string();
                if *wait {
                    return finished(&admin, &id, *patience, options.json).await;
                }
                show_whole(&admin, &admin.status(&id).await?, options.json).await
            }
            JobCommand::List => {
                let all = admin.list().await?;
                if options.json {
                    let shown = all.iter().map(|view| Shown::of(admin.study(), view, None));
                    return print(&shown.collect::<Vec<_>>());
                }
                all.iter().try_for_each(show)
            }
            JobCommand::Status { job } => show_whole(&admin, &admin.status(job).await?, options.json).await,
            JobCommand::Watch { job, patience } => finished(&admin, job, *patience, options.json).await,
            JobCommand::Abort { job } => show(&admin.abort(job).await?),
            JobCommand::Log { from, follow } => {
                admin.log(*from, *follow, &mut io::stdout()).await?;
                Ok(())
            }
            JobCommand::Sites => sites(&admin, options.json).await,
            JobCommand::Export(options_of) => export::run(&admin, options_of, options.json).await,
            JobCommand::Download { job, out } => download(&admin, job, out, options.json).await,
        }
    })
}

async fn finished(admin: &Admin, job: &str, patience: u64, json: bool) -> anyhow::Result<()> {
    let mut broken = Ok(());
    let seen = |view: &JobView| {
        if broken.is_ok() {
            broken = show(admin.study(), view, None, json);
        }
    };
    let last = admin.watch_with_sites(job, seen, absent, Duration::from_secs(patience)).await?;
    broken?;
    silent(admin, &last).await;
    jobs::result(admin.study(), &last)?;
    match admin.clips(&last).await? {
        Some(clips) if !json && clips.clipped > 0 => Ok(writeln!(io::stdout(), "{clips}")?),
        _ => Ok(()),
    }
}

/// One job, with what its result says of clipped values, or which sites it waits for, or waited for, in vain.
async fn show_whole(admin: &Admin, view: &JobView, json: bool) -> anyhow::Result<()> {
    show(admin.study(), view, admin.clips(view).await?, json)?;
    if !view.is_over() {
        admin.sites().await?.iter().filter_map(SiteView::absence).for_each(|words| absent(&words));
    }
    silent(admin, view).await;
    Ok(())
}

/// Says of the sites that a failed job missed without a word what is known of them now.
async fn silent(admin: &Admin, view: &JobView) {
    let JobStatus::Failed { failure: Failure::TooFew { missing, .. } | Failure::Attempts { missing, .. } } =
        &view.status
    else {
        return;
    };
    let study = admin.study();
    let silent = missing.iter().filter(|missing| missing.cause == Cause::Silent);
    let names: Vec<&str> =
        silent.filter_map(|missing| study.site(missing.site)).map(|site| site.name.as_str()).collect();
    if !names.is_empty() {
        let sites = admin.sites().await.unwrap_or_default();
        let named = sites.iter().filter(|site| names.contains(&site.name.as_str()));
        named.filter_map(SiteView::absence).for_each(|words| absent(&words));
    }
}

/// Says on standard error that nothing is to be expected of a site.
fn absent(words: &str) {
    // A reader that is gone is no reason to stop.
    let _ = writeln!(io::stderr(), "{words}");
}

/// How each site was last heard.
async fn sites(admin: &Admin, json: bool) -> anyhow::Result<()> {
    let all = admin.sites().await?;
    if json {
        return print(&all);
    }
    let said = |site: &SiteView| site.absence().unwrap_or_else(|| format!("{} asks for work", site.name));
    all.iter().try_for_each(|site| Ok(writeln!(io::stdout(), "{}", said(site))?))
}

async fn download(admin: &Admin, job: &str, out: &Path, json: bool) -> anyhow::Result<()> {
    let Downloaded { result, clips } = admin.download_to(job, out).await?;
    if json {
        return print(&serde_json::json!({ "file": out, "bytes": result.len, "clipped": clips }));
    }
    writeln!(io::stdout(), "{}: {} bytes", out.display(), result.len)?;
    clips.map_or(Ok(()), |clips| Ok(writeln!(io::stdout(), "{clips}")?))
}

fn print(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    Ok(writeln!(out)?)
}

/// A job as a program reads it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    view: &'a JobView,
    /// Why it failed, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clipped: Option<Clips>,
}

impl<'a> Shown<'a> {
    fn of(study: &Study, view: &'a JobView, clipped: Option<Clips>) -> Self {
        Self { view, reason: view.reason(study), clipped }
    }
}

fn show(study: &Study, view: &JobView, clipped: Option<Clips>, json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &Shown::of(study, view, clipped))?;
        return Ok(writeln!(out)?);
    }
    let state = match &view.status {
        JobStatus::Waiting => "waiting".to_owned(),
        JobStatus::Asking(step) => step.explain(study),
        JobStatus::Combining { step } => format!("combining after {}", step.phase),
        JobStatus::Done { result } => {
            format!("done: {result}{}", clipped.map_or(String::new(), |clips| format!("; {clips}")))
        }
        JobStatus::Failed { failure } => format!("FAILED: {}", failure.explain(study)),
    };
    let round = (view.round + 1).min(view.rounds);
    let state = if view.version == 0 { state } else { format!("{state}; roster {}", view.version) };
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
