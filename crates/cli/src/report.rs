//! `blindscope report`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use blindscope_app::demo::DemoResults;
use blindscope_app::demo::report::demo_page;

/// Make the page of a demo's results again, from its `results.json`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The demo's folder, or its results file.
    #[arg(default_value = "blindscope-demo")]
    results: PathBuf,
    /// Where the page goes; standard output unless given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the results instead, as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(crate) const EXAMPLES: &str = "Example: blindscope report blindscope-demo --out report.html";

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let file = if args.results.is_dir() { args.results.join("results.json") } else { args.results.clone() };
    let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let results: DemoResults = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} holds no results of this version's demo", file.display()))?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &results)?;
        writeln!(out)?;
        return Ok(());
    }
    let page = demo_page(&results)?.to_html();
    match &args.out {
        Some(path) => std::fs::write(path, page).with_context(|| format!("writing {}", path.display())),
        None => Ok(write!(out, "{page}")?),
    }
}
