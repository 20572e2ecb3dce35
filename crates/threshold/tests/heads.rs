//! The attack on a collective key by a site that learns an encrypted head with others, at a toy size: where each hands in a ciphertext
//! of its own making it reads the secret, where each deals its part in shares it reads what it dealt.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod asking;
mod common;

use asking::{Asking, PLACE, constant, read};
use blindscope_ckks::{
    Ciphertext, Decryptor, Encoder, Evaluator, Level, Parameters, Plaintext, PublicEncryptor, PublicKey,
    Scale,
};
use blindscope_testkit as testkit;
use blindscope_threshold::{Dealt, Error, Holding, Remainder};
use blindscope_wire::Digest;
use common::{study, toy};

const SITES: usize = 3;

fn zero(params: &Parameters, level: Level) -> Plaintext {
    Plaintext::from_polynomial(params, params.q().prefix(level.limbs()).zero(), Scale::ONE)
}

/// What a site deals: a seed a share, and what is left of its part.
struct Part {
    seeds: Vec<Dealt>,
    remainder: Remainder,
}

/// What holders and coordinator make of parts, each share encrypted once.
fn head(key: &PublicKey, mut parts: Vec<Part>, round: u8, levels: &[Level]) -> Vec<Ciphertext> {
    let (params, evaluator) = (key.params(), Evaluator::new(key.params()));
    let mut sum: Vec<Ciphertext> = Vec::new();
    for share in 0..parts[0].seeds.len() {
        let dealt: Vec<Dealt> = parts.iter_mut().map(|part| part.seeds.remove(0)).collect();
        let made = Dealt::encrypt_sum(&dealt, key, &Digest([round; 32]), share, levels).unwrap();
        if sum.is_empty() {
            sum = made;
        } else {
            sum.iter_mut().zip(&made).for_each(|(s, c)| evaluator.add_assign(s, c).unwrap());
        }
    }
    let mut remainder = parts[0].remainder.clone();
    parts[1..].iter().for_each(|part| remainder.add_assign(params, &part.remainder).unwrap());
    remainder.add_to(params, &mut sum).unwrap();
    sum
}

#[test]
fn a_site_that_chooses_its_part_reads_the_key_and_one_that_deals_it_does_not() {
    let (params, mut rng) = (toy(), testkit::rng(91));
    let mut asking = Asking::new(&mut rng);
    let truth = asking.study.collective();
    let all = truth.iter().filter(|s| **s != 0).count();
    assert!(all > 20, "{all} of {} coefficients are not zero", truth.len());
    let (evaluator, top) = (Evaluator::new(&params), params.top_level());

    // The old way: each site hands in an encryption. The last one's has d in its uniform half, and looks like any other.
    let encryptor = PublicEncryptor::new(&asking.study.key);
    let mut sum = encryptor.encrypt(&zero(&params, top), &mut rng).unwrap();
    for _ in 1..SITES {
        evaluator.add_assign(&mut sum, &encryptor.encrypt(&zero(&params, top), &mut rng).unwrap()).unwrap();
    }
    let chosen = Ciphertext::from_components(&params, vec![params.q().zero(), constant()], Scale::ONE);
    evaluator.add_assign(&mut sum, &chosen).unwrap();
    let found = read(&truth, &asking.answer(&sum));
    assert_eq!(found, all, "the attack that dealing is there for");

    // The new way: it chooses a remainder and seeds, after it has seen all others', and puts d wherever it can.
    let holding = Holding::of_roster(SITES, 2).unwrap();
    let mut deal = |message: Plaintext| {
        let seeds: Vec<Dealt> = (0..holding.shares()).map(|_| Dealt::generate(&mut rng)).collect();
        let remainder = Remainder::at(&params, &[top], &[message], &seeds).unwrap();
        Part { seeds, remainder }
    };
    let chosen = Plaintext::from_polynomial(&params, constant(), Scale::ONE);
    let parts = vec![deal(zero(&params, top)), deal(zero(&params, top)), deal(chosen)];
    let head = head(&asking.study.key, parts, 1, &[top]).remove(0);
    let mut dealt = vec![0; params.n()];
    dealt[0] = 1;
    let readings = asking.answer(&head);
    assert_eq!(readings, dealt, "what it dealt");
    let readings: Vec<_> = readings.iter().zip(&dealt).map(|(r, d)| r - d).collect();
    assert_eq!(read(&truth, &readings), 0);
    println!("{found} of {all} coefficients with a part of its own making, 0 with a dealt one, at 2^{PLACE}");
}

