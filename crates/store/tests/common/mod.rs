//! A study for stores to belong to.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "shared by the test files"
)]

pub mod place;

pub use place::Place;

use blindscope_federation::{
    Coordinator, Deadlines, IdentityKey, Input, JobSpec, Record, SealingKey, Signer, SiteEntry, Sizes, Study,
    StudyLiteral,
};
use blindscope_wire::Digest;

/// Three sites, and the key of their coordinator.
pub fn study(name: &str) -> (Study, IdentityKey) {
    let key = |k: u8| IdentityKey::from_bytes(&[k; 32]);
    let site = |k: u8| SiteEntry {
        name: format!("site-{k}"),
        identity: key(k).public(),
        sealing: SealingKey::from_bytes(&[k + 100; 32]).public(),
    };
    let literal = StudyLiteral {
        name: name.to_owned(),
        coordinator: key(9).public(),
        threshold: 2,
        minimum_cohort: 2,
        colluders: None,
        holders: Vec::new(),
        classes: vec!["a".to_owned(), "b".to_owned()],
        backbone: Digest([0; 32]),
        allow_unknown_backbone: false,
        width: 8,
        decryptions: 100,
        statistical_bits: 40,
        attempts: 2,
        deadlines: Deadlines { ceremony_seconds: 10, upload_seconds: 10, opening_seconds: 10 },
        sites: (1..4).map(site).collect(),
    };
    (Study::new(literal).unwrap(), key(9))
}

/// Some records of a study.
pub fn records(study: &Study, signer: &dyn Signer) -> Vec<Record> {
    let mut coordinator = Coordinator::new(study);
    let mut all = Vec::new();
    let sizes = Sizes { openings: 1, key_share: 1, upload: 1, sum: 1, share: 1, ..Sizes::default() };
    for name in ["key", "again"] {
        let spec = JobSpec { values: 1, max: 1, ..JobSpec::named(name) };
        let decision = coordinator.handle(&Input::Submit { spec, sizes }, 5, signer).unwrap();
        all.extend(decision.records);
        coordinator = decision.next;
    }
    assert!(all.len() >= 4);
    all
}
