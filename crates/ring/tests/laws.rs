//! Ring laws, automorphisms, exact lifts, extensions and distributions.
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

use chacha20::cipher::{KeyIvInit, StreamCipher};
use chacha20::{ChaCha20, ChaCha20Rng};
use num_bigint::BigInt;
use proptest::prelude::*;
use rand_core::SeedableRng;

use blindscope_ring::extend::Extension;
use blindscope_ring::galois::{Automorphism, conjugation_element, rotation_element};
use blindscope_ring::lift::Lift;
use blindscope_ring::sample::{self, Seed};
use blindscope_ring::{Arithmetic, Basis, Coeff, Ntt, Poly, Prime, ntt_primes};

/// Four primes, on the fastest path.
fn basis(log_n: u32) -> Basis {
    basis_on(Arithmetic::fastest(), log_n)
}

fn basis_on(path: Arithmetic, log_n: u32) -> Basis {
    let mut values = ntt_primes(46, log_n, 2).unwrap();
    values.extend(ntt_primes(40, log_n, 1).unwrap());
    values.extend(ntt_primes(48, log_n, 1).unwrap());
    Basis::on(path, &values, log_n).unwrap()
}

fn random(basis: &Basis, seed: u64) -> Poly<Ntt> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    sample::uniform(basis, &Seed(bytes), 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn ring_laws(x: u64, y: u64, z: u64, log_n in prop::sample::select(vec![4u32, 7, 10]),
        path in prop::sample::select(Arithmetic::available().collect::<Vec<_>>())) {
        let r = basis_on(path, log_n);
        let (a, b, c) = (random(&r, x), random(&r, y), random(&r, z));
        let mul = |p: &Poly<Ntt>, q: &Poly<Ntt>| { let mut t = p.clone(); r.mul_assign(&mut t, q); t };
        let add = |p: &Poly<Ntt>, q: &Poly<Ntt>| { let mut t = p.clone(); r.add_assign(&mut t, q); t };
        prop_assert!(mul(&a, &b) == mul(&b, &a));
        prop_assert!(mul(&a, &mul(&b, &c)) == mul(&mul(&a, &b), &c));
        prop_assert!(mul(&a, &add(&b, &c)) == add(&mul(&a, &b), &mul(&a, &c)));
        let mut minus = a.clone();
        r.neg_assign(&mut minus);
        prop_assert!(add(&a, &minus) == r.zero());
        let mut twice = a.clone();
        r.mul_integer_assign(&mut twice, 2);
        prop_assert!(twice == add(&a, &a));
        let mut product = c.clone();
        r.mul_add_assign(&mut product, &a, &b);
        prop_assert!(product == add(&c, &mul(&a, &b)));
    }

    #[test]
    fn automorphisms_compose_and_respect_products(x: u64, y: u64, g in 0usize..64, h in 0usize..64) {
        let r = basis(7);
        let (a, b) = (random(&r, x), random(&r, y));
        let (s, t) = (Automorphism::new(2 * g + 1, 7), Automorphism::new(2 * h + 1, 7));
        let both = Automorphism::new((2 * g + 1) * (2 * h + 1), 7);
        prop_assert!(s.apply(&t.apply(&a)) == both.apply(&a));
        let mut ab = a.clone();
        r.mul_assign(&mut ab, &b);
        let mut images = s.apply(&a);
        r.mul_assign(&mut images, &s.apply(&b));
        prop_assert!(s.apply(&ab) == images);
    }
}

#[test]
fn automorphism_moves_coefficients() {
    let r = basis(5);
    let n = r.n();
    for g in [3, 5, 25, 63] {
        let coefficients: Vec<i64> = (0..n as i64).map(|i| i * i - 40).collect();
        let mut want = vec![0; n];
        for (i, &c) in coefficients.iter().enumerate() {
            let k = i * g % (2 * n);
            want[k % n] = if k < n { c } else { -c };
        }
        let image = Automorphism::new(g, 5).apply(&r.to_ntt(r.from_signed(&coefficients)));
        assert!(r.to_coeff(image) == r.from_signed(&want), "X -> X^{g}");
    }
    assert_eq!(rotation_element(0, 13), 1);
    assert_eq!(rotation_element(-1, 13) * 5 % 16_384, 1);
    assert_eq!(conjugation_element(13), 16_383);
}

