//! Encrypted logits against the clear twin, within the plan's bound on the worst logit.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use blindscope_ckks::{KeyGenerator, SecretKey, Security};
use blindscope_classify::{
    Affine, Answer, ClassifyError, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Plan, Policy,
    TokenAsker, TokenServer,
};
use blindscope_testkit::{real_values, rng};
use chacha20::ChaCha20Rng;

fn affine(rng: &mut ChaCha20Rng, rows: usize, width: usize) -> Affine {
    let bound = (3.0 / width as f64).sqrt();
    Affine {
        weights: (0..rows).map(|_| real_values(rng, width, bound)).collect(),
        bias: real_values(rng, rows, 0.3),
    }
}

fn head(map: Map, width: usize) -> Head {
    Head::new(HeadLiteral { normalisation: Normalisation::identity(width, 2.0), map }).unwrap()
}

fn linear(rng: &mut ChaCha20Rng, width: usize, classes: usize) -> Head {
    head(Map::Linear { layer: affine(rng, classes, width) }, width)
}

fn polynomial(rng: &mut ChaCha20Rng, width: usize, hidden: usize, classes: usize, p: &[f64]) -> Head {
    let (inner, outer) = (affine(rng, hidden, width), affine(rng, classes, hidden));
    head(Map::Polynomial { inner, polynomial: p.to_vec(), outer }, width)
}

struct Case {
    plan: Plan,
    secret: SecretKey,
    keys: EvaluationKeys,
    rng: ChaCha20Rng,
}

fn case(head: &Head, batch: usize, mut rng: ChaCha20Rng) -> Case {
    let plan = Plan::new(head, Policy { batch, security: Security::Classical128 }).unwrap();
    let secret = KeyGenerator::new(&plan.params).secret_key(&mut rng);
    let keys = EvaluationKeys::generate(&plan, &secret, &mut rng).unwrap();
    assert_eq!(keys.seeded_bytes(), plan.report().key_bytes, "the plan states the keys' bytes");
    Case { plan, secret, keys, rng }
}

fn agrees(name: &str, head: &Head, batch: usize, rng: ChaCha20Rng) {
    let mut c = case(head, batch, rng);
    let tokens: Vec<_> = (0..batch).map(|_| real_values(&mut c.rng, head.width(), 1.7)).collect();
    let asker = TokenAsker::new(head, &c.plan);
    let server = TokenServer::new(head, &c.plan).unwrap();
    let mut got = Vec::new();
    for up in asker.encrypt(&tokens, &c.secret, &mut c.rng).unwrap() {
        let bytes = server.answer(&up.into_ciphertext(), &c.keys).unwrap().to_bytes();
        assert_eq!(bytes.len(), c.plan.report().answer_bytes);
        got.extend(asker.open(&Answer::from_bytes(&c.plan, &bytes).unwrap(), &c.secret).unwrap());
    }
    check(name, head, &c.plan, &tokens, &got);
}

fn check(name: &str, head: &Head, plan: &Plan, tokens: &[Vec<f64>], got: &[Vec<f64>]) {
    let want = head.logits(tokens).unwrap();
    let pairs = want.iter().flatten().zip(got.iter().take(tokens.len()).flatten());
    let worst = pairs.map(|(w, g)| (w - g).abs()).fold(0.0, f64::max);
    println!(
        "{name}: worst 2^{:.1}, bound 2^{:.1}, {:?}",
        worst.log2(),
        plan.error_bound.log2(),
        plan.report()
    );
    assert!(worst <= plan.error_bound, "{name}: {worst:e} above the bound {:e}", plan.error_bound);
    assert!(plan.error_bound < 0.1, "{name}: a bound of {} promises nothing", plan.error_bound);
}

#[test]
fn degree_two_of_one_token() {
    let mut r = rng(1);
    let head = polynomial(&mut r, 768, 32, 3, &[0.1, 0.5, 0.2]);
    agrees("768-32-3", &head, 1, r);
}

#[test]
fn degree_two_of_batches() {
    let mut r = rng(2);
    let head = polynomial(&mut r, 768, 32, 3, &[0.1, 0.5, 0.2]);
    agrees("batch of 8", &head, 8, rng(70));
    agrees("batch of 11", &head, 11, r);
}

#[test]
fn degree_four() {
    let mut r = rng(3);
    let head = polynomial(&mut r, 384, 16, 5, &[0.1, 0.5, 0.2, 0.02, 0.01]);
    agrees("384-16-5, degree 4", &head, 2, r);
}

