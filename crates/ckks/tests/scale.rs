//! Scales at their extremes: deep circuits, and what may come in from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]

mod common;

use blindscope_ckks::{
    Encryptor, Error, ModulusLiteral, Parameters, ParametersLiteral, Scale, Security, codec,
};
use blindscope_wire::Header;
use common::{Site, literals};

/// Seven squarings at a 30-bit scale pass through 2^3840, far beyond a double, on the way to a scale near 2^30.
#[test]
fn the_scale_of_a_deep_circuit_is_a_number() {
    let params = Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 5,
        ciphertext: ModulusLiteral::bits(&[40, 30, 30, 30, 30, 30, 30, 30]),
        special: ModulusLiteral::bits(&[]),
        log2_scale: 30,
        security: Security::Classical128,
    })
    .unwrap();
    let mut scale = Scale::pow2(30);
    let mut expected = 2_f64.powi(30);
    for level in (1..8).rev() {
        scale = scale.times(scale).over(Scale::prime(level));
        expected = expected * expected / params.q().prime(level).value() as f64;
        let found = params.scale_value(&scale);
        assert!((found / expected - 1.0).abs() < 1e-12, "level {level}: {found:e}, expected {expected:e}");
    }
}

/// 2^5080 over the 127th power of a 40-bit prime is a little above 1 by its logarithm; it must be that, or be refused.
#[test]
fn a_scale_from_outside_is_a_number_or_refused() {
    let mut site = Site::toy_or_real("toy", literals().remove(0).1, 81);
    let (level, scale) = (site.params.top_level(), site.params.default_scale());
    let message = site.encoder.encode_real(&[0.5], level, scale).unwrap();
    let good = codec::encode_seeded(&Encryptor::new(&site.secret).encrypt(&message, &mut site.rng).unwrap());
    for (log2, exponents) in [(5080_i16, [-127_i8, 0, 0]), (-5050, [127, 0, 0]), (i16::MAX, [i8::MIN; 3])] {
        let mut bytes = good.clone();
        bytes[Header::LEN + 1..][..2].copy_from_slice(&log2.to_le_bytes());
        for (byte, e) in bytes[Header::LEN + 3..][..3].iter_mut().zip(exponents) {
            *byte = e as u8;
        }
        match codec::decode_seeded(&site.params, &bytes) {
            Ok(c) => {
                let (value, log2) = (site.params.scale_value(&c.scale()), site.params.scale_log2(&c.scale()));
                assert!((value.log2() - log2).abs() < 1e-6, "{exponents:?}: {value:e}, not 2^{log2}");
            }
            Err(error) => assert!(matches!(error, Error::Field { .. }), "{error}"),
        }
    }
}
