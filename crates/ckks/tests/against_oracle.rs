//! Every operation against the naive big-integer scheme: all coefficients at toy size, sampled ones at production size.
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
mod oracle;

use num_bigint::BigInt;

use blindscope_ckks::{Ciphertext, Decryptor, Scale};
use blindscope_ring::Arithmetic;
use blindscope_ring::galois::{conjugation_element, rotation_element};
use blindscope_testkit::complex_slots;
use common::{Site, literals};
use oracle::{Big, centred, divide_rounded, modulus, switch_at};

/// All places of a small ring, a few of a large one, both ends included.
fn places(n: usize) -> Vec<usize> {
    if n <= 64 { (0..n).collect() } else { vec![0, 1, n / 3, n / 2, n - 1] }
}

/// Every set on every path of this processor.
fn sites() -> Vec<Site> {
    let on = |path| literals().into_iter().map(move |(name, literal)| Site::on(path, name, literal, 11));
    Arithmetic::available().flat_map(on).collect()
}

fn big(site: &Site, c: &Ciphertext, component: usize) -> Big {
    Big::from_poly(site.params.q(), &c.components()[component])
}

#[allow(clippy::needless_pass_by_value, reason = "callers make the values for this call")]
fn reduce(values: Vec<BigInt>, q: &BigInt) -> Vec<BigInt> {
    values.iter().map(|v| centred(v, q)).collect()
}

fn pair(site: &mut Site) -> (Ciphertext, Ciphertext) {
    let slots = site.params.slots();
    let (x, y) = (complex_slots(&mut site.rng, slots, 1.0), complex_slots(&mut site.rng, slots, 1.0));
    (site.encrypt(&x), site.encrypt(&y))
}

#[test]
fn encoding_is_the_rounded_inverse_embedding() {
    for site in sites().iter_mut().filter(|site| site.params.n() <= 1024) {
        let n = site.params.n();
        let z = complex_slots(&mut site.rng, n / 2, 1.0);
        let (level, scale) = (site.params.top_level(), site.params.default_scale());
        let m = site.encoder.encode_slots(&z, level, scale).unwrap();
        let got = site.encoder.decode_integers(&m).unwrap();
        let factor = site.params.scale_value(&scale);
        for k in places(n) {
            // m_k = (2/N)·Re Σ_t z_t·ζ^(-k·5^t)
            let mut power = 1usize;
            let mut sum = 0.0;
            for slot in &z {
                let angle = -std::f64::consts::PI * (k * power % (2 * n)) as f64 / n as f64;
                sum += slot.re * angle.cos() - slot.im * angle.sin();
                power = power * 5 % (2 * n);
            }
            let want = 2.0 / n as f64 * sum * factor;
            assert!(
                (got[k] as f64 - want).abs() <= 0.5 + want.abs() * 1e-12,
                "coefficient {k}: {} against {want}",
                got[k]
            );
        }
        let back = site.encoder.decode_slots(&m).unwrap();
        let worst = back.iter().zip(&z).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
        assert!(worst * factor < n as f64, "decoding: {worst}");
    }
}

#[test]
fn decryption_is_the_inner_product_with_powers_of_the_secret() {
    for site in &mut sites() {
        let (a, b) = pair(site);
        let places = places(site.params.n());
        let product = site.evaluator.mul(&a, &b).unwrap();
        let s = Big::from_poly(site.params.qp(), site.secret.evaluations());
        let mut square = site.secret.evaluations().clone();
        site.params.qp().mul_assign(&mut square, site.secret.evaluations());
        let s2 = Big::from_poly(site.params.qp(), &square);
        assert_eq!(s2.at(&places), s.product_at(&s, &places));
        let q = modulus(site.params.q(), product.level().limbs());
        let m = Decryptor::new(&site.secret).decrypt(&product).unwrap();
        let c1 = big(site, &product, 1).product_at(&s, &places);
        let c2 = big(site, &product, 2).product_at(&s2, &places);
        let c0 = big(site, &product, 0).at(&places);
        let want = c0.iter().zip(c1).zip(c2).map(|((a, b), c)| a + b + c).collect();
        assert_eq!(Big::from_poly(site.params.q(), m.poly()).at(&places), reduce(want, &q));
    }
}

#[test]
fn sums_and_products() {
    for site in &mut sites() {
        let (a, b) = pair(site);
        let q = modulus(site.params.q(), a.level().limbs());
        let places = places(site.params.n());
        let (sum, difference) = (site.evaluator.add(&a, &b).unwrap(), site.evaluator.sub(&a, &b).unwrap());
        for i in 0..2 {
            let (x, y) = (big(site, &a, i).at(&places), big(site, &b, i).at(&places));
            let want = x.iter().zip(&y).map(|(x, y)| x + y).collect();
            assert_eq!(big(site, &sum, i).at(&places), reduce(want, &q));
            let want = x.iter().zip(&y).map(|(x, y)| x - y).collect();
            assert_eq!(big(site, &difference, i).at(&places), reduce(want, &q));
            let tripled = site.evaluator.mul_integer(&a, -3).unwrap();
            assert_eq!(big(site, &tripled, i).at(&places), reduce(x.iter().map(|x| x * -3).collect(), &q));
        }
        let product = site.evaluator.mul(&a, &b).unwrap();
        let [a0, a1, b0, b1] = [big(site, &a, 0), big(site, &a, 1), big(site, &b, 0), big(site, &b, 1)];
        assert_eq!(big(site, &product, 0).at(&places), reduce(a0.product_at(&b0, &places), &q));
        assert_eq!(big(site, &product, 2).at(&places), reduce(a1.product_at(&b1, &places), &q));
        let cross = a0.product_at(&b1, &places).into_iter().zip(a1.product_at(&b0, &places));
        assert_eq!(big(site, &product, 1).at(&places), reduce(cross.map(|(x, y)| x + y).collect(), &q));
        assert_eq!(site.evaluator.square(&a).unwrap(), site.evaluator.mul(&a, &a).unwrap());
    }
}

