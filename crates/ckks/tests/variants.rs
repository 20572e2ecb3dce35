//! `op`, `op_assign` and `op_into` agree; both arithmetic paths give the same bytes; noise keeps its promises; refusals.
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

use blindscope_ckks::noise::{Magnitude, Noise, NoiseModel};
use blindscope_ckks::{
    Ciphertext, Complex64, Encryptor, Error, Level, ModulusLiteral, Parameters, PublicEncryptor, Scale,
    codec, presets,
};
use blindscope_ring::Arithmetic;
use blindscope_testkit::{Precision, complex_slots};
use common::{Site, literals};

#[test]
fn op_assign_and_into_agree_in_value_level_and_scale() {
    type Op = (
        &'static str,
        fn(&Site, &Ciphertext, &Ciphertext) -> Ciphertext,
        fn(&Site, &mut Ciphertext, &Ciphertext),
        fn(&Site, &Ciphertext, &Ciphertext, &mut Ciphertext),
    );
    let ops: [Op; 6] = [
        (
            "add",
            |s, a, b| s.evaluator.add(a, b).unwrap(),
            |s, a, b| s.evaluator.add_assign(a, b).unwrap(),
            |s, a, b, o| s.evaluator.add_into(a, b, o).unwrap(),
        ),
        (
            "sub",
            |s, a, b| s.evaluator.sub(a, b).unwrap(),
            |s, a, b| s.evaluator.sub_assign(a, b).unwrap(),
            |s, a, b, o| s.evaluator.sub_into(a, b, o).unwrap(),
        ),
        (
            "mul",
            |s, a, b| s.evaluator.mul(a, b).unwrap(),
            |s, a, b| s.evaluator.mul_assign(a, b).unwrap(),
            |s, a, b, o| s.evaluator.mul_into(a, b, o).unwrap(),
        ),
        (
            "rescale",
            |s, a, _| s.evaluator.rescale(a).unwrap(),
            |s, a, _| s.evaluator.rescale_assign(a).unwrap(),
            |s, a, _, o| s.evaluator.rescale_into(a, o).unwrap(),
        ),
        (
            "rotate",
            |s, a, _| s.evaluator.rotate(a, 2, &s.galois).unwrap(),
            |s, a, _| s.evaluator.rotate_assign(a, 2, &s.galois).unwrap(),
            |s, a, _, o| s.evaluator.rotate_into(a, 2, &s.galois, o).unwrap(),
        ),
        (
            "relinearise",
            |s, a, b| s.evaluator.mul_relin(a, b, &s.relin).unwrap(),
            |s, a, b| {
                s.evaluator.mul_assign(a, b).unwrap();
                s.evaluator.relinearise_assign(a, &s.relin).unwrap();
            },
            |s, a, b, o| {
                let p = s.evaluator.mul(a, b).unwrap();
                s.evaluator.relinearise_into(&p, &s.relin, o).unwrap();
            },
        ),
    ];
    for (name, literal) in literals() {
        let mut site = Site::toy_or_real(name, literal, 21);
        let z = complex_slots(&mut site.rng, site.params.slots(), 1.0);
        let (a, b) = (site.encrypt(&z), site.encrypt(&z));
        for (op, plain, assign, into) in ops {
            let want = plain(&site, &a, &b);
            let mut changed = a.clone();
            assign(&site, &mut changed, &b);
            assert_eq!(changed, want, "{op}_assign");
            // Into memory of another shape, and into memory of the right one with old contents.
            let mut out = Ciphertext::empty(&site.params);
            for _ in 0..2 {
                into(&site, &a, &b, &mut out);
                assert_eq!(out, want, "{op}_into");
            }
        }
        let mut dropped = a.clone();
        site.evaluator.drop_to_level_assign(&mut dropped, Level(0)).unwrap();
        assert_eq!(dropped, site.evaluator.drop_to_level(&a, Level(0)).unwrap());
        let three = site.evaluator.mul(&a, &b).unwrap();
        let lifted = site.evaluator.rescale(&three).unwrap();
        assert_eq!(lifted.components().len(), 3);
    }
}

#[test]
fn all_paths_give_the_same_bytes() {
    for (name, literal) in literals() {
        let bytes = |params: Parameters| {
            let mut site = Site::new(params, 31);
            let z = complex_slots(&mut site.rng, site.params.slots(), 1.0);
            let c = site.encrypt(&z);
            let product =
                site.evaluator.rescale(&site.evaluator.mul_relin(&c, &c, &site.relin).unwrap()).unwrap();
            let rotated = site.evaluator.rotate(&product, -3, &site.galois).unwrap();
            let mut all = codec::encode_relin_key(&site.relin);
            all.extend(codec::encode_ciphertext(&c));
            all.extend(codec::encode_ciphertext(&rotated));
            all
        };
        let on = |path| bytes(Parameters::insecure_for_tests_on(path, literal.clone()).unwrap());
        let slow = on(Arithmetic::Portable);
        for path in Arithmetic::available() {
            assert!(on(path) == slow, "{name}, {path}");
        }
    }
}

