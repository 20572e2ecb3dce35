//! Raw arguments.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::job::JobOptions;
use crate::log::LogCommand;
use crate::preflight::PreflightOptions;
use crate::provision::{CertCommand, ProvisionOptions};
use crate::services::{CoordinatorCommand, SiteCommand};
use crate::study::StudyCommand;
use crate::{data, features, model, train};

/// A microscope that works blind: federated pathology on encrypted Vision-Transformer features.
#[derive(Debug, Parser)]
#[command(name = "blindscope", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the project's figures on this machine.
    #[command(after_help = "Example: blindscope bench core --json")]
    Bench(BenchOptions),
    /// Run a whole study on this machine: sites learn through encryption, a report says what came out.
    #[command(after_help = crate::demo::EXAMPLES)]
    Demo(crate::demo::DemoArgs),
    /// Make the page of a demo's results again.
    #[command(after_help = crate::report::EXAMPLES)]
    Report(crate::report::ReportArgs),
    /// Turn tiles into CLS tokens, import and split them.
    #[command(subcommand)]
    Features(features::Command),
    /// Draw synthetic tiles, look through one's own.
    #[command(subcommand)]
    Data(data::Command),
    /// Bring models from a hub, tell what they are.
    #[command(subcommand)]
    Model(model::Command),
    /// Train a head, or a backbone with it.
    #[command(subcommand)]
    Train(train::Command),
    /// Say what encrypted inference of a head takes: depth, keys, bytes, time, error.
    #[command(after_help = "Example: blindscope plan --width 768 --hidden 32 --classes 3 --batch 4096")]
    Plan(crate::plan::PlanOptions),
    /// Attack the study's own model and data, and report what got out.
    #[command(after_help = "Example: blindscope audit --data tiles --model backbone.safetensors --out audit")]
    Audit(AuditOptions),
    /// Found a study and write a kit for everybody.
    #[command(
        after_help = "Example: blindscope provision project.toml --out study --request a.toml b.toml c.toml"
    )]
    Provision(ProvisionOptions),
    /// Sites come and go: the roster, and changes of it.
    #[command(subcommand)]
    Study(StudyCommand),
    /// Make keys, request and sign certificates.
    #[command(subcommand)]
    Cert(CertCommand),
    /// Check a kit before it is used: versions, certificates, clock, network, disk, policy.
    #[command(after_help = "Example: blindscope preflight --kit hospital-a")]
    Preflight(PreflightOptions),
    /// The coordinator's service.
    #[command(subcommand)]
    Coordinator(CoordinatorCommand),
    /// Do work of a coordinator elsewhere, until the process is told to end: what its queue hands out, over its object store.
    #[command(
        after_help = "Example: blindscope worker --kit coordinator -c queue=nats://queue.example.org:4222"
    )]
    Worker(crate::worker::WorkerOptions),
    /// A site's service.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Submit, watch and end jobs, fetch their results.
    Job(JobOptions),
    /// Classify features under encryption: the coordinator sees neither them nor the answers.
    #[command(
        after_help = "Examples: blindscope predict features.safetensors --kit clinic --job fedavg\n          blindscope predict \
        tiles/ --model phikon/ --kit clinic --job fedavg --csv"
    )]
    Predict(crate::predict::PredictOptions),
    /// Export and verify the audit log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Pages of the study for one browser of this machine, over the kit's own connection.
    #[command(after_help = "Example: blindscope console --kit office")]
    Console(crate::console::ConsoleOptions),
    /// Print every key of every file that people write, with its default, unit and meaning.
    #[command(after_help = "Example: blindscope settings | less")]
    Settings,
    /// Print completions for a shell.
    #[command(after_help = "Example: blindscope completions bash > /etc/bash_completion.d/blindscope")]
    Completions {
        /// Which.
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct BenchOptions {
    /// What to measure.
    pub(crate) area: Area,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Measurements a figure.
    #[arg(long, default_value_t = 101, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub(crate) runs: u32,
    /// Tiles, where an area uses them.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(8..=1000))]
    pub(crate) images: u32,
    /// Of the audit, what to attack; everything unless given. May be repeated.
    #[arg(long = "attack", value_enum)]
    pub(crate) attacks: Vec<AuditTarget>,
    /// Of the audit, a folder for finished stages, from which a stopped bench goes on. It will hold patients' images.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Of slides, train attention on five draws out of all tiles, which takes minutes more; on one, out of two of each group, unless given.
    #[arg(long)]
    pub(crate) whole: bool,
    /// Of scale, an empty database or schema, `postgres://USER@HOST/DATABASE`.
    #[arg(long, value_name = "URL", requires = "blobs")]
    pub(crate) store: Option<String>,
    /// Of scale, an empty place in an object store, `s3://BUCKET/PREFIX`; the environment says how it is reached.
    #[arg(long, value_name = "URL")]
    pub(crate) blobs: Option<String>,
    /// Of scale, begin a `PostgreSQL` and a NATS server for the benchmark, which are killed among its processes; both have to be installed.
    #[arg(long, requires = "blobs", conflicts_with_all = ["store", "queue"])]
    pub(crate) own_servers: bool,
    /// Of scale, a NATS server with `JetStream` for workers, `nats://HOST:PORT`.
    #[arg(long, value_name = "URL", requires = "store")]
    pub(crate) queue: Option<String>,
    /// Leave the peers out.
    #[arg(long)]
    pub(crate) no_peers: bool,
    /// Of core, inference and sum, the path of arithmetic: portable, doubles or ifma; the fastest of this processor unless given.
    #[arg(long)]
    pub(crate) arithmetic: Option<blindscope_app::bench::Arithmetic>,
    /// Folder with real tiles and weights, for the figures that need them.
    #[arg(long, env = "BLINDSCOPE_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Folder with the peers' scripts.
    #[arg(long, default_value = "bench/peers")]
    pub(crate) peers: PathBuf,
    /// Python for peers that `bench/peers/setup.py` did not install.
    #[arg(long, env = "BLINDSCOPE_PEERS_PYTHON", default_value = ".venv-peers/bin/python")]
    pub(crate) python: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Area {
    /// Encryption, products, rotations, transforms.
    Core,
    /// CLS tokens: speed, agreement, memory, a linear probe.
    Vision,
    /// A model's input: tokens of JPEG tiles beside Pillow and numpy, decoding and resizing.
    Input,
    /// Encrypted inference: latency, throughput, bytes, agreement.
    Inference,
    /// Encrypted sums: bytes, whole updates, what opening one costs.
    Sum,
    /// Attacks on keys, ceremonies and limits, old ways beside ours; what askers wait; whether times tell secrets.
    Trust,
    /// Attacks on gradients, tokens, aggregates and ciphertexts.
    Audit,
    /// Slides: pixels, coordinates and tokens beside `OpenSlide`, Pillow, CLAM and TRIDENT; speed, memory.
    Slides,
    /// Learning on real tiles through encrypted sums, beside scikit-learn on the same folds; what noise costs.
    Learn,
    /// Coordinator and sites as processes: rounds, lost sites, kills, memory, slow connections.
    Federation,
    /// Many sites; two coordinators that share PostgreSQL and an object store: rounds, kills; questions through one worker and two.
    Scale,
}

impl Area {
    /// How users write it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AuditOptions {
    /// Folder of tiles: `manifest.csv`, `tiles.csv`, or one sub-folder a class. Synthetic tiles without it.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// The study's backbone (safetensors file, or a folder with config.json).
    #[arg(long)]
    pub(crate) model: Option<PathBuf>,
    /// Images of the attacks on gradients.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(8..=1000))]
    pub(crate) images: u32,
    /// What to attack; everything unless given. May be repeated.
    #[arg(long = "attack", value_enum)]
    pub(crate) attacks: Vec<AuditTarget>,
    /// Folder for report.html, audit.json, pictures and finished stages, from which a stopped audit goes on.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Seed of tiles, weights and searches.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Small models and short searches: a minute instead of an hour.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum AuditTarget {
    /// Closed forms on the gradient of one image, in the clear, encrypted and averaged.
    Gradient,
    /// Updates of one image after several local steps.
    Update,
    /// Batches, by spans and by gradient matching.
    Batch,
    /// CLS tokens and their means.
    Token,
    /// Membership in aggregates and heads; extraction through queries.
    Member,
    /// A round of sums before it is opened: bodies, parts of keys, the published sum of keys.
    Sum,
    /// Answers: the token, the members and the head behind them.
    Answer,
    /// Search in pixel space for the image behind a token: the longest.
    Search,
}
