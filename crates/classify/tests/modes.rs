//! Collective keys, encrypted heads, release policies, and everything that is refused.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use chacha20::ChaCha20Rng;

use blindscope_ckks::{
    Ciphertext, Encoder, Evaluator, GaloisKeys, KeyGenerator, Level, Plaintext, Scale, SecretKey, Security,
    codec,
};
use blindscope_classify::{
    Affine, Asker, AskerSecret, Collective, EncryptedHead, Error, EvaluationKeys, Head, HeadLiteral,
    KeyOwner, Map, Packing, Plan, PlanLiteral, Policy, Release, Server, class,
};
use blindscope_ring::{Ntt, Poly};
use blindscope_testkit::rng;
use blindscope_wire::Header;
use common::{Case, case, check, linear, polynomial, tokens};

fn collective(batch: usize) -> Policy {
    Policy { key: KeyOwner::Collective, ..Policy::new(batch) }
}

/// A committee of one: who holds this secret opens what a real committee would re-encrypt.
fn committee(plan: &Plan, rng: &mut ChaCha20Rng) -> (SecretKey, EvaluationKeys) {
    let secret = KeyGenerator::new(plan.params()).secret_key(rng);
    let keys = EvaluationKeys::for_secret(plan, &secret, rng).unwrap().to_bytes(plan).unwrap();
    assert_eq!(keys.len(), plan.keys_len());
    (secret, EvaluationKeys::from_bytes(plan, &keys).unwrap())
}

fn asks(
    name: &str,
    head: &Head,
    plan: &Plan,
    server: &Server,
    count: usize,
    rng: &mut ChaCha20Rng,
    own: (&SecretKey, &EvaluationKeys),
) {
    let public = KeyGenerator::new(plan.params()).public_key(own.0, rng);
    let (asker, asked) = (Asker::new(plan), tokens(rng, count, head.width()));
    let question = asker.encrypt_public(&asked, &public, rng).unwrap();
    assert_eq!(question.len(), plan.upload_len(count));
    let (answered, logits) = server.logits(own.1, &question[..], rng).unwrap();
    assert_eq!(answered, count);
    let got = asker.open_ciphertexts(count, &logits, own.0).unwrap();
    check(name, head, plan, &asked, &got);
}

#[test]
fn collective_keys() {
    let mut r = rng(21);
    let head = polynomial(&mut r, [192, 8, 3], &[0.0, 0.5, 0.25]);
    for (name, policy, count) in [
        ("one", collective(1), 1),
        ("thirty", collective(30), 30),
        ("feature-major", Policy { packing: Some(Packing::Feature), ..collective(40) }, 40),
    ] {
        let plan = Plan::new(&head, policy).unwrap();
        let (secret, keys) = committee(&plan, &mut r);
        let server = Server::new(&head, &plan).unwrap();
        asks(name, &head, &plan, &server, count, &mut r, (&secret, &keys));
    }
}

/// What is not a logit is masked: without the mask these coefficients hold products of weights and units.
#[test]
fn coefficients_beside_the_logits_say_nothing() {
    let mut r = rng(22);
    let head = polynomial(&mut r, [192, 8, 3], &[0.0, 0.5, 0.25]);
    let plan = Plan::new(&head, collective(1)).unwrap();
    let (secret, keys) = committee(&plan, &mut r);
    let public = KeyGenerator::new(plan.params()).public_key(&secret, &mut r);
    let question = Asker::new(&plan).encrypt_public(&tokens(&mut r, 1, 192), &public, &mut r).unwrap();
    let server = Server::new(&head, &plan).unwrap();
    let mut open = || {
        let (_, logits) = server.logits(&keys, &question[..], &mut r).unwrap();
        let m = blindscope_ckks::Decryptor::new(&secret).decrypt(&logits[0]).unwrap();
        Encoder::new(plan.params()).decode_integers(&m).unwrap()
    };
    let (first, second) = (open(), open());
    let same = first.iter().zip(&second).filter(|(a, b)| a == b).count();
    // Two coefficients a class; the rest is drawn anew each time.
    assert_eq!(same, 6);
    let half = plan.params().q().prime(0).value() as f64 / 2.0;
    let rms = (first.iter().map(|x| (*x as f64).powi(2)).sum::<f64>() / first.len() as f64).sqrt();
    assert!((rms / half - 1.0 / 3f64.sqrt()).abs() < 0.02, "{}", rms / half);
}

