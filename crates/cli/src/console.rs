//! `blindscope console`

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use blindscope_console::{Options, Ready};
use blindscope_node::kit::Kit;
use blindscope_node::{Stop, system};

/// Pages for one browser of this machine.
#[derive(Debug, Args)]
pub(crate) struct ConsoleOptions {
    /// The folder of an administrator or a site.
    #[arg(long)]
    kit: PathBuf,
    /// Where the pages are: an address of this machine alone. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Show the report of an audit that lies here.
    #[arg(long, value_name = "FOLDER")]
    audit: Option<PathBuf>,
    /// Replace a key of settings.toml.
    #[arg(short = 'c', value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// End when standard input does.
    #[arg(long)]
    until_input_ends: bool,
    /// Print one JSON object when a browser can come.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &ConsoleOptions) -> anyhow::Result<()> {
    let (listen, overrides) = (options.listen, options.overrides.clone());
    let (json, audit) = (options.json, options.audit.clone());
    let ready = move |ready: &Ready| {
        let mut out = io::stdout().lock();
        let url = ready.url();
        // Whoever started us may have closed our output; the pages are there all the same.
        let _ = if json {
            writeln!(out, "{}", serde_json::json!({ "listening": ready.address, "open": *url }))
        } else {
            writeln!(out, "open this in your browser, once, within a quarter of an hour:\n\n  {}\n", *url)
        };
        let _ = out.flush();
    };
    Ok(system::runtime()?.block_on(async {
        let stop = Stop::new();
        system::stop_on_signal(&stop);
        if options.until_input_ends {
            system::stop_when_input_ends(&stop);
        }
        blindscope_console::serve(&Kit::at(&options.kit), &Options { listen, overrides, audit }, stop, ready)
            .await
    })?)
}
