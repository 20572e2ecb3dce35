//! Dealers, holders and couriers that deviate.

use crate::forger::{Forgery, HONEST, forge};
use crate::world::{World, ids, total};
use blindscope_federation::sums::{
    Findings, PAIRING_LEN, Received, bundle, open_parts, pairing, read_upload, sort_findings,
};
use blindscope_federation::{Error, SealingKey, SiteId};

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

/// A dealer that deals one, `f` and `f + 1` holders a bad part and makes its polynomials for what it sends: those holders complain and
/// nobody else. Up to `f` the round does without them and is exact; one more convicts the dealer, and it is exact without it.
#[test]
fn bad_parts_to_one_to_f_and_to_one_more() {
    for bad in 0..=3usize {
        let mut world = World::new(7, 3, 2, 31);
        let round = world.round(1, 0);
        let (all, dealer) = (ids(0..7), SiteId(2));
        let others = ids([0, 1, 3, 4, 5, 6]);
        world.upload_all(&round, &others);
        let part = |at: usize, part: &mut [u8]| part[10] ^= u8::from(at < bad);
        let values = world.values(dealer, &round);
        let upload = forge(&world, &round, dealer, &values, &Forgery { part: &part, ..HONEST });
        world.receive(&round, dealer, &upload).unwrap();
        let cheated: Vec<SiteId> = round.sealed_to(dealer).take(bad).map(|h| SiteId(h as u16)).collect();
        let findings = world.findings(&round, &all);
        for f in &findings {
            let expected = if cheated.contains(&f.holder) { vec![dealer] } else { Vec::new() };
            assert_eq!(f.bad, expected, "{bad} bad parts, {}", f.holder);
        }
        let sorted = sort_findings(&round, &findings);
        let convicted = bad == 3;
        assert_eq!(sorted.convicted, if convicted { vec![dealer] } else { Vec::new() });
        assert!(sorted.left_out.is_empty());
        let opening: Vec<_> = all.iter().copied().filter(|h| convicted || !cheated.contains(h)).collect();
        assert_eq!(sorted.holders, opening);
        let set = if convicted { others } else { all };
        let commitment = world.commit(&round, &set);
        // The forger signs nothing: it has no upload in its own marks.
        let words = world.agreements(&round, &commitment, &ids([0, 1, 3, 4, 5, 6]));
        let agreed = world.agreed(&round, &commitment, &words).unwrap();
        if let (false, Some(cheated)) = (convicted, cheated.first()) {
            let e = world.open(&round, &commitment, &agreed, *cheated).unwrap_err();
            assert!(e.contains("the part of site 2 is not usable here"), "{e}");
        }
        let able: Vec<_> = sorted.holders.iter().copied().filter(|h| *h != dealer).take(3).collect();
        let openings = world.open_all(&round, &commitment, &agreed, &able);
        let values: Vec<_> = set.iter().map(|s| world.values(*s, &round)).collect();
        let (sums, wrong) = world.read(&round, &commitment, &agreed, &openings).unwrap();
        assert_eq!((sums, wrong), (total(&values), Vec::new()));
    }
}