/// The first layers of three sites, each encrypted by its site, summed, and asked: the average head answers.
#[test]
fn encrypted_heads_of_sites_are_averaged() {
    let mut r = rng(23);
    let template = polynomial(&mut r, [192, 8, 3], &[0.0, 0.5, 0.25]);
    let Map::Polynomial { inner, polynomial, outer } = template.literal().map.clone() else { unreachable!() };
    let layers: Vec<Affine> = (0..3).map(|_| common::affine(&mut r, 8, 192)).collect();
    let with = |inner: Affine| {
        let map = Map::Polynomial { inner, polynomial: polynomial.clone(), outer: outer.clone() };
        Head::new(HeadLiteral { map, ..template.literal().clone() }).unwrap()
    };
    let mean = |f: &dyn Fn(&Affine) -> f64| layers.iter().map(f).sum::<f64>() / 3.0;
    let average = Affine {
        weights: (0..8).map(|h| (0..192).map(|j| mean(&|l| l.weights[h][j])).collect()).collect(),
        bias: (0..8).map(|h| mean(&|l| l.bias[h])).collect(),
    };
    assert_ne!(average, inner);
    let policy = Policy { encrypted_head: true, security: Security::Classical128, ..collective(1) };
    let plan = Plan::new(&template, policy).unwrap();
    let (secret, keys) = committee(&plan, &mut r);
    let public = KeyGenerator::new(plan.params()).public_key(&secret, &mut r);
    let mut sum: Option<EncryptedHead> = None;
    for layer in &layers {
        let part = EncryptedHead::encrypt(&with(layer.clone()), &plan, 1.0 / 3.0, &public, &mut r).unwrap();
        let bytes = part.to_bytes(&plan).unwrap();
        assert_eq!(bytes.len(), EncryptedHead::wire_len(&plan).unwrap());
        let part = EncryptedHead::from_bytes(&plan, &bytes).unwrap();
        match &mut sum {
            Some(sum) => sum.add_assign(&plan, &part).unwrap(),
            None => sum = Some(part),
        }
    }
    let server = Server::encrypted(&template, &plan, sum.unwrap()).unwrap();
    asks("average of three", &with(average), &plan, &server, 1, &mut r, (&secret, &keys));
}

/// A head's noise counts the encryptions that its ciphertexts are the sum of, as a question's does, and not the sites that dealt.
#[test]
fn the_noise_of_an_encrypted_head_counts_its_encryptions() {
    let head = polynomial(&mut rng(32), [192, 8, 3], &[0.0, 0.5, 0.25]);
    let bound = |encrypted_head, sites, encryptions| {
        let collective = Collective { sites, encryptions };
        let security = Security::Classical128;
        let policy =
            Policy { encrypted_head, security, collective, max_error: Some(0.5), ..self::collective(1) };
        Plan::new(&head, policy).unwrap().literal().error_bound
    };
    let grows = |encrypted_head| bound(encrypted_head, 4, 64) / bound(encrypted_head, 4, 4);
    println!("16 times the encryptions: {:.3} encrypted, {:.3} in the clear", grows(true), grows(false));
    assert!(grows(true) > grows(false));
}

