//! A study in one process, with its real keys, and synthetic sites.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test takes what it needs")]

use chacha20::ChaCha20Rng;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_aggregate::{
    SumPlan, SumPlanLiteral, open_sum, presets, write_shares, write_sum, write_upload,
};
use blindscope_ckks::Parameters;
use blindscope_federation::{Advance, Advanced, Contribution, JobSpec};
use blindscope_learn::jobs::{Coordinator, EpochFigures, Examples, SiteData, SiteLearner};
use blindscope_threshold::{
    Committee, KeyShare, MemoryLedger, PartCollector, PartyId, PublicKeyProtocol, Roster, SiteSecret,
    Transcript, WideKey,
};
use blindscope_wire::Digest;

/// Three sites, any two of which open a sum.
pub struct Study {
    params: Parameters,
    ceremony: Transcript,
    shares: Vec<KeyShare>,
    key: WideKey,
    rng: ChaCha20Rng,
}

impl Study {
    pub fn new(seed: u64) -> Self {
        let mut rng = blindscope_testkit::rng(seed);
        let params = Parameters::new(presets::sum()).unwrap();
        let roster = Roster::new((0..3).map(|i| Digest([i; 32])).collect(), 2).unwrap();
        let ceremony = Transcript::ceremony(&params, &roster, b"ceremony", presets::SUM_WIDTH).unwrap();
        let secrets: Vec<_> =
            roster.iter().map(|p| SiteSecret::generate(&ceremony, p, &mut rng).unwrap()).collect();
        let mut collector = PublicKeyProtocol::collector(&ceremony);
        for s in &secrets {
            collector.absorb(&PublicKeyProtocol::begin(&ceremony).share(s, &mut rng)).unwrap();
        }
        let key = PublicKeyProtocol::finish_wide(&ceremony, collector).unwrap();
        let mut parts: Vec<_> = roster.iter().map(|p| PartCollector::new(&ceremony, p)).collect();
        for secret in &secrets {
            for part in secret.split(&ceremony, &mut rng) {
                parts[usize::from(part.to().0)].absorb(part).unwrap();
            }
        }
        let shares = parts.into_iter().map(|p| p.finish().unwrap()).collect();
        Self { params, ceremony, shares, key, rng }
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
            let sums = self.sum(job, round, &updates);
            let next = Coordinator::default().advance(job, round, &input, &sums, sites.len()).unwrap();
            opened.push(sums);
            match next {
                Advanced::Next(next) => input = next,
                Advanced::Final(result) => {
                    assert_eq!(round + 1, job.rounds, "{}", job.kind);
                    return (result, opened);
                }
            }
        }
        unreachable!("a job ends in its last round")
    }

    fn sum(&mut self, job: &JobSpec, round: u64, updates: &[Vec<u64>]) -> Vec<u64> {
        let literal = SumPlanLiteral {
            values: job.values,
            max: job.max,
            sites: 3,
            threshold: 2,
            width: self.key.width() as u32,
            budget: 1 << 12,
            statistical_bits: 30,
            attempts: 3,
        };
        let plan = SumPlan::new(&self.params, literal).unwrap();
        let mut uploads = Vec::new();
        for update in updates {
            let mut out = Vec::new();
            let values = update.iter().copied();
            write_upload(&plan, &self.key, values, &mut self.rng, &mut out, &mut |_| {}).unwrap();
            uploads.push(out);
        }
        let mut sum = Vec::new();
        let mut readers: Vec<&[u8]> = uploads.iter().map(Vec::as_slice).collect();
        write_sum(&plan, &mut readers, &mut sum).unwrap();
        let round = Transcript::new(&self.params, self.ceremony.roster(), job.name.as_bytes(), round);
        let members = [PartyId(0), PartyId(2)];
        let committee = Committee::new(self.ceremony.roster(), &members).unwrap();
        let mut shares = Vec::new();
        for p in members {
            let (key, mut ledger) = (&self.shares[usize::from(p.0)], MemoryLedger::default());
            let session = plan.begin(&self.ceremony, &round, key, &committee, &mut ledger).unwrap();
            let mut out = Vec::new();
            write_shares(&plan, session, &mut &sum[..], &mut self.rng, &mut out).unwrap();
            shares.push((p, out));
        }
        let mut readers: Vec<_> = shares.iter().map(|(p, bytes)| (*p, &bytes[..])).collect();
        let mut opened = Vec::new();
        open_sum(&plan, &round, &committee, &mut &sum[..], &mut readers, &mut |run| {
            opened.extend_from_slice(run);
            Ok(())
        })
        .unwrap();
        opened
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
    }
    all
}
