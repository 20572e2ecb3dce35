//! Bytes from outside: cut, padded, altered, random. Refused with a sentence, never a panic.

use rand_core::Rng;

use crate::world::{World, ids};
use blindscope_federation::SiteId;
use blindscope_federation::sums::{
    Agreement, Commitment, Epoch, Findings, SignedUpload, SumOpening, SumRound, Void, Vouch,
};

type Decoder<'a> = Box<dyn Fn(&[u8]) -> bool + 'a>;

#[test]
fn every_message_is_bounded_and_typed() {
    let mut world = World::new(4, 2, 1, 41);
    let round: SumRound = world.round(1, 0);
    let all = ids(0..4);
    world.upload_all(&round, &all);
    let headers = world.headers(&round);
    let commitment = world.commit(&round, &all);
    let word = world.agree(&round, &commitment, SiteId(0)).unwrap();
    let agreed = world.agree_all(&round, &commitment).unwrap();
    let opening = world.open(&round, &commitment, &agreed, SiteId(1)).unwrap();
    let findings = world.findings(&round, &ids([2])).remove(0);
    let signer = &world.actors[0].identity;
    let named = commitment.digest(&round);
    let vouch = Vouch::sign(&round, (SiteId(0), SiteId(1)), named, [0; 32], signer);
    let void = Void::sign(&round, SiteId(0), signer);
    let messages: Vec<(&str, Vec<u8>, Decoder<'_>)> = vec![
        ("header", headers[0].to_bytes(), Box::new(|b| SignedUpload::from_bytes(&round, b).is_ok())),
        (
            "commitment",
            commitment.to_bytes(),
            Box::new(|b| Commitment::from_bytes(&round, b).is_ok_and(|c| c == commitment)),
        ),
        ("agreement", word.to_bytes(&round), Box::new(|b| Agreement::from_bytes(&round, b).is_ok())),
        ("evaluation", vouch.to_bytes(&round), Box::new(|b| Vouch::from_bytes(&round, b).is_ok())),
        ("opening", opening.to_bytes(&round), Box::new(|b| SumOpening::from_bytes(&round, b).is_ok())),
        (
            "findings",
            findings.to_bytes(&round, &headers),
            Box::new(|b| Findings::from_bytes(&round, &headers, b).is_ok()),
        ),
        ("void", void.to_bytes(&round), Box::new(|b| Void::from_bytes(&round, b).is_ok())),
    ];
    let mut rng = blindscope_testkit::rng(42);
    for (name, bytes, decodes) in &messages {
        assert!(decodes(bytes), "{name}");
        for len in [0, 1, 31, bytes.len() / 2, bytes.len() - 1] {
            assert!(!decodes(&bytes[..len]), "{name} cut to {len}");
        }
        assert!(!decodes(&[&bytes[..], &[0]].concat()), "{name} padded");
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 60) {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (rng.next_u32() % 8);
            assert!(!decodes(&altered), "{name} altered at {at}");
        }
        for _ in 0..20 {
            let mut random = vec![0; bytes.len()];
            rng.fill_bytes(&mut random);
            assert!(!decodes(&random), "{name}");
        }
    }
    let e = Commitment::from_bytes(&round, &vec![0; Commitment::max_len(&round) + 1]).unwrap_err();
    assert!(e.to_string().contains("at most"), "{e}");
    assert!(Epoch::from_bytes(b"{}").is_err());
    // Of another round, everything is of another round.
    let other = world.round(2, 0);
    assert!(
        SignedUpload::from_bytes(&other, &headers[0].to_bytes())
            .unwrap_err()
            .to_string()
            .contains("another round")
    );
    assert!(
        Agreement::from_bytes(&other, &word.to_bytes(&round))
            .unwrap_err()
            .to_string()
            .contains("another round")
    );
    assert!(
        Void::from_bytes(&other, &void.to_bytes(&round)).unwrap_err().to_string().contains("another round")
    );
    assert!(SumOpening::from_bytes(&other, &opening.to_bytes(&round)).is_err());
}
