//! Dealers, holders and couriers that deviate.

use crate::world::{World, ids};
use blindscope_federation::sums::{Findings, bundle, open_parts, read_upload, sort_findings};
use blindscope_federation::{Error, SiteId};

/// Puts other bytes where an upload's sealed parts are, and signs anew: what a dishonest dealer can do.
fn with_parts(
    world: &mut World,
    round: &blindscope_federation::sums::SumRound,
    dealer: SiteId,
    change: impl Fn(usize, &mut Vec<u8>),
) {
    let (received, bytes) = world.received[&round.name().0][&dealer].clone();
    let (len, body) = (round.sealed_len(), round.plan().body_len() as usize);
    let mut parts: Vec<Vec<u8>> = received.parts.chunks(len).map(<[u8]>::to_vec).collect();
    parts.iter_mut().enumerate().for_each(|(at, p)| change(at, p));
    let mut header = received.upload.header.clone();
    header.parts = parts.iter().map(|p| blindscope_federation::Blob::of(p).digest).collect();
    let upload = header.sign(&world.actors[usize::from(dealer.0)].identity);
    let pairing = received.pairing.clone().unwrap();
    let out = [&bytes[..body], &parts.concat(), &upload.to_bytes(), &pairing].concat();
    world.receive(round, dealer, &out).unwrap();
}

/// A bad part to one holder, to `f` and to `f + 1`; and a holder that complains of nothing.
#[test]
fn bad_parts_and_false_complaints() {
    for bad in 0..=3usize {
        let mut world = World::new(7, 3, 2, 31);
        let round = world.round(1, 0);
        let (all, dealer) = (ids(0..7), SiteId(2));
        world.upload_all(&round, &all);
        let holders: Vec<u32> = round.sealed_to(dealer).collect();
        with_parts(&mut world, &round, dealer, |at, part| {
            if at < bad {
                part[10] ^= 1;
            }
        });
        let findings = world.findings(&round, &all);
        // The check polynomials' weights follow from the parts, so re-signing without dealing anew convicts everywhere: all see it.
        let complaining = findings.iter().filter(|f| f.bad == [dealer]).count();
        if bad == 0 {
            assert_eq!(complaining, 0);
        } else {
            assert_eq!(complaining, 7, "other parts than the polynomials were made for: {holders:?}");
            assert_eq!(sort_findings(&round, &findings).convicted, [dealer]);
        }
    }
    // Complaints alone: f = 2 may lie, three convict.
    let mut world = World::new(7, 3, 2, 32);
    let round = world.round(1, 0);
    let all = ids(0..7);
    world.upload_all(&round, &all);
    let honest = world.findings(&round, &all);
    let lie = |by: &[u16]| {
        let one = |f: &Findings| {
            let mut f = f.clone();
            if by.contains(&f.holder.0) {
                f.bad.push(SiteId(5));
            }
            f
        };
        sort_findings(&round, &honest.iter().map(one).collect::<Vec<_>>())
    };
    assert_eq!(lie(&[]).holders, all);
    let two = lie(&[0, 1]);
    assert!(two.convicted.is_empty() && two.left_out.is_empty(), "at most f complain: nobody is convicted");
    assert_eq!(two.holders, ids(2..7), "the round does without those holders");
    assert_eq!(lie(&[0, 1, 4]).convicted, ids([5]));
    // Where the complaints leave too few holders, the dealer is left out, unconvicted.
    let few: Vec<_> = honest.iter().take(4).cloned().collect();
    let mut lying = few.clone();
    lying[0].bad.push(SiteId(5));
    lying[1].bad.push(SiteId(5));
    let sorted = sort_findings(&round, &lying);
    assert_eq!((sorted.convicted.len(), sorted.left_out), (0, ids([5])));
}

/// A dealer that shares well towards all holders but one: that holder alone complains.
#[test]
fn one_bad_pair_key_is_one_complaint() {
    let mut world = World::new(5, 3, 1, 33);
    let round = world.round(1, 0);
    let all = ids(0..5);
    world.upload_all(&round, &all);
    let given = world.received[&round.name().0].clone();
    let headers = world.headers(&round);
    let mut pairs: Vec<Vec<u8>> = given.values().map(|(r, _)| r.pairing.clone().unwrap()).collect();
    // Site 0's pair key for site 1 is damaged.
    pairs[0][50] ^= 1;
    let uploads: Vec<_> = given.values().zip(&pairs).map(|((r, _), p)| (r, &p[..])).collect();
    let bad = |holder: SiteId| {
        let bytes = bundle(&round, holder, &uploads).unwrap();
        let sealing = &world.actors[usize::from(holder.0)].sealing;
        open_parts(&round, (holder, sealing), &headers, &bytes).unwrap().bad()
    };
    assert_eq!(bad(SiteId(1)), ids([0]));
    assert!(all.iter().filter(|h| h.0 != 1).all(|h| bad(*h).is_empty()));
}

