//! The `blindscope` command as a library: raw arguments, checked, then a use case of the app crate. The binary calls it, and so does
//! the Python package, whose wheel carries the command.

#![allow(clippy::disallowed_methods, reason = "an edge: raw arguments, the environment, the terminal")]

mod args;
mod audit;
mod bench;
mod console;
mod data;
mod demo;
mod export;
mod features;
mod interrupt;
mod job;
mod log;
mod model;
mod owner;
mod plan;
mod predict;
mod preflight;
mod progress;
mod provision;
mod report;
mod services;
mod shown;
mod slides;
mod study;
mod telling;
mod tiles;
mod train;
mod worker;

use std::ffi::OsString;
use std::io::Write as _;

use clap::Parser;

use blindscope_learn::{jobs, training};

/// Runs the command that `arguments` name, the program's own name first, and returns its exit code as `docs/cli.md` lists them.
/// Arguments that say nothing sensible, and `--help`, end the process as soon as they are read.
#[must_use]
pub fn command(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match run(arguments) {
        Ok(code) => code,
        // The reader of our output has seen enough.
        Err(e) if is_broken_pipe(&e) => 0,
        Err(e) => {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(std::io::stderr(), "Error: {}", described(&e));
            exit_code(&e)
        }
    }
}

/// As `docs/cli.md` lists them. A file that is not there is the caller's to correct, whichever command met it.
fn exit_code(e: &anyhow::Error) -> u8 {
    if let Some(app) = e.downcast_ref::<blindscope_node::Error>() {
        return app.exit_code();
    }
    if let Some(console) = e.downcast_ref::<blindscope_console::Error>() {
        return console.exit_code();
    }
    if let Some(blindscope_app::track::Error::Node(app)) = e.downcast_ref() {
        return app.exit_code();
    }
    let callers = e.chain().any(blindscope_learn::features::is_callers)
        || e.downcast_ref::<jobs::Error>().is_some_and(jobs::Error::is_callers)
        || e.downcast_ref::<training::Error>().is_some_and(training::Error::is_callers);
    let callers = callers || e.downcast_ref::<blindscope_app::track::Error>().is_some_and(export::is_callers);
    if callers || blindscope_node::is_absent(e.as_ref()) { 3 } else { 1 }
}

/// An error with its causes. Many of our errors say their cause themselves; it is not said twice.
fn described(e: &anyhow::Error) -> String {
    let mut text = e.to_string();
    for cause in e.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.extend([": ", &cause]);
        }
    }
    text
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<u8> {
    owner::keep_to_the_owner();
    let _told = telling::begin(log_level())?;
    let done = match args::Args::parse_from(arguments).command {
        args::Command::Bench(options) => bench::run(&options),
        args::Command::Demo(args) => demo::run(&args),
        args::Command::Report(args) => report::run(&args),
        args::Command::Features(command) => features::run(&command),
        args::Command::Data(command) => data::run(&command),
        args::Command::Model(command) => model::run(&command),
        args::Command::Train(command) => train::run(&command),
        args::Command::Plan(options) => plan::run(&options),
        args::Command::Audit(options) => audit::run(&options),
        args::Command::Provision(options) => provision::run(&options),
        args::Command::Study(command) => study::run(&command),
        args::Command::Cert(command) => provision::cert(&command),
        args::Command::Preflight(options) => return preflight::run(&options),
        args::Command::Coordinator(command) => services::coordinator(&command),
        args::Command::Worker(options) => worker::run(&options),
        args::Command::Site(command) => services::site(&command),
        args::Command::Job(options) => job::run(&options),
        args::Command::Predict(options) => predict::run(&options),
        args::Command::Log(command) => log::run(&command),
        args::Command::Console(options) => console::run(&options),
        args::Command::Settings => std::io::stdout()
            .write_all(blindscope_node::kit::reference::page().as_bytes())
            .map_err(Into::into),
        args::Command::Completions { shell } => {
            log::completions(shell);
            Ok(())
        }
    };
    done.map(|()| 0)
}

/// `BLINDSCOPE_LOG`: error, warn, info (as unless given), debug or trace.
fn log_level() -> tracing::Level {
    let named = std::env::var("BLINDSCOPE_LOG").ok();
    named.and_then(|name| name.parse().ok()).unwrap_or(tracing::Level::INFO)
}

fn is_broken_pipe(e: &anyhow::Error) -> bool {
    e.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
