//! The attack on a collective key by whoever chooses a ciphertext that is re-encrypted to it, at a toy size: against ciphertexts of
//! its own making it reads the secret, against questions that are dealt in shares it reads what it dealt.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod asking;
mod common;

use asking::{Asking, PLACE, constant, read};
use blindscope_ckks::{Ciphertext, Evaluator, KeyGenerator, Level, Plaintext, PublicKey, Scale};
use blindscope_testkit as testkit;
use blindscope_threshold::{
    Committee, Dealt, DecryptionSession, Error, Flooding, Holding, MemoryLedger, Opening, PartyId, Remainder,
    Transcript,
};
use blindscope_wire::Digest;
use common::{study, toy};

#[test]
fn chosen_ciphertexts_give_the_key_away_and_dealt_questions_do_not() {
    let (params, mut rng) = (toy(), testkit::rng(81));
    let mut asking = Asking::new(&mut rng);
    let truth = asking.study.collective();
    let all = truth.iter().filter(|s| **s != 0).count();
    assert!(all > 20, "{all} of {} coefficients are not zero", truth.len());

    // The old way: (0, d) is an encryption of d·s that nobody needs the public key for.
    let chosen = Ciphertext::from_components(&params, vec![params.q().zero(), constant()], Scale::ONE);
    let found = read(&truth, &asking.answer(&chosen));
    assert_eq!(found, all, "the attack that dealing is there for");

    // The new way: all that the asker chooses is a remainder and seeds. It puts d wherever it can.
    let holding = Holding::of_roster(3, 2).unwrap();
    let seeds: Vec<_> = (0..holding.shares()).map(|_| Dealt::generate(&mut rng)).collect();
    let message = [Plaintext::from_polynomial(&params, constant(), Scale::ONE)];
    let remainder = Remainder::of(&params, &message, &seeds).unwrap();
    let c = added_up(&asking.study.key, &seeds, &remainder, 1);
    let readings = asking.answer(&c);
    let mut dealt = vec![0; params.n()];
    dealt[0] = 1;
    assert_eq!(readings, dealt, "what it dealt");
    let readings: Vec<_> = readings.iter().zip(&dealt).map(|(r, d)| r - d).collect();
    assert_eq!(read(&truth, &readings), 0);
    println!("{found} of {all} coefficients of a chosen ciphertext, 0 of a dealt question");
}

/// An answer's ciphertext is of more than logits. Whoever asks reads all of it where members give plain shares; where each covers what is
/// no logit, the asker reads the places of logits, and elsewhere what is uniform, whatever the ciphertext was.
#[test]
fn what_is_no_logit_is_covered() {
    let (params, mut rng) = (toy(), testkit::rng(85));
    let mut asking = Asking::new(&mut rng);
    let truth = asking.study.collective();
    let all = truth.iter().filter(|s| **s != 0).count();
    let chosen = Ciphertext::from_components(&params, vec![params.q().zero(), constant()], Scale::ONE);
    assert_eq!(read(&truth, &asking.answer(&chosen)), all, "all of it is read without a cover");
    let shown = [0, 17, params.n() - 1];
    let covered = asking.answer_shown(&chosen, Some(&shown));
    for place in shown {
        assert_eq!(covered[place], truth[place], "what is shown is the answer");
    }
    // A uniform reading is a coefficient by chance alone: 2^PLACE is far below the modulus.
    let beside = |values: &[i128]| -> Vec<i128> {
        let at = |i: &usize| !shown.contains(i);
        (0..params.n()).filter(at).map(|i| values[i]).collect()
    };
    assert_eq!(read(&beside(&truth), &beside(&covered)), 0);
    let again = asking.answer_shown(&chosen, Some(&shown));
    assert_eq!(beside(&covered).iter().zip(&beside(&again)).filter(|(a, b)| a == b).count(), 0);
    let refused = asking.session(9).share_shown(&chosen, &asking.public, &[params.n()]);
    assert!(matches!(refused.map(|(_, rest)| rest), Err(Error::Shape { .. })));
}

/// What holders and coordinator make of a question.
fn added_up(key: &PublicKey, seeds: &[Dealt], remainder: &Remainder, round: u8) -> Ciphertext {
    let params = key.params();
    let evaluator = Evaluator::new(params);
    let shares =
        seeds.iter().enumerate().map(|(k, s)| s.encrypt(key, &Digest([round; 32]), k, 1).unwrap().remove(0));
    let sum = shares.reduce(|mut a, b| {
        evaluator.add_assign(&mut a, &b).unwrap();
        a
    });
    let mut sum = [sum.unwrap()];
    remainder.add_to(params, &mut sum).unwrap();
    let [c] = sum;
    c
}

