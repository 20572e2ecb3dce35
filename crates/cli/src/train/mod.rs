//! `blindscope train`

mod slides;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::interrupt;
use crate::progress::Bar;
use crate::shown::print_json;
use crate::tiles::{ModelOptions, TileOptions};
use blindscope_learn::features::{self, ExtractOptions, Features, SplitRequest, SplitWays};
use blindscope_learn::jobs::Unseen;
use blindscope_learn::training::{
    self, Activation, Evaluation, FitPlan, HeadKind, HeadRequest, TrainedHead, TrainingReport, TuneRequest,
    Tuning,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a head on features.
    #[command(after_help = "Example: blindscope train head features.safetensors head.json")]
    Head(HeadArgs),
    /// Train attention over the tiles of slides, and a head on what it pools: one class a slide.
    #[command(after_help = "Example: blindscope train slides tiles.safetensors model.json")]
    Slides(slides::SlidesArgs),
    /// Train a backbone together with its head on tiles.
    #[command(
        after_help = "Ctrl-C ends training after the epoch at hand and saves what it reached.\n\nExample: blindscope train \
        backbone tiles/ head.json --small --tune whole --save-backbone model/model.safetensors"
    )]
    Backbone(Box<BackboneArgs>),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// W·x + b
    Linear,
    /// W2·p(W1·x + b1) + b2
    Polynomial,
    /// The best linear head of a small ladder, by cross-validation over whole groups
    Auto,
}

#[derive(Debug, Args)]
struct HeadOptions {
    /// The head's form.
    #[arg(long, value_enum, default_value_t = Form::Polynomial)]
    form: Form,
    /// With `--form auto`: rows are a CLS token and the mean of the patch tokens (`--pool cls+mean`), and each half is tried alone too.
    #[arg(long)]
    halves: bool,
    /// Hidden units of a polynomial head.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=4096))]
    hidden: u16,
    /// Degree of the polynomial: 2 or 4.
    #[arg(long, default_value_t = 2)]
    degree: usize,
    /// Keep the polynomial as it starts (a fit of GELU) instead of training it.
    #[arg(long)]
    fixed: bool,
    /// Passes over the data.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    epochs: u16,
    /// Share of the data that is held out, whole groups at a time; 0 holds out nothing.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    hold_out: f64,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl HeadOptions {
    fn request(&self) -> HeadRequest {
        let degree = self.degree;
        let activation =
            if self.fixed { Activation::Fixed { degree } } else { Activation::Trained { degree } };
        let kind = match self.form {
            Form::Linear => HeadKind::Linear,
            Form::Auto => HeadKind::Auto { halves: self.halves },
            Form::Polynomial => HeadKind::Polynomial { hidden: self.hidden.into(), activation },
        };
        HeadRequest { kind, epochs: self.epochs.into(), seed: self.seed }
    }
}

#[derive(Debug, Args)]
pub(crate) struct HeadArgs {
    /// A features file.
    features: PathBuf,
    /// The head to write: .json, or .safetensors.
    out: PathBuf,
    /// Features to evaluate on, instead of holding some out.
    #[arg(long)]
    test: Option<PathBuf>,
    #[command(flatten)]
    options: HeadOptions,
}

#[derive(Debug, Args)]
pub(crate) struct BackboneArgs {
    #[command(flatten)]
    tiles: TileOptions,
    /// The head to write: .json, or .safetensors.
    out: PathBuf,
    #[command(flatten)]
    model: ModelOptions,
    /// The trained part: last-blocks=N, lora=RANK, whole or head.
    #[arg(long, default_value = "last-blocks=1", value_parser = tuning)]
    tune: Tuning,
    /// Where to write the trained backbone (.safetensors); its preprocessing is written beside it.
    #[arg(long)]
    save_backbone: PathBuf,
    /// Tiles a step.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Peak step size for the backbone.
    #[arg(long, default_value_t = 1e-4)]
    rate: f32,
    /// Take tiles as they are, instead of turning them and varying their stain.
    #[arg(long)]
    no_augmentation: bool,
    #[command(flatten)]
    options: HeadOptions,
}

