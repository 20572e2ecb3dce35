//! Studies of plain sums as real processes.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

use std::path::Path;

use blindscope_app::plain::Plain;
use blindscope_app::processes::Processes;
use blindscope_app::provision::Project;
use blindscope_app::{Deadlines, JobKind, JobSpec};

pub fn project(sites: usize, threshold: u32, cohort: u32) -> Project {
    Project {
        name: "trial".to_owned(),
        address: String::new(),
        listen: None,
        hosts: Vec::new(),
        classes: vec!["benign".to_owned(), "malignant".to_owned()],
        backbone: "00".repeat(32),
        width: 768,
        sites: (0..sites).map(|i| format!("site-{i}")).collect(),
        admins: vec!["admin".to_owned()],
        askers: Vec::new(),
        threshold,
        minimum_cohort: cohort,
        decryptions: 1 << 20,
        statistical_bits: 40,
        attempts: 4,
        certificate_days: 2,
        deadlines: Deadlines { ceremony_seconds: 120, upload_seconds: 120, opening_seconds: 60 },
        inference: None,
    }
}

/// Each site contributes numbers drawn from its own seed.
pub fn learning(sites: usize) -> Vec<toml::Table> {
    let table = |seed: usize| {
        let mut table = toml::Table::new();
        table.insert("plain".to_owned(), toml::Value::try_from(Plain::Seed(seed as u64)).unwrap());
        table
    };
    (0..sites).map(table).collect()
}

pub fn processes(folder: &Path, project: Project) -> Processes {
    let sites = project.sites.len();
    let binary = Path::new(env!("CARGO_BIN_EXE_blindscope"));
    Processes::provision(binary, folder, project, &learning(sites)).unwrap()
}

pub fn ceremony() -> JobSpec {
    JobSpec::ceremony("key")
}

pub fn sum(name: &str, kind: JobKind, values: u64, rounds: u64) -> JobSpec {
    let settings = serde_json::json!({ "plain": true });
    JobSpec { rounds, values, max: 1000, settings, kind, ..JobSpec::ceremony(name) }
}

/// The sums over these sites in the last round of a job.
pub fn expected(spec: &JobSpec, sites: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut sums = vec![0_u64; spec.values as usize];
    for site in sites {
        for (sum, value) in sums.iter_mut().zip(Plain::drawn(site as u64, spec, spec.rounds - 1)) {
            *sum += value;
        }
    }
    sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
}
