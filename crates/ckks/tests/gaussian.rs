//! Matrices of complex constants against the definition: products with the polynomials `a + b·X^(N/2)`.

#![allow(clippy::unwrap_used, reason = "a test stops where it is wrong")]

mod common;

use blindscope_ckks::{Complex64, Error, GaussianMatrix, Level, Parameters, Scale};
use blindscope_testkit::{complex_slots, rng};
use common::{Site, literals};

/// Sizes whose evaluations are ordered as the matrix needs them: degree 128 and above.
fn sites() -> Vec<Site> {
    let served = literals().into_iter().filter(|(_, l)| l.log_n >= 7);
    served.map(|(name, l)| Site::toy_or_real(name, l, 71)).collect()
}

#[test]
fn equals_products_with_polynomials_bit_for_bit() {
    for mut site in sites() {
        let mut r = rng(72);
        let (rows, columns) = (5, 3);
        let top = site.params.top_level();
        let x: Vec<_> = (0..columns)
            .map(|_| {
                let z = complex_slots(&mut r, site.params.slots(), 1.0);
                site.encrypt(&z)
            })
            .collect();
        let w: Vec<Vec<Complex64>> = (0..rows).map(|_| complex_slots(&mut r, columns, 2.0)).collect();
        let scale = Scale::pow2(20);
        let matrix = GaussianMatrix::new(&site.params, top, &w, scale).unwrap();
        let ev = &site.evaluator;
        let mut got = ev.zeros(rows, 2, top, x[0].scale().times(scale));
        ev.mul_gaussian_add_assign(&mut got, &matrix, &x).unwrap();
        for (row, got) in w.iter().zip(&got) {
            let mut want = ev.zeros(1, 2, top, got.scale()).remove(0);
            for (z, x) in row.iter().zip(&x) {
                let mut coefficients = vec![0i64; site.params.n()];
                coefficients[0] = (z.re * 20f64.exp2()).round() as i64;
                coefficients[site.params.slots()] = (z.im * 20f64.exp2()).round() as i64;
                let m = site.encoder.encode_integers(&coefficients, top).unwrap();
                let mut product = ev.mul_plain(x, &m).unwrap();
                product.set_scale(got.scale());
                ev.add_assign(&mut want, &product).unwrap();
            }
            assert!(*got == want, "a row differs from the sum of its products");
        }
    }
}

#[test]
fn a_quarter_turn_is_a_product_with_i() {
    for mut site in sites() {
        let z = complex_slots(&mut rng(73), site.params.slots(), 1.0);
        let c = site.encrypt(&z);
        let got = site.open(&site.evaluator.mul_i(&c).unwrap());
        let error = got.iter().zip(&z).map(|(g, z)| (g - z * Complex64::i()).norm()).fold(0.0, f64::max);
        assert!(error < 1e-4, "{error}");
    }
}

#[test]
fn refusals() {
    let mut site = sites().remove(0);
    let top = site.params.top_level();
    let z = complex_slots(&mut rng(74), site.params.slots(), 1.0);
    let x = [site.encrypt(&z)];
    let one = vec![vec![Complex64::i()]];
    let new = |w: &[Vec<Complex64>], level| GaussianMatrix::new(&site.params, level, w, Scale::pow2(20));
    let matrix = new(&one, top).unwrap();
    let ev = &site.evaluator;
    let mut acc = ev.zeros(1, 2, top, x[0].scale());
    let refused = ev.mul_gaussian_add_assign(&mut acc, &matrix, &x);
    assert!(matches!(refused, Err(Error::ScaleMismatch { .. })), "{refused:?}");
    let mut two = ev.zeros(2, 2, top, x[0].scale().times(Scale::pow2(20)));
    let refused = ev.mul_gaussian_add_assign(&mut two, &matrix, &x);
    assert!(matches!(refused, Err(Error::KeyShape { .. })), "{refused:?}");
    let low = new(&one, Level(0)).unwrap();
    assert!(matches!(ev.mul_gaussian_add_assign(&mut two[..1], &low, &x), Err(Error::KeyShape { .. })));
    assert!(matches!(new(&one, Level(99)), Err(Error::NoSuchLevel { .. })));
    let nan = vec![vec![Complex64 { re: f64::NAN, im: 0.0 }]];
    assert!(matches!(new(&nan, top), Err(Error::ValueOutOfRange { .. })));
    let ragged = vec![vec![Complex64::i()], Vec::new()];
    assert!(matches!(new(&ragged, top), Err(Error::KeyShape { .. })));
    let other = Parameters::insecure_for_tests(literals().remove(3).1).unwrap();
    let foreign = GaussianMatrix::new(&other, Level(2), &one, Scale::pow2(20)).unwrap();
    assert!(ev.mul_gaussian_add_assign(&mut two[..1], &foreign, &x).is_err());
}
