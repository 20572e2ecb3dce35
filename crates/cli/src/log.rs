//! `blindscope log` and `blindscope completions`

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Subcommand};
use clap_complete::Shell;

use blindscope_node::admin::jobs::Admin;
use blindscope_node::admin::log;
use blindscope_node::kit::Kit;
use blindscope_node::system;

/// The audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Fetch the whole log into a file.
    #[command(after_help = "Example: blindscope log export --kit admin --out study.log")]
    Export {
        /// The administrator's folder.
        #[arg(long)]
        kit: PathBuf,
        /// Where the log goes, one JSON object a line.
        #[arg(long, short)]
        out: PathBuf,
        /// Replace a key of settings.toml.
        #[arg(short = 'c', value_name = "KEY=VALUE")]
        overrides: Vec<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Check that an exported log is whole: chain, signatures, rules, and the receipts of sites.
    #[command(after_help = "Example: blindscope log verify study.log --kit admin --site hospital-a")]
    Verify(VerifyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyOptions {
    /// The exported log.
    file: PathBuf,
    /// Any kit of the study.
    #[arg(long)]
    kit: PathBuf,
    /// Folders of sites that do not run now: their receipts show whether the end was cut off.
    #[arg(long = "site", value_name = "KIT")]
    sites: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &LogCommand) -> anyhow::Result<()> {
    match command {
        LogCommand::Export { kit, out, overrides, json } => {
            let mut file = File::create(out).with_context(|| format!("create {}", out.display()))?;
            let count = system::runtime()?
                .block_on(async { Admin::of(&Kit::at(kit), overrides)?.log(0, false, &mut file).await })?;
            file.sync_all().context("flush the log")?;
            let mut stdout = io::stdout().lock();
            if *json {
                return Ok(writeln!(stdout, "{:#}", serde_json::json!({ "file": out, "records": count }))?);
            }
            Ok(writeln!(stdout, "{}: {count} records", out.display())?)
        }
        LogCommand::Verify(options) => verify(options),
    }
}

fn verify(options: &VerifyOptions) -> anyhow::Result<()> {
    let study = Kit::at(&options.kit).study_now()?;
    let mut receipts = Vec::new();
    let runtime = system::runtime()?;
    for site in &options.sites {
        receipts.extend(runtime.block_on(log::receipts(&Kit::at(site)))?);
    }
    let file = File::open(&options.file).with_context(|| format!("open {}", options.file.display()))?;
    let verdict = log::check(&study, &mut BufReader::new(file), &receipts)?;
    let mut out = io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, &verdict)?;
        return Ok(writeln!(out)?);
    }
    let [done, failed, open] = verdict.jobs;
    writeln!(out, "whole: {} records, head {}", verdict.records, verdict.head)?;
    writeln!(out, "jobs: {done} done, {failed} failed, {open} open; ciphertexts opened: {}", verdict.opened)?;
    for span in verdict.rosters.iter().filter(|_| verdict.rosters.len() > 1) {
        let signed = if span.signed.is_empty() { "study.toml".to_owned() } else { span.signed.join(", ") };
        let (version, from, sites) = (span.version, span.from, span.sites.join(", "));
        writeln!(out, "roster {version} from record {from} on: {sites}; by {signed}")?;
    }
    if verdict.receipts == 0 {
        writeln!(out, "held against no receipt: records cut from the end would not be seen (--site)")?;
    }
    Ok(())
}

/// The completions of a shell, on standard output.
pub(crate) fn completions(shell: Shell) {
    clap_complete::generate(shell, &mut crate::args::Args::command(), "blindscope", &mut io::stdout());
}
