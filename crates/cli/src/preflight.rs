//! `blindscope preflight`

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use blindscope_node::kit::Kit;
use blindscope_node::kit::preflight::{self, Outcome};

#[derive(Debug, Args)]
pub(crate) struct PreflightOptions {
    /// The party's folder.
    #[arg(long)]
    kit: PathBuf,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Exit code when a check failed.
const FAILED: u8 = 7;

pub(crate) fn run(options: &PreflightOptions) -> anyhow::Result<u8> {
    let kit = Kit::at(&options.kit);
    let found =
        blindscope_node::system::runtime()?.block_on(preflight::preflight(&kit, &options.overrides))?;
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &found)?;
        writeln!(out)?;
    } else {
        for check in &found.checks {
            let mark = match check.outcome {
                Outcome::Ok => "ok",
                Outcome::Warning => "WARN",
                Outcome::Failed => "FAIL",
            };
            writeln!(out, "{mark:4}  {:12}  {}", check.name, check.found)?;
            if !check.repair.is_empty() {
                writeln!(out, "{:20}-> {}", "", check.repair)?;
            }
        }
    }
    Ok(if found.outcome == Outcome::Failed { FAILED } else { 0 })
}