/// What one site could do that handed in `(0, d)` for its part of a head, as long as parts were ciphertexts: the head's weights are `d·s`
/// more, so its answers tell the slots of the key that `d` chooses. Nothing here sees it. Sites hand in no ciphertexts any more; the attack
/// stays, as the model of what dealt parts are there for.
#[test]
fn a_part_of_a_head_that_is_no_encryption_shows_the_key() {
    let mut r = rng(31);
    let head = polynomial(&mut r, [192, 8, 3], &[0.0, 0.5, 0.25]);
    let policy = Policy { encrypted_head: true, security: Security::Classical128, ..collective(1) };
    let plan = Plan::new(&head, policy).unwrap();
    let (secret, keys) = committee(&plan, &mut r);
    let (params, encoder) = (plan.params(), Encoder::new(plan.params()));
    let public = KeyGenerator::new(params).public_key(&secret, &mut r);
    // In the first slot: half of what column 0 weighs in unit 0.
    let mut d = vec![0.0; params.slots()];
    d[0] = 1.0 / 256.0;
    let encrypted = EncryptedHead::encrypt(&head, &plan, 1.0, &public, &mut r).unwrap();
    let mut parts = ciphertexts(&plan, &encrypted);
    let scale = parts[0].scale();
    let chosen = encoder.encode_real(&d, params.top_level(), scale).unwrap();
    let chosen = Ciphertext::from_components(params, vec![params.q().zero(), chosen.poly().clone()], scale);
    Evaluator::new(params).add_assign(&mut parts[0], &chosen).unwrap();
    let first = EncryptedHead::from_ciphertexts(&plan, parts).unwrap();
    let server = Server::encrypted(&head, &plan, first).unwrap();

    let mut key: Poly<Ntt> = params.q().prefix(1).zero();
    key.limb_mut(0).copy_from_slice(secret.evaluations().limb(0));
    let key = encoder.decode_integers(&Plaintext::from_polynomial(params, key, Scale::ONE)).unwrap();
    let key: Vec<f64> = key.iter().map(|&s| s as f64).collect();
    let slot = encoder.slots_of(&key).unwrap()[0] * d[0];
    let mut literal = head.literal().clone();
    let Map::Polynomial { inner, .. } = &mut literal.map else { unreachable!() };
    inner.weights[0][0] += 2.0 * slot.re;
    inner.weights[0][96] -= 2.0 * slot.im;
    let with_the_key = Head::new(literal).unwrap();
    println!("a slot of the key times 1/256: {:.3} {:+.3}i", slot.re, slot.im);
    asks("a head with a slot of the key", &with_the_key, &plan, &server, 1, &mut r, (&secret, &keys));
}

/// The ciphertexts of an encrypted head, out of its bytes.
fn ciphertexts(plan: &Plan, head: &EncryptedHead) -> Vec<Ciphertext> {
    let (bytes, mut at) = (head.to_bytes(plan).unwrap(), Header::LEN);
    let mut next = |level: Level| {
        let len = codec::ciphertext_len(plan.params(), 2, level);
        at += len;
        codec::decode_ciphertext(plan.params(), &bytes[at - len..at]).unwrap()
    };
    EncryptedHead::levels(plan).unwrap().into_iter().map(&mut next).collect()
}

/// Three answers to numbers beyond the plan's range would give the whole phase of a linear head's ciphertexts away, whatever the masks,
/// and its phase is a linear equation for the key. In the clear, or under the asker's own key, a linear head may be what it is.
#[test]
fn encrypted_linear_heads_under_a_collective_key_are_refused() {
    let mut r = rng(24);
    let head = linear(&mut r, 192, 5);
    for batch in [1, 12] {
        for packing in [None, Some(Packing::Token)] {
            let policy = Policy { encrypted_head: true, packing, ..collective(batch) };
            let refused = Plan::new(&head, policy).unwrap_err();
            assert!(matches!(refused, Error::LinearCollective), "{refused}");
            assert!(refused.to_string().contains("Take a head with a square"), "{refused}");
        }
    }
    let plan = Plan::new(&head, collective(1)).unwrap();
    // Nor does a plan from a file make one of it.
    let written = PlanLiteral { encrypted_head: true, ..plan.literal().clone() };
    assert!(matches!(Plan::open(written).unwrap_err(), Error::LinearCollective));
}

fn small(r: &mut ChaCha20Rng) -> (Head, Case) {
    let head = polynomial(r, [192, 8, 3], &[0.0, 0.5, 0.25]);
    let c = case(&head, Policy::new(1), r);
    (head, c)
}