/// Parts of several ciphertexts at levels of their own add up to the sum of what was dealt.
#[test]
fn parts_at_several_levels_add_up() {
    let (params, mut rng) = (toy(), testkit::rng(92));
    let s = study(&params, 3, 2, &mut rng);
    let (holding, levels) = (Holding::of_roster(5, 3).unwrap(), [Level(2), Level(2), Level(1)]);
    let value = |site: i64, piece: i64| (site * 3 + piece + 1) << 30;
    let encoder = Encoder::new(&params);
    let mut part = |site: i64| {
        let seeds: Vec<Dealt> = (0..holding.shares()).map(|_| Dealt::generate(&mut rng)).collect();
        let piece = |(piece, level): (i64, &Level)| {
            let mut values = vec![0; params.n()];
            values[5] = value(site, piece);
            encoder.encode_integers(&values, *level).unwrap()
        };
        let message: Vec<Plaintext> = (0..).zip(&levels).map(piece).collect();
        let remainder = Remainder::at(&params, &levels, &message, &seeds).unwrap();
        let bytes = remainder.to_bytes(&params);
        assert_eq!(bytes.len(), Remainder::byte_len_at(&params, &levels));
        assert_eq!(Remainder::from_bytes_at(&params, &levels, &bytes).unwrap(), remainder);
        assert!(Remainder::from_bytes_at(&params, &levels[..2], &bytes).is_err());
        Part { seeds, remainder }
    };
    let parts: Vec<Part> = (0..4).map(&mut part).collect();
    let secret = s.collective_key();
    let decryptor = Decryptor::new(&secret);
    for (piece, c) in (0..).zip(&head(&s.key, parts, 1, &levels)) {
        let found = encoder.decode_integers(&decryptor.decrypt(c).unwrap()).unwrap();
        let expected: i64 = (0..4).map(|site| value(site, piece)).sum();
        let rounded = (found[5] + (1 << 29)) >> 30;
        assert_eq!((c.level(), rounded), (levels[piece as usize], i128::from(expected >> 30)));
    }
}

/// The same seeds in the same order give the same bytes; another set, order, round or share other randomness throughout.
#[test]
fn holders_derive_the_same_encryption_of_the_same_parts_alone() {
    let (params, mut rng) = (toy(), testkit::rng(93));
    let s = study(&params, 3, 2, &mut rng);
    let seeds: Vec<Dealt> = (0..3).map(|_| Dealt::generate(&mut rng)).collect();
    let of = |which: &[usize], round: u8, share| {
        let dealt: Vec<Dealt> = which.iter().map(|&k| Dealt::from_bytes(&seeds[k].to_bytes())).collect();
        Dealt::encrypt_sum(&dealt, &s.key, &Digest([round; 32]), share, &[params.top_level(); 2])
    };
    let first = of(&[0, 1, 2], 1, 0).unwrap();
    assert_eq!(first, of(&[0, 1, 2], 1, 0).unwrap());
    for other in [of(&[0, 1], 1, 0), of(&[1, 0, 2], 1, 0), of(&[0, 1, 2], 2, 0), of(&[0, 1, 2], 1, 1)] {
        assert_ne!(first[0].components()[1], other.unwrap()[0].components()[1]);
    }
    // One dealer's shares are no question's: their randomness is another.
    let question = seeds[0].encrypt(&s.key, &Digest([1; 32]), 0, 2).unwrap();
    assert_ne!(of(&[0], 1, 0).unwrap(), question);
    assert!(matches!(of(&[], 1, 0), Err(Error::Shape { .. })), "the randomness would be everybody's");
    // A commitment is to seeds and share.
    assert_eq!(seeds[0].commitment(1), Dealt::from_bytes(&seeds[0].to_bytes()).commitment(1));
    for other in [seeds[0].commitment(0), seeds[1].commitment(1)] {
        assert_ne!(seeds[0].commitment(1), other);
    }
}

#[test]
fn remainders_of_other_shapes_are_refused() {
    let (params, mut rng) = (toy(), testkit::rng(94));
    let seeds: Vec<Dealt> = (0..3).map(|_| Dealt::generate(&mut rng)).collect();
    let at = |levels: &[Level]| {
        let message: Vec<Plaintext> = levels.iter().map(|level| zero(&params, *level)).collect();
        Remainder::at(&params, levels, &message, &seeds).unwrap()
    };
    let refused = |r: Result<Remainder, Error>| assert!(matches!(r, Err(Error::Shape { .. })));
    refused(Remainder::at(&params, &[Level(1)], &[zero(&params, Level(2))], &seeds));
    refused(Remainder::at(&params, &[Level(1); 2], &[zero(&params, Level(1))], &seeds));
    let mut sum = at(&[Level(2), Level(1)]);
    for other in [at(&[Level(2)]), at(&[Level(1), Level(1)])] {
        assert!(matches!(sum.add_assign(&params, &other), Err(Error::Shape { .. })));
    }
    sum.add_assign(&params, &at(&[Level(2), Level(1)])).unwrap();
}
