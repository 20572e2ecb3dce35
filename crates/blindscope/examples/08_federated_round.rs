//! One round of federated averaging: three sites, weighted by their tiles, and a holder that lies.
//!
//! A site clips its update, rounds it to integers on a grid that the plan fixes, multiplies by its number of tiles, and sends
//! that encrypted. The integers add up exactly, so the mean over all tiles is the one that the sites would have computed
//! together, bit for bit. A holder that sends a wrong sum of parts is found and named, as long as enough others do not.
//!
//! ```text
//! site 0: 10 tiles, update [0.5, -0.25, 1.0]
//! site 1: 30 tiles, update [0.1, 0.75, -1.0]
//! site 2: 60 tiles, update [-0.2, 0.0, 0.25]
//! wrong holders: [2]
//! mean over 100 tiles: [-0.0400, 0.2000, -0.0500]
//! equal to the sum in the clear: true
//! ```
#![allow(clippy::print_stdout, reason = "a program that tells what it does")]

use std::error::Error;

use blindscope::aggregate::one_round::{
    Part, PartSum, Plan, PlanLiteral, SiteRound, ValuesDigest, open_sum, opens_first_chunk, recover_key,
    write_sum,
};
use blindscope::aggregate::{FixedPoint, WeightedMean};
use blindscope::wire::Digest;

const UPDATES: [(u64, [f64; 3]); 3] =
    [(10, [0.5, -0.25, 1.0]), (30, [0.1, 0.75, -1.0]), (60, [-0.2, 0.0, 0.25])];

fn main() -> Result<(), Box<dyn Error>> {
    // Values within [-1, 1] on a grid of 16 bits, at most 100 tiles a site.
    let mean = WeightedMean::new(FixedPoint::new(1.0, 16)?, 3, 100)?;
    let plan = Plan::new(PlanLiteral {
        values: mean.values(),
        max: mean.max(),
        sites: 3,
        holders: 3,
        threshold: 2,
        colluders: 0,
        colluding_holders: 0,
        coins: 168,
    })?;
    let round = plan.round(&Digest([8; 32]));
    let (mut bodies, mut clear) = (Vec::new(), vec![0u64; mean.values() as usize]);
    let mut holders: Vec<PartSum> = (0..3).map(|h| PartSum::new(&plan, h)).collect();
    for (site, (tiles, update)) in (0u8..).zip(UPDATES) {
        println!("site {site}: {tiles} tiles, update {update:?}");
        let integers: Vec<u64> = mean.encode(&update, tiles)?.collect();
        clear.iter_mut().zip(&integers).for_each(|(sum, v)| *sum += v);
        let mut digest = ValuesDigest::new(&plan);
        for &v in &integers {
            digest.push(v);
        }
        let digest = digest.finish();
        let secrets = SiteRound::new(&plan, round, &[site; 32], &[site + 100; 32], &digest);
        let mut body = Vec::new();
        secrets.write_body(integers.into_iter(), &digest, &mut body, &mut |_| {})?;
        bodies.push(body);
        let dealing = secrets.dealing(&[])?;
        // Holder 2 forgets the last site: its sum of parts is one of other keys.
        for holder in holders.iter_mut().filter(|h| (h.holder(), site) != (2, 2)) {
            holder.add(&plan, &Part::from_bytes(&plan, &dealing.part(holder.holder()))?);
        }
    }

    let mut sum = Vec::new();
    write_sum(&plan, &mut bodies.iter().map(|b| &b[..]).collect::<Vec<_>>(), &mut sum)?;
    let probe = &mut |key: &_| opens_first_chunk(&plan, round, key, &mut &sum[..]);
    let recovered = recover_key(&plan, 3, &holders, probe)?;
    println!("wrong holders: {:?}", recovered.wrong);
    let mut opened = Vec::new();
    open_sum(&plan, round, &recovered.key, &mut &sum[..], &mut |chunk| {
        opened.extend_from_slice(chunk);
        Ok(())
    })?;
    let result = mean.decode(&opened)?;
    println!("mean over {} tiles: {:.4?}", result.weight, result.values);
    println!("equal to the sum in the clear: {}", opened == clear);
    Ok(())
}