#[test]
fn plaintext_operands() {
    for site in &mut sites() {
        let (a, _) = pair(site);
        let z = complex_slots(&mut site.rng, site.params.slots(), 1.0);
        let m = site.encoder.encode_slots(&z, a.level(), a.scale()).unwrap();
        let (q, places) = (modulus(site.params.q(), a.level().limbs()), places(site.params.n()));
        let plain = Big::from_poly(site.params.q(), m.poly());
        let product = site.evaluator.mul_plain(&a, &m).unwrap();
        for i in 0..2 {
            let want = big(site, &a, i).product_at(&plain, &places);
            assert_eq!(big(site, &product, i).at(&places), reduce(want, &q));
        }
        let summed = site.evaluator.mul_plain_sum(&[(&a, &m), (&a, &m)]).unwrap();
        assert_eq!(summed, site.evaluator.add(&product, &product).unwrap());
        let sum = site.evaluator.add_plain(&a, &m).unwrap();
        let want = big(site, &a, 0).at(&places).iter().zip(plain.at(&places)).map(|(x, y)| x + y).collect();
        assert_eq!(big(site, &sum, 0).at(&places), reduce(want, &q));
        assert_eq!(site.evaluator.sub_plain(&sum, &m).unwrap(), a);
    }
}

#[test]
fn rescale_is_exact_division_with_rounding_and_drop_is_reduction() {
    for site in &mut sites() {
        let (a, b) = pair(site);
        let product = site.evaluator.mul(&a, &b).unwrap();
        let level = product.level();
        let last = BigInt::from(site.params.q().prime(level.0).value());
        let q = modulus(site.params.q(), level.limbs() - 1);
        let rescaled = site.evaluator.rescale(&product).unwrap();
        let dropped = site.evaluator.drop_to_level(&a, rescaled.level()).unwrap();
        for i in 0..3 {
            let want = big(site, &product, i).coefficients.iter().map(|c| divide_rounded(c, &last)).collect();
            assert_eq!(big(site, &rescaled, i).coefficients, reduce(want, &q));
        }
        assert_eq!(big(site, &dropped, 1).coefficients, reduce(big(site, &a, 1).coefficients, &q));
        assert_eq!(rescaled.scale(), a.scale().times(b.scale()).over(Scale::prime(level.0)));
    }
}

#[test]
fn key_switching_at_every_level() {
    for site in &mut sites() {
        let (a, b) = pair(site);
        let (params, places) = (site.params.clone(), places(site.params.n()));
        for level in (0..=params.top_level().0).rev().map(blindscope_ckks::Level) {
            let a = site.evaluator.drop_to_level(&a, level).unwrap();
            let q = modulus(params.q(), level.limbs());
            let sum =
                |x: Vec<BigInt>, y: Vec<BigInt>| reduce(x.iter().zip(y).map(|(x, y)| x + y).collect(), &q);
            if level == params.top_level() {
                let product = site.evaluator.mul(&a, &b).unwrap();
                let relin = site.evaluator.relinearise(&product, &site.relin).unwrap();
                for (i, key) in [site.relin.0.b(), site.relin.0.a()].into_iter().enumerate() {
                    let switched = switch_at(&product.components()[2], key, params.q(), params.qp(), &places);
                    let want = sum(big(site, &product, i).at(&places), switched);
                    assert_eq!(big(site, &relin, i).at(&places), want, "relinearise, component {i}");
                }
            }
            let digits = site.evaluator.decompose(&a).unwrap();
            let elements = [rotation_element(1, params.log_n()), conjugation_element(params.log_n())];
            for key in site.galois.iter().filter(|k| elements.contains(&k.element())) {
                let image = site.evaluator.apply_galois(&a, &digits, key).unwrap();
                // The image's coefficient at k·g is the switched one at k, up to sign: compare through X -> X^(1/g).
                let two_n = 2 * params.n();
                let inverse = (1..params.n() / 2).fold(1, |acc, _| acc * key.element() % two_n);
                for (i, half) in [key.key().b(), key.key().a()].into_iter().enumerate() {
                    let switched = switch_at(&a.components()[1], half, params.q(), params.qp(), &places);
                    let zero = vec![BigInt::from(0); places.len()];
                    let own = if i == 0 { big(site, &a, 0).at(&places) } else { zero };
                    let got = big(site, &image, i).substitute(inverse).at(&places);
                    assert_eq!(got, sum(own, switched), "element {}, level {level}", key.element());
                }
            }
        }
    }
}
