//! Switching to a smaller ring: the message of `Z[X^r]` survives, with the noise that is stated; bytes are bounded.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod common;

use blindscope_ckks::ring_switch::{
    DigitBits, MIN_DEGREE, MODULUS_BITS, RingSwitchKey, SmallSecret, coefficients, decode_key, encode_key,
    key_len,
};
use blindscope_ckks::{Encryptor, Error, Level, Parameters, presets};
use blindscope_testkit::rng;
use common::Site;

/// `c_0 + c_1·s'` by definition, centred modulo `q`.
fn open_by_definition(c0: &[u64], c1: &[u64], s: &SmallSecret, q: u64) -> Vec<i64> {
    // Parts of c_1 are multiplied apart, so that no product comes near a word.
    let places: Vec<usize> = (0..c0.len()).collect();
    let part = |shift: u64, mask: u64| -> Vec<i64> {
        let c: Vec<u64> = c1.iter().map(|x| x >> shift & mask).collect();
        // Sums of 2048 values below 2^14 stay within 25 bits.
        s.product_coefficients(&c, &places).unwrap().into_iter().map(|x| x as i64).collect()
    };
    let (low, middle, high) = (part(0, 0x3fff), part(14, 0x3fff), part(28, 0x3fff));
    let centre = |x: i128| {
        let r = x.rem_euclid(i128::from(q));
        (if r > i128::from(q / 2) { r - i128::from(q) } else { r }) as i64
    };
    (0..c0.len())
        .map(|i| {
            let product = i128::from(low[i]) + (i128::from(middle[i]) << 14) + (i128::from(high[i]) << 28);
            centre(i128::from(c0[i]) + product)
        })
        .collect()
}

#[test]
fn messages_of_the_subring_survive() {
    let mut site = Site::new(Parameters::new(presets::depth_two()).unwrap(), 81);
    let mut r = rng(82);
    let n = site.params.n();
    let q0 = site.params.q().prime(0).value();
    for (degree, bits) in [(2048, 8), (2048, 4), (4096, 3), (8192, 8)] {
        let digits = DigitBits::new(bits).unwrap();
        let stride = n / degree;
        let small = SmallSecret::generate(degree, &mut r).unwrap();
        let key = RingSwitchKey::generate(&site.secret, &small, digits, &mut r).unwrap();
        let mut message = vec![0i64; n];
        for (i, m) in message.iter_mut().step_by(stride).enumerate() {
            *m = ((i as i64 * 7_919) % 1_001 - 500) << 32;
        }
        let m = site.encoder.encode_integers(&message, Level(0)).unwrap();
        let c = Encryptor::new(&site.secret).encrypt(&m, &mut site.rng).unwrap().into_ciphertext();
        let (c0, c1, q) = coefficients(&c).unwrap();
        assert_eq!(q, q0);
        let switched = key.switch(c0.limb(0), c1.limb(0), q).unwrap();
        assert_eq!((switched.c0.len(), switched.c1.len()), (degree, degree));
        let got = open_by_definition(&switched.c0, &switched.c1, &small, key.modulus());
        let ratio = key.modulus() as f64 / q0 as f64;
        let errors =
            got.iter().zip(message.iter().step_by(stride)).map(|(g, m)| *g as f64 - *m as f64 * ratio);
        let std = (errors.map(|e| e * e).sum::<f64>() / degree as f64).sqrt();
        // The fresh error is divided away; rounding to the switching modulus adds sqrt((1 + 2N/3)/12).
        let stated = digits.noise(n).hypot(((1.0 + 2.0 * n as f64 / 3.0) / 12.0).sqrt());
        println!("degree {degree}, digits of {bits} bits: error {std:.0}, stated {stated:.0}");
        assert!(std < 1.2 * stated && std > 0.8 * stated);
        let bytes = encode_key(&key);
        assert_eq!(bytes.len(), key_len(&site.params, digits));
        assert_eq!(decode_key(&site.params, degree, digits, &bytes).unwrap(), key);
        assert!(matches!(decode_key(&site.params, degree / 2, digits, &bytes), Err(Error::Field { .. })));
        assert!(matches!(decode_key(&site.params, degree, digits, &bytes[1..]), Err(Error::Wire { .. })));
    }
}

/// The key's modulus is within the security row of the smallest degree; nothing smaller is made.
#[test]
fn small_secrets_are_not_too_small() {
    let row = blindscope_ckks::Security::Quantum128.max_log_qp(MIN_DEGREE.ilog2()).unwrap();
    assert!(MODULUS_BITS <= row);
    for degree in [0, 1024, 3000] {
        let refused = SmallSecret::generate(degree, &mut rng(83));
        assert!(matches!(refused, Err(Error::NoSecurityRow { .. })));
    }
    assert!(matches!(DigitBits::new(1), Err(Error::DigitBits { found: 1 })) && DigitBits::new(9).is_err());
    let site = Site::new(Parameters::new(presets::linear_head()).unwrap(), 84);
    let large = SmallSecret::generate(8192, &mut rng(85)).unwrap();
    let refused = RingSwitchKey::generate(&site.secret, &large, DigitBits::WIDE, &mut rng(86));
    assert!(matches!(refused, Err(Error::KeyShape { .. })));
    assert_eq!(format!("{large:?}"), "SmallSecret(redacted)");
}