#[test]
fn questions_are_refused() {
    let mut r = rng(25);
    let (_, c) = small(&mut r);
    let other = case(&linear(&mut r, 192, 3), Policy::new(1), &mut r);
    let stranger = other.asker.encrypt(&[vec![0.0; 192]], &other.secret, &mut r).unwrap();
    let refused = c.server.answer_bytes(&c.keys, &stranger, &mut r).unwrap_err();
    assert!(matches!(refused, Error::OtherPlan { .. }), "{refused}");
    let good = c.asker.encrypt(&[vec![0.5; 192]], &c.secret, &mut r).unwrap();
    let refused = |bytes: &[u8]| c.server.answer_bytes(&c.keys, bytes, &mut rng(1)).unwrap_err();
    assert!(matches!(refused(&good[..good.len() - 1]), Error::Stream { .. }));
    assert!(matches!(refused(&[]), Error::Stream { .. }));
    let longer = [&good[..], &[0]].concat();
    assert!(matches!(refused(&longer), Error::Wire { .. }));
    let altered = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        refused(&bytes)
    };
    assert!(matches!(altered(0, 0), Error::Wire { .. }), "magic");
    assert!(matches!(altered(6, 9), Error::Wire { .. }), "kind");
    assert!(matches!(altered(24, 1), Error::Wire { .. }), "length");
    assert!(matches!(altered(32, 0), Error::Count { .. }), "no token");
    assert!(matches!(altered(34, 1), Error::Count { .. }), "65,537 tokens");
    // The ciphertext's header, primes and scale follow.
    assert!(matches!(altered(36, 0), Error::Ckks(_)), "inner magic");
    assert!(matches!(altered(36 + 32, 2), Error::Ckks(_)), "another level's length");
    let other_scale = altered(36 + 33, 21);
    assert!(matches!(other_scale, Error::Form { .. }), "another scale");
    let text = other_scale.to_string();
    let scales: Vec<&str> = text.split("scale ").skip(1).filter_map(|rest| rest.split(',').next()).collect();
    assert!(scales.len() == 2 && scales[0] != scales[1], "both scales are said: {text}");
    let wide = |x: Vec<f64>, r: &mut ChaCha20Rng| c.asker.encrypt(&[x], &c.secret, r).unwrap_err();
    assert!(matches!(wide(vec![0.0; 7], &mut r), Error::Width { .. }));
    assert!(matches!(wide(vec![f64::NAN; 192], &mut r), Error::NotFinite { .. }));
    let many = c.asker.encrypt(&vec![vec![0.0; 192]; 2], &c.secret, &mut r).unwrap_err();
    assert!(matches!(many, Error::Count { .. }));
}

#[test]
fn keys_are_refused() {
    let mut r = rng(26);
    let (_, c) = small(&mut r);
    let question = c.asker.encrypt(&[vec![0.5; 192]], &c.secret, &mut r).unwrap();
    let refused = |keys: &EvaluationKeys| c.server.answer_bytes(keys, &question, &mut rng(1)).unwrap_err();
    let none = EvaluationKeys { galois: GaloisKeys::default(), ..c.keys.clone() };
    assert!(matches!(refused(&none), Error::Ckks(blindscope_ckks::Error::MissingGaloisKey { .. })));
    let unsquared = EvaluationKeys { relin: None, ..c.keys.clone() };
    assert!(matches!(refused(&unsquared), Error::MissingRelinKey { .. }));
    let unswitched = EvaluationKeys { ring_switch: None, ..c.keys.clone() };
    assert!(matches!(refused(&unswitched), Error::MissingRingSwitchKey { .. }));
    let bare = EvaluationKeys { zeros: None, ..c.keys.clone() };
    assert!(matches!(refused(&bare), Error::MissingZeroKey { .. }));
    let cut = EvaluationKeys { galois: c.keys.galois.at_level(Level(0)), ..c.keys.clone() };
    assert!(matches!(refused(&cut), Error::Ckks(blindscope_ckks::Error::KeyLevel { .. })));
    assert!(matches!(cut.to_bytes(&c.plan), Err(Error::Count { .. })));
    let bytes = c.keys.to_bytes(&c.plan).unwrap();
    let read = |bytes: &[u8]| EvaluationKeys::from_bytes(&c.plan, bytes);
    assert!(read(&bytes).is_ok());
    assert!(matches!(read(&bytes[..bytes.len() - 1]), Err(Error::Wire { .. })));
    let other = case(&linear(&mut r, 192, 3), Policy::new(1), &mut r);
    let strangers = other.keys.to_bytes(&other.plan).unwrap();
    assert!(matches!(read(&strangers), Err(Error::Wire { .. })));
    for (at, what) in [(32, "a Galois key's magic"), (64, "its element"), (68, "its level"), (69, "its half")]
    {
        let mut altered = bytes.clone();
        altered[at] ^= 2;
        assert!(read(&altered).is_err(), "{what}");
    }
    // Another plan's key of the same length in the right place: an element that this plan does not rotate by.
    let mut swapped = bytes.clone();
    swapped[64..66].copy_from_slice(&3u16.to_le_bytes());
    assert!(matches!(read(&swapped), Err(Error::OtherKey { .. })));
}

