//! A job of three sites whose sums are encrypted, in one process.

use super::{Error, Result};
use blindscope_aggregate::one_round::{
    Part, PartSum, Plan, PlanLiteral, RoundId, SiteRound, ValuesDigest, open_sum, opens_first_chunk,
    recover_key, write_sum,
};
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_federation::{Advance as _, Advanced, Contribution as _, JobSpec};
use blindscope_learn::jobs::{CoordinatorLearner, Model, SiteLearner};
use blindscope_wire::{Digest, Hasher};

/// Sites that may collude: noise of the others has to be enough.
pub(super) const COLLUDERS: u32 = 1;

/// What a job over these sites ends in. `seed` stands for the sites' secrets.
pub(in crate::bench) fn learned(spec: &JobSpec, sites: &[SiteLearner], seed: u64) -> Result<Model> {
    let mut input = Vec::new();
    for round in 0..spec.rounds {
        let plan = plan(spec, sites.len())?;
        let name = Hasher::new("blindscope/bench/learn/round/v1").absorb_u64(seed).absorb_u64(round).finish();
        let id = plan.round(&name);
        let mut updates = Vec::new();
        for (number, site) in sites.iter().enumerate() {
            updates.push(values(spec, site, (round, &input), (id, secret(seed, number), sites.len()))?);
        }
        let sums = encrypted_sum(&plan, id, &updates, seed)?;
        let next = CoordinatorLearner::default().advance(spec, round, &input, &sums, sites.len());
        match next.map_err(Error::Learning)? {
            Advanced::Next(next) => input = next,
            Advanced::Final(bytes) => return Ok(Model::from_json(&bytes)?),
        }
    }
    Err(Error::WrongSum { what: "a job without a last round" })
}

fn plan(spec: &JobSpec, sites: usize) -> Result<Plan> {
    let sites = sites as u32;
    Ok(Plan::new(PlanLiteral {
        values: spec.values,
        max: spec.max,
        sites,
        holders: sites,
        threshold: COLLUDERS + 1,
        colluders: COLLUDERS,
        colluding_holders: COLLUDERS,
        coins: 168,
    })?)
}

pub(super) fn secret(seed: u64, site: usize) -> [u8; 32] {
    Hasher::new("blindscope/bench/learn/secret/v1").absorb_u64(seed).absorb_u64(site as u64).finish().0
}

/// One site's integers, with noise where the job says so.
fn values(
    spec: &JobSpec,
    site: &SiteLearner,
    (round, input): (u64, &[u8]),
    (id, secret, sites): (RoundId, [u8; 32], usize),
) -> Result<Vec<u64>> {
    let found = if spec.privacy.is_some() {
        let key = NoiseKey::new(&secret, id, &Digest([0; 32]), sites as u32 - COLLUDERS);
        site.noised(spec, round, input, &key)
    } else {
        site.values(spec, round, input)
    };
    Ok(found.map_err(Error::Learning)?.collect())
}

/// The sum of the sites' integers, encrypted by each under a key of its own and opened by as many holders as it takes.
fn encrypted_sum(plan: &Plan, id: RoundId, updates: &[Vec<u64>], seed: u64) -> Result<Vec<u64>> {
    let openers = plan.literal().threshold;
    let mut openings: Vec<PartSum> = (0..openers).map(|holder| PartSum::new(plan, holder)).collect();
    let mut bodies = Vec::new();
    for (number, values) in updates.iter().enumerate() {
        let mut named = ValuesDigest::new(plan);
        for v in values {
            named.push(*v);
        }
        let named = named.finish();
        let fresh = secret(!seed, number);
        let site = SiteRound::new(plan, id, &secret(seed, number), &fresh, &named);
        let mut body = Vec::with_capacity(plan.body_len() as usize);
        site.write_body(values.iter().copied(), &named, &mut body, &mut |_| {})?;
        let dealing = site.dealing(&[])?;
        for (holder, opening) in openings.iter_mut().enumerate() {
            opening.add(plan, &Part::from_bytes(plan, &dealing.part(holder as u32))?);
        }
        bodies.push(body);
    }
    let mut sum = Vec::new();
    write_sum(plan, &mut bodies.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut sum)?;
    let mut probe = |key: &_| opens_first_chunk(plan, id, key, &mut &sum[..]);
    let found = recover_key(plan, updates.len() as u64, &openings, &mut probe)?;
    let mut opened = Vec::with_capacity(plan.literal().values as usize);
    open_sum(plan, id, &found.key, &mut &sum[..], &mut |run| {
        opened.extend_from_slice(run);
        Ok(())
    })?;
    let clear = |at: usize| updates.iter().map(|values| values[at]).sum::<u64>();
    if (0..opened.len()).all(|at| opened[at] == clear(at)) {
        return Ok(opened);
    }
    Err(Error::WrongSum { what: "learn" })
}
