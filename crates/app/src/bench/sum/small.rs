//! The sum of three sites' 768 values: three uploads, their sum, and its opening by all three.

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use rand_core::Rng;

use super::ceremony::{ceremony, keys};
use super::{AREA, Better, Error, Figure, Peers, Report, parameters, presets};
use crate::clock::milliseconds;
use blindscope_aggregate::{SumPlan, SumPlanLiteral, open_sum, write_shares, write_sum, write_upload};
use blindscope_threshold::{Committee, KeyShare, MemoryLedger, PartyId, Transcript, WideKey};

const SITES: usize = 3;
const VALUES: usize = 768;
/// How often ours and the peer take turns.
const TURNS: usize = 3;

struct Setup {
    plan: SumPlan,
    ceremony: Transcript,
    key: WideKey,
    shares: Vec<KeyShare>,
    committee: Committee,
    updates: Vec<Vec<u64>>,
}

type Result<T> = std::result::Result<T, blindscope_aggregate::Error>;

impl Setup {
    fn new(rng: &mut ChaCha20Rng) -> std::result::Result<Self, Error> {
        let params = parameters(presets::small_sum())?;
        let literal = SumPlanLiteral {
            values: VALUES as u64,
            max: (1 << 16) - 1,
            sites: SITES as u32,
            threshold: SITES as u32,
            width: presets::SMALL_SUM_WIDTH as u32,
            budget: 1,
            statistical_bits: 30,
            attempts: 1,
        };
        let plan = SumPlan::new(&params, literal)?;
        let ceremony = ceremony(&params, SITES, SITES, presets::SMALL_SUM_WIDTH)?;
        let (key, shares) = keys(&ceremony, rng)?;
        let all: Vec<_> = ceremony.roster().iter().collect();
        let committee = Committee::new(ceremony.roster(), &all)?;
        let mut update = || (0..VALUES).map(|_| rng.next_u64() >> 48).collect();
        let updates = (0..SITES).map(|_| update()).collect();
        Ok(Self { plan, ceremony, key, shares, committee, updates })
    }

    /// Everything from the sites' integers to the sum's.
    fn sum(&self, rng: &mut ChaCha20Rng) -> Result<Vec<u64>> {
        let plan = &self.plan;
        let mut uploads = Vec::with_capacity(SITES);
        for update in &self.updates {
            let mut bytes = Vec::new();
            write_upload(plan, &self.key, update.iter().copied(), rng, &mut bytes, &mut |_| {})?;
            uploads.push(bytes);
        }
        let mut inputs: Vec<&[u8]> = uploads.iter().map(|b| &b[..]).collect();
        let mut sum = Vec::new();
        write_sum(plan, &mut inputs, &mut sum)?;
        let round = Transcript::new(plan.params(), self.ceremony.roster(), b"bench", 1);
        let mut answers: Vec<(PartyId, Vec<u8>)> = Vec::with_capacity(SITES);
        for key in &self.shares {
            let ledger = &mut MemoryLedger::default();
            let session = plan.begin(&self.ceremony, &round, key, &self.committee, ledger)?;
            let mut bytes = Vec::new();
            write_shares(plan, session, &mut &sum[..], rng, &mut bytes)?;
            answers.push((key.party(), bytes));
        }
        let mut readers: Vec<_> = answers.iter().map(|(p, b)| (*p, &b[..])).collect();
        let mut opened = Vec::with_capacity(VALUES);
        open_sum(plan, &round, &self.committee, &mut &sum[..], &mut readers, &mut |run| {
            opened.extend_from_slice(run);
            Ok(())
        })?;
        Ok(opened)
    }

    fn clear(&self) -> Vec<u64> {
        (0..VALUES).map(|j| self.updates.iter().filter_map(|u| u.get(j)).sum()).collect()
    }
}

pub(super) fn figures(
    runs: usize,
    peers: &Peers,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> std::result::Result<(), Error> {
    let setup = Setup::new(rng)?;
    if setup.sum(rng)? != setup.clear() {
        return Err(Error::WrongSum { what: "3 × 768 values" });
    }
    let each = runs.div_ceil(TURNS).max(5);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(milliseconds(each, 1, || setup.sum(rng)));
        theirs.push(peers.tenseal_sum(each));
    }
    let all: Vec<f64> = ours.iter().flatten().copied().collect();
    report.figures.push(Figure::of(AREA, "sum_3x768", "ms", Better::Lower, &all));
    let bytes = setup.plan.upload_len() as f64;
    report.figures.push(Figure::of(AREA, "upload_768_values_3_sites", "bytes", Better::Lower, &[bytes]));
    against(&ours, &theirs, bytes, report);
    Ok(())
}

/// How many times faster and smaller than the peer: medians of one turn divided, then the median over turns.
fn against(
    ours: &[Vec<f64>],
    theirs: &[std::result::Result<BTreeMap<String, f64>, String>],
    bytes: f64,
    report: &mut Report,
) {
    if let Some(why) = theirs.iter().find_map(|turn| turn.as_ref().err()) {
        return report.missing.push(why.clone());
    }
    let median = |samples: &[f64]| Figure::of(AREA, "", "", Better::Lower, samples).value;
    let column = |name: &str| -> Vec<f64> {
        theirs.iter().flatten().filter_map(|turn| turn.get(name)).copied().collect()
    };
    let (times, sizes) = (column("sum_3x768"), column("upload_bytes"));
    if times.len() != ours.len() || sizes.len() != ours.len() {
        return report.missing.push("TenSEAL: no figure sum_3x768 or upload_bytes".into());
    }
    let faster: Vec<f64> = times.iter().zip(ours).map(|(t, o)| t / median(o)).collect();
    let smaller: Vec<f64> = sizes.iter().map(|s| s / bytes).collect();
    let rows = [("sum_3x768_over_tenseal", faster, 5.0, 20.0), ("upload_over_tenseal", smaller, 15.0, 40.0)];
    for (name, samples, bar, aim) in rows {
        report.figures.push(Figure::of(AREA, name, "x", Better::Higher, &samples).must(bar, aim));
    }
}
