//! Encryptions of zero in the ring of answers: they decrypt to what is stated, hide the half they are added to, and come from
//! bytes that are bounded.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod common;

use blindscope_ckks::ring_switch::SmallSecret;
use blindscope_ckks::zeros::{ZeroKey, decode_key, encode_key, flood_std, flood_width, key_len, noise};
use blindscope_ckks::{Error, Parameters, presets};
use blindscope_ring::{Basis, ntt_primes};
use blindscope_testkit::rng;
use common::Site;

#[test]
fn zeros_decrypt_to_their_flooding() {
    let site = Site::new(Parameters::new(presets::depth_two()).unwrap(), 91);
    let (params, mut r) = (&site.params, rng(92));
    for (degree, width) in [(2048, 1), (2048, 1 << 20), (4096, 3000), (params.n(), 1), (params.n(), 1 << 24)]
    {
        let whole = degree == params.n();
        let small = if whole {
            SmallSecret::full(&site.secret)
        } else {
            SmallSecret::generate(degree, &mut r).unwrap()
        };
        let key = ZeroKey::generate(params, &small, &mut r).unwrap();
        let prime =
            if whole { params.q().prime(0).value() } else { ntt_primes(40, params.log_n(), 1).unwrap()[0] };
        let (mut c0, mut c1) = (vec![0; degree], vec![0; degree]);
        key.add_to((&mut c0, &mut c1), width, &mut r).unwrap();
        let opened = open(prime, &c0, &c1, &small);
        let std = (opened.iter().map(|x| (*x as f64).powi(2)).sum::<f64>() / degree as f64).sqrt();
        let stated = noise(degree, params.n()).hypot(flood_std(width));
        println!("degree {degree}, width {width}: deviation {std:.1}, stated {stated:.1}");
        assert!((0.9..1.1).contains(&(std / stated)), "{std} for {stated}");
        // The half that it hides is uniform modulo the prime: mean square q²/12.
        let q = prime as f64;
        let spread =
            c1.iter().map(|&x| (x as f64 - q / 2.0).powi(2)).sum::<f64>() / degree as f64 / (q * q / 12.0);
        assert!((spread - 1.0).abs() < 0.1, "{spread}");
        let bytes = encode_key(&key);
        assert_eq!(bytes.len(), key_len(params, degree));
        assert_eq!(decode_key(params, degree, &bytes).unwrap(), key);
        let mut over = bytes.clone();
        let end = over.len();
        over[end - 8..].fill(0xff);
        assert!(matches!(decode_key(params, degree, &over), Err(Error::Residue { .. })));
        assert!(matches!(decode_key(params, degree, &bytes[1..]), Err(Error::Wire { .. })));
        assert!(decode_key(params, degree / 2, &bytes).is_err());
        assert!(matches!(key.add_to((&mut c0[1..], &mut c1), 1, &mut r), Err(Error::KeyShape { .. })));
    }
    assert!(matches!(decode_key(params, 3000, &[]), Err(Error::KeyShape { .. })));
    assert!(matches!(decode_key(params, 1 << 20, &[]), Err(Error::KeyShape { .. })));
}

/// `c_0 + c_1·s`, centred.
fn open(prime: u64, c0: &[u64], c1: &[u64], s: &SmallSecret) -> Vec<i64> {
    let basis = Basis::new(&[prime], c0.len().ilog2()).unwrap();
    // Columns of the product one by one: s is read through what it does to X^0.
    let mut unit = vec![0u64; c0.len()];
    unit[0] = 1;
    let places: Vec<usize> = (0..c0.len()).collect();
    let s: Vec<i64> = s.product_coefficients(&unit, &places).unwrap().into_iter().map(|x| x as i64).collect();
    let lift = |c: &[u64]| basis.to_ntt(basis.from_signed(&c.iter().map(|&x| x as i64).collect::<Vec<_>>()));
    let (mut sum, c1, s) = (lift(c0), lift(c1), basis.signed_to_ntt(&s));
    basis.mul_add_assign(&mut sum, &c1, &s);
    let sum = basis.to_coeff(sum);
    sum.limb(0).iter().map(|&x| basis.prime(0).modulus().centre(x)).collect()
}

/// Two answers of one question share nothing, and a width of one floods nothing but adds the encryption's own noise.
#[test]
fn the_flooding_is_drawn_anew() {
    let site = Site::new(Parameters::new(presets::depth_two()).unwrap(), 93);
    let mut r = rng(94);
    let small = SmallSecret::generate(2048, &mut r).unwrap();
    let key = ZeroKey::generate(&site.params, &small, &mut r).unwrap();
    let mut once = || {
        let (mut c0, mut c1) = (vec![5; 2048], vec![7; 2048]);
        key.add_to((&mut c0, &mut c1), 100, &mut r).unwrap();
        (c0, c1)
    };
    assert_ne!(once(), once());
    assert!(flood_std(1) == 0.0 && flood_width(0.0) == 1);
}
