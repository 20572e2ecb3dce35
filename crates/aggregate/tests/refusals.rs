//! Altered, cut, padded, foreign, repeated and replayed streams: a typed error each, never a panic, never a wrong sum.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod common;

use chacha20::ChaCha20Rng;
use rand_core::Rng;

use blindscope_aggregate::{Error, SumPlan, write_shares, write_upload};
use blindscope_testkit as testkit;
use blindscope_threshold::{
    Committee, KeyShare, MemoryLedger, PartyId, ShamirPart, SiteSecret, Transcript, WideKey,
};
use common::{Study, add, total, update};

struct Round {
    study: Study,
    plan: SumPlan,
    updates: Vec<Vec<u64>>,
    uploads: Vec<Vec<u8>>,
    sum: Vec<u8>,
    transcript: Transcript,
    committee: Committee,
    shares: Vec<(PartyId, Vec<u8>)>,
    rng: ChaCha20Rng,
}

fn round(seed: u64) -> Round {
    let mut rng = testkit::rng(seed);
    let study = Study::new(&common::toy(), 3, 2, 2, &mut rng);
    let plan = study.plan(300, 1000);
    let updates: Vec<_> = (0..3).map(|_| update(300, 1000, &mut rng)).collect();
    let uploads: Vec<_> = updates.iter().map(|u| study.upload(&plan, u, &mut rng)).collect();
    let sum = add(&plan, &uploads).unwrap();
    let transcript = study.round(b"round", 1);
    let members = [PartyId(0), PartyId(2)];
    let committee = study.committee(&members);
    let shares = members
        .iter()
        .map(|&p| (p, study.share(&plan, &transcript, &committee, p, &sum, &mut rng).unwrap()))
        .collect();
    Round { study, plan, updates, uploads, sum, transcript, committee, shares, rng }
}

impl Round {
    fn open(&self, sum: &[u8], shares: &[(PartyId, Vec<u8>)]) -> Result<Vec<u64>, Error> {
        self.study.open(&self.plan, &self.transcript, &self.committee, sum, shares)
    }
}

#[test]
fn cut_and_padded_streams() {
    let r = round(61);
    let cuts = |len: usize| [0, 1, 31, 32, 63, 64, 67, 68, 100, len / 2, len - 1];
    for at in cuts(r.uploads[0].len()) {
        let e = add(&r.plan, &[r.uploads[0][..at].to_vec(), r.uploads[1].clone()]).unwrap_err();
        assert!(matches!(e, Error::Io { op: "write sum", .. }), "{at}: {e}");
    }
    for at in cuts(r.sum.len()) {
        let e = r.open(&r.sum[..at], &r.shares).unwrap_err();
        assert!(matches!(e, Error::Io { op: "open sum", .. }), "{at}: {e}");
        let e = r
            .study
            .share(&r.plan, &r.transcript, &r.committee, PartyId(0), &r.sum[..at], &mut testkit::rng(1))
            .unwrap_err();
        assert!(matches!(e, Error::Io { op: "write shares", .. }), "{at}: {e}");
    }
    for at in cuts(r.shares[1].1.len()) {
        let mut shares = r.shares.clone();
        shares[1].1.truncate(at);
        assert!(matches!(r.open(&r.sum, &shares), Err(Error::Io { op: "open sum", .. })));
    }
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let trailing = |e| matches!(e, Error::Wire(blindscope_wire::Error::Trailing { .. }));
    assert!(trailing(add(&r.plan, &[longer(&r.uploads[0])]).unwrap_err()));
    assert!(trailing(r.open(&longer(&r.sum), &r.shares).unwrap_err()));
    let mut shares = r.shares.clone();
    shares[0].1.push(0);
    assert!(trailing(r.open(&r.sum, &shares).unwrap_err()));
}

