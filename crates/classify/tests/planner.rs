//! The planner: the precision that is asked for is promised and kept, at the smallest question, within the security row.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use blindscope_ckks::{ModulusLiteral, Parameters, ParametersLiteral, Security};
use blindscope_classify::{
    Error, Head, HeadLiteral, KeyOwner, Map, Packing, Plan, PlanLiteral, Policy, Rescale,
};
use blindscope_testkit::rng;
use common::{agrees, case, linear, polynomial, quadratic, tokens};

const SQUARE: [f64; 3] = [0.1, 0.5, 0.2];

fn row(plan: &Plan) -> u32 {
    let security = if plan.literal().quantum { Security::Quantum128 } else { Security::Classical128 };
    security.max_log_qp(plan.params().log_n()).unwrap()
}

/// What is promised for each of these bits, and what is measured.
fn climbs(name: &str, head: &Head, policy: Policy, bits: &[u32], r: &mut chacha20::ChaCha20Rng) {
    let mut last = 0;
    for &b in bits {
        let plan = Plan::new(head, policy.precise(b)).unwrap();
        let (l, report) = (plan.literal(), plan.report());
        assert!(l.error_bound <= (-f64::from(b)).exp2(), "{name}, {b} bits: {:e}", l.error_bound);
        assert!(plan.params().qp().log2_product(plan.params().qp().len()) <= f64::from(row(&plan)));
        assert!(l.chain.moduli.iter().chain([&l.chain.special]).all(|w| *w <= 46), "{:?}", l.chain);
        assert!(report.upload_bytes >= last, "{name}, {b} bits: more bits for fewer bytes");
        last = report.upload_bytes;
        assert_eq!(Plan::new(head, policy.precise(b)).unwrap().literal(), l, "plans are deterministic");
        agrees(&format!("{name}, {b} bits"), head, policy.precise(b), policy.batch.min(40), r);
    }
}

#[test]
fn precision_is_promised_and_kept() {
    let mut r = rng(41);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    climbs("768-32-3", &head, Policy::new(1), &[0, 4, 8, 12], &mut r);
    climbs("768-32-3 of 8", &head, Policy::new(8), &[2, 9], &mut r);
    let classical = Policy { security: Security::Classical128, ..Policy::new(1) };
    climbs("768-32-3, classical", &head, classical, &[1, 10], &mut r);
    let feature = |batch| Policy { packing: Some(Packing::Feature), ..Policy::new(batch) };
    let head = polynomial(&mut r, [32, 8, 3], &SQUARE);
    climbs("feature-major", &head, feature(40), &[4, 9], &mut r);
}

#[test]
fn precision_of_other_heads() {
    let mut r = rng(42);
    let head = linear(&mut r, 192, 3);
    climbs("linear", &head, Policy::new(1), &[4, 12], &mut r);
    let head = quadratic(&mut r, 96, 6, 3);
    climbs("quadratic of 40", &head, Policy::new(40), &[6], &mut r);
    let head = polynomial(&mut r, [96, 8, 3], &[0.1, 0.5, 0.2, 0.02, 0.01]);
    climbs("degree 4", &head, Policy::new(1), &[3, 6], &mut r);
}

/// The figures that are aimed at, in the plans that reach them: bytes, row and what is still promised.
#[test]
fn small_questions() {
    let mut r = rng(43);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    for (batch, bits, each) in [(1, 8, 8_700), (1, 12, 10_300), (1, 14, 11_200), (8, 8, 9_300)] {
        let plan = Plan::new(&head, Policy::new(batch).precise(bits)).unwrap();
        let report = plan.report();
        assert!(report.upload_bytes <= batch * each && report.security == "quantum-128", "{report:?}");
        assert_eq!(report.rescale, Rescale::Late);
        println!(
            "{bits} bits of {batch}: {} bytes a token, {:?}",
            report.upload_bytes / batch,
            plan.literal().chain
        );
        // 768 features of each token, and nothing else.
        let coefficients = plan.token_layout().unwrap().question_coefficients();
        assert_eq!(coefficients, 768 * batch);
        let bits = plan.params().log_q(plan.params().top_level()).ceil() as usize;
        assert!(report.upload_bytes <= coefficients * bits / 8 + 128, "{report:?}");
    }
}

