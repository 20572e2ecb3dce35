//! The feature-major packing: encrypted logits against the clear twin, within the plan's bound on the worst logit.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use blindscope_ckks::Security;
use blindscope_classify::{Packing, Plan, Policy};
use blindscope_testkit::rng;
use common::{agrees, case, linear, polynomial, quadratic, tokens};

const SQUARE: [f64; 3] = [0.1, 0.5, 0.2];

fn feature(batch: usize) -> Policy {
    Policy { packing: Some(Packing::Feature), ..Policy::new(batch) }
}

#[test]
fn degree_two() {
    let mut r = rng(11);
    let head = polynomial(&mut r, [192, 32, 3], &SQUARE);
    agrees("192-32-3 of 4096", &head, feature(4096), 4096, &mut r);
    let head = polynomial(&mut r, [37, 20, 5], &SQUARE);
    agrees("37-20-5 of two groups", &head, feature(5000), 4100, &mut r);
}

/// However many threads share a batch, the answer is the same bytes, and of a damaged question the same ciphertext is refused.
#[test]
fn threads_do_not_change_an_answer() {
    let mut r = rng(14);
    let head = polynomial(&mut r, [40, 20, 3], &SQUARE);
    let case = case(&head, feature(30), &mut r);
    let asked = tokens(&mut r, 30, 40);
    let question = case.asker.encrypt(&asked, &case.secret, &mut r).unwrap();
    // Residues of ones alone, above every prime, in two of its ciphertexts: the first is named.
    let mut damaged = question.clone();
    let each = case.plan.upload_len(30) / 20;
    for at in [7 * each, 15 * each] {
        damaged[at..at + 64].fill(0xff);
    }
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let refused =
                case.server.answer_bytes(&case.keys, &damaged, &mut rng(15)).unwrap_err().to_string();
            (case.server.answer_bytes(&case.keys, &question, &mut rng(15)).unwrap(), refused)
        })
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn other_kinds() {
    let mut r = rng(12);
    let head = linear(&mut r, 64, 4);
    agrees("linear", &head, feature(100), 100, &mut r);
    let classical = Policy { security: Security::Classical128, ..feature(2100) };
    agrees("linear, classical, two groups", &head, classical, 2100, &mut r);
    let head = quadratic(&mut r, 48, 6, 3);
    agrees("quadratic", &head, feature(64), 64, &mut r);
    let head = polynomial(&mut r, [32, 8, 2], &[0.1, 0.5, 0.2, 0.02, 0.01]);
    let classical = Policy { security: Security::Classical128, ..feature(50) };
    agrees("degree 4", &head, classical, 50, &mut r);
}

#[test]
fn the_planner_takes_it_for_thousands() {
    let mut r = rng(13);
    let head = polynomial(&mut r, [768, 32, 3], &SQUARE);
    let packing = |batch| Plan::new(&head, Policy::new(batch)).unwrap().report().packing;
    assert_eq!(packing(1), Packing::Token);
    assert_eq!(packing(1000), Packing::Token);
    assert_eq!(packing(4096), Packing::Feature);
    let report = Plan::new(&head, Policy::new(4096)).unwrap().report();
    assert!(report.upload_bytes <= 15_000 * 4096, "{report:?}");
    assert!(report.answer_bytes <= 64 * 4096, "{report:?}");
}