/// A share that leaves something to train on.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|e| format!("{e}"))?;
    if (0.0..1.0).contains(&share) { Ok(share) } else { Err("expected a share from 0 to less than 1".into()) }
}

fn tuning(text: &str) -> Result<Tuning, String> {
    let number = |text: &str| text.parse().map_err(|e| format!("{text}: {e}"));
    match text.split_once('=') {
        None if text == "whole" => Ok(Tuning::Whole),
        None if text == "head" => Ok(Tuning::Head),
        Some(("last-blocks", n)) => Ok(Tuning::LastBlocks(number(n)?)),
        Some(("lora", rank)) => Ok(Tuning::Lora { rank: number(rank)?, scale: 2.0 }),
        _ => Err("expected last-blocks=N, lora=RANK, whole or head".into()),
    }
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Head(args) => head(args),
        Command::Slides(args) => slides::run(args),
        Command::Backbone(args) => backbone(args),
    }
}

fn head(args: &HeadArgs) -> anyhow::Result<()> {
    features::refuse_same(&args.features, &args.out)?;
    args.test.as_ref().map_or(Ok(()), |test| features::refuse_same(test, &args.out))?;
    let options = &args.options;
    let (train, test) = parts(&args.features, args.test.as_deref(), options.hold_out, options.seed)?;
    let trained = training::train_head(&train, test.as_ref().map(|test| &test.features), &options.request())?;
    save(&trained, &args.out)?;
    let seen = test.filter(|test| test.seen > 0).map(|test| test.seen);
    show(&Shown { report: &trained.report, before: None, seen, head: &args.out }, options.json)
}

/// What is trained on and what is held out: another file, or a share of whole groups.
fn parts(
    path: &Path,
    test: Option<&Path>,
    hold_out: f64,
    seed: u64,
) -> anyhow::Result<(Features, Option<Unseen>)> {
    let all = Features::load(path)?;
    let (train, test) = match test {
        Some(test) => (all, Some(Features::load(test)?)),
        None if hold_out > 0.0 => {
            let ways = SplitWays::Shares([1.0 - hold_out, 0.0, hold_out]);
            let split = features::split(&all, &SplitRequest { ways, seed })?;
            (all.select(&split.members(0)), Some(all.select(&split.members(1))))
        }
        None => (all, None),
    };
    let test = test.map(|test| training::comparable(&train, test)).transpose()?;
    if let Some(test) = &test {
        say_seen(test);
    }
    Ok((train, test))
}

/// Says which of the rows to measure on are none that nothing was learned from.
fn say_seen(test: &Unseen) {
    let mut err = io::stderr().lock();
    if test.seen > 0 {
        let all = test.seen + test.features.len();
        let _ =
            writeln!(err, "{} of {all} rows to measure on are among those trained on: left out", test.seen);
    }
    if test.shared_patients > 0 {
        let _ = writeln!(
            err,
            "{} patients have rows both to train and to measure on: the figures are better than those of new patients will be; \
             `features split` parts by patients",
            test.shared_patients
        );
    }
}

fn backbone(args: &BackboneArgs) -> anyhow::Result<()> {
    let cancel = interrupt::flag()?;
    let options = &args.options;
    let backbone = args.model.load(options.seed)?;
    let (dataset, _) = args.tiles.open(&cancel)?;
    let listed = dataset.rejected.clone();
    let (train, test) = if options.hold_out > 0.0 {
        let (train, test) = features::hold_out(&dataset, options.hold_out, options.seed)?;
        (train, Some(test))
    } else {
        (dataset, None)
    };
    let request = TuneRequest {
        head: options.request(),
        plan: FitPlan {
            tuning: args.tune,
            epochs: options.epochs.into(),
            batch: args.batch.into(),
            rate: args.rate,
            augment: !args.no_augmentation,
            seed: options.seed,
            ..FitPlan::default()
        },
        extraction: ExtractOptions::default(),
    };
    let mut bar = Bar::new("epochs");
    let total = u64::from(options.epochs);
    let tuned = training::tune(
        backbone,
        &train,
        test.as_ref(),
        &request,
        &mut |epoch| {
            let note = format!("loss {:.3}, accuracy {:.1} %", epoch.loss, 100.0 * epoch.accuracy);
            bar.show(epoch.epoch as u64, total, &note);
        },
        &cancel,
    )?;
    drop(bar);
    if let Some(folder) = args.save_backbone.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    }
    tuned.backbone.save(&args.save_backbone)?;
    save(&tuned.head, &args.out)?;
    for tile in listed.iter().chain(&tuned.rejected) {
        let _ = writeln!(io::stderr(), "set aside {}: {}", tile.id, tile.reason);
    }
    let (report, before) = (&tuned.head.report, tuned.before.as_ref());
    show(&Shown { report, before, seen: None, head: &args.out }, options.json)
}