#[test]
fn answers_plans_and_modes_are_refused() {
    let mut r = rng(27);
    let (head, c) = small(&mut r);
    let question = c.asker.encrypt(&[vec![0.5; 192]], &c.secret, &mut r).unwrap();
    let answer = c.server.answer_bytes(&c.keys, &question, &mut r).unwrap();
    let open = |bytes: &[u8]| c.asker.open(1, bytes, &c.secret);
    assert!(open(&answer).is_ok());
    for bad in [&answer[1..], &answer[..40], &[], &[answer.as_slice(), &[0]].concat()] {
        assert!(open(bad).is_err());
    }
    assert!(matches!(c.asker.open(2, &answer, &c.secret), Err(Error::Count { .. })));
    let public = KeyGenerator::new(c.plan.params()).public_key(c.secret.key(), &mut r);
    let mode = c.asker.encrypt_public(&[vec![0.5; 192]], &public, &mut r);
    assert!(matches!(mode, Err(Error::OtherMode { .. })));
    let mode = c.server.logits(&c.keys, &question[..], &mut r);
    assert!(matches!(mode, Err(Error::OtherMode { .. })));
    let other = linear(&mut r, 192, 3);
    assert!(matches!(Server::new(&other, &c.plan), Err(Error::OtherPlan { .. })));
    let mode = EncryptedHead::encrypt(&head, &c.plan, 1.0, &public, &mut r);
    assert!(matches!(mode, Err(Error::OtherMode { .. })));
    let literal = c.plan.literal().clone();
    let refuses = |change: fn(&mut PlanLiteral)| {
        let mut altered = literal.clone();
        change(&mut altered);
        assert!(Plan::open(altered).is_err());
    };
    refuses(|p| p.version = 1);
    refuses(|p| p.units = 1 << 40);
    refuses(|p| p.classes = 0);
    refuses(|p| p.degree = 3);
    refuses(|p| p.batch = usize::MAX);
    refuses(|p| p.answer_bits = 64);
    refuses(|p| p.chain.answer_log2 = -9);
    refuses(|p| p.chain.fresh_log2 = 60);
    refuses(|p| p.chain.log_n = 11);
    refuses(|p| p.chain.special = 50);
    refuses(|p| p.chain.moduli.push(30));
    refuses(|p| p.chain.moduli[1] = 12);
    // Above the row of the security table.
    refuses(|p| p.chain.moduli = vec![46; 3]);
    refuses(|p| p.error_bound = f64::NAN);
    refuses(|p| p.normalisation.gain[0] = 0.0);
    assert!(Plan::from_bytes(b"{}").is_err());
    let mut renamed = literal.clone();
    renamed.head = "another".into();
    assert_ne!(Plan::open(renamed).unwrap().id(), c.plan.id());
}

