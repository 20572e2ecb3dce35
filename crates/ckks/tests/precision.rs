//! Promised precision of the worst slot, at production size.
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

use blindscope_ckks::{Complex64, KeyGenerator, Parameters, PublicEncryptor, presets};
use blindscope_testkit::{Precision, assert_bits, complex_slots};
use common::Site;

fn bench(seed: u64) -> Site {
    Site::new(Parameters::new(presets::depth_two()).unwrap(), seed)
}

#[test]
fn fresh_secret_and_public_key_ciphertexts() {
    let mut b = bench(1);
    let z = complex_slots(&mut b.rng, b.params.slots(), 1.0);
    let c = b.encrypt(&z);
    assert_bits("fresh, secret key", Precision::of(&b.open(&c), &z), 26.0);
    let public = KeyGenerator::new(&b.params).public_key(&b.secret, &mut b.rng);
    let m = b.encoder.encode_slots(&z, b.params.top_level(), b.params.default_scale()).unwrap();
    let c = PublicEncryptor::new(&public).encrypt(&m, &mut b.rng).unwrap();
    assert_bits("fresh, public key", Precision::of(&b.open(&c), &z), 20.0);
}

#[test]
fn depth_two() {
    let mut b = bench(2);
    let x = complex_slots(&mut b.rng, b.params.slots(), 0.7);
    let y = complex_slots(&mut b.rng, b.params.slots(), 0.7);
    let (cx, cy) = (b.encrypt(&x), b.encrypt(&y));
    let product = b.evaluator.rescale(&b.evaluator.mul_relin(&cx, &cy, &b.relin).unwrap()).unwrap();
    let want: Vec<_> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
    assert_bits("depth 1", Precision::of(&b.open(&product), &want), 24.0);
    let square = b.evaluator.square(&product).unwrap();
    let square = b.evaluator.rescale(&b.evaluator.relinearise(&square, &b.relin).unwrap()).unwrap();
    let want: Vec<_> = want.iter().map(|z| z * z).collect();
    assert_bits("depth 2", Precision::of(&b.open(&square), &want), 20.0);
}

#[test]
fn rotations_and_conjugation() {
    let mut b = bench(3);
    let slots = b.params.slots();
    let x = complex_slots(&mut b.rng, slots, 1.0);
    let c = b.encrypt(&x);
    for steps in [1i64, 2, -3] {
        let got = b.open(&b.evaluator.rotate(&c, steps, &b.galois).unwrap());
        let want: Vec<_> =
            (0..slots).map(|t| x[(t as i64 + steps).rem_euclid(slots as i64) as usize]).collect();
        assert_bits(&format!("rotate by {steps}"), Precision::of(&got, &want), 24.0);
    }
    let many = b.evaluator.rotate_many(&c, &[1, -3], &b.galois).unwrap();
    assert_eq!(many[1], b.evaluator.rotate(&c, -3, &b.galois).unwrap());
    let got = b.open(&b.evaluator.conjugate(&c, &b.galois).unwrap());
    let want: Vec<_> = x.iter().map(Complex64::conj).collect();
    assert_bits("conjugate", Precision::of(&got, &want), 24.0);
    let got = b.open(&b.evaluator.inner_sum(&c, 8, 1, &b.galois).unwrap());
    let want: Vec<_> = (0..slots).map(|t| (0..8).map(|k| x[(t + k) % slots]).sum()).collect();
    assert_bits("inner sum of 8", Precision::of(&got, &want), 22.0);
}
