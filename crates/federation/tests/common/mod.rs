//! A study whose keys the test holds.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use blindscope_ckks::{ModulusLiteral, Parameters, ParametersLiteral, Security};
use blindscope_federation::{
    Deadlines, IdentityKey, JobKind, JobSpec, Policy, SealingKey, SiteEntry, Study, StudyLiteral,
};
use blindscope_wire::Digest;
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

/// A study, and everybody's keys.
pub(crate) struct Fixture {
    pub(crate) study: Study,
    pub(crate) coordinator: IdentityKey,
    pub(crate) sites: Vec<IdentityKey>,
    pub(crate) sealing: Vec<SealingKey>,
}

/// Small and insecure: fast enough for a test, wide enough for masks and a digit.
pub(crate) fn toy() -> Parameters {
    Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 6,
        ciphertext: ModulusLiteral::bits(&[43, 43, 43, 43, 42]),
        special: ModulusLiteral::bits(&[]),
        log2_scale: 20,
        security: Security::Classical128,
    })
    .unwrap()
}

pub(crate) fn fixture(sites: usize, threshold: u32, cohort: u32, seed: u64) -> Fixture {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let coordinator = IdentityKey::generate(&mut rng);
    let identities: Vec<_> = (0..sites).map(|_| IdentityKey::generate(&mut rng)).collect();
    let sealing: Vec<_> = (0..sites).map(|_| SealingKey::generate(&mut rng)).collect();
    let entry = |(k, (identity, sealing)): (usize, (&IdentityKey, &SealingKey))| SiteEntry {
        name: format!("site-{k}"),
        identity: identity.public(),
        sealing: sealing.public(),
    };
    let literal = StudyLiteral {
        name: "toy".to_owned(),
        coordinator: coordinator.public(),
        threshold,
        minimum_cohort: cohort,
        classes: vec!["benign".to_owned(), "malignant".to_owned()],
        backbone: Digest([7; 32]),
        width: 16,
        decryptions: 1000,
        statistical_bits: 30,
        attempts: 4,
        deadlines: Deadlines { ceremony_seconds: 60, upload_seconds: 30, opening_seconds: 10 },
        sites: identities.iter().zip(&sealing).enumerate().map(entry).collect(),
    };
    let study = Study::insecure_with_parameters(literal, toy()).unwrap();
    Fixture { study, coordinator, sites: identities, sealing }
}

/// A policy that takes part in everything.
pub(crate) fn willing() -> Policy {
    use JobKind::{Ceremony, ClsMean, Fedavg, Metrics, Statistics, Update};
    Policy {
        minimum_cohort: 1,
        backbone: Digest([7; 32]),
        jobs: vec![Ceremony, Statistics, Fedavg, Update, ClsMean, Metrics],
        maximum_decryptions: 1000,
        maximum_rounds: 100,
    }
}

pub(crate) fn job(name: &str, kind: JobKind, rounds: u64) -> JobSpec {
    let spec = JobSpec { kind, rounds, values: 10, max: 1000, ..JobSpec::ceremony(name) };
    spec.checked().unwrap()
}
