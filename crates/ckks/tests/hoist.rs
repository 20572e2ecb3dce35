//! Sums of products with rotations that are divided late give what single operations give, on every path the same bytes; strands
//! of a plaintext keep apart.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod common;

use blindscope_ckks::{
    Ciphertext, Complex64, Encoder, Error, Level, Parameters, RaisedPlaintext, Strand, codec,
};
use blindscope_ring::Arithmetic;
use blindscope_testkit::{Precision, complex_slots};
use common::{Site, literals};

/// Rotations of the ciphertext that are weighed.
const STEPS: [i64; 4] = [0, 1, 4, -3];

fn raised(site: &Site, z: &[Complex64], level: Level) -> RaisedPlaintext {
    let strand = Strand { slots: z, shift: 0, divisor: 1 };
    site.encoder.encode_strands_raised(&[strand], level, site.params.default_scale()).unwrap()
}

/// `Σ_k w_k·rot_k(a)`, and the same again after a rotation by 2.
fn hoisted(site: &Site, a: &Ciphertext, weights: &[Vec<Complex64>]) -> Ciphertext {
    let (ev, keys) = (&site.evaluator, &site.galois);
    let rotated = ev.rotate_raised(a, &STEPS, keys).unwrap();
    let weights: Vec<_> = weights.iter().map(|w| raised(site, w, a.level())).collect();
    let link = ev.mul_raised_sum(&rotated.iter().zip(&weights).collect::<Vec<_>>()).unwrap();
    let mut sum = link.clone();
    ev.rotate_then_add_lazy(&mut sum, 2, keys, &link).unwrap();
    ev.settle(sum).unwrap()
}

/// The same in the clear.
fn clear(a: &[Complex64], weights: &[Vec<Complex64>]) -> Vec<Complex64> {
    let n = a.len();
    let at = |t: usize, k: i64| (t as i64 + k).rem_euclid(n as i64) as usize;
    let link = |t: usize| -> Complex64 { STEPS.iter().zip(weights).map(|(k, w)| w[t] * a[at(t, *k)]).sum() };
    (0..n).map(|t| link(t) + link(at(t, 2))).collect()
}

#[test]
fn sums_of_weighed_rotations_at_every_level() {
    for (name, literal) in literals() {
        let mut site = Site::toy_or_real(name, literal, 91);
        let slots = site.params.slots();
        let z = complex_slots(&mut site.rng, slots, 1.0);
        let weights: Vec<_> = STEPS.iter().map(|_| complex_slots(&mut site.rng, slots, 1.0)).collect();
        let (a, want) = (site.encrypt(&z), clear(&z, &weights));
        for level in 1..=site.params.top_level().0 {
            let low = site.evaluator.drop_to_level(&a, Level(level)).unwrap();
            let got = hoisted(&site, &low, &weights);
            assert_eq!((got.level(), got.scale()), (Level(level), a.scale().times(a.scale())));
            let precision = Precision::of(&site.open(&got), &want);
            println!("{name}, level {level}: {:.1} bits", precision.worst);
            assert!(precision.worst > 13.0, "{name}, level {level}: {} bits", precision.worst);
        }
    }
}

#[test]
fn the_same_bytes_on_every_path() {
    for (name, literal) in literals() {
        let on = |path| {
            let mut site = Site::new(Parameters::insecure_for_tests_on(path, literal.clone()).unwrap(), 92);
            let slots = site.params.slots();
            let z = complex_slots(&mut site.rng, slots, 1.0);
            let weights: Vec<_> = STEPS.iter().map(|_| complex_slots(&mut site.rng, slots, 1.0)).collect();
            let a = site.encrypt(&z);
            codec::encode_ciphertext(&hoisted(&site, &a, &weights))
        };
        let slow = on(Arithmetic::Portable);
        for path in Arithmetic::available() {
            assert!(on(path) == slow, "{name}, {path}");
        }
    }
}

