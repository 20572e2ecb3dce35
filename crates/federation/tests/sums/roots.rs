//! Large sums that a committee signs: whoever does not hold sees the set's root and its own header, signs what holders sign, and nothing that
//! a coordinator made up in its name.

use rand_core::Rng as _;

use crate::world::{ABOUT, World, ids, input, total};
use blindscope_federation::sums::{
    Agreed, Agreement, Commitment, CommittedSet as _, Inclusion, SetRoot, SumRound, SumSite, evaluate_own,
    vouch_for,
};
use blindscope_federation::{Error, SiteId};

const SITES: u16 = 9;
const HOLDERS: [u16; 4] = [1, 3, 4, 8];

fn world(seed: u64) -> World {
    World::with_holders(usize::from(SITES), 2, (1, 1), &ids(HOLDERS), seed)
}

fn round_of(world: &World, job: u8) -> SumRound {
    let round = world.sized_round(job, (60_000, 65_535));
    assert!(round.has_roots() && !round.is_small());
    round
}

/// What a site is shown, as it travels.
fn shown_to(round: &SumRound, commitment: &Commitment, site: SiteId) -> Vec<u8> {
    let all = Inclusion::of(round, commitment, &[site]);
    assert_eq!(all.len(), 1, "{site}");
    let bytes = all[0].to_bytes(round);
    assert!(bytes.len() <= Inclusion::max_len(round));
    bytes
}

/// A site that does not hold, by the rules: it reads, evaluates, judges, stores, signs.
fn agree(world: &mut World, round: &SumRound, site: SiteId, bytes: &[u8]) -> Result<Agreement, String> {
    let shown = Inclusion::from_bytes(round, bytes).map_err(|e| e.to_string())?;
    let difference = world.difference;
    let actor = world.actor(site);
    let own = actor.disk.get(&round.name().0).cloned().unwrap_or_default();
    let value = if own.is_empty() {
        [0; 32]
    } else {
        evaluate_own(round, &shown.set, &shown.upload, &mut &own[..]).unwrap_or_default()
    };
    actor.site.judge_difference(round, &ABOUT, &shown.set, difference).map_err(|e| e.to_string())?;
    let judged = actor.site.judge_inclusion(site, round, &shown, value, (2, ABOUT));
    if let Err(Error::Sum(blindscope_federation::sums::SumRefusal::Copied)) = &judged {
        actor.store(SumSite::copied(site, round));
    }
    actor.store(judged.map_err(|e| e.to_string())?);
    Ok(Agreement::sign(round, site, shown.set.digest(round), value, &actor.identity))
}

fn words_of(world: &mut World, round: &SumRound, commitment: &Commitment) -> Vec<Agreement> {
    let mut words = Vec::new();
    for site in commitment.sites() {
        let word = if HOLDERS.contains(&site.0) {
            let body = &world.received[&round.name().0][&site].1;
            let value = vouch_for(round, commitment, site, &mut &body[..]).unwrap();
            world.agree_with(round, commitment, site, value)
        } else {
            let bytes = shown_to(round, commitment, site);
            agree(world, round, site, &bytes)
        };
        words.push(word.unwrap());
    }
    words
}

/// Holders by all headers, others by the root: one digest, one point, one sum.
#[test]
fn holders_and_others_sign_one_set() {
    let mut world = world(71);
    let round = round_of(&world, 1);
    let who = ids([0, 1, 2, 3, 5, 6, 7, 8]);
    let values: Vec<_> = who.iter().map(|s| world.values(*s, &round)).collect();
    world.upload_all(&round, &who);
    let commitment = world.commit(&round, &who);
    let again = Commitment::from_bytes(&round, &commitment.to_bytes()).unwrap();
    assert_eq!(again, commitment);
    let words = words_of(&mut world, &round, &commitment);
    assert!(words.iter().all(|word| word.commitment == commitment.digest(&round)));
    let agreed = Agreed::new(&round, &commitment, &words, &[]).unwrap();
    let openings = world.open_all(&round, &commitment, &agreed, &ids([3, 8]));
    assert_eq!(world.read(&round, &commitment, &agreed, &openings).unwrap().0, total(&values));

    // Whoever goes on from it sees the root alone: the same agreement, the same mark.
    let root = SetRoot::from_bytes(&round, &commitment.root().to_bytes(&round)).unwrap();
    assert_eq!(root, commitment.root());
    assert_eq!((root.digest(&round), root.sites()), (commitment.digest(&round), who));
    assert_eq!(root.challenge(&round), commitment.challenge(&round));
    let by_root = Agreed::new(&round, &root, &words, &[]).unwrap();
    assert_eq!((by_root.commitment(), by_root.list()), (agreed.commitment(), agreed.list()));
    assert_eq!(
        SumSite::settled(&round, &root, &by_root).unwrap(),
        SumSite::settled(&round, &commitment, &agreed).unwrap()
    );
}

