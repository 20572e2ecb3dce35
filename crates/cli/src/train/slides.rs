//! `blindscope train slides`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::{figures, parts, share};
use crate::progress::Bar;
use crate::shown::print_json;
use blindscope_learn::features;
use blindscope_learn::training::{AttentionSettings, EpochFigures, Evaluation, TrainedSlides, train_slides};

#[derive(Debug, Args)]
pub(crate) struct SlidesArgs {
    /// A features file whose rows are tiles called `SLIDE/X_Y`, as `features import RUN` makes it; all tiles of a slide have its label.
    features: PathBuf,
    /// The model file to write (.json): the attention, and a head on what it pools.
    out: PathBuf,
    /// Features to evaluate on, instead of holding some out.
    #[arg(long)]
    test: Option<PathBuf>,
    /// Steps, each along the gradient of all slides.
    #[arg(long, default_value_t = AttentionSettings::default().rounds)]
    steps: u64,
    /// Hidden units of the attention.
    #[arg(long, default_value_t = AttentionSettings::default().hidden)]
    hidden: usize,
    /// Size of a step.
    #[arg(long, default_value_t = AttentionSettings::default().rate)]
    rate: f32,
    /// Features are clipped to this size: larger than nearly all of them.
    #[arg(long, default_value_t = AttentionSettings::default().bound)]
    bound: f64,
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

#[derive(Serialize)]
struct Shown<'a> {
    slides: u64,
    steps: &'a [EpochFigures],
    #[serde(skip_serializing_if = "Option::is_none")]
    held_out: Option<&'a Evaluation>,
    model: &'a Path,
}

pub(super) fn run(args: &SlidesArgs) -> anyhow::Result<()> {
    features::refuse_same(&args.features, &args.out)?;
    args.test.as_ref().map_or(Ok(()), |test| features::refuse_same(test, &args.out))?;
    let (train, test) = parts(&args.features, args.test.as_deref(), args.hold_out, args.seed)?;
    let settings = AttentionSettings {
        rounds: args.steps,
        hidden: args.hidden,
        rate: args.rate,
        bound: args.bound,
        seed: args.seed,
        ..AttentionSettings::default()
    };
    let bar = std::sync::Mutex::new(Bar::new("steps"));
    let trained = train_slides(&train, test.as_ref().map(|test| &test.features), &settings, &|now| {
        let note = format!("loss {:.3}, accuracy {:.1} %", now.loss, 100.0 * now.accuracy);
        if let Ok(mut bar) = bar.lock() {
            bar.show(now.epoch as u64, args.steps, &note);
        }
    })?;
    drop(bar);
    std::fs::write(&args.out, trained.model.to_json()?)
        .with_context(|| format!("writing {}", args.out.display()))?;
    show(&trained, args)
}

fn show(trained: &TrainedSlides, args: &SlidesArgs) -> anyhow::Result<()> {
    let TrainedSlides { model, steps, held_out } = trained;
    let held_out = held_out.as_ref();
    if args.json {
        return print_json(&Shown { slides: model.examples, steps, held_out, model: &args.out });
    }
    let mut out = io::stdout().lock();
    if let Some(last) = steps.last() {
        let accuracy = 100.0 * last.accuracy;
        writeln!(
            out,
            "{} slides, {} steps: loss {:.4}, training accuracy {accuracy:.2} %",
            model.examples,
            steps.len(),
            last.loss
        )?;
    }
    if let Some(evaluation) = held_out {
        figures(&mut out, "held-out slides", evaluation)?;
    }
    writeln!(out, "model written to {}", args.out.display())?;
    Ok(())
}