/// Measured against predicted: under the bound, and within half a bit of the estimate.
fn check_noise(
    what: &str,
    params: &Parameters,
    got: &[Complex64],
    want: &[Complex64],
    scale: &Scale,
    noise: Noise,
) {
    let unit = params.scale_value(scale);
    let measured = Precision::of(got, want);
    let (std, worst) = (measured.error_std * unit, (-measured.worst).exp2() * unit);
    println!(
        "{what}: std 2^{:.2} (estimate 2^{:.2}), worst 2^{:.2} (bound 2^{:.2})",
        std.log2(),
        noise.std.log2(),
        worst.log2(),
        noise.bound.log2()
    );
    assert!(worst <= noise.bound, "{what}: worst {worst:e} above the bound {:e}", noise.bound);
    assert!((std.log2() - noise.std.log2()).abs() < 0.5, "{what}: std {std:e}, estimate {:e}", noise.std);
}

#[test]
fn measured_noise_is_under_the_bound_and_near_the_estimate() {
    for (name, literal) in literals().into_iter().skip(1) {
        let mut site = Site::toy_or_real(name, literal, 41);
        let (params, model) = (site.params.clone(), NoiseModel::new(&site.params));
        let slots = params.slots();
        let (x, y) = (complex_slots(&mut site.rng, slots, 1.0), complex_slots(&mut site.rng, slots, 1.0));
        let (top, scale) = (params.top_level(), params.default_scale());
        let (a, b) = (site.encrypt(&x), site.encrypt(&y));
        let fresh = model.fresh_secret();
        check_noise("fresh, secret key", &params, &site.open(&a), &x, &scale, fresh);
        let public = blindscope_ckks::KeyGenerator::new(&params).public_key(&site.secret, &mut site.rng);
        let m = site.encoder.encode_slots(&x, top, scale).unwrap();
        let c = PublicEncryptor::new(&public).encrypt(&m, &mut site.rng).unwrap();
        check_noise("fresh, public key", &params, &site.open(&c), &x, &scale, model.fresh_public());
        let rotated = site.evaluator.rotate(&a, 1, &site.galois).unwrap();
        let want: Vec<_> = (0..slots).map(|t| x[(t + 1) % slots]).collect();
        check_noise(
            "rotation",
            &params,
            &site.open(&rotated),
            &want,
            &scale,
            fresh.plus(model.key_switch(top)),
        );
        // Uniform in the square [-1, 1]^2: mean |z|^2 = 2/3, largest sqrt 2.
        let size = Magnitude::new(&params, &scale, (2.0f64 / 3.0).sqrt(), 2f64.sqrt());
        let product =
            site.evaluator.rescale(&site.evaluator.mul_relin(&a, &b, &site.relin).unwrap()).unwrap();
        let noise = model.mul(fresh, size, fresh, size).plus(model.key_switch(top));
        let noise = model.rescale(noise, top);
        let want: Vec<_> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
        check_noise("product, rescaled", &params, &site.open(&product), &want, &product.scale(), noise);
        let level = product.level();
        let size = Magnitude::new(&params, &product.scale(), 2.0 / 3.0, 2.0);
        let square =
            site.evaluator.relinearise(&site.evaluator.square(&product).unwrap(), &site.relin).unwrap();
        let square = site.evaluator.rescale(&square).unwrap();
        let noise = model.rescale(model.square(noise, size).plus(model.key_switch(level)), level);
        let want: Vec<_> = want.iter().map(|z| z * z).collect();
        check_noise("square of it, rescaled", &params, &site.open(&square), &want, &square.scale(), noise);
        let last = site.evaluator.drop_to_level(&rotated, Level(0)).unwrap();
        let noise = fresh.plus(model.key_switch(top));
        let drop = codec::DropBits::within(&params, noise.std * 4.0);
        let bytes = codec::encode_final(&last, drop).unwrap();
        let opened = site.open(&codec::decode_final(&params, &bytes).unwrap());
        let want: Vec<_> = (0..slots).map(|t| x[(t + 1) % slots]).collect();
        println!(
            "{} of {} bytes after dropping {drop:?}",
            bytes.len(),
            codec::final_len(&params, codec::DropBits::NONE)
        );
        check_noise(
            "final, low bits dropped",
            &params,
            &opened,
            &want,
            &scale,
            noise.plus(model.dropped(drop)),
        );
    }
}

