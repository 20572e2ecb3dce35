//! `blindscope worker`

use std::path::PathBuf;

use clap::Args;

/// What a worker runs from.
#[derive(Debug, Args)]
pub(crate) struct WorkerOptions {
    /// A copy of the coordinator's folder, of which `startup/` is read alone: study.toml and settings.toml, which names `queue` and `blobs`.
    #[arg(long)]
    kit: PathBuf,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Pieces of work at a time. One for each processor unless given.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=32))]
    pieces: Option<u32>,
    /// Show figures for a monitor there, as text at `/metrics`: no TLS, whoever reaches it reads it. They are not shown unless given.
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<String>,
    /// End when standard input does, for services that belong to the process that started them.
    #[arg(long)]
    until_input_ends: bool,
    /// Print one JSON object when the worker begins to ask for work.
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "scale")]
pub(crate) fn run(options: &WorkerOptions) -> anyhow::Result<()> {
    use std::io::{self, Write as _};
    use std::sync::Arc;

    use blindscope_learn::jobs::CoordinatorLearner;
    use blindscope_node::kit::Kit;
    use blindscope_node::plain::Sums;
    use blindscope_node::worker::{self, Parts};
    use blindscope_node::{Stop, system};

    let learning = Arc::new(Sums { learning: CoordinatorLearner::default() });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pieces = options.pieces.map_or(cores, |pieces| pieces as usize);
    let parts = Parts { learning, heads: crate::services::heads(), pieces, metrics: options.metrics.clone() };
    let json = options.json;
    let ready = move || {
        let mut out = io::stdout().lock();
        // Whoever started us may have closed our output; we work all the same.
        let _ = if json {
            writeln!(out, "{}", serde_json::json!({ "asking": true }))
        } else {
            writeln!(out, "asking for work")
        };
        let _ = out.flush();
    };
    Ok(system::runtime()?.block_on(async {
        let stop = Stop::new();
        system::stop_on_signal(&stop);
        if options.until_input_ends {
            system::stop_when_input_ends(&stop);
        }
        worker::run(&Kit::at(&options.kit), &options.overrides, parts, stop, ready).await
    })?)
}

/// Refuses: this build has neither queue nor object store.
#[cfg(not(feature = "scale"))]
pub(crate) fn run(options: &WorkerOptions) -> anyhow::Result<()> {
    let WorkerOptions { kit, overrides, pieces, metrics, until_input_ends, json } = options;
    tracing::debug!(?kit, ?overrides, ?pieces, ?metrics, until_input_ends, json, "no worker");
    Err(blindscope_node::Error::Project {
        key: "worker",
        found: "a build without queues".to_owned(),
        expected: "one with them: cargo build --release -p blindscope-cli --features scale".to_owned(),
    }
    .into())
}