#[test]
fn linear_heads() {
    let mut r = rng(4);
    for (width, classes, batch) in [(192, 2, 1), (384, 100, 1), (768, 3, 5), (1024, 10, 1), (1536, 7, 1)] {
        let head = linear(&mut r, width, classes);
        agrees(&format!("{width}-{classes}"), &head, batch, rng(70));
    }
}

#[test]
fn quadratic_head() {
    let mut r = rng(5);
    let (forms, linear) = (affine(&mut r, 12, 192), affine(&mut r, 4, 192));
    let squares = (0..4).map(|_| real_values(&mut r, 12, 0.2)).collect();
    agrees("quadratic", &head(Map::Quadratic { forms, squares, linear }, 192), 3, r);
}

#[test]
fn collective_key_and_encrypted_head() {
    let mut r = rng(6);
    let head = polynomial(&mut r, 192, 8, 3, &[0.0, 0.5, 0.25]);
    let mut c = case(&head, 1, r);
    let token = vec![real_values(&mut c.rng, 192, 1.0)];
    let public = KeyGenerator::new(&c.plan.params).public_key(&c.secret, &mut c.rng);
    let asker = TokenAsker::new(&head, &c.plan);
    let up = &asker.encrypt_public(&token, &public, &mut c.rng).unwrap()[0];
    let clear = TokenServer::new(&head, &c.plan).unwrap().answer(up, &c.keys).unwrap();
    check("collective key", &head, &c.plan, &token, &asker.open(&clear, &c.secret).unwrap());
    let keys = EvaluationKeys::generate_for_encrypted_head(&c.plan, &c.secret, &mut c.rng).unwrap();
    let server = TokenServer::encrypted(&head, &c.plan, &c.secret, &mut c.rng).unwrap();
    let answer = server.answer(up, &keys).unwrap();
    check("encrypted head", &head, &c.plan, &token, &asker.open(&answer, &c.secret).unwrap());
}

#[test]
fn refusals() {
    let mut r = rng(7);
    let head = polynomial(&mut r, 192, 8, 3, &[0.0, 0.5, 0.25]);
    let other = linear(&mut r, 192, 3);
    let (mut a, mut b) = (case(&head, 1, rng(70)), case(&other, 1, r));
    let asker = TokenAsker::new(&head, &a.plan);
    let server = TokenServer::new(&head, &a.plan).unwrap();
    let stranger =
        TokenAsker::new(&other, &b.plan).encrypt(&[vec![0.0; 192]], &b.secret, &mut b.rng).unwrap();
    let refused = server.answer(&stranger[0].expand(), &a.keys).unwrap_err();
    assert!(matches!(refused, ClassifyError::OtherPlan { .. }), "{refused}");
    let up = asker.encrypt(&[vec![0.5; 192]], &a.secret, &mut a.rng).unwrap()[0].expand();
    let none = EvaluationKeys { galois: blindscope_ckks::GaloisKeys::default(), relin: a.keys.relin.clone() };
    let refused = server.answer(&up, &none).unwrap_err();
    assert!(
        matches!(refused, ClassifyError::Ckks(blindscope_ckks::CkksError::MissingGaloisKey { .. })),
        "{refused}"
    );
    let unsquared = EvaluationKeys { relin: None, ..a.keys.clone() };
    assert!(matches!(server.answer(&up, &unsquared), Err(ClassifyError::MissingRelinKey { .. })));
    let low = blindscope_ckks::Level(0);
    let cut = EvaluationKeys { galois: a.keys.galois.at_level(low), relin: a.keys.relin.clone() };
    let refused = server.answer(&up, &cut).unwrap_err();
    assert!(matches!(refused, ClassifyError::Ckks(blindscope_ckks::CkksError::KeyLevel { .. })), "{refused}");
    assert!(Answer::from_bytes(&a.plan, &[0; 17]).is_err());
    assert!(matches!(
        asker.encrypt(&[vec![0.0; 7]], &a.secret, &mut a.rng),
        Err(ClassifyError::Width { .. })
    ));
    assert!(matches!(
        asker.encrypt(&[vec![f64::NAN; 192]], &a.secret, &mut a.rng),
        Err(ClassifyError::NotFinite { .. })
    ));
}

#[test]
fn degree_two_of_other_shapes() {
    let mut r = rng(8);
    for (width, hidden, classes, batch) in [(192, 16, 100, 1), (1024, 32, 10, 2), (1536, 64, 2, 1)] {
        let head = polynomial(&mut r, width, hidden, classes, &[0.1, 0.5, 0.2]);
        agrees(&format!("{width}-{hidden}-{classes}"), &head, batch, rng(80));
    }
}
