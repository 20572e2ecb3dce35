//! Wire forms: round trips, stated lengths, and hostile bytes, which are refused without a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]
#![allow(
    clippy::needless_range_loop,
    clippy::items_after_statements,
    reason = "formulas read better with their indices"
)]

mod common;

use proptest::prelude::*;

use blindscope_ckks::{Error, KeyGenerator, Level, Parameters, UniformHalf, codec};
use blindscope_testkit::complex_slots;
use common::{Site, literals};

/// Each object's name, its bytes, and its decoder followed by its encoder.
type Object = (&'static str, Vec<u8>, fn(&Parameters, &[u8]) -> Result<Vec<u8>, Error>);

/// Every fourth coefficient, from the second one, without its three lowest bits.
fn sparse(p: &Parameters) -> codec::Sparse {
    codec::Sparse::new(p, (1..p.n()).step_by(4).collect(), 3).unwrap()
}

fn objects(site: &mut Site) -> Vec<Object> {
    let z = complex_slots(&mut site.rng, site.params.slots(), 1.0);
    let m = site.encoder.encode_slots(&z, site.params.top_level(), site.params.default_scale()).unwrap();
    let seeded = blindscope_ckks::Encryptor::new(&site.secret).encrypt(&m, &mut site.rng).unwrap();
    let c = seeded.expand();
    let three = site.evaluator.square(&c).unwrap();
    let last = site.evaluator.drop_to_level(&c, Level(0)).unwrap();
    let public = KeyGenerator::new(&site.params).public_key(&site.secret, &mut site.rng);
    let explicit = blindscope_ckks::RelinKey(
        blindscope_ckks::SwitchingKey::from_pairs(
            &site.params,
            site.relin.0.b().to_vec(),
            site.relin.0.a().to_vec(),
        )
        .unwrap(),
    );
    let drop = codec::DropBits { c0: 9, c1: 3 };
    vec![
        ("seeded", codec::encode_seeded(&seeded), |p, b| {
            codec::decode_seeded(p, b).map(|o| codec::encode_seeded(&o))
        }),
        ("sparse", codec::encode_sparse(&seeded, &sparse(&site.params)), |p, b| {
            codec::decode_sparse(p, &sparse(p), b).map(|o| codec::encode_sparse(&o, &sparse(p)))
        }),
        ("ciphertext", codec::encode_ciphertext(&c), |p, b| {
            codec::decode_ciphertext(p, b).map(|o| codec::encode_ciphertext(&o))
        }),
        ("three", codec::encode_ciphertext(&three), |p, b| {
            codec::decode_ciphertext(p, b).map(|o| codec::encode_ciphertext(&o))
        }),
        ("final", codec::encode_final(&last, drop).unwrap(), |p, b| {
            codec::decode_final(p, b).and_then(|o| codec::encode_final(&o, codec::DropBits { c0: 9, c1: 3 }))
        }),
        ("public key", codec::encode_public_key(&public), |p, b| {
            codec::decode_public_key(p, b).map(|o| codec::encode_public_key(&o))
        }),
        ("relin key", codec::encode_relin_key(&site.relin), |p, b| {
            codec::decode_relin_key(p, b).map(|o| codec::encode_relin_key(&o))
        }),
        ("relin key, explicit", codec::encode_relin_key(&explicit), |p, b| {
            codec::decode_relin_key(p, b).map(|o| codec::encode_relin_key(&o))
        }),
        ("relin key, cut", codec::encode_relin_key(&site.relin.at_level(Level(0))), |p, b| {
            codec::decode_relin_key(p, b).map(|o| codec::encode_relin_key(&o))
        }),
        ("Galois key", codec::encode_galois_key(site.galois.iter().next().unwrap()), |p, b| {
            codec::decode_galois_key(p, b).map(|o| codec::encode_galois_key(&o))
        }),
    ]
}

#[test]
fn round_trips_and_stated_lengths() {
    for (name, literal) in literals() {
        let mut site = Site::toy_or_real(name, literal, 71);
        for (object, bytes, again) in objects(&mut site) {
            assert!(again(&site.params, &bytes).unwrap() == bytes, "{object} at {name}");
        }
        let p = &site.params;
        let seeded = codec::seeded_len(p, p.top_level());
        let bound = p.n() as f64 * p.log_q(p.top_level()) / 8.0;
        println!("seeded ciphertext: {seeded} bytes, N·log2 Q/8 = {bound:.0}");
        assert!(seeded as f64 <= (bound + 128.0).ceil() + 1.0);
        assert_eq!(
            codec::encode_relin_key(&site.relin).len(),
            codec::relin_key_len(p, p.top_level(), UniformHalf::Explicit) - {
                let half: usize =
                    p.qp().primes().iter().map(|q| p.n() * q.modulus().bits() as usize / 8).sum();
                p.digits() * half - 32
            }
        );
    }
}

/// What travels is off by no more than what is left out of it; in the other coefficients a ciphertext says nothing.
#[test]
fn sparse_ciphertexts_keep_the_coefficients_that_travel() {
    for (name, literal) in literals() {
        let mut site = Site::toy_or_real(name, literal, 77);
        let n = site.params.n();
        let m = site.encoder.encode_integers(&vec![1 << 20; n], site.params.top_level()).unwrap();
        let sent = blindscope_ckks::Encryptor::new(&site.secret).encrypt(&m, &mut site.rng).unwrap();
        let bytes = codec::encode_sparse(&sent, &sparse(&site.params));
        let (p, level) = (&site.params, sent.level());
        assert_eq!(bytes.len(), codec::sparse_len(p, level, n / 4, 3));
        let got = codec::decode_sparse(p, &sparse(p), &bytes).unwrap().into_ciphertext();
        let open = |c| {
            let m = blindscope_ckks::Decryptor::new(&site.secret).decrypt(c).unwrap();
            site.encoder.decode_integers(&m).unwrap()
        };
        let (whole, got) = (open(&sent.expand()), open(&got));
        let off = |i: usize| (got[i] - whole[i]).unsigned_abs();
        assert!((1..n).step_by(4).all(|i| off(i) <= 4), "{name}");
        let large = (0..n).filter(|i| i % 4 != 1 && off(*i) > 1 << 30).count();
        assert!(large > n / 2, "{name}: {large} of {n} coefficients are noise");
        let refused = codec::Sparse::new(p, vec![0, n], 3).unwrap_err();
        assert!(matches!(refused, Error::NoSuchCoefficient { found, .. } if found == n), "{refused}");
        assert!(matches!(codec::Sparse::new(p, vec![0], 46), Err(Error::DropBits { .. })));
    }
}

#[test]
fn decoded_keys_and_ciphertexts_work() {
    let mut site = Site::toy_or_real("small", literals().remove(1).1, 72);
    let z = complex_slots(&mut site.rng, 8, 1.0);
    let c = site.encrypt(&z);
    let relin = codec::decode_relin_key(&site.params, &codec::encode_relin_key(&site.relin)).unwrap();
    let c = codec::decode_ciphertext(&site.params, &codec::encode_ciphertext(&c)).unwrap();
    assert_eq!(
        site.evaluator.mul_relin(&c, &c, &relin).unwrap(),
        site.evaluator.mul_relin(&c, &c, &site.relin).unwrap()
    );
}

#[test]
fn a_key_cut_to_a_lower_level_travels_smaller_and_switches_the_same() {
    let mut site = Site::toy_or_real("small", literals().remove(1).1, 76);
    let z = complex_slots(&mut site.rng, 8, 1.0);
    let c = site.encrypt(&z);
    let low = site.evaluator.drop_to_level(&c, Level(1)).unwrap();
    let whole = site.galois.rotation(&site.params, "test", 2).unwrap();
    let bytes = codec::encode_galois_key(&whole.at_level(Level(1)));
    assert!(2 * bytes.len() < codec::encode_galois_key(whole).len());
    let cut = codec::decode_galois_key(&site.params, &bytes).unwrap();
    assert!(cut == whole.at_level(Level(1)));
    let keys = blindscope_ckks::GaloisKeys::new([cut]);
    let want = site.evaluator.rotate(&low, 2, &site.galois).unwrap();
    assert_eq!(site.evaluator.rotate(&low, 2, &keys).unwrap(), want);
    let refused = site.evaluator.rotate(&c, 2, &keys).unwrap_err();
    assert!(matches!(refused, Error::KeyLevel { .. }), "{refused}");
}

#[test]
fn every_truncation_extension_and_foreign_parameter_set_is_refused() {
    let mut site = Site::toy_or_real("toy", literals().remove(0).1, 73);
    let other = Parameters::insecure_for_tests(literals().remove(1).1).unwrap();
    for (object, bytes, again) in objects(&mut site) {
        for len in 0..bytes.len() {
            assert!(again(&site.params, &bytes[..len]).is_err(), "{object} cut to {len}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(again(&site.params, &longer).is_err(), "{object} with a byte more");
        let text = again(&other, &bytes).unwrap_err().to_string();
        assert!(text.contains("parameters"), "{object}: {text}");
        let mut unreduced = bytes.clone();
        let end = unreduced.len() - 5;
        unreduced[end..].fill(0xff);
        if object == "final" {
            continue; // what is left of a residue after dropping bits may be all ones
        }
        let e = again(&site.params, &unreduced).unwrap_err();
        assert!(matches!(e, Error::Residue { .. }), "{object}: {e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn flipped_bits_are_refused_or_decode_to_another_valid_object(which in 0usize..10, at: prop::sample::Index, bit in 0u8..8) {
        let mut site = Site::new(Parameters::insecure_for_tests(literals().remove(0).1).unwrap(), 74);
        let (_, mut bytes, again) = objects(&mut site).remove(which);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(back) = again(&site.params, &bytes) {
            // Only fields that are data (seeds, residues, scales, dropped bits) can change and stay valid.
            prop_assert!(back.len() == bytes.len() || which == 4);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), keep_header: bool, which in 0usize..10) {
        let mut site = Site::new(Parameters::insecure_for_tests(literals().remove(0).1).unwrap(), 75);
        let (_, good, again) = objects(&mut site).remove(which);
        let mut hostile = bytes;
        if keep_header {
            let payload = hostile.len() as u64;
            let mut head = good[..24].to_vec();
            head.extend(payload.to_le_bytes());
            head.extend(&hostile);
            hostile = head;
        }
        prop_assert!(again(&site.params, &hostile).is_err());
    }
}
