//! `blindscope predict`

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::ensure;
use blindscope_app::kit::Kit;
use blindscope_app::predict::{self, Prediction};
use blindscope_app::system;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct PredictOptions {
    /// The asker's folder.
    #[arg(long)]
    kit: PathBuf,
    /// The job whose head is asked.
    #[arg(long)]
    job: String,
    /// Features of the tiles: a file of `features extract`, or one that `features import` reads.
    features: PathBuf,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &PredictOptions) -> anyhow::Result<()> {
    let kit = Kit::at(&options.kit);
    let tokens = predict::tokens(&options.features)?;
    ensure!(!tokens.is_empty(), "{}: no features in it", options.features.display());
    let mut rng = system::rng()?;
    let asked = predict::predict(&kit, &options.overrides, &options.job, &tokens, &mut rng);
    let predictions = system::runtime()?.block_on(asked)?;
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &predictions)?;
        return Ok(writeln!(out)?);
    }
    for (number, Prediction { class, logits }) in predictions.iter().enumerate() {
        let logits: Vec<String> = logits.iter().map(|logit| format!("{logit:.4}")).collect();
        writeln!(out, "{number:6}  {class:20}  {}", logits.join("  "))?;
    }
    Ok(())
}
