//! Situations that users of such tools report, each walked through the built command with inputs made here: what comes out is right,
//! or a refusal that says what to do.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test")]

mod inputs;
mod labels;
mod listings;
mod rows;
mod serving;
mod studies;
mod words;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn blindscope(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
    command
        .current_dir(folder)
        .args(line.split(' '))
        .env_remove("RUST_BACKTRACE")
        .env("BLINDSCOPE_LOG", "error");
    for name in ["BLINDSCOPE_CACHE", "BLINDSCOPE_MODELS", "BLINDSCOPE_DATA"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn json(folder: &Path, line: &str) -> Value {
    let Output { status, stdout, stderr } = blindscope(folder, line);
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

/// The exit code and the words of a command that fails, which are for people: no debug text of ours in them.
fn refused(folder: &Path, line: &str) -> (i32, String) {
    let Output { status, stderr, .. } = blindscope(folder, line);
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{line}");
    assert!(
        !said.contains("Some(") && !said.contains("Err(") && !said.contains("panicked"),
        "{line}: {said}"
    );
    (status.code().unwrap(), said)
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