/// Other parts under the polynomials of the first: their weights follow from the parts, so every holder complains, whoever got which.
/// And holders that complain of nothing.
#[test]
fn polynomials_of_other_parts_and_false_complaints() {
    let mut world = World::new(7, 3, 2, 31);
    let round = world.round(1, 0);
    let (all, dealer) = (ids(0..7), SiteId(2));
    world.upload_all(&round, &all);
    with_parts(&mut world, &round, dealer, |at, part| part[10] ^= u8::from(at == 0));
    let findings = world.findings(&round, &all);
    assert!(findings.iter().all(|f| f.bad == [dealer]));
    assert_eq!(sort_findings(&round, &findings).convicted, [dealer]);
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

/// What holders find where their bundles have other pair keys of site 0.
fn found(
    world: &World,
    round: &blindscope_federation::sums::SumRound,
    pairs: &[u8],
) -> Vec<Result<Vec<SiteId>, String>> {
    let given = &world.received[&round.name().0];
    let pairing = |site: &SiteId, r: &Received| {
        if site.0 == 0 { pairs.to_vec() } else { r.pairing.clone().unwrap() }
    };
    let pairs: Vec<_> = given.iter().map(|(site, (r, _))| pairing(site, r)).collect();
    let uploads: Vec<_> = given.values().zip(&pairs).map(|((r, _), p)| (r, &p[..])).collect();
    let headers = world.headers(round);
    let at = |actor: &crate::world::Actor| {
        let bytes = bundle(round, actor.me, &uploads).unwrap();
        let parts = open_parts(round, (actor.me, &actor.sealing), &headers, &bytes);
        parts.map(|p| p.bad()).map_err(|e| e.to_string())
    };
    world.actors.iter().map(at).collect()
}

/// A coordinator that alters an honest site's pair keys on their way to `f + 1` holders: they see that it is not the dealer's doing, and
/// nobody complains of it. A pair key of another holder or roster is altered too.
#[test]
fn altered_pair_keys_convict_nobody() {
    let mut world = World::new(5, 3, 1, 33);
    let round = world.round(1, 0);
    world.upload_all(&round, &ids(0..5));
    let right = world.received[&round.name().0][&SiteId(0)].0.pairing.clone().unwrap();
    let mut altered = right.clone();
    // The first two holders beside the dealer: as many as convict.
    altered[50] ^= 1;
    altered[PAIRING_LEN + 50] ^= 1;
    let mut swapped = right.clone();
    swapped.rotate_left(PAIRING_LEN);
    let mut unsigned = right.clone();
    unsigned[PAIRING_LEN - 1] ^= 1;
    for (pairs, refusing) in [(&altered, 2), (&swapped, 4), (&unsigned, 1), (&right, 0)] {
        let said = found(&world, &round, pairs);
        let refused: Vec<_> = said.iter().filter_map(|s| s.as_ref().err()).collect();
        assert_eq!(refused.len(), refusing);
        assert!(refused.iter().all(|e| e.contains("site 0") && e.contains("a pair key")), "{refused:?}");
        assert!(said.iter().flatten().all(Vec::is_empty), "a complaint of an honest dealer");
    }
}

/// A dealer that seals nonsense to one holder and signs it: that holder alone complains. Unsigned, it does not get past the coordinator.
#[test]
fn one_bad_pair_key_is_one_complaint() {
    let mut world = World::new(5, 3, 1, 33);
    let round = world.round(1, 0);
    let all = ids(0..5);
    world.upload_all(&round, &all);
    // Site 0 with another sealing key than the roster says: none of what it seals and signs opens.
    let me = &world.actors[0];
    let foreign = SealingKey::from_bytes(&[77; 32]);
    let sealed = pairing(&world.epoch, me.me, (&foreign, &me.identity)).unwrap();
    let (received, bytes) = world.received[&round.name().0][&SiteId(0)].clone();
    let mut pairs = received.pairing.unwrap();
    pairs[..PAIRING_LEN].copy_from_slice(&sealed[..PAIRING_LEN]);
    let said: Vec<_> = found(&world, &round, &pairs).into_iter().map(Result::unwrap).collect();
    assert_eq!(said[1], ids([0]));
    assert!(said.iter().enumerate().all(|(holder, bad)| holder == 1 || bad.is_empty()));
    let at = bytes.len() - 4 * PAIRING_LEN;
    let sent = |pairs: &[u8]| {
        let sent = [&bytes[..at], pairs].concat();
        read_upload(&round, SiteId(0), sent.len() as u64, &mut &sent[..]).map(drop)
    };
    sent(&pairs).unwrap();
    pairs[3] ^= 1;
    let e = sent(&pairs).unwrap_err().to_string();
    assert!(e.contains("pair key: the signature is not that of site 0"), "{e}");
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
    for at in (0..bytes.len()).step_by(97) {
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