/// A sealed part moved to another holder, another dealer's upload or another round does not open; other bytes than the header names
/// are the courier's fault, not the dealer's.
#[test]
fn parts_do_not_travel() {
    let mut world = World::new(4, 2, 1, 34);
    let (round, other) = (world.round(1, 0), world.round(2, 0));
    let all = ids(0..4);
    world.upload_all(&round, &all);
    for &site in &all {
        let values = world.values(site, &other);
        let (bytes, _) = world.actor(site).encrypt(&other, &values);
        world.receive(&other, site, &bytes).unwrap();
    }
    let holder = SiteId(3);
    let headers = world.headers(&round);
    let bytes_of = |world: &World, round: &_| {
        let given = world.received[&blindscope_federation::sums::SumRound::name(round).0].clone();
        let uploads: Vec<_> = given.values().map(|(r, _)| (r, r.pairing.as_deref().unwrap())).collect();
        bundle(round, holder, &uploads).unwrap()
    };
    let (right, foreign) = (bytes_of(&world, &round), bytes_of(&world, &other));
    let sealing = &world.actors[3].sealing;
    assert!(open_parts(&round, (holder, sealing), &headers, &right).unwrap().bad().is_empty());
    for wrong in [&foreign[..], &right[1..]] {
        let e = open_parts(&round, (holder, sealing), &headers, wrong).unwrap_err();
        assert!(matches!(e, Error::Sum(_) | Error::Length { .. }), "{e}");
    }
    // Dealer 0 takes dealer 1's sealed parts for its own: they do not open as dealer 0's.
    let victim = world.received[&round.name().0][&SiteId(1)].0.parts.clone();
    let len = round.sealed_len();
    with_parts(&mut world, &round, SiteId(0), |at, part| {
        part.copy_from_slice(&victim[at * len..(at + 1) * len]);
    });
    for holder in ids(1..4) {
        assert!(world.parts(&round, holder).unwrap().bad().contains(&SiteId(0)), "{holder}");
    }
}

/// A body that is another's, negated, or "minus everybody's": noise. Nothing is told, and no sum is released.
#[test]
fn other_bodies_spoil_the_sum_and_tell_nothing() {
    let mut world = World::new(4, 2, 1, 35);
    let round = world.round(1, 0);
    let all = ids(0..4);
    world.upload_all(&round, &all);
    let (victim, copier) = (SiteId(0), SiteId(3));
    let body_len = round.plan().body_len() as usize;
    let stolen = world.received[&round.name().0][&victim].1[..body_len].to_vec();
    let (received, bytes) = world.received[&round.name().0][&copier].clone();
    let mut header = received.upload.header.clone();
    header.body = blindscope_federation::Blob::of(&stolen).digest;
    let upload = header.sign(&world.actors[3].identity);
    let at = body_len + received.parts.len();
    let rest = &bytes[at + upload.to_bytes().len()..];
    let forged = [&stolen, &bytes[body_len..at], &upload.to_bytes()[..], rest].concat();
    world.receive(&round, copier, &forged).unwrap();
    // Its parts were sealed for another body: every other holder sees that.
    let findings = world.findings(&round, &ids(0..3));
    assert_eq!(sort_findings(&round, &findings).convicted, [copier]);
    // A coordinator that goes on nevertheless finds no holder that can.
    let commitment = world.commit(&round, &all);
    let agreed = world.agree_all(&round, &commitment).unwrap();
    for holder in ids(0..3) {
        let e = world.open(&round, &commitment, &agreed, holder).unwrap_err();
        assert!(e.contains("the part of site 3 is not usable here"), "{e}");
    }
}

/// An upload is refused for anything that its header does not name.
#[test]
fn altered_uploads_are_refused() {
    let mut world = World::new(3, 2, 0, 36);
    let round = world.round(1, 0);
    world.upload_all(&round, &ids(0..1));
    let (_, bytes) = world.received[&round.name().0][&SiteId(0)].clone();
    let read = |site: u16, bytes: &[u8]| {
        read_upload(&round, SiteId(site), bytes.len() as u64, &mut &bytes[..])
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    read(0, &bytes).unwrap();
    let pairing = 2 * blindscope_federation::sums::PAIRING_LEN;
    for at in (0..bytes.len() - pairing).step_by(97) {
        let mut altered = bytes.clone();
        altered[at] ^= 4;
        assert!(read(0, &altered).is_err(), "byte {at}");
    }
    assert!(read(0, &bytes[1..]).unwrap_err().contains("bytes"));
    assert!(read(1, &bytes).unwrap_err().contains("another round"));
    assert!(read(7, &bytes).unwrap_err().contains("site 7 is no member"));
    // Announced longer or shorter than it is.
    let len = bytes.len() as u64;
    let cut = read_upload(&round, SiteId(0), len, &mut &bytes[..bytes.len() - 5]).unwrap_err();
    assert!(cut.to_string().contains("cut short"), "{cut}");
    let more = [&bytes[..], &[0]].concat();
    assert!(read_upload(&round, SiteId(0), len, &mut &more[..]).is_err());
}