/// A head without a stated range: what the ball gives back, and tokens far outside it, all along the worst unit or drawn, are
/// answered as the clear head answers them, with the fourteen bits that heads which learned from tiles are asked for.
#[test]
fn a_range_that_no_token_breaks() {
    let mut r = rng(47);
    let stated = polynomial(&mut r, [192, 32, 3], &SQUARE);
    let boxed = Head::new(HeadLiteral { range: None, ..stated.literal().clone() }).unwrap();
    let inside = tokens(&mut r, 200, 192);
    let head = boxed.within(&inside, 1.1).unwrap();
    for packing in [Packing::Token, Packing::Feature] {
        let policy = Policy { packing: Some(packing), ..Policy::new(64) }.precise(14);
        let bytes = |h: &Head| Plan::new(h, policy).unwrap().upload_len(64);
        let (corner, ball) = (bytes(&boxed), bytes(&head));
        println!("{packing:?}: {corner} bytes for the box, {ball} for the ball");
        assert!(ball < corner, "{packing:?}: {corner} to {ball} bytes");
        let c = case(&head, policy, &mut r);
        // In the direction of each unit's weights and against it, then outliers.
        let first = &head.circuit().first().weights;
        let along = |s: f64| first.iter().map(move |w| w.iter().map(|w| s * w).collect::<Vec<f64>>());
        let mut asked: Vec<Vec<f64>> = along(1e3).take(20).chain(along(-1e3).take(20)).collect();
        asked.extend(tokens(&mut r, 24, 192).iter().map(|t| t.iter().map(|x| 5.0 * x).collect()));
        assert!(head.literal().normalisation.clipped(&asked).unwrap().tokens > 60);
        let question = c.asker.encrypt(&asked, &c.secret, &mut r).unwrap();
        let answer = c.server.answer_bytes(&c.keys, &question, &mut r).unwrap();
        let got = c.asker.open(asked.len(), &answer, &c.secret).unwrap();
        let want = head.logits(&asked).unwrap();
        for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
            assert!((got - want).abs() <= c.plan.literal().error_bound, "{got} for {want}");
        }
    }
}

/// Heads that learned from turned tiles have logits up to thousands somewhere in their ball. Both packings promise them twelve bits, thousands of
/// tokens at a time: what a zero key leaves out must not weigh in the ring of the questions.
#[test]
fn large_logits_are_exact_in_both_packings() {
    let mut r = rng(50);
    let mut literal = polynomial(&mut r, [192, 32, 3], &SQUARE).literal().clone();
    literal.range = None;
    literal.normalisation.radius = Some(45.0);
    let Map::Polynomial { outer, .. } = &mut literal.map else { unreachable!() };
    outer.weights.iter_mut().flatten().for_each(|w| *w *= 8.0);
    let head = Head::new(literal).unwrap();
    for packing in [Packing::Token, Packing::Feature] {
        let policy = Policy { packing: Some(packing), ..Policy::new(4096) };
        let c = case(&head, policy.precise(12), &mut r);
        let asked = tokens(&mut r, 40, 192);
        let question = c.asker.encrypt(&asked, &c.secret, &mut r).unwrap();
        let answer = c.server.answer_bytes(&c.keys, &question, &mut r).unwrap();
        let got = c.asker.open(asked.len(), &answer, &c.secret).unwrap();
        let want = head.logits(&asked).unwrap();
        let errors = got.iter().flatten().zip(want.iter().flatten()).map(|(g, w)| (g - w).abs());
        let worst = errors.fold(0.0, f64::max);
        println!("{packing}: worst 2^{:.1}, promised 2^-12", worst.log2());
        assert!(worst <= 1.0 / 4096.0, "{packing}: {worst}");
    }
}

/// Where the stricter row costs nothing, plans that ask for the other meet it all the same.
#[test]
fn the_quantum_row_is_met_where_it_is_free() {
    let mut r = rng(44);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    let classical = |policy: Policy| Policy { security: Security::Classical128, ..policy };
    let plan = Plan::new(&head, classical(Policy::new(1)).precise(8)).unwrap();
    assert!(plan.literal().quantum);
    assert_eq!(plan.literal().chain, Plan::new(&head, Policy::new(1).precise(8)).unwrap().literal().chain);
    assert!(!Plan::new(&head, classical(Policy::new(1)).precise(1)).unwrap().literal().quantum);
}

