//! `blindscope predict`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;

use blindscope_learn::features::{Features, draw_predictions};
use blindscope_node::JobStatus;
use blindscope_node::JobView;
use blindscope_node::asker::{self, Prediction};
use blindscope_node::kit::Kit;
use blindscope_node::system;

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
    /// Features of the tiles: a file of `features extract`, or one that `features import` reads.
    features: PathBuf,
    /// Draw the predictions of a slide's tiles here: NAME.png and NAME.geojson for each slide. Needs --slides.
    #[arg(long, value_name = "DIR", requires = "slides")]
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
    /// Print CSV: id, class, and the logit of each class under its name.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

pub(crate) fn run(options: &PredictOptions) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let (ids, tokens) = asker::tokens(&kit, &options.features)?;
    ensure!(!tokens.is_empty(), "{}: no features in it", options.features.display());
    let mut rng = system::rng()?;
    let (runtime, overrides) = (system::runtime()?, &options.overrides);
    let predictions = match (&options.head, &options.job) {
        (Some(head), _) => {
            let asked = asker::predict_encrypted(&kit, overrides, head, &tokens, &mut rng, progress);
            runtime.block_on(asked)?
        }
        (None, job) => {
            let job = job.as_deref().unwrap_or_default();
            runtime.block_on(asker::predict(&kit, overrides, job, &tokens, &mut rng))?
        }
    };
    if let (Some(folder), Some(run)) = (&options.heatmap, &options.slides) {
        let study = kit.study()?;
        draw(&options.features, run, folder, &predictions, &study.literal().classes)?;
    }
    let mut out = io::stdout().lock();
    let study = kit.study()?;
    let classes = &study.literal().classes;
    let named = ids.iter().zip(&predictions);
    if options.json {
        let answers: Vec<_> = named
            .map(|(id, Prediction { class, logits })| {
                serde_json::json!({ "id": id, "class": class, "logits": logits, "classes": classes })
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &answers)?;
        return Ok(writeln!(out)?);
    }
    if options.csv {
        let head = ["id".to_owned(), "class".to_owned()];
        writeln!(out, "{}", row(head.iter().chain(classes)))?;
        for (id, Prediction { class, logits }) in named {
            let logits: Vec<String> = logits.iter().map(ToString::to_string).collect();
            writeln!(out, "{}", row([id, class].into_iter().chain(&logits)))?;
        }
        return Ok(());
    }
    for (id, Prediction { class, logits }) in named {
        let logits: Vec<String> = logits.iter().map(|logit| format!("{logit:.4}")).collect();
        writeln!(out, "{id:24}  {class:20}  {}", logits.join("  "))?;
    }
    Ok(())
}

/// Draws predictions on their slides; what was opened stays on this machine.
fn draw(
    features: &Path,
    run: &Path,
    folder: &Path,
    predictions: &[Prediction],
    classes: &[String],
) -> anyhow::Result<()> {
    let ids = Features::load(features)?.ids;
    let logits: Vec<&[f64]> = predictions.iter().map(|p| p.logits.as_slice()).collect();
    for path in draw_predictions(run, &ids, &logits, classes, folder)? {
        writeln!(io::stderr(), "drawn: {}", path.display())?;
    }
    Ok(())
}

/// One line of CSV (RFC 4180).
fn row<'a>(cells: impl Iterator<Item = &'a String>) -> String {
    let quoted = |cell: &String| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.clone()
        }
    };
    cells.map(quoted).collect::<Vec<_>>().join(",")
}

/// How far a question is, on standard error.
fn progress(view: &JobView) {
    let state = match &view.status {
        JobStatus::Waiting => "waits for its turn".to_owned(),
        JobStatus::Asking(step) => {
            let (there, all) = (step.answered.len(), step.expected.len());
            format!("{}: {there} of {all} sites have answered", step.step.phase)
        }
        JobStatus::Combining { step } => format!("combining after {}", step.phase),
        JobStatus::Done { .. } => "answered".to_owned(),
        JobStatus::Failed { .. } => "failed".to_owned(),
    };
    // Progress that nobody can see is no reason to stop.
    let _ = writeln!(io::stderr(), "{}  {state}", view.name);
}