#[test]
fn holders_derive_the_same_encryption_and_another_in_another_round() {
    let (params, mut rng) = (toy(), testkit::rng(82));
    let s = study(&params, 3, 2, &mut rng);
    let seeds = Dealt::generate(&mut rng);
    let again = Dealt::from_bytes(&seeds.to_bytes());
    let of = |d: &Dealt, round: u8, share| d.encrypt(&s.key, &Digest([round; 32]), share, 2).unwrap();
    let first = of(&seeds, 1, 0);
    assert_eq!(first, of(&again, 1, 0));
    assert_ne!(first[0].components()[1], first[1].components()[1], "pieces have randomness of their own");
    for other in [of(&seeds, 2, 0), of(&seeds, 1, 1)] {
        assert_ne!(first[0].components()[1], other[0].components()[1], "no uniform half comes twice");
    }
    assert_eq!(format!("{seeds:?}"), "Dealt(..)");
}

#[test]
fn remainders_are_whole_uniform_and_bounded() {
    let (params, mut rng) = (toy(), testkit::rng(83));
    let seeds: Vec<_> = (0..3).map(|_| Dealt::generate(&mut rng)).collect();
    let zero = Plaintext::from_polynomial(&params, params.q().zero(), Scale::ONE);
    let remainder = Remainder::of(&params, &[zero.clone(), zero], &seeds).unwrap();
    let bytes = remainder.to_bytes(&params);
    assert_eq!(bytes.len(), Remainder::byte_len(&params, 2));
    assert_eq!(Remainder::from_bytes(&params, 2, &bytes).unwrap(), remainder);
    // Of a message that is zero everywhere nothing shows: half of the bits are set.
    let ones: u32 = bytes.iter().map(|b| b.count_ones()).sum();
    let (ones, bits) = (f64::from(ones), bytes.len() as f64 * 8.0);
    assert!((ones - bits / 2.0).abs() < 0.02 * bits, "{ones} of {bits}");
    for at in [0, 1, bytes.len() - 1] {
        assert!(Remainder::from_bytes(&params, 2, &bytes[..at]).is_err(), "cut at {at}");
    }
    let mut long = bytes.clone();
    long.push(0);
    assert!(Remainder::from_bytes(&params, 2, &long).is_err());
    assert!(matches!(
        Remainder::from_bytes(&params, 2, &vec![0xff; bytes.len()]),
        Err(Error::Residue { .. })
    ));
    let low = Plaintext::from_polynomial(&params, params.q().prefix(1).zero(), Scale::ONE);
    assert_eq!(low.level(), Level(0));
    assert!(matches!(Remainder::of(&params, &[low], &seeds), Err(Error::Shape { .. })));
}

/// A copy of a site that was restored knows nothing of what it gave: asked the same, it gives the same bytes; asked under another
/// committee, masks of their own.
#[test]
fn a_restored_copy_makes_the_same_share_again() {
    let (params, mut rng) = (toy(), testkit::rng(84));
    let s = study(&params, 3, 2, &mut rng);
    let public =
        KeyGenerator::new(&params).public_key(&KeyGenerator::new(&params).secret_key(&mut rng), &mut rng);
    let c = blindscope_ckks::PublicEncryptor::new(&s.key)
        .encrypt(&Plaintext::from_polynomial(&params, constant(), Scale::ONE), &mut rng)
        .unwrap();
    let share = |round: u64, others: [u16; 2], asker: bool| {
        let round = Transcript::new(&params, s.ceremony.roster(), b"job", round);
        let committee = Committee::new(round.roster(), &others.map(PartyId)).unwrap();
        let flooding = Flooding::for_fresh(&params, 3, 1, 10, 2, 30).unwrap();
        let masks = Opening { flooding, room_log2: f64::from(PLACE) - 1.0, ciphertexts: 1 };
        // A ledger that remembers nothing: the copy's.
        let ledger = &mut MemoryLedger::default();
        let session =
            DecryptionSession::begin(&s.ceremony, &round, &s.shares[0], &committee, masks, ledger).unwrap();
        if asker { session.share_for(&c, &public).unwrap().0 } else { session.share(&c).unwrap().0 }
    };
    for asker in [false, true] {
        let first = share(1, [0, 1], asker);
        assert!(first == share(1, [0, 1], asker), "the same share again");
        for other in [share(2, [0, 1], asker), share(1, [0, 2], asker)] {
            assert!(first != other, "another round or committee has masks of its own");
        }
    }
}