#[test]
fn what_does_not_fit_is_refused_with_numbers() {
    let mut r = rng(45);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    let Err(Error::TooCoarse { found, most, .. }) = Plan::new(&head, Policy::new(1).precise(30)) else {
        unreachable!("no chain of three primes of 46 bits promises thirty bits");
    };
    assert!(most <= found && found < 1.0, "{found:e} for {most:e}");
    assert!(Plan::new(&head, Policy { max_error: Some(found * 1.05), ..Policy::new(1) }).is_ok());
    let wide = polynomial(&mut r, [16, 600, 2], &SQUARE);
    let feature = Policy { packing: Some(Packing::Feature), ..Policy::new(1) };
    assert!(matches!(Plan::new(&wide, feature), Err(Error::NoPlan { .. })));
    let wide = polynomial(&mut r, [16, 200, 2], &SQUARE);
    assert!(Plan::new(&wide, feature).is_ok());
    let collective = Policy { key: KeyOwner::Collective, ..Policy::new(1) };
    assert!(Plan::new(&wide, collective.precise(50)).is_err());
}

/// A published plan of the version before, which did not name its moduli.
#[test]
fn plans_of_another_version_are_refused_by_their_version() {
    let mut r = rng(46);
    let head = linear(&mut r, 8, 2);
    let plan = Plan::new(&head, Policy::new(1)).unwrap();
    let mut old: serde_json::Value = serde_json::from_slice(&plan.to_bytes().unwrap()).unwrap();
    let fields = old.as_object_mut().unwrap();
    fields.remove("chain");
    fields.insert("version".into(), 1.into());
    fields.insert("fresh_log2".into(), 30.into());
    fields.insert("answer_log2".into(), 36.into());
    let refused = PlanLiteral::from_bytes(&serde_json::to_vec(&old).unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "plan.version is 1 long or large, expected 6; plan again");
}

/// Copies that are no power of two leave the ring in which what did not travel can be told apart.
#[test]
fn plans_with_odd_copies_are_refused() {
    let mut r = rng(49);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    let plan = Plan::new(&head, Policy::new(1).precise(8)).unwrap();
    let mut odd: serde_json::Value = serde_json::from_slice(&plan.to_bytes().unwrap()).unwrap();
    assert!(odd["chain"]["replicas"].is_u64(), "{odd}");
    odd["chain"]["replicas"] = 3.into();
    let refused = Plan::from_bytes(&serde_json::to_vec(&odd).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("plan.chain.replicas is 3"), "{refused}");
}

/// The narrowest primes that a search may name exist in every ring, as many as a plan takes.
#[test]
fn narrow_primes_exist() {
    for log_n in 12..=15 {
        let width = log_n + 7;
        let literal = ParametersLiteral {
            log_n,
            ciphertext: ModulusLiteral::bits(&[width; 4]),
            special: ModulusLiteral::bits(&[width + 1]),
            log2_scale: 16,
            security: Security::Classical128,
        };
        let made = Parameters::insecure_for_tests(literal);
        assert!(made.is_ok(), "{width} bits in a ring of 2^{log_n}: {made:?}");
    }
}

/// Of many questions: a term that is forgotten, or counted twice, is seen.
#[test]
fn errors_are_as_large_as_estimated() {
    let mut r = rng(48);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    for (batch, bits, questions) in [(1, 8, 100), (1, 13, 100), (8, 8, 12)] {
        let c = case(&head, Policy::new(batch).precise(bits), &mut r);
        let mut errors = Vec::new();
        for _ in 0..questions {
            let asked = tokens(&mut r, batch, 768);
            let question = c.asker.encrypt(&asked, &c.secret, &mut r).unwrap();
            let answer = c.server.answer_bytes(&c.keys, &question, &mut r).unwrap();
            let got = c.asker.open(batch, &answer, &c.secret).unwrap();
            let want = head.logits(&asked).unwrap();
            errors.extend(got.iter().flatten().zip(want.iter().flatten()).map(|(g, w)| (g - w) * (g - w)));
        }
        let rms = (errors.iter().sum::<f64>() / errors.len() as f64).sqrt();
        let over = rms / c.plan.literal().error_std;
        println!("{bits} bits of {batch}: {over:.2} times the estimate");
        assert!((0.7..1.3).contains(&over), "{bits} bits of {batch}: {over} times the estimate");
    }
}
