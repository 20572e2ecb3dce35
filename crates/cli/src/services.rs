//! `blindscope coordinator serve` and `blindscope site run`

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use blindscope_learn::jobs::{self, SiteSettings};
use blindscope_node::JobId;
use blindscope_node::Limits;
use blindscope_node::Stop;
use blindscope_node::coordinator::{self, Parts};
use blindscope_node::coordinator::{HeadReader, Served};
use blindscope_node::kit::{Approvals, Consent, Init, Kit, PartySettings};
use blindscope_node::plain::{Plain, Sums};
use blindscope_node::site;
use blindscope_node::system;

/// The coordinator's service.
#[derive(Debug, Subcommand)]
pub(crate) enum CoordinatorCommand {
    /// Serve the study until the process is told to end.
    #[command(
        after_help = "Example: blindscope coordinator serve --kit study/coordinator -c listen=0.0.0.0:8443"
    )]
    Serve(ServiceOptions),
}

/// A site's service.
#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Take part in the study until the process is told to end.
    #[command(after_help = "Example: blindscope site run --kit hospital-a")]
    Run(ServiceOptions),
    /// Write the kit's settings file, every key with a comment. A file that somebody edited is left alone.
    #[command(
        after_help = "Example: blindscope site init --kit hospital-a --train train.safetensors --validation validation.safetensors"
    )]
    Init(InitOptions),
    /// Say that this site takes part in a job, by the job's id, or that it wants a change of the roster.
    #[command(after_help = "Example: blindscope site approve 3f0c…(64 digits) --kit hospital-a")]
    Approve(ConsentOptions),
    /// Say that this site takes no part in a job, by the job's id, or that it wants no such change of the roster.
    #[command(after_help = "Example: blindscope site refuse 3f0c…(64 digits) --kit hospital-a")]
    Refuse(ConsentOptions),
    /// Whether jobs wait until somebody at this site has said a word on each.
    #[command(after_help = "Example: blindscope site ask on --kit hospital-a")]
    Ask(AskOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ConsentOptions {
    /// The job's whole id, as the log and `job list --json` have it: a name could come to mean another file. Of a change of the roster, its
    /// whole digest, as `study roster` prints it.
    job: String,
    /// The word is on a change of the roster.
    #[arg(long)]
    roster: bool,
    /// The site's folder.
    #[arg(long)]
    kit: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct AskOptions {
    /// `on` or `off`.
    #[arg(value_parser = ["on", "off"])]
    whether: String,
    /// The site's folder.
    #[arg(long)]
    kit: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct InitOptions {
    /// The party's folder.
    #[arg(long)]
    kit: PathBuf,
    /// The party's name, where no settings file tells.
    #[arg(long)]
    name: Option<String>,
    /// Where the coordinator is, where no settings file tells.
    #[arg(long, value_name = "HOST:PORT")]
    coordinator: Option<String>,
    /// The study's model; `preflight` checks its digest.
    #[arg(long, value_name = "MODEL")]
    backbone: Option<PathBuf>,
    /// Features to learn from. All paths below are relative to the kit's folder.
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Features held back to measure on.
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,
    /// The tiles themselves, for jobs that train the backbone.
    #[arg(long, value_name = "LIST", requires = "backbone")]
    tiles: Option<PathBuf>,
    /// Folder of model files that jobs may measure.
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// File for loss and accuracy of every epoch.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Overwrite a file that somebody edited: keys keep what they say, comments are lost.
    #[arg(long)]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServiceOptions {
    /// The party's folder.
    #[arg(long)]
    kit: PathBuf,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Most bytes that blobs may take on the disk.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 40)]
    disk: u64,
    /// End when standard input does, for services that belong to the process that started them.
    #[arg(long)]
    until_input_ends: bool,
    /// Print one JSON object when the service is ready.
    #[arg(long)]
    json: bool,
}

impl ServiceOptions {
    /// Set by signals, and by the end of standard input where that was asked for.
    fn stop(&self) -> Stop {
        let stop = Stop::new();
        system::stop_on_signal(&stop);
        if self.until_input_ends {
            system::stop_when_input_ends(&stop);
        }
        stop
    }
}

pub(crate) fn coordinator(command: &CoordinatorCommand) -> anyhow::Result<()> {
    let CoordinatorCommand::Serve(options) = command;
    let kit = Kit::at(&options.kit);
    let learning = Arc::new(Sums { learning: jobs::CoordinatorLearner::default() });
    let parts = Parts { learning, limits: Limits::default(), disk: options.disk, heads: heads() };
    let json = options.json;
    let ready = move |address: std::net::SocketAddr| {
        let mut out = io::stdout().lock();
        // Whoever started us may have closed our output; we serve all the same.
        let _ = if json {
            writeln!(out, "{}", serde_json::json!({ "listening": address }))
        } else {
            writeln!(out, "listening on {address}")
        };
        let _ = out.flush();
    };
    Ok(system::runtime()?.block_on(async {
        let stop = options.stop();
        coordinator::serve(&kit, &options.overrides, parts, stop, ready).await
    })?)
}

/// Reads heads in results of our own kinds of jobs.
pub(crate) fn heads() -> HeadReader {
    Arc::new(|spec, result| {
        let pooling = jobs::served_pooling(result)?;
        let pooling = pooling.map_or_else(Vec::new, |pooling| pooling.to_bytes());
        Ok(Served { head: jobs::served_head(spec, result)?, pooling })
    })
}

pub(crate) fn site(command: &SiteCommand) -> anyhow::Result<()> {
    match command {
        SiteCommand::Run(options) => run_site(options),
        SiteCommand::Init(options) => init(options),
        SiteCommand::Approve(options) => say(options, Consent::Approved),
        SiteCommand::Refuse(options) => say(options, Consent::Refused),
        SiteCommand::Ask(options) => ask(options),
    }
}

/// Keeps a word on a job. A running site sees it at its next look.
fn say(options: &ConsentOptions, consent: Consent) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let job = JobId::parse(&options.job).ok_or_else(|| blindscope_node::Error::Unknown {
        what: "job or change",
        name: options.job.clone(),
        repair: "give its whole id, 64 hexadecimal digits: `job list --json` and the log have a job's, `study roster` a change's",
    })?;
    let mut approvals = Approvals::of(&kit)?;
    if options.roster {
        approvals.say_of_change(&job.0, consent, system::now_ms());
    } else {
        approvals.say(job, consent, system::now_ms());
    }
    Ok(approvals.keep(&kit)?)
}

