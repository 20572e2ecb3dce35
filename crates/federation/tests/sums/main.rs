//! Sums under one-round keys through the real state machines: exact, and the adversary loses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]

mod agreement;
mod bodies;
mod bytes;
mod crashes;
mod dealers;
mod disjoint;
mod forger;
mod large;
mod nearly;
mod once;
mod roots;
mod rosters;
mod starts;
mod world;

use blindscope_federation::sums::{Agreement, Findings, SumOpening};
use blindscope_federation::{Answer, Blob, Header, Phase, SiteId, Step};
use blindscope_wire::Digest;
use world::{World, ids, total};

/// Whoever uploads and whoever opens, the result is the integer sum.
#[test]
fn rounds_of_several_rosters() {
    for (n, t, z, silent, seed) in
        [(2, 2, 0, 0, 1), (3, 2, 0, 1, 2), (3, 2, 1, 0, 3), (5, 3, 1, 1, 4), (8, 5, 2, 3, 5)]
    {
        let mut world = World::new(n, t, z, seed);
        let round = world.round(1, 0);
        let who = ids(0..n as u16 - silent);
        let values: Vec<_> = who.iter().map(|s| world.values(*s, &round)).collect();
        world.upload_all(&round, &who);
        let commitment = world.commit(&round, &who);
        let agreed = world.agree_all(&round, &commitment).unwrap();
        let holders = ids((n as u16 - t as u16)..n as u16);
        let openings = world.open_all(&round, &commitment, &agreed, &holders);
        let (sums, wrong) = world.read(&round, &commitment, &agreed, &openings).unwrap();
        assert_eq!(sums, total(&values), "{n} sites, t = {t}, z = {z}");
        assert!(wrong.is_empty());
    }
}

/// A committee holds the parts and agrees by itself.
#[test]
fn a_committee_of_four_for_nine_sites() {
    let mut world = World::with_holders(9, 2, (2, 1), &ids([1, 3, 4, 8]), 6);
    let round = world.round(1, 0);
    let who = ids(0..8);
    let values: Vec<_> = who.iter().map(|s| world.values(*s, &round)).collect();
    world.upload_all(&round, &who);
    let commitment = world.commit(&round, &who);
    // Sites that hold nothing do not count: quorum of holders is (4 + 1)/2 + 1 = 3.
    let words = world.agreements(&round, &commitment, &ids([0, 1, 2, 3, 5, 6, 7]));
    assert!(
        world
            .agreed(&round, &commitment, &words)
            .unwrap_err()
            .contains("2 sites have signed this set, 3 are needed")
    );
    let agreed = world.agree_all(&round, &commitment).unwrap();
    let openings = world.open_all(&round, &commitment, &agreed, &ids([3, 8]));
    assert_eq!(world.read(&round, &commitment, &agreed, &openings).unwrap().0, total(&values));
}

/// What a site's upload weighs: three sites, 768 values of 16 bits.
#[test]
fn an_upload_of_768_values_is_small() {
    let world = World::new(3, 2, 0, 7);
    let round = world.sized_round(1, (768, 65_535));
    let (later, first) = (round.upload_len(ids([1])[0], false), round.upload_len(ids([1])[0], true));
    println!("upload: {later} bytes, {first} with the pair keys of a site's first upload of an epoch");
    assert!(later <= 7_000, "{later}");
    // And everything else that leaves the site until the sum is opened, each with its signed header.
    let step = Step { job: round.job(), round: 0, attempt: 0, phase: Phase::Open };
    let (study, answer) = (Digest([3; 32]), Answer::Payload(Blob { digest: Digest([4; 32]), len: later }));
    let header = Header { study, key: step.job, step, site: SiteId(0), answer };
    let header = header.sign(&world.actors[0].identity).to_bytes().len();
    let words = Findings::len(3) + Agreement::LEN + SumOpening::len(&round);
    let all = later as usize + words + 4 * header;
    println!("all that a site sends: {all} bytes, {header} of each header");
    assert!(all <= 8_000, "{all}");
}