#[test]
fn lift_is_exact_over_the_whole_range() {
    let r = basis(4);
    let q: BigInt = r.primes().iter().map(|p| BigInt::from(p.value())).product();
    let half: BigInt = (&q - 1) / 2;
    for limbs in 1..=r.len() {
        let q: BigInt = r.primes()[..limbs].iter().map(|p| BigInt::from(p.value())).product();
        let half_here: BigInt = (&q - 1) / 2;
        let step = &q / 16;
        let values: Vec<BigInt> = (0..16i64)
            .map(|i| {
                if i == 0 {
                    half_here.clone()
                } else if i == 1 {
                    -&half_here
                } else {
                    &step * (i - 8) + i
                }
            })
            .collect();
        let mut a: Poly<Coeff> = Poly::zero(16, limbs);
        for (i, limb) in a.limbs_mut().enumerate() {
            let p = BigInt::from(r.prime(i).value());
            for (x, v) in limb.iter_mut().zip(&values) {
                *x = u64::try_from(((v % &p) + &p) % &p).unwrap();
            }
        }
        let digits = Lift::new(&r).digits(&a);
        let floats = Lift::new(&r).to_f64(&a);
        for (k, v) in values.iter().enumerate() {
            let mut weight = BigInt::from(1);
            let mut sum = BigInt::from(0);
            for (i, d) in digits.iter().enumerate() {
                sum += &weight * d[k];
                weight *= r.prime(i).value();
            }
            assert_eq!(&sum, v);
            let want: f64 = v.to_string().parse().unwrap();
            assert!(
                (floats[k] - want).abs() <= want.abs() * 4.0 * f64::EPSILON,
                "{} against {want}",
                floats[k]
            );
        }
    }
    assert!(half > BigInt::from(0));
}

#[test]
fn small_values_lift_without_cancellation() {
    let r = basis(4);
    let values: Vec<i64> = (0..16).map(|i| (i - 8) * 1_234_567_890_123).collect();
    let lift = Lift::new(&r);
    assert_eq!(lift.to_f64(&r.from_signed(&values)), values.iter().map(|&v| v as f64).collect::<Vec<_>>());
    let wide: Vec<i128> = values.iter().map(|&v| i128::from(v) * 1_000_000_007_000_001).collect();
    assert_eq!(lift.to_i128(&r.from_signed_wide(&wide)), wide);
}

/// Reduced, the residues of the centred value, on every path; and the same words on each.
#[test]
fn extension_keeps_the_centred_value() {
    let small: Vec<i128> = (0..1024i128).map(|i| (i - 512) * 0x1234_5678_9abc_def1).collect();
    let of = |bits, count| ntt_primes(bits, 10, count).unwrap();
    let ordinary = [of(46, 2), of(40, 1), of(48, 1)].concat();
    // Beyond what fast kernels take, among others.
    let wide = [of(60, 1), of(40, 1), of(60, 2)[1..].to_vec()].concat();
    for values in [ordinary, wide] {
        for from in [1, 2, 3] {
            let mut first: Option<Vec<Vec<u64>>> = None;
            for path in Arithmetic::available() {
                let r = Basis::on(path, &values, 10).unwrap();
                let to = Basis::on(path, &[of(45, 2), of(50, 1), of(59, 1), of(24, 1)].concat(), 10).unwrap();
                let shifted: Vec<i128> = small.iter().map(|v| v >> if from == 1 { 30 } else { 0 }).collect();
                let source = r.from_signed_wide(&shifted);
                let ext = Extension::new(&r.primes()[..from], to.primes());
                let limbs: Vec<&[u64]> = (0..from).map(|i| source.limb(i)).collect();
                let scaled = ext.scale(&limbs);
                let want = to.from_signed_wide(&shifted);
                let mut words = Vec::new();
                for t in 0..to.len() {
                    let mut out = vec![0; 1024];
                    ext.target_lazy(t, &scaled, &mut out);
                    let m = to.prime(t).modulus();
                    assert!(out.iter().all(|&x| x < m.value().max(1 << 51)));
                    let reduced: Vec<u64> = out.iter().map(|&x| m.reduce(x)).collect();
                    assert!(reduced == want.limb(t), "from {from} primes to target {t}, {path}");
                    words.push(out);
                }
                assert!(*first.get_or_insert_with(|| words.clone()) == words, "{path}, from {from} primes");
            }
        }
    }
}

