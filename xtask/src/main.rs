//! Repository chores: `cargo run -p xtask -- help`.
#![allow(clippy::disallowed_methods, reason = "cargo hands its own path down in the environment")]
#![allow(clippy::print_stdout, reason = "printing the findings is what these commands are for")]

mod budgets;
mod dependencies;
mod documented;
mod folders;
mod functions;
mod imports;
mod layers;
mod links;
mod promises;
mod sources;
mod words;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo run -p xtask -- COMMAND
  layers            fail when a crate imports one that its layer may not see
  budgets [--json]  print the figures of the house, fail where one passes its bar
  imports [--fix]   fail where imports are not: standard library, other crates, ours
  words             fail on words that the glossary forbids or that public types take beside it, and on imports that rename
  dependencies      fail where docs/dependencies.md does not say who takes which crate
  links             fail where a document links to a file that is not there";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["layers"] => layers::run(),
        ["budgets"] => budgets::run(false),
        ["dependencies"] => dependencies::run(),
        ["links"] => links::run(),
        ["words"] => words::run(),
        ["imports"] => imports::run(false),
        ["imports", "--fix"] => imports::run(true),
        ["budgets", "--json"] => budgets::run(true),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        found => bail!("expected one command, found {found:?}\n{USAGE}"),
    }
}
