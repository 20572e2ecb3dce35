//! A study in one process, whose sums are encrypted, and synthetic sites.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test takes what it needs")]

use chacha20::ChaCha20Rng;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_aggregate::one_round::Plan;
use blindscope_federation::{Advance, Advanced, Contribution, JobSpec};
use blindscope_learn::jobs::{CoordinatorLearner, EpochFigures, Examples, SiteData, SiteLearner};
pub mod groups;
#[path = "../../../aggregate/tests/one_round/world.rs"]
mod world;
use world::World;

/// Sites, most of which open a sum: any two of three.
pub struct Study {
    rng: ChaCha20Rng,
}

impl Study {
    pub fn new(seed: u64) -> Self {
        Self { rng: blindscope_testkit::rng(seed) }
    }

    /// Runs a job under encryption; its result and all sums that were opened.
    pub fn run(&mut self, job: &JobSpec, sites: &[&SiteLearner]) -> (Vec<u8>, Vec<Vec<u64>>) {
        let (mut input, mut opened) = (Vec::new(), Vec::new());
        for round in 0..job.rounds {
            let updates: Vec<Vec<u64>> =
                sites.iter().map(|s| s.values(job, round, &input).unwrap().collect()).collect();
            for update in &updates {
                assert_eq!(update.len() as u64, job.values, "{} round {round}", job.kind);
                assert!(update.iter().all(|v| *v <= job.max), "{} round {round}: above max", job.kind);
            }
            let sums = self.sum(job, &updates);
            let next = CoordinatorLearner::default().advance(job, round, &input, &sums, sites.len()).unwrap();
            opened.push(sums);
            match next {
                Advanced::Next(next) => input = next,
                Advanced::Final(result) => {
                    return (result, opened);
                }
            }
        }
        unreachable!("a job ends in its last round")
    }

    fn sum(&mut self, job: &JobSpec, updates: &[Vec<u64>]) -> Vec<u64> {
        let sites = updates.len();
        let holders: Vec<u32> = (0..sites as u32).rev().take(sites / 2 + 1).rev().collect();
        let literal = world::literal(job.values, job.max, sites as u32, holders.len() as u32);
        let plan = Plan::new(literal).unwrap();
        World::upload(&plan, updates, &mut self.rng).open(&holders).unwrap()
    }
}

pub const WIDTH: usize = 12;
pub const CLASSES: usize = 3;

/// CLS tokens around three centres, with features of different size and place, as transformers have them.
pub fn examples(n: usize, seed: u64) -> Examples {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut out = Examples::default();
    for i in 0..n {
        let label = i % CLASSES;
        out.labels.push(label);
        for j in 0..WIDTH {
            let centre = if j % CLASSES == label { 1.2 } else { -0.4 };
            let noise: f32 = (0..6).map(|_| rng.random_range(-0.7..0.7)).sum();
            out.rows.extend([(centre + noise) * (0.5 + j as f32 * 0.2) + j as f32 * 0.3 - 1.0]);
        }
    }
    out
}

pub fn learner(data: SiteData) -> SiteLearner {
    SiteLearner::new(data, |_: &EpochFigures| {})
}

/// Sites of different size, each with something held back.
pub fn sites() -> Vec<SiteLearner> {
    [(60, 1), (45, 2), (90, 3)]
        .map(|(n, seed)| {
            let validation = examples(30, seed + 100);
            learner(SiteData { train: examples(n, seed), validation, ..SiteData::default() })
        })
        .into()
}

/// All sites' data in one place: what nobody has.
pub fn pooled(sites: &[SiteLearner]) -> SiteData {
    let mut all = SiteData::default();
    for site in sites {
        all.train.rows.extend(site.data().train.rows.whole().unwrap().iter().copied());
        all.train.labels.extend(&site.data().train.labels);
        all.train.groups.extend(&site.data().train.groups);
    }
    all
}
