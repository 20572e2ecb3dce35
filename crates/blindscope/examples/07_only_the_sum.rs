//! A key for one round, of which only the sum is ever opened.
//!
//! Each site draws a key, encrypts its values under it and deals the key in parts to the *holders*. A holder adds the parts
//! that it got and shows the sum: two of three such sums give the sum of all keys, which opens the sum of all bodies. It opens
//! no single body, and nothing is left to steal when the round is over.
//!
//! ```text
//! sum: [111, 222, 333]
//! the first upload alone, under the sum of keys: refused
//! one holder alone: refused
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;

use blindscope::aggregate::one_round::{
    Part, PartSum, Plan, PlanLiteral, SiteRound, ValuesDigest, open_sum, opens_first_chunk, recover_key,
    write_sum,
};
use blindscope::wire::Digest;

fn main() -> Result<(), Box<dyn Error>> {
    let plan = Plan::new(PlanLiteral {
        values: 3,
        max: 1000,
        sites: 3,
        holders: 3,
        threshold: 2,
        colluders: 0,
        colluding_holders: 0,
        coins: 168,
    })?;
    // A round's name is a digest of everything that its parties agree on; the public polynomials are expanded from it.
    let round = plan.round(&Digest([7; 32]));
    let values = [[1, 2, 3], [10, 20, 30], [100, 200, 300]];
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    let mut holders: Vec<PartSum> = (0..3).map(|h| PartSum::new(&plan, h)).collect();
    for (site, values) in (1u8..).zip(values) {
        let mut digest = ValuesDigest::new(&plan);
        for v in values {
            digest.push(v);
        }
        let digest = digest.finish();
        // Fixed here so that the page repeats; a site draws both, and keeps the first for good.
        let (site_secret, fresh) = ([site; 32], [site + 100; 32]);
        let secrets = SiteRound::new(&plan, round, &site_secret, &fresh, &digest);
        let mut body = Vec::new();
        secrets.write_body(values.into_iter(), &digest, &mut body, &mut |_| {})?;
        bodies.push(body);
        let dealing = secrets.dealing(&[])?;
        for holder in &mut holders {
            holder.add(&plan, &Part::from_bytes(&plan, &dealing.part(holder.holder()))?);
        }
    }

    // The server adds bodies: integers, no key.
    let mut sum = Vec::new();
    let mut readers: Vec<&[u8]> = bodies.iter().map(|b| &b[..]).collect();
    write_sum(&plan, &mut readers, &mut sum)?;

    // Two holders' sums give the key of the sum, and the sum.
    let probe = |key: &_| opens_first_chunk(&plan, round, key, &mut &sum[..]);
    let key = recover_key(&plan, 3, &holders[..2], &mut |key| probe(key))?.key;
    let mut opened = Vec::new();
    open_sum(&plan, round, &key, &mut &sum[..], &mut |chunk| {
        opened.extend_from_slice(chunk);
        Ok(())
    })?;
    println!("sum: {opened:?}");

    let mut alone = Vec::new();
    write_sum(&plan, &mut [&bodies[0][..]], &mut alone)?;
    let refused = open_sum(&plan, round, &key, &mut &alone[..], &mut |_| Ok(())).is_err();
    println!("the first upload alone, under the sum of keys: {}", if refused { "refused" } else { "opened" });
    let refused = recover_key(&plan, 3, &holders[..1], &mut |key| probe(key)).is_err();
    println!("one holder alone: {}", if refused { "refused" } else { "recovered" });
    Ok(())
}
