//! Rehearsals: studies of plain sums, for tests and measurements. Every site draws its integers from its own number, so that everybody can
//! say what the sum must be.

use crate::error::Result;
use crate::kit::provision::Project;
use crate::plain::Plain;
use crate::system::free_port;
use blindscope_federation::{Deadlines, JobKind, JobSpec};

/// A project of `sites` sites named `site-0`, `site-1`, … with an administrator `admin`.
pub fn project(sites: usize, threshold: u32, cohort: u32) -> Project {
    Project {
        name: "rehearsal".to_owned(),
        address: "127.0.0.1:0".to_owned(),
        listen: None,
        hosts: Vec::new(),
        classes: vec!["benign".to_owned(), "malignant".to_owned()],
        backbone: "00".repeat(32),
        allow_unknown_backbone: false,
        width: 768,
        sites: (0..sites).map(|site| format!("site-{site}")).collect(),
        admins: vec!["admin".to_owned()],
        askers: Vec::new(),
        threshold,
        minimum_cohort: cohort,
        colluders: None,
        holders: Vec::new(),
        decryptions: 1 << 24,
        statistical_bits: 40,
        attempts: 4,
        certificate_days: 2,
        deadlines: Deadlines { ceremony_seconds: 600, upload_seconds: 120, opening_seconds: 60 },
        inference: None,
    }
}

/// The project with its coordinator at a free port of this machine.
///
/// # Errors
/// [`crate::Error::Defect`] where there is none.
pub fn on_loopback(project: Project) -> Result<Project> {
    let port = free_port()?;
    Ok(Project { address: port.clone(), listen: Some(port), ..project })
}

/// The table `learning` of each site's settings: site `i` draws from seed `i`.
pub fn learning(sites: usize) -> Vec<toml::Table> {
    let table = |seed: usize| {
        // Of a number and a name: this cannot fail.
        let plain = toml::Value::try_from(Plain::Seed(seed as u64)).unwrap_or(toml::Value::Boolean(false));
        toml::Table::from_iter([("plain".to_owned(), plain)])
    };
    (0..sites).map(table).collect()
}

/// Rounds of plain sums of `values` integers up to 1000, others in each job of another name.
pub fn sums(name: &str, values: u64, rounds: u64) -> JobSpec {
    let settings = serde_json::json!({ "rehearsal": name });
    JobSpec { kind: JobKind::Sum, rounds, values, max: 1000, settings, ..JobSpec::named(name) }
}

/// The result of such a job over these sites.
pub fn expected(spec: &JobSpec, sites: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut sums = vec![0_u64; spec.values as usize];
    for site in sites {
        let drawn = Plain::drawn(site as u64, spec, spec.rounds.saturating_sub(1));
        sums.iter_mut().zip(drawn).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
}
