//! Sums of 64 sites' 16-bit integers.

use std::io::{Write, sink};

use super::{Outcome, Work};
use blindscope_aggregate::one_round::{
    Part, PartSum, Plan, PlanLiteral, SiteRound, ValuesDigest, open_sum, opens_first_chunk, recover_key,
    write_sum,
};
use blindscope_wire::Digest;

/// Values of a whole update, and of one that is opened.
const UPDATE: u64 = 86_600_000;
const OPENED: u64 = 4_000_000;

fn plan(work: Work, values: u64) -> Outcome<Plan> {
    let literal = PlanLiteral {
        values,
        max: 65_535,
        sites: 64,
        holders: 64,
        threshold: 33,
        colluders: 0,
        colluding_holders: 0,
        coins: 168,
    };
    Ok(Plan::on(work.path, literal)?)
}

fn values(plan: &Plan) -> impl Iterator<Item = u64> + Send + use<> {
    (0..plan.literal().values).map(|k| k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48)
}

/// One site's round, its values named.
fn site(plan: &Plan) -> (SiteRound<'_>, Digest) {
    let mut named = ValuesDigest::new(plan);
    values(plan).for_each(|v| named.push(v));
    let named = named.finish();
    (SiteRound::new(plan, plan.round(&Digest([7; 32])), &[1; 32], &[2; 32], &named), named)
}

fn write(plan: &Plan, out: &mut impl Write) -> Outcome {
    let (site, named) = site(plan);
    Ok(site.write_body(values(plan), &named, out, &mut |_| {})?)
}

pub(super) fn encrypt(work: Work) -> Outcome {
    let plan = plan(work, UPDATE)?;
    work.time("name and encrypt 86.6 million", || write(&plan, &mut sink()))
}

pub(super) fn add(work: Work) -> Outcome {
    let (plan, mut body) = (plan(work, UPDATE)?, Vec::new());
    write(&plan, &mut body)?;
    work.time("add two of 86.6 million", || Ok(write_sum(&plan, &mut [&body[..], &body[..]], &mut sink())?))
}

pub(super) fn open(work: Work) -> Outcome {
    let (plan, mut body, mut sum) = (plan(work, OPENED)?, Vec::new(), Vec::new());
    write(&plan, &mut body)?;
    write_sum(&plan, &mut [&body[..]], &mut sum)?;
    let (dealing, round) = (site(&plan).0.dealing(&[])?, plan.round(&Digest([7; 32])));
    let opening = |holder| -> Outcome<PartSum> {
        let mut parts = PartSum::new(&plan, holder);
        parts.add(&plan, &Part::from_bytes(&plan, &dealing.part(holder))?);
        Ok(parts)
    };
    let openings = (0..plan.literal().threshold).map(opening).collect::<Outcome<Vec<_>>>()?;
    let mut probe = |key: &_| opens_first_chunk(&plan, round, key, &mut &sum[..]);
    let key = recover_key(&plan, 1, &openings, &mut probe)?.key;
    work.time("open 4 million", || Ok(open_sum(&plan, round, &key, &mut &sum[..], &mut |_| Ok(()))?))
}
