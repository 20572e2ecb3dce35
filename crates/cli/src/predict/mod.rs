//! `blindscope predict`

mod asked;
mod shown;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;

use crate::tiles::ModelDetails;
use asked::Asked;
use blindscope_learn::features::draw_predictions;
use blindscope_learn::jobs::PooledSlides;
use blindscope_node::asker::{self, Prediction};
use blindscope_node::kit::Kit;
use blindscope_node::{JobStatus, JobView, Study, system};

#[derive(Debug, Args)]
pub(crate) struct PredictOptions {
    /// The asker's folder.
    #[arg(long)]
    kit: PathBuf,
    /// The job whose released head is asked.
    #[arg(long, required_unless_present = "head", conflicts_with = "head")]
    job: Option<String>,
    /// The job whose encrypted head is asked: sites re-encrypt the answer, so this waits for them.
    #[arg(long, value_name = "JOB")]
    head: Option<String>,
    /// What is asked about: a file of features (of `features extract`, or one that `features import` reads); with --model, tiles: a
    /// folder of images, a CSV file with a column of paths, or one image.
    #[arg(value_name = "FEATURES|TILES")]
    input: PathBuf,
    /// The study's model: the input is tiles, which go through it on this machine.
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    details: ModelDetails,
    /// The CSV file's column of paths.
    #[arg(long, default_value = "path", requires = "model")]
    path_column: String,
    /// Draw the predictions of a slide's tiles here: NAME.png and NAME.geojson for each slide, and slides.csv with one answer a slide. Needs
    /// --slides.
    #[arg(long, value_name = "DIR", requires = "slides", conflicts_with = "model")]
    heatmap: Option<PathBuf>,
    /// The folder of the run that made the features, whose slides are drawn on.
    #[arg(long, value_name = "RUN", requires = "heatmap")]
    slides: Option<PathBuf>,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Print CSV: id, file, class, and the logit of each class under its name.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

pub(crate) fn run(options: &PredictOptions) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let Asked { features, files } = asked::asked(options, &kit)?;
    asker::check(&kit, &features)?;
    ensure!(!features.is_empty(), "{}: no features in it", options.input.display());
    let study = kit.study()?;
    let mut rng = system::rng()?;
    let (runtime, overrides) = (system::runtime()?, &options.overrides);
    let (predictions, pooled) = match (&options.head, &options.job) {
        (Some(head), _) => {
            let seen = |view: &JobView| progress(&study, view);
            let asked = asker::predict_encrypted(&kit, overrides, head, &features, &mut rng, seen);
            (runtime.block_on(asked)?, None)
        }
        (None, job) => {
            let job = job.as_deref().unwrap_or_default();
            // Tiles are pooled here, in the clear: one encrypted row a slide goes out.
            let pooling = runtime.block_on(asker::pooling(&kit, overrides, job))?;
            let pooled = pooling.map(|pooling| pooling.pool(&features)).transpose()?;
            let rows = pooled.as_ref().map_or(&features, |slides| &slides.features);
            (runtime.block_on(asker::predict(&kit, overrides, job, rows, &mut rng))?, pooled)
        }
    };
    let classes = &study.literal().classes;
    if let (Some(folder), Some(run)) = (&options.heatmap, &options.slides) {
        draw(&features.ids, run, folder, (&predictions, pooled.as_ref()), classes)?;
    }
    let ids = pooled.as_ref().map_or(&features.ids, |slides| &slides.features.ids);
    let answers = shown::Answers { ids, files: &files, predictions: &predictions, classes };
    match (options.json, options.csv) {
        (true, _) => answers.json(),
        (_, true) => answers.csv(),
        _ => answers.text(),
    }
}

/// Draws predictions on their slides; what was opened stays on this machine.
fn draw(
    ids: &[String],
    run: &Path,
    folder: &Path,
    (predictions, pooled): (&[Prediction], Option<&PooledSlides>),
    classes: &[String],
) -> anyhow::Result<()> {
    let mut logits: Vec<&[f64]> = predictions.iter().map(|p| p.logits.as_slice()).collect();
    if let Some(pooled) = pooled {
        logits = pooled.slides.iter().filter_map(|slide| logits.get(*slide).copied()).collect();
    }
    let attention = pooled.map(|pooled| pooled.weights.as_slice());
    for path in draw_predictions(run, ids, &logits, attention, classes, folder)? {
        writeln!(io::stderr(), "written: {}", path.display())?;
    }
    Ok(())
}

/// How far a question is, on standard error.
fn progress(study: &Study, view: &JobView) {
    let state = match &view.status {
        JobStatus::Waiting => "waits for its turn".to_owned(),
        JobStatus::Asking(step) => step.explain(study),
        JobStatus::Combining { step } => format!("combining after {}", step.phase),
        JobStatus::Done { .. } => "answered".to_owned(),
        JobStatus::Failed { .. } => "failed".to_owned(),
    };
    // Progress that nobody can see is no reason to stop.
    let _ = writeln!(io::stderr(), "{}  {state}", view.name);
}