#[test]
fn streams_of_another_kind_plan_round_or_sum() {
    let mut r = round(62);
    let kind = |e| matches!(e, Error::Wire(blindscope_wire::Error::Kind { .. }));
    assert!(kind(r.open(&r.uploads[0], &r.shares).unwrap_err()));
    assert!(kind(add(&r.plan, &[r.shares[0].1.clone()]).unwrap_err()));
    let mut literal = r.study.literal(300, 1000);
    literal.budget += 1;
    let other = SumPlan::new(&r.study.params, literal).unwrap();
    let foreign = r.study.upload(&other, &r.updates[0], &mut r.rng);
    let e = add(&r.plan, &[r.uploads[1].clone(), foreign]).unwrap_err();
    assert!(matches!(e, Error::Foreign { what: "plan", .. }), "{e}");

    // A share of another round, or of another sum in this round.
    let elsewhere = r.study.round(b"round", 2);
    let mut shares = r.shares.clone();
    shares[1].1 = r.study.share(&r.plan, &elsewhere, &r.committee, PartyId(2), &r.sum, &mut r.rng).unwrap();
    assert!(matches!(r.open(&r.sum, &shares), Err(Error::Foreign { what: "round", .. })));
    let two = add(&r.plan, &r.uploads[..2]).unwrap();
    shares[1].1 = r.study.share(&r.plan, &r.transcript, &r.committee, PartyId(2), &two, &mut r.rng).unwrap();
    let e = r.open(&r.sum, &shares).unwrap_err();
    assert!(matches!(e, Error::ForeignShare { party: PartyId(2), chunk: 0 }), "{e}");

    // A share under a stranger's name, twice, or of a site outside the committee.
    let named =
        |a: u16, b: u16| vec![(PartyId(a), r.shares[0].1.clone()), (PartyId(b), r.shares[1].1.clone())];
    assert!(matches!(r.open(&r.sum, &named(2, 0)), Err(Error::Mismatch { .. })));
    let threshold = |e: Error| match e {
        Error::Threshold(e) => e,
        e => panic!("{e}"),
    };
    let e = threshold(r.open(&r.sum, &named(0, 0)).unwrap_err());
    assert!(matches!(e, blindscope_threshold::Error::Duplicate { .. }));
    let e = threshold(r.open(&r.sum, &named(0, 1)).unwrap_err());
    assert!(matches!(e, blindscope_threshold::Error::NotInCommittee { party: PartyId(1), .. }));
    let e = threshold(r.open(&r.sum, &r.shares[..1]).unwrap_err());
    assert!(matches!(e, blindscope_threshold::Error::Missing { .. }));
}

#[test]
fn a_round_is_opened_once_by_who_may() {
    let mut r = round(63);
    let ledger = &mut MemoryLedger::default();
    let key = &r.study.shares[0];
    let begin = |round: &Transcript, committee: &Committee, ledger: &mut MemoryLedger| {
        r.plan.begin(&r.study.ceremony, round, key, committee, ledger)
    };
    let session = begin(&r.transcript, &r.committee, ledger).unwrap();
    let mut out = Vec::new();
    write_shares(&r.plan, session, &mut &r.sum[..], &mut r.rng, &mut out).unwrap();
    // The same round again, and with another committee.
    for members in [[PartyId(0), PartyId(2)], [PartyId(0), PartyId(1)]] {
        let e = begin(&r.transcript, &r.study.committee(&members), ledger).unwrap_err();
        assert!(matches!(e, Error::Threshold(blindscope_threshold::Error::Spent { .. })), "{e}");
    }
    // Outside the committee: refused, and the round is not spent by it.
    let next = r.study.round(b"round", 2);
    let without = r.study.committee(&[PartyId(1), PartyId(2)]);
    let e = begin(&next, &without, ledger).unwrap_err();
    assert!(matches!(e, Error::Threshold(blindscope_threshold::Error::NotInCommittee { .. })), "{e}");
    // A session of another plan does not answer this one's sum.
    let other = r.study.plan(3000, 1000);
    let session = other.begin(&r.study.ceremony, &next, key, &r.committee, ledger).unwrap();
    let e = write_shares(&r.plan, session, &mut &r.sum[..], &mut r.rng, &mut out).unwrap_err();
    assert!(matches!(e, Error::Mismatch { .. }), "{e}");
    // Another ceremony's key, and a roster that was not planned for.
    let stranger = Study::new(&common::toy(), 3, 1, 2, &mut r.rng);
    let e = r.plan.begin(&stranger.ceremony, &next, key, &r.committee, ledger).unwrap_err();
    assert!(matches!(e, Error::Mismatch { what: "threshold", .. }), "{e}");
    let ceremony = Transcript::ceremony(&r.study.params, r.study.ceremony.roster(), b"another", 2).unwrap();
    let e = r.plan.begin(&ceremony, &next, key, &r.committee, ledger).unwrap_err();
    assert!(matches!(e, Error::Threshold(blindscope_threshold::Error::Transcript { .. })), "{e}");
}

#[test]
fn uploads_keep_to_their_plan() {
    let mut r = round(64);
    let key = r.study.key.clone();
    let mut write = |values: Vec<u64>, key: &WideKey| {
        write_upload(&r.plan, key, values.into_iter(), &mut r.rng, &mut Vec::new(), &mut |_| {}).unwrap_err()
    };
    assert!(matches!(write(vec![1; 299], &key), Error::Mismatch { found: 299, .. }));
    assert!(matches!(write(vec![1; 301], &key), Error::Mismatch { found: 301, .. }));
    assert!(matches!(write(vec![1001; 300], &key), Error::Range { found: 1001, max: 1000, .. }));
    let narrow = Study::new(&common::toy(), 3, 2, 1, &mut testkit::rng(1)).key;
    assert!(matches!(write(vec![1; 300], &narrow), Error::Mismatch { found: 1, expected: 2, .. }));
    let mut seen = Vec::new();
    let values = r.updates[0].iter().copied();
    write_upload(&r.plan, &key, values, &mut r.rng, &mut Vec::new(), &mut |n| seen.push(n)).unwrap();
    assert_eq!(seen.last(), Some(&300), "progress reaches the end");
}