/// Of the whole range, not only of small values: the sum of residues is taken off as often as the nearest integer says.
#[test]
fn extension_of_any_residues_is_the_same_modulo_the_sources() {
    for path in Arithmetic::available() {
        let r = basis_on(path, 10);
        let to = Basis::on(path, &ntt_primes(45, 10, 1).unwrap(), 10).unwrap();
        let source = r.to_coeff(random(&r, 77));
        let ext = Extension::new(&r.primes()[..3], to.primes());
        let mut out = vec![0; 1024];
        ext.target_lazy(0, &ext.scale(&[source.limb(0), source.limb(1), source.limb(2)]), &mut out);
        let d: BigInt = r.primes()[..3].iter().map(|p| BigInt::from(p.value())).product();
        for k in 0..1024 {
            let value: BigInt = (0..3)
                .map(|i| {
                    let q = BigInt::from(r.prime(i).value());
                    let rest = &d / &q;
                    &rest * (&rest % &q).modpow(&(&q - 2), &q) * source.limb(i)[k]
                })
                .sum();
            let value = ((&value % &d) + &d) % &d;
            let centred = if &value * 2 > d { value - &d } else { value };
            let p = BigInt::from(to.prime(0).value());
            assert_eq!(BigInt::from(out[k]), ((centred % &p) + &p) % &p, "{path}, coefficient {k}");
        }
    }
}

#[test]
fn error_and_ternary_have_their_moments_and_bounds() {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut e = vec![0; 1 << 18];
    sample::error(&mut rng, &mut e);
    let count = e.len() as f64;
    let mean = e.iter().sum::<i64>() as f64 / count;
    let variance = e.iter().map(|v| (v * v) as f64).sum::<f64>() / count;
    println!("error: mean {mean:.4}, variance {variance:.4}");
    assert!(mean.abs() < 0.04 && (variance - 10.5).abs() < 0.15);
    assert!((variance.sqrt() - sample::ERROR_STD).abs() < 0.03);
    assert!((sample::binomial_std(sample::ERROR_COINS) - sample::ERROR_STD).abs() < 1e-14);
    assert!(e.iter().all(|v| v.abs() <= sample::ERROR_BOUND));
    let mut s = vec![0; 1 << 18];
    sample::ternary(&mut rng, &mut s);
    for value in -1..=1 {
        let share = s.iter().filter(|&&v| v == value).count() as f64 / count;
        assert!((share - 1.0 / 3.0).abs() < 0.005, "{value}: {share}");
    }
}

#[test]
fn flooding_has_its_moments_and_bounds() {
    let mut rng = ChaCha20Rng::from_seed([6; 32]);
    for width in [1u64, 2, 3, 1000, (1 << 40) + 12_345] {
        let mut f = vec![0; 1 << 17];
        sample::flood(&mut rng, width, &mut f);
        let count = f.len() as f64;
        let mean = f.iter().map(|&v| v as f64).sum::<f64>() / count;
        let std = (f.iter().map(|&v| (v as f64).powi(2)).sum::<f64>() / count).sqrt();
        let stated = sample::flood_std(width);
        println!("width {width}: mean {mean:.3e}, deviation {std:.4e} for {stated:.4e}");
        assert!(mean.abs() <= 5.0 * stated / count.sqrt(), "{mean}");
        assert!((std - stated).abs() <= 0.01 * stated);
        assert!(f.iter().all(|v| v.unsigned_abs() <= 2 * (width - 1)));
        assert_eq!(sample::flood_width(stated), width);
    }
    // Every residue of a small width comes, as often as any other.
    let mut f = vec![0; 1 << 17];
    sample::flood(&mut rng, 2, &mut f);
    for (value, share) in [(-2, 1.0), (-1, 4.0), (0, 6.0), (1, 4.0), (2, 1.0)] {
        let seen = f.iter().filter(|&&v| v == value).count() as f64 / f.len() as f64;
        assert!((seen - share / 16.0).abs() < 0.006, "{value}: {seen}");
    }
}

