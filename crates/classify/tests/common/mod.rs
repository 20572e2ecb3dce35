//! Heads, questions and the one comparison that every test ends in.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, reason = "each test file uses its part")]

use chacha20::ChaCha20Rng;

use blindscope_classify::{
    Affine, Asker, AskerSecret, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Plan, Policy, Server,
};
use blindscope_testkit::real_values;

pub(crate) fn affine(rng: &mut ChaCha20Rng, rows: usize, width: usize) -> Affine {
    let bound = (3.0 / width as f64).sqrt();
    Affine {
        weights: (0..rows).map(|_| real_values(rng, width, bound)).collect(),
        bias: real_values(rng, rows, 0.3),
    }
}

/// A head whose units stay within what three hundred random tokens reach, and half as much again.
pub(crate) fn head(map: Map, width: usize, rng: &mut ChaCha20Rng) -> Head {
    let normalisation = Normalisation::identity(width, 2.0);
    let head = Head::new(HeadLiteral { normalisation, map, range: None }).unwrap();
    head.calibrated(&tokens(rng, 300, width), 1.5).unwrap()
}

pub(crate) fn tokens(rng: &mut ChaCha20Rng, count: usize, width: usize) -> Vec<Vec<f64>> {
    (0..count).map(|_| real_values(rng, width, 1.7)).collect()
}

pub(crate) fn linear(rng: &mut ChaCha20Rng, width: usize, classes: usize) -> Head {
    let map = Map::Linear { layer: affine(rng, classes, width) };
    head(map, width, rng)
}

pub(crate) fn polynomial(rng: &mut ChaCha20Rng, shape: [usize; 3], p: &[f64]) -> Head {
    let [width, hidden, classes] = shape;
    let (inner, outer) = (affine(rng, hidden, width), affine(rng, classes, hidden));
    head(Map::Polynomial { inner, polynomial: p.to_vec(), outer }, width, rng)
}

pub(crate) fn quadratic(rng: &mut ChaCha20Rng, width: usize, rank: usize, classes: usize) -> Head {
    let (forms, linear) = (affine(rng, rank, width), affine(rng, classes, width));
    let squares = (0..classes).map(|_| real_values(rng, rank, 0.2)).collect();
    head(Map::Quadratic { forms, squares, linear }, width, rng)
}

/// A plan with its keys, which have been over the wire, as has the plan.
pub(crate) struct Case {
    pub(crate) plan: Plan,
    pub(crate) secret: AskerSecret,
    pub(crate) keys: EvaluationKeys,
    pub(crate) server: Server,
    pub(crate) asker: Asker,
}

pub(crate) fn case(head: &Head, policy: Policy, rng: &mut ChaCha20Rng) -> Case {
    let planned = Plan::new(head, policy).unwrap();
    let plan = Plan::from_bytes(&planned.to_bytes().unwrap()).unwrap();
    assert_eq!(plan.id(), planned.id(), "a published plan is the plan");
    let secret = AskerSecret::generate(&plan, rng).unwrap();
    let keys = EvaluationKeys::generate(&plan, &secret, rng).unwrap().to_bytes(&plan).unwrap();
    assert_eq!(keys.len(), plan.keys_len(), "the plan states the keys' bytes");
    let keys = EvaluationKeys::from_bytes(&plan, &keys).unwrap();
    let (server, asker) = (Server::new(head, &planned).unwrap(), Asker::new(&plan));
    Case { plan, secret, keys, server, asker }
}

/// Asks and holds every logit against the clear twin.
pub(crate) fn agrees(name: &str, head: &Head, policy: Policy, count: usize, rng: &mut ChaCha20Rng) {
    let c = case(head, policy, rng);
    let asked = tokens(rng, count, head.width());
    let question = c.asker.encrypt(&asked, &c.secret, rng).unwrap();
    assert_eq!(question.len(), c.plan.upload_len(count), "the plan states the question's bytes");
    let answer = c.server.answer_bytes(&c.keys, &question, rng).unwrap();
    assert_eq!(answer.len(), c.plan.answer_len(count), "the plan states the answer's bytes");
    let got = c.asker.open(count, &answer, &c.secret).unwrap();
    check(name, head, &c.plan, &asked, &got);
}

/// Every logit within the bound; the error's size within three bits of the estimate.
pub(crate) fn check(name: &str, head: &Head, plan: &Plan, tokens: &[Vec<f64>], got: &[Vec<f64>]) {
    let want = head.logits(tokens).unwrap();
    assert_eq!(got.len(), want.len());
    assert!(got.iter().all(|l| l.len() == head.classes()));
    let errors: Vec<f64> =
        want.iter().flatten().zip(got.iter().flatten()).map(|(w, g)| (w - g).abs()).collect();
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let rms = (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
    let (bound, std) = (plan.literal().error_bound, plan.literal().error_std);
    let report = plan.report();
    println!(
        "{name}: worst 2^{:.1}, bound 2^{:.1}; rms 2^{:.1}, estimate 2^{:.1}; {} B up, {} B down, keys {} B",
        worst.log2(),
        bound.log2(),
        rms.log2(),
        std.log2(),
        report.upload_bytes,
        report.answer_bytes,
        report.key_bytes
    );
    assert!(worst <= bound, "{name}: {worst:e} above the bound {bound:e}");
    assert!(rms <= 8.0 * std, "{name}: error {rms:e} beyond the estimate {std:e}");
    if errors.len() >= 24 {
        assert!(rms >= std / 8.0, "{name}: error {rms:e} far below the estimate {std:e}");
    }
}
