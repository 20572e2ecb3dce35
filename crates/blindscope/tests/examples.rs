//! Every program prints what its first lines say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: [&str; 8] = [
    "01_encode",
    "02_encrypt",
    "03_rotate_and_multiply",
    "04_encrypted_logit",
    "05_ask_a_head",
    "06_key_of_three",
    "07_only_the_sum",
    "08_federated_round",
];
const MOST_LINES: usize = 80;

fn source(program: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{program}.rs"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines between the fences of a program's documentation.
fn promised(source: &str) -> String {
    let lines = source.lines().skip_while(|line| *line != "//! ```text").skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("//! ").unwrap()).collect();
    lines.join("\n") + "\n"
}

/// Cargo puts programs beside the folder of tests.
fn built(program: &str) -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let path = folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not built; run the tests with --examples as well", path.display());
    path
}

#[test]
fn programs_print_what_they_promise() {
    for program in PROGRAMS {
        let promised = promised(&source(program));
        assert!(promised.len() > 1, "{program} promises nothing");
        let output = Command::new(built(program)).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), promised, "{program}");
    }
}

#[test]
fn programs_are_short() {
    for program in PROGRAMS {
        let lines = source(program).lines().count();
        assert!(lines < MOST_LINES, "{program} has {lines} lines; tell less, or split it");
    }
}

/// The page that leads to them names each, in order, and no other.
#[test]
fn the_page_names_every_program() {
    let page = include_str!("../src/lib.rs");
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let named: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(named, PROGRAMS);
}
