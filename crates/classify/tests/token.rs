//! The token packing: encrypted logits against the clear twin, within the plan's bound on the worst logit.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use blindscope_ckks::{Arithmetic, Security};
use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Machine, Packing, Plan, Policy, Server};
use blindscope_testkit::rng;
use common::{agrees, case, linear, polynomial, quadratic, tokens};

const SQUARE: [f64; 3] = [0.1, 0.5, 0.2];

fn token(batch: usize) -> Policy {
    Policy { packing: Some(Packing::Token), ..Policy::new(batch) }
}

fn classical(batch: usize) -> Policy {
    Policy { security: Security::Classical128, ..token(batch) }
}

#[test]
fn degree_two_of_one_token() {
    let mut r = rng(1);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    agrees("768-32-3", &head, token(1), 1, &mut r);
}

#[test]
fn degree_two_of_batches() {
    let mut r = rng(2);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    for (batch, count) in [(8, 8), (8, 3), (11, 11), (64, 61)] {
        agrees(&format!("{count} of {batch}"), &head, token(batch), count, &mut r);
    }
}

/// More units than columns: a block of positions then holds them all.
#[test]
fn hidden_layers_wider_than_a_token() {
    let mut r = rng(12);
    for (shape, batch) in
        [([32, 32, 3], 8), ([64, 128, 3], 1), ([128, 128, 3], 1), ([64, 64, 3], 1), ([6, 64, 3], 5)]
    {
        let head = polynomial(&mut r, shape, &SQUARE);
        for policy in [token(batch), classical(batch), token(batch).precise(4), classical(batch).precise(4)] {
            agrees(&format!("{shape:?} of {batch}"), &head, policy, batch, &mut r);
        }
    }
}

/// However many threads share a batch: keys, question and answer are the same bytes, and the same damage is named.
#[test]
fn threads_change_no_bytes() {
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut r = rng(21);
            let head = polynomial(&mut r, [40, 20, 3], &SQUARE);
            let case = case(&head, token(700), &mut r);
            let keys = case.keys.to_bytes(&case.plan).unwrap();
            let asked = tokens(&mut r, 700, 40);
            let question = case.asker.encrypt(&asked, &case.secret, &mut r).unwrap();
            let pieces = case.plan.pieces(700);
            assert!(pieces > 3, "{pieces} ciphertexts are no work to share");
            let answer = case.server.answer_bytes(&case.keys, &question, &mut r).unwrap();
            // Residues of ones alone, above every prime, in two of its ciphertexts: the first is named.
            let mut damaged = question.clone();
            let each = question.len() / pieces;
            for at in [each + each / 2, 3 * each + each / 2] {
                damaged[at..at + 64].fill(0xff);
            }
            let refused = case.server.answer_bytes(&case.keys, &damaged, &mut r).unwrap_err().to_string();
            (keys, question, answer, refused)
        })
    };
    let one = of(1);
    assert!(one == of(2) && one == of(5));
}

#[test]
fn degree_four() {
    let mut r = rng(3);
    let head = polynomial(&mut r, [384, 16, 5], &[0.1, 0.5, 0.2, 0.02, 0.01]);
    agrees("384-16-5, degree 4", &head, classical(2), 2, &mut r);
    agrees("384-16-5, degree 4, quantum", &head, token(1), 1, &mut r);
}

#[test]
fn linear_heads() {
    let mut r = rng(4);
    for (width, classes, batch) in [(192, 2, 1), (384, 100, 1), (768, 3, 5), (1024, 10, 1), (1536, 7, 1)] {
        let head = linear(&mut r, width, classes);
        agrees(&format!("{width}-{classes}"), &head, classical(batch), batch, &mut r);
    }
    let head = linear(&mut r, 768, 3);
    agrees("768-3, quantum", &head, token(20), 20, &mut r);
}

#[test]
fn quadratic_head() {
    let mut r = rng(5);
    let head = quadratic(&mut r, 192, 12, 4);
    agrees("quadratic", &head, token(3), 3, &mut r);
    agrees("quadratic, many", &head, token(40), 40, &mut r);
}

#[test]
fn degree_two_of_other_shapes() {
    let mut r = rng(8);
    for (shape, batch) in
        [([192, 16, 100], 1), ([192, 16, 100], 40), ([1024, 32, 10], 2), ([1536, 64, 2], 1), ([5, 3, 2], 7)]
    {
        let head = polynomial(&mut r, shape, &SQUARE);
        agrees(&format!("{shape:?} of {batch}"), &head, token(batch), batch, &mut r);
    }
}

