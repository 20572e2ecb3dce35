//! `blindscope features`

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::interrupt;
use crate::progress::{Bar, duration};
use crate::shown::{print_json, show};
use crate::slides::{self, MergeArgs, PoolArgs, SlideArgs};
use crate::tiles::{ModelOptions, TileOptions};
use blindscope_learn::features::{
    self, Device, ExtractOptions, Features, ImportOptions, Progress, SplitRequest, SplitWays, Summary, unhex,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turn tiles into CLS tokens.
    #[command(
        after_help = "Ctrl-C stops after the batch at hand and exits with code 130; what was done stays in the cache, and the \
        same command takes up there.\n\nExamples: blindscope features extract tiles/ features.safetensors --model phikon/\n          \
        blindscope features extract --slides slides/ run/ --model phikon/ --mpp 0.5"
    )]
    Extract(Box<ExtractArgs>),
    /// Take over features that another tool made (.safetensors, .npy, .csv, .h5).
    #[command(
        after_help = "Example: blindscope features import uni.npy features.safetensors --labels tiles.csv"
    )]
    Import(ImportArgs),
    /// Split features into parts that share no group.
    #[command(after_help = "Example: blindscope features split features.safetensors sites/ --sites 3")]
    Split(SplitArgs),
    /// Tell what a features file holds.
    Show(ShowArgs),
    /// Join the shards of a run over slides.
    #[command(after_help = "Example: blindscope features merge run/")]
    Merge(MergeArgs),
    /// Make one row of each slide: the mean over its tiles.
    #[command(
        after_help = "Example: blindscope features pool run/ slides.safetensors --slides-csv cases.csv"
    )]
    Pool(PoolArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExtractArgs {
    #[command(flatten)]
    tiles: TileOptions,
    /// The features file to write (.safetensors); with --slides, the first argument is the folder to write into.
    #[arg(required_unless_present = "slides", conflicts_with = "slides")]
    out: Option<PathBuf>,
    #[command(flatten)]
    slides: SlideArgs,
    #[command(flatten)]
    model: ModelOptions,
    /// Folder of features already made.
    #[arg(long, default_value = ".blindscope-cache", env = "BLINDSCOPE_CACHE")]
    cache: PathBuf,
    /// Keep no cache: Ctrl-C then loses the work.
    #[arg(long)]
    no_cache: bool,
    /// Tiles a batch.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// What carries the forward pass out. A graphics processor needs a build with the cargo feature `gpu`.
    #[arg(long, value_enum, default_value_t = DeviceOption::Cpu)]
    device: DeviceOption,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What carries the forward pass out.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeviceOption {
    /// The processor.
    Cpu,
    /// A graphics processor, or a refusal.
    Gpu,
    /// A graphics processor where build and machine have one, else the processor.
    Auto,
}

impl From<DeviceOption> for Device {
    fn from(option: DeviceOption) -> Self {
        match option {
            DeviceOption::Cpu => Self::Cpu,
            DeviceOption::Gpu => Self::Gpu,
            DeviceOption::Auto => Self::Auto,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The other tool's file, a folder of one .h5 or .npy file a slide, or the folder of a run over slides.
    input: PathBuf,
    /// The features file to write (.safetensors).
    out: PathBuf,
    /// A CSV `path,label[,group][,patient][,site]`. Its rows are joined to the features by id; to a slide's bag of patches by
    /// the slide's name; by order only to features without names (.npy, plain .safetensors). Columns end at commas, semicolons or tabs.
    #[arg(long)]
    labels: Option<PathBuf>,
    /// The backbone that made the features, as `model show` and `features show` print it. Without it the backbone is unknown.
    #[arg(long, value_name = "DIGEST")]
    backbone: Option<String>,
    /// The matrix of an HDF5 file that holds several, such as fold1/features.
    #[arg(long)]
    dataset: Option<String>,
    /// The columns of a CSV file that are features, in this order, such as area,perimeter; f* stands for f0, f1, … in the order of
    /// their numbers. Without it they are the file's one numbered family.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    columns: Vec<String>,
    /// The column or dataset of ids, where it has no usual name or several have one.
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// The list's column of ids, where it has no usual name (`path`, `file`, `id`, `image_id`, `slide_id`, … in any case).
    #[arg(long, value_name = "NAME", requires = "labels")]
    path_column: Option<String>,
    /// The column of labels: the list's, or without a list that of a CSV file of features.
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Join labels by the order of lines although the file holds what may be ids.
    #[arg(long, requires = "labels")]
    by_order: bool,
    /// Take slides together whose patches were cut at different scales.
    #[arg(long)]
    mixed_scales: bool,
    /// For a folder of slides' features (NAME.h5): a CSV `slide_id[,case_id][,label][,site]`.
    #[arg(long)]
    slides_csv: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// A features file.
    input: PathBuf,
    /// Folder for the parts' features files and the list split.csv.
    out: PathBuf,
    #[command(flatten)]
    ways: WaysArgs,
    /// Seed of the shuffle.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct WaysArgs {
    /// Shares of train, validation and test, such as 0.7,0.1,0.2.
    #[arg(long, value_delimiter = ',', value_name = "TRAIN,VALIDATION,TEST", conflicts_with_all = ["folds", "sites", "by_site"])]
    shares: Option<Vec<f64>>,
    /// This many folds.
    #[arg(long, conflicts_with_all = ["sites", "by_site"])]
    folds: Option<usize>,
    /// This many hospitals.
    #[arg(long, conflicts_with = "by_site")]
    sites: Option<usize>,
    /// The hospitals that the rows name.
    #[arg(long)]
    by_site: bool,
    /// Unequal class mixtures at the hospitals, drawn from a Dirichlet distribution of this α (0.1 is very unequal).
    #[arg(long, requires = "sites")]
    dirichlet: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A features file.
    input: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Extract(args) => extract(args),
        Command::Import(args) => import(args),
        Command::Split(args) => split(args),
        Command::Merge(args) => slides::merge(args),
        Command::Pool(args) => slides::pool(args),
        Command::Show(args) => show(&Summary::new(&Features::load(&args.input)?), None, None, args.json),
    }
}

fn extract(args: &ExtractArgs) -> anyhow::Result<()> {
    let cancel = interrupt::flag()?;
    let backbone = args.model.load(1)?;
    let (batch, device) = (usize::from(args.batch), args.device.into());
    if let Some(run) = args.slides.options(&args.tiles.tiles, args.model.name(), batch, device)? {
        let mut bar = Bar::new("slides");
        let done = features::extract_slides(&run, &backbone, &mut |now| slides::draw(&mut bar, now), &cancel);
        drop(bar);
        return match done {
            Ok(done) => slides::show(&done, args.json),
            Err(e) => stopped(e, args.json),
        };
    }
    let out = args.out.as_deref().context("the features file to write is missing")?;
    features::refuse_same(&args.tiles.tiles, out)?;
    let (dataset, copies) = match args.tiles.open(&cancel) {
        Ok(opened) => opened,
        Err(e) => return stopped(e, args.json),
    };
    let cache = (!args.no_cache).then(|| args.cache.clone());
    let options = ExtractOptions { cache, batch, device, ..ExtractOptions::default() };
    let mut bar = Bar::new("tiles");
    let extracted = features::extract(
        &dataset,
        &backbone,
        &options,
        &mut |now| {
            bar.show(now.done as u64, now.total as u64, &note(now));
        },
        &cancel,
    );
    drop(bar);
    let extracted = match extracted {
        Ok(extracted) => extracted,
        Err(e) => return stopped(e, args.json),
    };
    save(&extracted.features, out)?;
    show(&Summary::of_extraction(&extracted), Some(out), copies.as_ref(), args.json)
}

fn note(now: &Progress) -> String {
    let mut note = format!("{:.1}/s, {} left", now.rate, duration(now.remaining));
    for (count, what) in [(now.cached, "from the cache"), (now.rejected, "set aside")] {
        if count > 0 {
            let _ = write!(note, ", {count} {what}");
        }
    }
    note
}

/// Ends the program with [`interrupt::EXIT`] when the work was stopped; any other error is passed on, after the list of tiles
/// where none could be used.
fn stopped(e: features::Error, json: bool) -> anyhow::Result<()> {
    let Some((done, total)) = e.stopped() else {
        if let Some(rejected) = e.no_tile().filter(|_| json) {
            let skipped = rejected.iter().map(|r| serde_json::json!({ "id": r.id, "reason": r.reason }));
            print_json(&serde_json::json!({ "rows": 0, "skipped": skipped.collect::<Vec<_>>() }))?;
        }
        return Err(e.into());
    };
    if json {
        print_json(&serde_json::json!({ "stopped": true, "done": done, "total": total }))?;
    }
    let _ = writeln!(io::stderr(), "{e}");
    std::process::exit(interrupt::EXIT);
}

fn save(features: &Features, out: &Path) -> anyhow::Result<()> {
    if out.extension().is_none_or(|e| e != "safetensors") {
        let _ = writeln!(io::stderr(), "note: {} is written as safetensors whatever its name", out.display());
    }
    features.save(out).with_context(|| format!("saving features to {}", out.display()))
}

fn import(args: &ImportArgs) -> anyhow::Result<()> {
    if args.input.is_dir() && (args.slides_csv.is_some() || args.input.join("run.json").is_file()) {
        let given = [
            ("--labels", args.labels.is_some()),
            ("--backbone", args.backbone.is_some()),
            ("--dataset", args.dataset.is_some()),
            ("--columns", !args.columns.is_empty()),
            ("--id-column", args.id_column.is_some()),
            ("--label-column", args.label_column.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            anyhow::bail!(
                "{option}: the folder of a run over slides knows these itself; it takes --slides-csv alone"
            );
        }
        let (features, rejected) =
            slides::bags(&args.input, args.slides_csv.as_deref(), &args.out, features::Pooled::Tiles)?;
        save(&features, &args.out)?;
        slides::tell(&rejected);
        return show(&Summary::new(&features), Some(&args.out), None, args.json);
    }
    anyhow::ensure!(
        args.slides_csv.is_none(),
        "--slides-csv: it is for a folder of slides' features, and {} is none; a list for a file is --labels",
        args.input.display()
    );
    let digest = |text: &String| {
        unhex(&text.to_ascii_lowercase())
            .with_context(|| format!("--backbone {text} is not 64 hexadecimal digits"))
    };
    let options = ImportOptions {
        labels: args.labels.clone(),
        dataset: args.dataset.clone(),
        backbone: args.backbone.as_ref().map(digest).transpose()?,
        scratch: Some(slides::beside(&args.out)),
        columns: args.columns.clone(),
        id_column: args.id_column.clone(),
        path_column: args.path_column.clone(),
        label_column: args.label_column.clone(),
        by_order: args.by_order,
        mixed_scales: args.mixed_scales,
    };
    features::refuse_same(&args.input, &args.out)?;
    let features::Imported { features, notes } = features::import(&args.input, &options)?;
    save(&features, &args.out)?;
    let summary = Summary { notes, ..Summary::new(&features) };
    show(&summary, Some(&args.out), None, args.json)
}

#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    file: &'a Path,
    #[serde(flatten)]
    summary: Summary,
}

fn split(args: &SplitArgs) -> anyhow::Result<()> {
    let features = Features::load(&args.input)?;
    let ways = match &args.ways {
        WaysArgs { shares: Some(shares), .. } => match shares.as_slice() {
            [train, validation, test] => SplitWays::Shares([*train, *validation, *test]),
            _ => anyhow::bail!("--shares takes three numbers"),
        },
        WaysArgs { folds: Some(folds), .. } => SplitWays::Folds(*folds),
        WaysArgs { sites: Some(sites), dirichlet: Some(alpha), .. } => {
            SplitWays::Dirichlet { sites: *sites, alpha: *alpha }
        }
        WaysArgs { sites: Some(sites), .. } => SplitWays::Sites(*sites),
        WaysArgs { .. } => SplitWays::NamedSites,
    };
    let split = features::split(&features, &SplitRequest { ways, seed: args.seed })?;
    for file in features::part_files(&split, &args.out) {
        features::refuse_same(&args.input, &file)?;
    }
    let files = features::write_parts(&features, &split, &args.out)?;
    let parts = split.names.iter().zip(&files).enumerate().map(|(part, (name, file))| {
        let summary = Summary::new(&features.select(&split.members(part)));
        Part { name, file, summary }
    });
    let parts: Vec<Part<'_>> = parts.collect();
    if args.json {
        return print_json(&parts);
    }
    let mut out = io::stdout().lock();
    for part in parts {
        let classes: Vec<String> =
            part.summary.classes.iter().map(|c| format!("{} {}", c.name, c.rows)).collect();
        let (rows, groups) = (part.summary.rows, part.summary.groups);
        writeln!(out, "{}: {rows} rows of {groups} groups ({})", part.file.display(), classes.join(", "))?;
    }
    Ok(())
}
