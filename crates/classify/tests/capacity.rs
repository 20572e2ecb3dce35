//! What an answer can carry: an asker fills every place of its ciphertexts and announces one token. As many logits come right as
//! [`Plan::capacity`](blindscope_classify::Plan::capacity) says, which is what is charged; not one more, and for what is announced they all come.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use blindscope_ckks::Security;
use blindscope_classify::{Head, Packing, Policy};
use blindscope_testkit::rng;
use blindscope_wire::Header;
use common::{case, linear, polynomial, tokens};

/// Tokens whose logits are all within the plan's bound, of those that fill a question which says that it holds one.
fn right(name: &str, head: &Head, policy: Policy, seed: u64) {
    let mut r = rng(seed);
    let c = case(head, policy, &mut r);
    let capacity = c.plan.capacity(1);
    // What the asker's own side takes: more than are announced, within its batch.
    let filled = capacity.min(c.plan.literal().batch);
    assert!(filled > 1, "{name}: one place is all there is");
    assert_eq!(c.plan.upload_len(1), c.plan.upload_len(filled), "{name}: as many ciphertexts as for one");
    let asked = tokens(&mut r, filled, head.width());
    let mut question = c.asker.encrypt(&asked, &c.secret, &mut r).unwrap();
    question[Header::LEN..Header::LEN + 4].copy_from_slice(&1u32.to_le_bytes());
    assert_eq!(blindscope_classify::announced(&c.plan, &question).unwrap(), 1);
    let answer = c.server.answer_bytes(&c.keys, &question, &mut r).unwrap();
    assert_eq!(answer.len(), c.plan.answer_len(1));
    let got = c.asker.open(filled, &answer, &c.secret).unwrap();
    let bound = c.plan.literal().error_bound;
    let want = head.logits(&asked).unwrap();
    let fine = |(got, want): &(&Vec<f64>, &Vec<f64>)| {
        got.len() == want.len() && got.iter().zip(*want).all(|(g, w)| (g - w).abs() <= bound)
    };
    let right = got.iter().zip(&want).filter(fine).count();
    println!("{name}: {right} of {filled} tokens right where one was announced; {capacity} are charged");
    assert_eq!(right, filled, "{name}: the places that are charged carry logits");
    // Beyond its places an answer has nothing: a second ciphertext's worth of tokens is another question.
    let more = c.plan.capacity(capacity + 1);
    assert!(more > capacity && c.plan.upload_len(capacity + 1) > c.plan.upload_len(1), "{name}");
    if filled == capacity {
        println!("{name}: every place is filled");
    }
}

fn token(batch: usize) -> Policy {
    Policy { packing: Some(Packing::Token), security: Security::Classical128, ..Policy::new(batch) }
}

fn feature(batch: usize) -> Policy {
    Policy { packing: Some(Packing::Feature), ..Policy::new(batch) }
}

#[test]
fn every_place_of_a_token_packing_is_charged() {
    let mut r = rng(61);
    right("192-16-3 of 8", &polynomial(&mut r, [192, 16, 3], &[0.1, 0.5, 0.2]), token(8), 62);
    right("96-4 of 64", &linear(&mut r, 96, 4), token(64), 63);
}

#[test]
fn every_place_of_a_feature_packing_is_charged() {
    let mut r = rng(64);
    right("12-3 of 4,096", &linear(&mut r, 12, 3), feature(4096), 65);
}