/// Any flip of a bit is refused, or (in a residue, where no one can tell) changes what is opened; nothing panics.
#[test]
fn flipped_bits() {
    let mut r = round(65);
    let want = total(&r.updates);
    let (mut refused, mut changed) = (0, 0);
    for _ in 0..400 {
        let at = r.rng.next_u64();
        let flip = |bytes: &mut Vec<u8>| {
            let len = bytes.len() as u64 * 8;
            // Every other one in the head, where every bit is checked.
            let bit = if at.is_multiple_of(2) { (at >> 1) % (64 * 8) } else { (at >> 1) % len } as usize;
            bytes[bit / 8] ^= 1 << (bit % 8);
        };
        let (mut sum, mut shares, mut upload) = (r.sum.clone(), r.shares.clone(), r.uploads[0].clone());
        match r.rng.next_u64() % 3 {
            0 => flip(&mut sum),
            1 => flip(&mut shares[0].1),
            _ => {
                flip(&mut upload);
                let Ok(altered) = add(&r.plan, &[upload, r.uploads[1].clone(), r.uploads[2].clone()]) else {
                    refused += 1;
                    continue;
                };
                sum = altered;
            }
        }
        match r.open(&sum, &shares) {
            Err(_) => refused += 1,
            // The lowest bits of a rounded coefficient are below the digits.
            Ok(got) => changed += usize::from(got != want),
        }
    }
    println!("{refused} refused, {changed} opened to something else");
    assert!(refused > 150);
}

#[test]
fn secret_messages_have_one_reader() {
    let mut rng = testkit::rng(66);
    let study = Study::new(&common::toy(), 3, 2, 2, &mut rng);
    let ceremony = &study.ceremony;
    let secret = SiteSecret::generate(ceremony, PartyId(1), &mut rng).unwrap();
    let parts = secret.split(ceremony, &mut rng);
    let bytes = parts[2].to_bytes(ceremony);
    assert_eq!(bytes.len(), ShamirPart::byte_len(ceremony));
    let back = ShamirPart::from_bytes(ceremony, &bytes).unwrap();
    assert_eq!((back.from(), back.to()), (PartyId(1), PartyId(2)));
    assert_eq!(*back.to_bytes(ceremony), *bytes);
    assert!(!format!("{back:?} {:?}", study.shares[0]).contains(&format!("{:?}", &bytes[100..104])));
    for at in [0, 31, 68, bytes.len() - 1] {
        assert!(matches!(
            ShamirPart::from_bytes(ceremony, &bytes[..at]),
            Err(blindscope_threshold::Error::Wire(_))
        ));
    }
    let foreign = Transcript::ceremony(&study.params, ceremony.roster(), b"another", 2).unwrap();
    let e = ShamirPart::from_bytes(&foreign, &bytes).unwrap_err();
    assert!(matches!(e, blindscope_threshold::Error::Transcript { .. }), "{e}");
    let narrow = Transcript::ceremony(&study.params, ceremony.roster(), b"ceremony", 1).unwrap();
    assert!(matches!(ShamirPart::from_bytes(&narrow, &bytes), Err(blindscope_threshold::Error::Wire(_))));
    let mut stranger = bytes.to_vec();
    stranger[64] = 9;
    assert!(matches!(
        ShamirPart::from_bytes(ceremony, &stranger),
        Err(blindscope_threshold::Error::ForeignParty { .. })
    ));
    // A part for somebody else, or twice.
    let e = KeyShare::combine(ceremony, PartyId(0), vec![back]).unwrap_err();
    assert!(matches!(e, blindscope_threshold::Error::NotInCommittee { .. }), "{e}");
    let twice = || ShamirPart::from_bytes(ceremony, &bytes).unwrap();
    let e = KeyShare::combine(ceremony, PartyId(2), vec![twice(), twice()]).unwrap_err();
    assert!(matches!(e, blindscope_threshold::Error::Duplicate { .. }), "{e}");
    let e = KeyShare::combine(ceremony, PartyId(2), vec![twice()]).unwrap_err();
    assert!(matches!(e, blindscope_threshold::Error::Missing { .. }), "{e}");

    let key = study.key.to_bytes();
    assert_eq!(key.len(), WideKey::byte_len(&study.params, 2));
    assert_eq!(WideKey::from_bytes(&study.params, 2, &key).unwrap().to_bytes(), key);
    assert!(WideKey::from_bytes(&study.params, 1, &key).is_err());
    assert!(WideKey::from_bytes(&study.params, 2, &key[..key.len() - 1]).is_err());
    let share = study.shares[1].to_bytes(ceremony);
    assert_eq!(*KeyShare::from_bytes(ceremony, &share).unwrap().to_bytes(ceremony), *share);
    // A part is no key share.
    assert!(KeyShare::from_bytes(ceremony, &bytes).is_err());
}
