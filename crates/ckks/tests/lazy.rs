//! Chains that divide late give what single rotations give, on every path the same bytes, and refuse what those refuse.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod common;

use blindscope_ckks::{Ciphertext, Complex64, Error, Level, Parameters, codec};
use blindscope_ring::Arithmetic;
use blindscope_testkit::{Precision, complex_slots};
use common::{Site, literals};

/// `conj-sum of folds by 1 and 2 of (a rotated by -3 + b)`
fn chain(site: &Site, a: &Ciphertext, b: &Ciphertext) -> Ciphertext {
    let (ev, keys) = (&site.evaluator, &site.galois);
    let mut sum = ev.defer(a).unwrap();
    ev.rotate_then_add(&mut sum, -3, keys, b).unwrap();
    ev.add_rotated(&mut sum, 1, keys).unwrap();
    ev.add_rotated(&mut sum, 2, keys).unwrap();
    ev.add_conjugate(&mut sum, keys).unwrap();
    ev.settle(sum).unwrap()
}

/// The same in the clear.
fn clear(a: &[Complex64], b: &[Complex64]) -> Vec<Complex64> {
    let n = a.len();
    let turned =
        |z: &[Complex64], steps: usize| -> Vec<Complex64> { (0..n).map(|t| z[(t + steps) % n]).collect() };
    let add =
        |x: Vec<Complex64>, y: &[Complex64]| -> Vec<_> { x.iter().zip(y).map(|(x, y)| x + y).collect() };
    let mut sum = add(turned(a, n - 3), b);
    for steps in [1, 2] {
        sum = add(turned(&sum, steps), &sum);
    }
    sum.iter().map(|z| z + z.conj()).collect()
}

#[test]
fn a_chain_is_the_sum_of_its_rotations_at_every_level() {
    for (name, literal) in literals() {
        let mut site = Site::toy_or_real(name, literal, 71);
        let slots = site.params.slots();
        let (x, y) = (complex_slots(&mut site.rng, slots, 1.0), complex_slots(&mut site.rng, slots, 1.0));
        let (a, b) = (site.encrypt(&x), site.encrypt(&y));
        let want = clear(&x, &y);
        for level in 0..=site.params.top_level().0 {
            let low = |c| site.evaluator.drop_to_level(c, Level(level)).unwrap();
            let got = chain(&site, &low(&a), &low(&b));
            assert_eq!((got.level(), got.scale()), (Level(level), a.scale()));
            let precision = Precision::of(&site.open(&got), &want);
            println!("{name}, level {level}: {:.1} bits", precision.worst);
            // Two thirds of the scale's bits: a chain that lost a term would have none.
            assert!(precision.worst > 13.0, "{name}, level {level}: {} bits", precision.worst);
        }
    }
}

#[test]
fn a_chain_has_the_same_bytes_on_every_path() {
    for (name, literal) in literals() {
        let on = |path| {
            let mut site = Site::new(Parameters::insecure_for_tests_on(path, literal.clone()).unwrap(), 72);
            let z = complex_slots(&mut site.rng, site.params.slots(), 1.0);
            let (a, b) = (site.encrypt(&z), site.encrypt(&z));
            codec::encode_ciphertext(&chain(&site, &a, &b))
        };
        let slow = on(Arithmetic::Portable);
        for path in Arithmetic::available() {
            assert!(on(path) == slow, "{name}, {path}");
        }
    }
}

#[test]
fn chains_refuse_other_levels_scales_and_missing_keys() {
    let mut site = Site::toy_or_real("small", literals().remove(1).1, 73);
    let z = complex_slots(&mut site.rng, 4, 1.0);
    let a = site.encrypt(&z);
    let (ev, keys) = (&site.evaluator, &site.galois);
    let low = ev.drop_to_level(&a, Level(1)).unwrap();
    let mut sum = ev.defer(&a).unwrap();
    let refused = ev.rotate_then_add(&mut sum, 1, keys, &low);
    assert!(matches!(refused, Err(Error::LevelMismatch { op: "rotate_then_add", .. })));
    let mut scaled = a.clone();
    scaled.set_scale(a.scale().times(a.scale()));
    let refused = ev.rotate_then_add(&mut sum, 1, keys, &scaled);
    assert!(matches!(refused, Err(Error::ScaleMismatch { op: "rotate_then_add", .. })));
    assert!(matches!(ev.add_rotated(&mut sum, 9, keys), Err(Error::MissingGaloisKey { .. })));
    let squared = ev.square(&a).unwrap();
    assert!(matches!(ev.defer(&squared), Err(Error::Components { op: "defer", .. })));
    // A refusal leaves the chain as it was.
    ev.add_rotated(&mut sum, 1, keys).unwrap();
    let eager = ev.add(&a, &ev.rotate(&a, 1, keys).unwrap()).unwrap();
    let precision = Precision::of(&site.open(&ev.settle(sum).unwrap()), &site.open(&eager));
    assert!(precision.worst > 20.0, "{} bits", precision.worst);
}
