//! The `blindscope` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(blindscope_cli::command(std::env::args_os()))
}