/// A rotation moves out of a product: `rot(w·a) = rot(w)·rot(a)`.
#[test]
fn rotated_weights_are_weights_of_rotations() {
    let mut site = Site::toy_or_real("small", literals().remove(1).1, 93);
    let slots = site.params.slots();
    let (z, w) = (complex_slots(&mut site.rng, slots, 1.0), complex_slots(&mut site.rng, slots, 1.0));
    let a = site.encrypt(&z);
    let (ev, level) = (&site.evaluator, a.level());
    let babies = ev.rotate_raised(&a, &[4], &site.galois).unwrap();
    let w = raised(&site, &w, level).rotated(4);
    let got = ev.settle(ev.mul_raised_sum(&[(&babies[0], &w)]).unwrap()).unwrap();
    let plain = ev.rotate_raised(&a, &[0], &site.galois).unwrap();
    let back = ev.settle(ev.mul_raised_sum(&[(&plain[0], &w.rotated(-4))]).unwrap()).unwrap();
    let want = site.open(&ev.rotate(&back, 4, &site.galois).unwrap());
    assert!(Precision::of(&site.open(&got), &want).worst > 20.0);
    assert!(Precision::of(&site.open(&back), &want).worst < 1.0, "the rotation does nothing");
}

#[test]
fn other_levels_scales_and_missing_keys_are_refused() {
    let mut site = Site::toy_or_real("small", literals().remove(1).1, 94);
    let z = complex_slots(&mut site.rng, 4, 1.0);
    let a = site.encrypt(&z);
    let (ev, keys, top) = (&site.evaluator, &site.galois, a.level());
    assert!(matches!(ev.rotate_raised(&a, &[9], keys), Err(Error::MissingGaloisKey { .. })));
    let squared = ev.square(&a).unwrap();
    assert!(matches!(ev.rotate_raised(&squared, &[0], keys), Err(Error::Components { .. })));
    let x = ev.rotate_raised(&a, &[0], keys).unwrap();
    let (w, low) = (raised(&site, &z, top), raised(&site, &z, Level(1)));
    assert!(matches!(ev.mul_raised_sum(&[(&x[0], &low)]), Err(Error::LevelMismatch { .. })));
    let mut sum = ev.defer(&a).unwrap();
    let link = ev.mul_raised_sum(&[(&x[0], &w)]).unwrap();
    let refused = ev.rotate_then_add_lazy(&mut sum, 1, keys, &link);
    assert!(matches!(refused, Err(Error::ScaleMismatch { op: "rotate_then_add_lazy", .. })));
}

/// Slots that repeat are a polynomial in a power of `X`: two such strands in one plaintext, one of them shifted, are each found
/// again by the trace, whatever stands beside them, and what was divided before is whole after it.
#[test]
fn traces_tell_strands_apart() {
    let mut site = Site::toy_or_real("small", literals().remove(1).1, 95);
    let (n, slots, level) = (site.params.n(), site.params.slots(), site.params.top_level());
    let scale = site.params.default_scale();
    let first = complex_slots(&mut site.rng, slots / 2, 1.0).repeat(2);
    let second = complex_slots(&mut site.rng, slots / 4, 1.0).repeat(4);
    let strand = |slots, shift, divisor| Strand { slots, shift, divisor };
    let encoder = Encoder::new(&site.params);
    let both = encoder.encode_strands(&[strand(&first, 0, 1), strand(&second, 1, 1)], level, scale).unwrap();
    let coefficients = encoder.decode_coefficients(&both).unwrap();
    let trace = |from: usize, stride: usize| -> Vec<f64> {
        (0..n).map(|i| if i % stride == 0 { coefficients[i + from] } else { 0.0 }).collect()
    };
    let at = |c: Vec<f64>| encoder.slots_of(&c).unwrap();
    assert!(Precision::of(&at(trace(0, 2)), &first).worst > 25.0);
    assert!(Precision::of(&at(trace(1, 4)), &second).worst > 25.0);
    // Divided by two modulo the primes, then added to itself: as it was, but for the rounding that both have.
    let half = encoder.encode_strands(&[strand(&first, -1, 2)], level, scale).unwrap();
    let mut twice = half.poly().clone();
    site.params.q().add_assign(&mut twice, half.poly());
    let whole = encoder.encode_strands(&[strand(&first, -1, 1)], level, scale).unwrap();
    assert!(twice == *whole.poly());
}
