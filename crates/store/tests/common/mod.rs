//! A study for stores to belong to.
#![allow(unreachable_pub, missing_docs, clippy::unwrap_used, reason = "shared by the test files")]

use blindscope_federation::{Deadlines, IdentityKey, SealingKey, SiteEntry, Study, StudyLiteral};
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
