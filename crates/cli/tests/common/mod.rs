//! Studies of plain sums as real processes.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by the test files"
)]

pub mod ends;
pub mod places;

use std::path::Path;

use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

pub fn processes(folder: &Path, project: Project) -> Processes {
    let learning = rehearsal::learning(project.sites.len());
    Processes::provision(Path::new(env!("CARGO_BIN_EXE_blindscope")), folder, project, &learning).unwrap()
}