/// Of every set of the roster that is large enough, each site's inclusion is read back and names what holders name.
#[test]
fn roots_of_any_set() {
    let mut world = world(72);
    let round = round_of(&world, 1);
    let all = ids(0..SITES);
    world.upload_all(&round, &all);
    let whole = world.commit(&round, &all);
    let mut names = Vec::new();
    for bits in 0..1_u32 << SITES {
        let mut part = whole.clone();
        part.uploads.retain(|u| bits >> u.header.site.0 & 1 == 1);
        if part.uploads.len() < round.least_cohort() as usize {
            assert!(SetRoot::from_bytes(&round, &part.root().to_bytes(&round)).is_err());
            continue;
        }
        let named = part.digest(&round);
        for shown in Inclusion::of(&round, &part, &all) {
            let read = Inclusion::from_bytes(&round, &shown.to_bytes(&round)).unwrap();
            assert_eq!((&read, read.set.digest(&round)), (&shown, named));
        }
        names.push(named.0);
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "no two sets have one name");
}

/// Whatever of an inclusion is altered, it is refused, or names what no holder signs: the word on it counts for nothing.
#[test]
fn what_is_altered_is_refused_or_another_set() {
    let mut world = world(73);
    let round = round_of(&world, 1);
    world.upload_all(&round, &ids(0..SITES));
    let commitment = world.commit(&round, &ids(0..8));
    let (me, named) = (SiteId(2), commitment.digest(&round));
    let bytes = shown_to(&round, &commitment, me);
    let mut rng = blindscope_testkit::rng(74);
    let root = SetRoot::len(&round);
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (rng.next_u32() % 8);
        let Ok(read) = Inclusion::from_bytes(&round, &altered) else { continue };
        assert!(at < 32 || (72..root).contains(&at), "byte {at} is neither the sum's name nor a site");
        assert_ne!(read.set.digest(&round), named, "{at}");
    }
    for len in [0, 1, root - 1, root, bytes.len() - 32, bytes.len() - 1] {
        assert!(Inclusion::from_bytes(&round, &bytes[..len]).is_err(), "cut to {len}");
    }
    assert!(Inclusion::from_bytes(&round, &[&bytes[..], &[0; 32]].concat()).is_err(), "a longer path");
    // Bits beyond the roster, and too few sites.
    let mut beyond = bytes.clone();
    beyond[root - 1] |= 0x80;
    let e = Inclusion::from_bytes(&round, &beyond).unwrap_err().to_string();
    assert!(e.contains("beyond the roster"), "{e}");
    let mut few = bytes.clone();
    few[72..root].copy_from_slice(&[0b100, 0]);
    let e = Inclusion::from_bytes(&round, &few).unwrap_err().to_string();
    assert!(e.contains("1 uploads"), "{e}");
    // A site more in the bits alone: the path may still lead to the top, but it is another set.
    let mut more = bytes;
    more[root - 1] |= 1;
    let other = Inclusion::from_bytes(&round, &more).map(|read| read.set.digest(&round));
    assert!(other.is_err() || other.is_ok_and(|digest| digest != named));
    // Words on another set are left out of what is agreed.
    let mut words = words_of(&mut world, &round, &commitment);
    let one = &mut words[2];
    *one = Agreement::sign(&round, me, ABOUT, one.evaluation, &world.actors[2].identity);
    let e = Agreed::new(&round, &commitment, &words, &[]).unwrap_err().to_string();
    assert!(e.contains("no one evaluation of the body of site 2"), "{e}");
}

/// Paths and headers of other sites, sets and rounds: refused, and nothing is signed.
#[test]
fn other_headers_and_paths_are_refused() {
    let mut world = world(75);
    let (first, second) = (round_of(&world, 1), round_of(&world, 2));
    let who = ids(0..SITES);
    world.upload_named(&first, &who, input(1));
    let other_values: Vec<u64> = (0..60_000).map(|k| k % 7).collect();
    for &site in &who {
        let bytes = world.actor(site).upload(&second, &other_values, input(2)).unwrap();
        world.receive(&second, site, &bytes).unwrap();
    }
    let sets = [world.commit(&first, &who), world.commit(&second, &who)];
    let (me, header) = (SiteId(2), SetRoot::len(&first));
    let own = shown_to(&first, &sets[0], me);
    let path = own.len() - 4 * 32;
    let mut refused = |bytes: &[u8], what: &str| {
        let marks = world.actors[2].marks.len();
        let e = agree(&mut world, &first, me, bytes).unwrap_err();
        assert!(e.contains(what), "{e}");
        assert_eq!(world.actors[2].marks.len(), marks, "nothing is stored, so nothing is signed");
    };
    // Of another round: all of it, its path, its header.
    let other = shown_to(&second, &sets[1], me);
    refused(&other, "another round");
    refused(&[&own[..path], &other[path..]].concat(), "is not in the set");
    refused(&[&own[..header], &other[header..]].concat(), "another round");
    // Another site's.
    let others = shown_to(&first, &sets[0], SiteId(5));
    refused(&others, "the upload of site 2 is not in the set");
    refused(&[&own[..path], &others[path..]].concat(), "is not in the set");
    refused(&[&others[..path], &own[path..]].concat(), "is not in the set");
    // Of a set without it.
    let mut less = sets[0].clone();
    less.uploads.remove(2);
    assert!(Inclusion::of(&first, &less, &[me]).is_empty());
    refused(&[&less.root().to_bytes(&first)[..], &own[header..]].concat(), "is not in the set");
    // A header instead of its digest, and the root of a round whose sets are named by their headers.
    refused(&less.to_bytes(), "");
    let small = world.sized_round(3, (30, 1000));
    let e = SetRoot::from_bytes(&small, &own[..header]).unwrap_err().to_string();
    assert!(e.contains("another round"), "{e}");
}

