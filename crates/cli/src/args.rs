//! Raw arguments.

use crate::job::JobOptions;
use crate::log::LogCommand;
use crate::preflight::PreflightOptions;
use crate::provision::{CertCommand, ProvisionOptions};
use crate::services::{CoordinatorCommand, SiteCommand};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// A microscope that works blind: federated pathology on encrypted Vision-Transformer features.
#[derive(Debug, Parser)]
#[command(name = "blindscope", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the project's figures on this machine.
    #[command(after_help = "Example: blindscope bench core --json")]
    Bench(BenchOptions),
    /// Found a study and write a kit for everybody.
    #[command(
        after_help = "Example: blindscope provision project.toml --out study --request a.toml b.toml c.toml"
    )]
    Provision(ProvisionOptions),
    /// Make keys, request and sign certificates.
    #[command(subcommand)]
    Cert(CertCommand),
    /// Check a kit before it is used: versions, certificates, clock, network, disk, policy.
    #[command(after_help = "Example: blindscope preflight --kit hospital-a")]
    Preflight(PreflightOptions),
    /// The coordinator's service.
    #[command(subcommand)]
    Coordinator(CoordinatorCommand),
    /// A site's service.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Submit, watch and end jobs, fetch their results.
    Job(JobOptions),
    /// Export and verify the audit log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Print completions for a shell.
    #[command(after_help = "Example: blindscope completions bash > /etc/bash_completion.d/blindscope")]
    Completions {
        /// Which.
        shell: Shell,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchOptions {
    /// What to measure.
    pub(crate) area: Area,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Measurements a figure.
    #[arg(long, default_value_t = 101, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    pub(crate) runs: u32,
    /// Leave the peers out.
    #[arg(long)]
    pub(crate) no_peers: bool,
    /// Folder with the peers' scripts.
    #[arg(long, default_value = "bench/peers")]
    pub(crate) peers: PathBuf,
    /// Python that has the peers installed.
    #[arg(long, env = "BLINDSCOPE_PEERS_PYTHON", default_value = ".venv-peers/bin/python")]
    pub(crate) python: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Area {
    /// Encryption, products, rotations, transforms.
    Core,
    /// Coordinator and sites as processes: rounds, lost sites, kills, memory, slow connections.
    Federation,
}