/// Keys, questions and answers are the same bytes whatever they are computed with, and the plan says what with.
#[test]
fn every_path_gives_the_same_answer() {
    let mut r = rng(9);
    let head = polynomial(&mut r, [192, 16, 3], &SQUARE);
    let tokens = tokens(&mut r, 2, 192);
    let on = |plan: &Plan, path| {
        let mut r = rng(10);
        let plan = plan.clone().on(path).unwrap();
        assert_eq!((plan.arithmetic(), plan.report().machine.path), (path, path.name()));
        let secret = AskerSecret::generate(&plan, &mut r).unwrap();
        let keys = EvaluationKeys::generate(&plan, &secret, &mut r).unwrap();
        let question = Asker::new(&plan).encrypt(&tokens, &secret, &mut r).unwrap();
        let answer = Server::new(&head, &plan).unwrap().answer_bytes(&keys, &question, &mut r).unwrap();
        (keys.to_bytes(&plan).unwrap(), question, answer)
    };
    // A whole question and a sparse one.
    for policy in [token(2), token(2).precise(8)] {
        let plan = Plan::new(&head, policy).unwrap();
        assert_eq!(plan.token_layout().unwrap().is_whole(), policy.max_error.is_none());
        let slow = on(&plan, Arithmetic::Portable);
        for path in Arithmetic::available() {
            assert!(on(&plan, path) == slow, "{path}");
        }
    }
}

/// A machine whose transforms take twice as long is predicted to take twice as long, in every packing and degree of ring.
#[test]
fn predictions_follow_the_machine() {
    let mut r = rng(11);
    let head = polynomial(&mut r, [192, 16, 3], &SQUARE);
    for batch in [1, 4096] {
        let plan = Plan::new(&head, Policy::new(batch)).unwrap();
        let n = plan.params().n();
        let on = |us| plan.report_on(Machine::measured(plan.arithmetic(), n, us)).predicted_ms;
        assert!((on(20.0) / on(10.0) - 2.0).abs() < 1e-9 && on(10.0) > 0.0, "{batch}");
        let reference = Machine::reference(plan.arithmetic());
        assert!(!reference.calibrated && Machine::measured(plan.arithmetic(), n, 10.0).calibrated);
        assert!((plan.report().predicted_ms - plan.report_on(reference).predicted_ms).abs() < 1e-12);
    }
}

/// However few coefficients of a question travel and however its columns fall into combs: copies or rotations, one comb or two,
/// shapes that fill a ring and shapes that do not.
#[test]
fn questions_without_what_the_server_can_make() {
    let mut r = rng(12);
    for (shape, batch, combs) in [
        ([768, 32, 3], 1, 2),
        ([192, 16, 3], 3, 2),
        ([256, 8, 2], 2, 1),
        ([130, 40, 5], 20, 1),
        ([5, 3, 2], 7, 1),
    ] {
        let head = polynomial(&mut r, shape, &SQUARE);
        let policy = token(batch).precise(6);
        let plan = Plan::new(&head, policy).unwrap();
        let l = plan.token_layout().unwrap();
        assert!(!l.is_whole() && l.combs().count() == combs, "{shape:?}: {l:?}");
        assert!(l.question_coefficients() < 2 * l.slots);
        agrees(&format!("{shape:?} of {batch}, {} copies", l.replicas), &head, policy, batch, &mut r);
    }
    let head = linear(&mut r, 768, 40);
    agrees("a linear head", &head, token(1).precise(8), 1, &mut r);
}

/// The same head and chain, with one copy of a token in a question and with as many as there are steps of diagonals.
#[test]
fn copies_and_rotations_give_the_same_logits() {
    let mut r = rng(13);
    let head = polynomial(&mut r, [192, 16, 3], &SQUARE);
    let plan = Plan::new(&head, token(1).precise(8)).unwrap();
    for copies in [1usize, 2, 4, 8, 16] {
        let mut literal = plan.literal().clone();
        literal.chain.replicas = Some(copies);
        let plan = Plan::open(literal).unwrap();
        assert_eq!(plan.token_layout().unwrap().replicas, copies);
        let secret = AskerSecret::generate(&plan, &mut r).unwrap();
        let keys = EvaluationKeys::generate(&plan, &secret, &mut r).unwrap();
        let (asker, server) = (Asker::new(&plan), Server::new(&head, &plan).unwrap());
        let asked = tokens(&mut r, 1, 192);
        let question = asker.encrypt(&asked, &secret, &mut r).unwrap();
        assert_eq!(question.len(), plan.upload_len(1));
        let answer = server.answer_bytes(&keys, &question, &mut r).unwrap();
        let got = asker.open(1, &answer, &secret).unwrap();
        for (g, w) in got[0].iter().zip(&head.logits(&asked).unwrap()[0]) {
            assert!((g - w).abs() < (-8f64).exp2(), "{copies} copies: {g} for {w}");
        }
    }
}
