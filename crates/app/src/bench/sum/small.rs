//! The sum of three sites' 768 values: three bodies with their dealt keys, their sum, and its opening by two.

use std::collections::BTreeMap;

use rand_core::{Rng, SeedableRng};

use super::{AREA, Arithmetic, Better, Error, Figure, Peers, Report, plan};
use crate::clock::milliseconds;
use blindscope_aggregate::one_round::{
    Checks, Part, PartSum, Plan, SiteRound, ValuesDigest, open_sum, opens_first_chunk, recover_key, write_sum,
};
use blindscope_wire::{Digest, Hasher};

const SITES: usize = 3;
const VALUES: usize = 768;
/// How often ours and the peer take turns.
const TURNS: usize = 3;

struct Setup {
    plan: Plan,
    updates: Vec<Vec<u64>>,
}

type Result<T> = std::result::Result<T, blindscope_aggregate::Error>;

/// What one site gives: its body, its parts by holder, its check polynomials and what their weights follow from.
struct Given {
    body: Vec<u8>,
    parts: Vec<Vec<u8>>,
    checks: Vec<u8>,
    sent: Digest,
}

impl Setup {
    fn new(path: Arithmetic) -> std::result::Result<Self, Error> {
        let mut rng = chacha20::ChaCha20Rng::from_seed([12; 32]);
        let mut update = || (0..VALUES).map(|_| rng.next_u64() >> 48).collect();
        let updates = (0..SITES).map(|_| update()).collect();
        Ok(Self { plan: plan(path, VALUES as u64, SITES as u32)?, updates })
    }

    fn give(&self, site: usize, values: &[u64]) -> Result<Given> {
        let (plan, round) = (&self.plan, self.plan.round(&Digest([1; 32])));
        let mut named = ValuesDigest::new(plan);
        for value in values {
            named.push(*value);
        }
        let named = named.finish();
        let site = SiteRound::new(plan, round, &[site as u8; 32], &[2; 32], &named);
        let mut body = Vec::new();
        site.write_body(values.iter().copied(), &named, &mut body, &mut |_| {})?;
        let dealing = site.dealing(&[])?;
        let parts: Vec<_> = (0..SITES as u32).map(|h| dealing.part(h).to_vec()).collect();
        let mut sent = Hasher::new("blindscope/bench/sent");
        parts.iter().fold(sent.absorb(&body), |h, p| h.absorb(p));
        let sent = sent.finish();
        Ok(Given { body, parts, checks: dealing.checks(&sent), sent })
    }

    /// A holder's opening, each part checked.
    fn open(&self, holder: u32, given: &[Given]) -> Result<PartSum> {
        let plan = &self.plan;
        let mut sum = PartSum::new(plan, holder);
        for one in given {
            let part = Part::from_bytes(plan, one.parts.get(holder as usize).map_or(&[], |p| &p[..]))?;
            if part.satisfies(plan, holder, &one.sent, &Checks::from_bytes(plan, &one.checks)?) {
                sum.add(plan, &part);
            }
        }
        Ok(sum)
    }

    /// Everything from the sites' integers to the sum's.
    fn sum(&self) -> Result<Vec<u64>> {
        let (plan, round) = (&self.plan, self.plan.round(&Digest([1; 32])));
        let given = self.updates.iter().enumerate().map(|(k, u)| self.give(k, u));
        let given = given.collect::<Result<Vec<_>>>()?;
        let mut bodies: Vec<&[u8]> = given.iter().map(|g| &g.body[..]).collect();
        let mut sum = Vec::new();
        write_sum(plan, &mut bodies, &mut sum)?;
        let openings = [self.open(0, &given)?, self.open(2, &given)?];
        let mut probe = |key: &_| opens_first_chunk(plan, round, key, &mut &sum[..]);
        let key = recover_key(plan, SITES as u64, &openings, &mut probe)?.key;
        let mut opened = Vec::with_capacity(VALUES);
        open_sum(plan, round, &key, &mut &sum[..], &mut |run| {
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
    path: Arithmetic,
    runs: usize,
    peers: &Peers,
    report: &mut Report,
) -> std::result::Result<(), Error> {
    let setup = Setup::new(path)?;
    if setup.sum()? != setup.clear() {
        return Err(Error::WrongSum { what: "3 × 768 values" });
    }
    let each = runs.div_ceil(TURNS).max(5);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        ours.push(milliseconds(each, 1, || setup.sum()));
        theirs.push(peers.tenseal_sum(each));
    }
    let all: Vec<f64> = ours.iter().flatten().copied().collect();
    report.figures.push(Figure::of(AREA, "sum_3x768", "ms", Better::Lower, &all));
    // As in the protocol: with the signed headers, without the pair keys of a first upload.
    let bytes = report.figures.iter().find(|f| f.figure == "upload_768_values_3_sites").map(|f| f.value);
    let bytes = bytes.unwrap_or(setup.plan.upload_len() as f64);
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
    let rows = [("sum_3x768_over_tenseal", faster, 15.0, 30.0), ("upload_over_tenseal", smaller, 50.0, 80.0)];
    for (name, samples, bar, aim) in rows {
        report.figures.push(Figure::of(AREA, name, "x", Better::Higher, &samples).must(bar, aim));
    }
}
