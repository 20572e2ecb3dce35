//! The `blindscope` command: raw arguments, checked, then a use case of the app crate.

mod args;
mod bench;

use clap::Parser;

fn main() -> anyhow::Result<()> {
    match args::Args::parse().command {
        args::Command::Bench(options) => bench::run(&options),
    }
}