/// A copy of the site's disk uploads in its name: shown that header it stops for good, whatever the root.
#[test]
fn another_header_in_its_name_stops_the_site() {
    let mut world = world(76);
    let round = round_of(&world, 1);
    let me = SiteId(2);
    let values = world.values(me, &round);
    let mut copy = world.actor(me).copy();
    world.upload_all(&round, &ids(0..SITES));
    let bytes = copy.upload(&round, &values, input(1)).unwrap();
    world.receive(&round, me, &bytes).unwrap();
    let commitment = world.commit(&round, &ids(0..SITES));
    let shown = shown_to(&round, &commitment, me);
    let e = agree(&mut world, &round, me, &shown).unwrap_err();
    assert!(e.contains("a second copy of it is at work"), "{e}");
    let e = agree(&mut world, &round, me, &shown).unwrap_err();
    assert!(e.contains("has stopped taking part"), "{e}");
    assert!(
        world.actors[2]
            .marks
            .iter()
            .all(|m| !matches!(m, blindscope_federation::sums::SumMark::Agreed { .. }))
    );
    // Of a set that a quorum has signed the root is enough: a site that is in it has uploaded.
    let root = commitment.root();
    assert!(copy.site.judge_named(me, &round, &root).is_ok());
    let stranger = SumSite::default();
    assert!(stranger.judge_named(me, &round, &root).is_err());
    assert!(stranger.judge_named(SiteId(20), &round, &root).is_ok());
}

/// Rules over sites are held at sites that do not hold too: the cohort, sets that are nearly another, the same values over one set.
#[test]
fn rules_over_sites_hold_at_every_site() {
    let mut world = world(77);
    let (first, second, third) = (round_of(&world, 1), round_of(&world, 2), round_of(&world, 3));
    let (all, less) = (ids(0..SITES), ids(0..8));
    world.upload_all(&first, &all);
    let set = world.commit(&first, &all);
    words_of(&mut world, &first, &set);
    let me = SiteId(2);
    let near: Vec<u64> = (0..60_000).map(|k| k % 5).collect();
    for &site in &all {
        let bytes = world.actor(site).upload(&second, &near, input(2)).unwrap();
        world.receive(&second, site, &bytes).unwrap();
    }
    let nearly = world.commit(&second, &less);
    world.difference = 2;
    let shown = shown_to(&second, &nearly, me);
    let e = agree(&mut world, &second, me, &shown).unwrap_err();
    assert!(e.contains("in 1 sites") && e.contains("none or 2"), "{e}");
    world.difference = 0;
    let read = Inclusion::from_bytes(&second, &shown).unwrap();
    let cohort = world.actors[2].site.judge_inclusion(me, &second, &read, [0; 32], (9, ABOUT));
    assert!(cohort.unwrap_err().to_string().contains("8 uploads, at least 9"), "its own policy's cohort");
    agree(&mut world, &second, me, &shown).unwrap();
    // The second set of a round, and the same values over another set.
    let shown = shown_to(&second, &world.commit(&second, &all), me);
    let e = agree(&mut world, &second, me, &shown).unwrap_err();
    assert!(e.contains("another set or sum is stored"), "{e}");
    world.upload_named(&third, &all, input(3));
    let other = world.commit(&third, &less);
    let bytes = Inclusion::of(&third, &other, &[me]).remove(0).to_bytes(&third);
    let e = agree(&mut world, &third, me, &bytes).unwrap_err();
    assert!(e.contains("summed over other sites before"), "{e}");
    // Holders hold it too: an upload says the set that it is bound to.
    assert!(Commitment::from_bytes(&third, &other.to_bytes()).is_err());
}