#[test]
fn plans_that_cannot_hold_are_refused() {
    let mut r = rng(28);
    let (head, _) = small(&mut r);
    let literal = HeadLiteral { range: Some(1e7), ..head.literal().clone() };
    let mut wild = literal.clone();
    wild.normalisation.bound = 1e9;
    let refused = Plan::new(&Head::new(wild).unwrap(), Policy::new(1)).unwrap_err();
    assert!(matches!(refused, Error::Overflow { .. } | Error::TooCoarse { .. }), "{refused}");
    let bound = Plan::new(&head, Policy::new(1)).unwrap().literal().error_bound;
    let fine = Policy { max_error: Some(bound), ..Policy::new(1) };
    assert!(Plan::new(&head, fine).is_ok());
    let finest = Plan::new(&head, Policy::new(1).precise(60));
    assert!(matches!(finest, Err(Error::TooCoarse { found, .. }) if found < bound));
    let wide = linear(&mut r, 4096, 3);
    let both = Policy { packing: Some(Packing::Feature), encrypted_head: true, ..Policy::new(1) };
    assert!(matches!(Plan::new(&wide, both), Err(Error::OtherMode { .. })));
    let units = polynomial(&mut r, [16, 600, 2], &[0.0, 0.5, 0.25]);
    let policy = Policy { packing: Some(Packing::Feature), ..Policy::new(1) };
    assert!(matches!(Plan::new(&units, policy), Err(Error::NoPlan { .. })));
}

#[test]
fn release_policies() {
    let open = Release::Logits { tokens: None };
    assert_eq!(open.admit(u64::MAX - 1, 5).unwrap(), u64::MAX);
    let limited = Release::Class { tokens: 10 };
    assert_eq!(limited.admit(0, 10).unwrap(), 10);
    assert!(matches!(limited.admit(8, 3), Err(Error::QueryLimit { used: 8, asked: 3, limit: 10 })));
    assert_eq!(class(&[0.5, 2.0, -1.0, 2.0]), 1);
}

#[test]
fn secrets_are_not_shown() {
    let mut r = rng(29);
    let (_, c) = small(&mut r);
    let shown = format!("{:?}", AskerSecret::generate(&c.plan, &mut r).unwrap());
    assert_eq!(shown, "AskerSecret { secret: SecretKey(redacted), small: SmallSecret(redacted) }");
}

/// Nothing that a stranger can send stops the process or is taken for something else.
#[test]
fn altered_bytes_are_answered_with_errors_or_numbers() {
    use rand_core::Rng;
    let mut r = rng(30);
    let head = linear(&mut r, 64, 2);
    let c = case(&head, Policy { security: Security::Classical128, ..Policy::new(4) }, &mut r);
    let question = c.asker.encrypt(&vec![vec![0.5; 64]; 3], &c.secret, &mut r).unwrap();
    let answer = c.server.answer_bytes(&c.keys, &question, &mut r).unwrap();
    let (keys, plan) = (c.keys.to_bytes(&c.plan).unwrap(), c.plan.to_bytes().unwrap());
    let mut refused = 0;
    for round in 0..400 {
        let mut alter = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            // Headers and shapes stand first: half of the alterations go there.
            let reach = if round % 2 == 0 { bytes.len().min(120) } else { bytes.len() };
            let at = r.next_u64() as usize % reach;
            match r.next_u64() % 3 {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << (r.next_u64() % 8),
                _ => bytes[at] = 0xff,
            }
            bytes
        };
        let asked = c.server.answer_bytes(&c.keys, &alter(&question), &mut rng(1));
        let opened = c.asker.open(3, &alter(&answer), &c.secret);
        let planned = Plan::from_bytes(&alter(&plan));
        // A ring of ten key polynomials is slow to expand: fewer of those.
        let keyed = round % 8 != 0 || EvaluationKeys::from_bytes(&c.plan, &alter(&keys)).is_err();
        refused += usize::from(asked.is_err()) + usize::from(opened.is_err());
        refused += usize::from(planned.is_err()) + usize::from(keyed);
    }
    assert!(refused > 400, "{refused} of 1600 refused: the alterations reach nothing");
}