#[test]
fn refusals_name_operation_values_and_repair() {
    let (_, literal) = literals().remove(1);
    let mut site = Site::toy_or_real("small", literal, 51);
    let z = complex_slots(&mut site.rng, 4, 1.0);
    let a = site.encrypt(&z);
    let low = site.evaluator.drop_to_level(&a, Level(1)).unwrap();
    let says = |e: Error, parts: &[&str]| {
        let text = e.to_string();
        assert!(parts.iter().all(|p| text.contains(p)), "{text}");
    };
    says(site.evaluator.add(&a, &low).unwrap_err(), &["add", "level 3", "level 1", "drop_to_level"]);
    let squared = site.evaluator.square(&a).unwrap();
    says(site.evaluator.add(&a, &squared).unwrap_err(), &["add", "2^40", "2^80", "rescale"]);
    says(site.evaluator.mul(&squared, &a).unwrap_err(), &["mul", "3 components", "relinearise"]);
    says(
        site.evaluator.rotate(&a, 9, &site.galois).unwrap_err(),
        &["rotate", "rotation by 9", "galois_keys"],
    );
    let last = site.evaluator.drop_to_level(&a, Level(0)).unwrap();
    says(site.evaluator.rescale(&last).unwrap_err(), &["rescale", "level 0"]);
    says(site.evaluator.square(&last).unwrap_err(), &["square", "2^80.0", "46"]);
    says(site.evaluator.inner_sum(&a, 3, 1, &site.galois).unwrap_err(), &["inner_sum", "span 3"]);
    let many = vec![Complex64::new(0.0, 0.0); site.params.slots() + 1];
    let scale = site.params.default_scale();
    says(site.encoder.encode_slots(&many, Level(0), scale).unwrap_err(), &["encode_slots", "513", "512"]);
    says(site.encoder.encode_real(&[f64::NAN], Level(0), scale).unwrap_err(), &["encode_slots", "NaN"]);
    says(
        site.encoder.encode_coefficients(&[1e9], Level(0), scale).unwrap_err(),
        &["encode_coefficients", "index 0"],
    );
    says(site.encoder.encode_real(&[1.0], Level(9), scale).unwrap_err(), &["level 9", "highest is 3"]);
    let other = Site::toy_or_real("toy", literals().remove(0).1, 52);
    says(other.evaluator.neg(&a).unwrap_err(), &["neg", "different parameters"]);
    let m = site.encoder.encode_real(&[1.0], Level(0), scale).unwrap();
    says(site.evaluator.add_plain(&a, &m).unwrap_err(), &["add_plain", "level 3", "level 0"]);
    assert!(Encryptor::new(&other.secret).encrypt(&m, &mut site.rng).is_err());
}

#[test]
fn parameters_are_refused_with_the_numbers() {
    let says = |literal, parts: &[&str]| {
        let text = Parameters::new(literal).unwrap_err().to_string();
        assert!(parts.iter().all(|p| text.contains(p)), "{text}");
    };
    let wide = |q: &[u32]| {
        let mut l = presets::depth_two();
        l.ciphertext = ModulusLiteral::bits(q);
        l
    };
    says(wide(&[46, 46, 46, 46]), &["230.0", "2^13", "classical-128", "214", "log_n = 14"]);
    says(wide(&[41, 40]), &["2^40", "41-bit"]);
    says(wide(&[46, 60]), &["special primes hold 46.0", "60.0"]);
    says(wide(&[]), &["0 ciphertext primes"]);
    let mut toy = presets::depth_two();
    toy.log_n = 5;
    says(toy, &["no 128-bit security row", "2^5"]);
    let mut repeated = presets::depth_two();
    repeated.ciphertext = ModulusLiteral::Primes(vec![65_537, 65_537]);
    repeated.log2_scale = 10;
    says(repeated, &["65537", "twice"]);
    let mut quantum = presets::depth_two();
    quantum.security = blindscope_ckks::Security::Quantum128;
    says(quantum, &["172.0", "quantum-128", "161"]);
    for literal in [presets::depth_two(), presets::linear_head()] {
        Parameters::new(literal).unwrap();
    }
}

#[test]
fn debug_shows_no_secrets() {
    let mut site = Site::toy_or_real("toy", literals().remove(0).1, 61);
    let c = site.encrypt(&[Complex64::new(1.0, 0.0)]);
    let m = site.encoder.encode_real(&[0.123_456], Level(0), site.params.default_scale()).unwrap();
    assert_eq!(format!("{:?}", site.secret), "SecretKey(redacted)");
    assert_eq!(format!("{:?}", site.secret.evaluations()), "Poly<Ntt>(4 limbs of 32)");
    assert!(!format!("{m:?}{c:?}").contains("0.12"));
}