fn ask(options: &AskOptions) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let mut approvals = Approvals::of(&kit)?;
    approvals.ask = options.whether == "on";
    Ok(approvals.keep(&kit)?)
}

fn init(options: &InitOptions) -> anyhow::Result<()> {
    let InitOptions { train, validation, tiles, models, history, backbone, .. } = options;
    let files = [
        ("train", train),
        ("validation", validation),
        ("tiles", tiles),
        ("backbone", if tiles.is_some() { backbone } else { &None }),
        ("models", models),
        ("history", history),
    ];
    let learning = files.into_iter().filter_map(|(key, file)| Some((key, file.clone()?))).collect();
    let (name, coordinator) = (options.name.clone(), options.coordinator.clone());
    let wanted = Init { name, coordinator, backbone: backbone.clone(), learning };
    let path = blindscope_node::kit::init(&Kit::at(&options.kit), &wanted, options.force)?;
    let mut out = io::stdout().lock();
    if options.json {
        return Ok(writeln!(out, "{}", serde_json::json!({ "file": path }))?);
    }
    Ok(writeln!(
        out,
        "{}: read it, then `blindscope preflight --kit {}`",
        path.display(),
        options.kit.display()
    )?)
}

fn run_site(options: &ServiceOptions) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let settings: PartySettings = kit.settings(&options.overrides)?;
    let runtime = system::runtime()?;
    let learning = match learning(&kit, &settings) {
        Ok(learning) => learning,
        Err(refused) => {
            // The coordinator hears that it is so; why is for this machine alone, and said whoever hears.
            runtime.block_on(site::decline(&kit, &options.overrides));
            return Err(refused);
        }
    };
    Ok(runtime.block_on(async {
        let stop = options.stop();
        site::run(&kit, &options.overrides, learning, options.disk, stop).await
    })?)
}

/// The learning code that the table `learning` asks for: integers of one's own, or features and tiles.
fn learning(kit: &Kit, settings: &PartySettings) -> anyhow::Result<site::Learning> {
    if let Some(plain) = settings.learning.get("plain").cloned() {
        let plain: Plain = plain.try_into()?;
        return Ok(Arc::new(plain));
    }
    let learning: Result<SiteSettings, _> = settings.learning.clone().try_into();
    let learning = learning.context(
        "settings.toml: the table learning names no source; set learning.train to a features file, or learning.plain",
    )?;
    Ok(Arc::new(jobs::open_site(kit.folder(), &learning, &jobs::Terms::of(kit.study()?.literal()))?))
}