#[test]
fn uniform_is_reproducible_separated_and_flat() {
    let r = basis(13);
    let seed = Seed([9; 32]);
    let a = sample::uniform(&r, &seed, 1);
    assert!(a == sample::uniform(&r, &seed, 1));
    assert!(a != sample::uniform(&r, &seed, 2));
    assert!(a.limb(0) != a.limb(1));
    for (limb, p) in a.limbs().zip(r.primes()) {
        assert!(limb.iter().all(|&x| x < p.value()));
        let mut cells = [0f64; 16];
        for &x in limb {
            cells[(u128::from(x) * 16 / u128::from(p.value())) as usize] += 1.0;
        }
        let expected = limb.len() as f64 / 16.0;
        let chi2: f64 = cells.iter().map(|c| (c - expected).powi(2) / expected).sum();
        assert!(chi2 < 44.0, "chi-square {chi2} over 15 degrees of freedom"); // p = 1e-4
    }
    // The prefix of a basis reads the prefix of the polynomial.
    assert!(sample::uniform(&r.prefix(2), &seed, 1) == a.prefix(2));
}

/// Word for word by the definition, for primes far below their power of two and for ones just below it.
#[test]
fn uniform_skips_words_that_are_not_below_the_prime() {
    let seed = Seed([7; 32]);
    for (bits, log_n) in [(17, 10), (20, 13), (23, 12), (40, 13), (46, 10)] {
        let value = ntt_primes(bits, log_n, 3).unwrap()[2];
        let basis = Basis::new(&[value], log_n).unwrap();
        let width = bits.div_ceil(8) as usize;
        let mut stream = vec![0; 3 * width * basis.n()];
        let mut nonce = [0; 12];
        nonce[0] = 5;
        ChaCha20::new(&seed.0.into(), &nonce.into()).apply_keystream(&mut stream);
        let word = |b: &[u8]| b.iter().rev().fold(0, |x, b| x << 8 | u64::from(*b)) % (1 << bits);
        let words = stream.chunks_exact(width).map(word);
        let want: Vec<u64> = words.filter(|x| *x < value).take(basis.n()).collect();
        assert!(sample::uniform(&basis, &seed, 5).limb(0) == want, "{bits} bits");
    }
}

/// Every tile shape, every path: full tiles, left-over rows, half a tile, one term, more terms than one reduction takes.
#[test]
fn rows_of_constants_are_sums_of_products() {
    for bits in [17, 20, 23, 24, 26, 27, 44, 46, 48, 50] {
        // A degree that every path serves.
        let value = ntt_primes(bits, 10, 1).unwrap()[0];
        let paths = Arithmetic::available().map(|path| Prime::on(path, value, 10).unwrap());
        let paths: Vec<Prime> = paths.collect();
        let m = *paths[0].modulus();
        for (rows, columns, words) in [(1, 1, 8), (4, 3, 16), (9, 70, 40), (5, 4097, 8), (2, 0, 8)] {
            // Extreme residues among the others.
            let residue = |i: usize| match i % 5 {
                0 => value - 1,
                _ => (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % value,
            };
            let x: Vec<Vec<u64>> =
                (0..columns).map(|j| (0..words).map(|i| residue(5 * j + i)).collect()).collect();
            // The largest residue, and the largest one where constants are centred.
            let constant = |i: usize| [value - 1, value / 2, value / 2 + 1, residue(5 * i + 1)][i % 4];
            let w: Vec<u64> = (0..rows * columns).map(constant).collect();
            let start: Vec<Vec<u64>> =
                (0..rows).map(|r| (0..words).map(|i| residue(r + i)).collect()).collect();
            let run = |prime: &Prime| {
                let mut acc = start.clone();
                let mut parts: Vec<&mut [u64]> = acc.iter_mut().map(Vec::as_mut_slice).collect();
                let x: Vec<&[u64]> = x.iter().map(Vec::as_slice).collect();
                prime.mul_rows_add_assign(&mut parts, &x, &w);
                acc
            };
            let mut want = start.clone();
            for (r, row) in want.iter_mut().enumerate() {
                for (j, x) in x.iter().enumerate() {
                    row.iter_mut().zip(x).for_each(|(o, &x)| *o = m.add(*o, m.mul(w[r * columns + j], x)));
                }
            }
            for prime in &paths {
                assert_eq!(run(prime), want, "{rows} rows, {columns} columns, {prime:?}");
            }
        }
    }
}