fn save(trained: &TrainedHead, out: &Path) -> anyhow::Result<()> {
    let tensors = out.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"));
    let bytes = if tensors { trained.head.to_safetensors()? } else { trained.head.to_json()? };
    std::fs::write(out, bytes).with_context(|| format!("writing {}", out.display()))
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    report: &'a TrainingReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Evaluation>,
    /// Rows to measure on that were left out, since they were trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<usize>,
    head: &'a Path,
}

fn show(shown: &Shown<'_>, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(shown);
    }
    let Shown { report, before, head, .. } = *shown;
    let mut out = io::stdout().lock();
    for epoch in &report.epochs {
        let accuracy = 100.0 * epoch.accuracy;
        writeln!(out, "epoch {:3}: loss {:.4}, training accuracy {accuracy:.2} %", epoch.epoch, epoch.loss)?;
    }
    for head in report.chosen.iter().flat_map(|chosen| &chosen.heads) {
        let [accuracy, low, high] = [head.accuracy, head.interval[0], head.interval[1]].map(|v| 100.0 * v);
        writeln!(
            out,
            "{}: accuracy on groups held out of training {accuracy:.2} % (95 %: {low:.2} to {high:.2})",
            head.name
        )?;
    }
    if let Some([seen, bound]) = report.polynomial_range {
        writeln!(out, "the polynomial saw arguments up to {seen:.2}; clipped features allow {bound:.2}")?;
    }
    for (when, evaluation) in
        [("before the backbone was trained", before), ("held out", report.held_out.as_ref())]
    {
        if let Some(evaluation) = evaluation {
            figures(&mut out, when, evaluation)?;
        }
    }
    writeln!(out, "head written to {}", head.display())?;
    Ok(())
}

fn figures(out: &mut impl Write, when: &str, e: &Evaluation) -> io::Result<()> {
    let percent = |v: f64| format!("{:.2} %", 100.0 * v);
    let [low, high] = e.accuracy_interval.map(percent);
    writeln!(out, "{when}: {} rows, accuracy {} (95 %: {low} to {high})", e.rows, percent(e.accuracy))?;
    let [balanced, f1] = [e.balanced_accuracy, e.macro_f1].map(percent);
    let auc = e.auc.map_or("none (rows of one class)".into(), percent);
    writeln!(out, "  balanced accuracy {balanced}, macro F1 {f1}, AUC {auc}")?;
    for (units, name) in [(&e.slides, "slide"), (&e.patients, "patient")] {
        let Some(u) = units else { continue };
        let [[low, high], [f1_low, f1_high]] =
            [u.accuracy_interval, u.macro_f1_interval].map(|i| i.map(percent));
        let (accuracy, f1) = (percent(u.accuracy), percent(u.macro_f1));
        let auc = u.auc.map_or("none".into(), percent);
        writeln!(
            out,
            "  by {name}: {} of them, accuracy {accuracy} (95 %: {low} to {high}), macro F1 {f1} ({f1_low} to {f1_high}), AUC {auc}",
            u.count
        )?;
    }
    for (class, counts) in e.classes.iter().zip(&e.confusion) {
        let or_none = |figure: Option<f64>| figure.map_or("none".into(), percent);
        let [precision, recall] = [class.precision, class.recall].map(or_none);
        writeln!(out, "  {}: precision {precision}, recall {recall}, predicted as {counts:?}", class.name)?;
    }
    Ok(())
}
