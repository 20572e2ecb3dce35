//! The transforms against their definition, and the paths of arithmetic against each other.
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

use proptest::prelude::*;

use blindscope_ring::{Arithmetic, EvaluationOrder, Prime, ntt_primes};

/// A deterministic stream of residues with the boundary values first.
fn residues(p: u64, n: usize, seed: u64) -> Vec<u64> {
    let mut x = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut v: Vec<u64> = (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x % p
        })
        .collect();
    v[..3].copy_from_slice(&[p - 1, 0, 1]);
    v
}

/// `f(ψ^e)` by Horner's rule, where `ψ` is read off the transform of `X`.
fn horner(prime: &Prime, f: &[u64], point: u64) -> u64 {
    let m = prime.modulus();
    f.iter().rev().fold(0, |acc, &c| m.add(m.mul(acc, point), c))
}

fn root(prime: &Prime, n: usize) -> u64 {
    let mut x = vec![0; n];
    x[1] = 1;
    prime.forward(&mut x);
    x[EvaluationOrder::new(prime.log_n()).index(1)]
}

/// The prime on every path of this processor that it fits, the portable one first.
fn paths(value: u64, log_n: u32) -> Vec<Prime> {
    let mut paths: Vec<Prime> =
        Arithmetic::available().map(|path| Prime::on(path, value, log_n).unwrap()).collect();
    paths.dedup_by_key(|prime| prime.arithmetic());
    paths
}

fn primes_under_test(log_n: u32) -> Vec<Prime> {
    let widths = [(46, 2), (30, 1), (47, 1), (50, 1), (60, 1)];
    let values = widths.into_iter().flat_map(|(bits, count)| ntt_primes(bits, log_n, count).unwrap());
    values.flat_map(|value| paths(value, log_n)).collect()
}

#[test]
fn forward_is_evaluation_at_odd_powers_of_the_smallest_root() {
    for log_n in [4, 5, 6, 8, 10, 11, 13] {
        let n = 1 << log_n;
        let order = EvaluationOrder::new(log_n);
        for prime in primes_under_test(log_n) {
            let psi = root(&prime, n);
            assert_eq!(prime.modulus().pow_vartime(psi, n as u64), prime.value() - 1);
            let f = residues(prime.value(), n, 7);
            let mut got = f.clone();
            prime.forward(&mut got);
            let step = (n / 64).max(1);
            for j in (0..n).step_by(step).chain([n - 1]) {
                let point = prime.modulus().pow_vartime(psi, order.exponent(j) as u64);
                assert_eq!(got[j], horner(&prime, &f, point), "{prime:?} index {j}");
            }
        }
    }
}

#[test]
fn inverse_undoes_forward_at_every_size() {
    for log_n in 4..=16 {
        for prime in primes_under_test(log_n) {
            let f = residues(prime.value(), 1 << log_n, u64::from(log_n));
            let mut a = f.clone();
            prime.forward(&mut a);
            prime.inverse(&mut a);
            assert_eq!(a, f, "{prime:?}");
        }
    }
}

#[test]
fn transformed_product_is_the_negacyclic_convolution() {
    for prime in primes_under_test(6) {
        let (n, m) = (64, *prime.modulus());
        let (a, b) = (residues(m.value(), n, 1), residues(m.value(), n, 2));
        let mut want = vec![0; n];
        for i in 0..n {
            for j in 0..n {
                let t = m.mul(a[i], b[j]);
                let k = (i + j) % n;
                want[k] = if i + j < n { m.add(want[k], t) } else { m.sub(want[k], t) };
            }
        }
        let (mut x, mut y) = (a.clone(), b.clone());
        prime.forward(&mut x);
        prime.forward(&mut y);
        prime.mul_assign(&mut x, &y);
        prime.inverse(&mut x);
        assert_eq!(x, want, "{prime:?}");
    }
}

/// Every width takes the fastest path that this processor has for it, and no choice goes above its ceiling.
#[test]
fn the_path_follows_from_prime_processor_and_choice() {
    let fastest = |most: Arithmetic| Arithmetic::available().filter(|path| *path <= most).last().unwrap();
    for (bits, most) in [
        (30, Arithmetic::Ifma),
        (46, Arithmetic::Ifma),
        (47, Arithmetic::Doubles),
        (50, Arithmetic::Doubles),
        (51, Arithmetic::Portable),
        (60, Arithmetic::Portable),
    ] {
        let value = ntt_primes(bits, 13, 1).unwrap()[0];
        assert_eq!(Prime::new(value, 13).unwrap().arithmetic(), fastest(most), "{bits} bits");
        for ceiling in Arithmetic::ALL {
            let prime = Prime::on(ceiling, value, 13).unwrap();
            assert_eq!(prime.arithmetic(), fastest(most.min(ceiling)), "{bits} bits up to {ceiling}");
        }
    }
    for path in Arithmetic::ALL.into_iter().filter(|path| !path.is_available()) {
        println!("not tested: this processor lacks the instructions of {path}");
    }
}

#[test]
fn paths_give_the_same_words_on_extreme_input() {
    for log_n in 10..=16 {
        let n = 1 << log_n;
        // Between 44 and 46 bits, by degree, lies where the forward transform of 52-bit words changes its way of keeping words in bounds.
        let widths = [(50, 2), (47, 1), (46, 2), (45, 2), (44, 2), (25, 1)];
        for value in widths.into_iter().flat_map(|(bits, count)| ntt_primes(bits, log_n, count).unwrap()) {
            let paths = paths(value, log_n);
            let (slow, fast) = paths.split_first().unwrap();
            // Everything at the top of the stated range, at the top of the residues, and alternating.
            let inputs = [
                vec![(1 << 51) - 1; n],
                vec![value - 1; n],
                (0..n).map(|i| if i % 2 == 0 { (1 << 51) - 1 } else { 0 }).collect::<Vec<_>>(),
                residues(1 << 51, n, value),
            ];
            // For the inverse: all but one word, and for each stage the words that it takes others from zeros.
            let mut top = vec![value - 1; n];
            top[n / 3] = 0;
            let second = |digit: usize| (0..n).map(|i| (value - 1) * (i >> digit & 1) as u64).collect();
            let tops: Vec<Vec<u64>> = (0..log_n as usize).map(second).chain([top]).collect();
            let backs: Vec<Vec<u64>> = tops
                .iter()
                .map(|top| {
                    let mut back = top.clone();
                    slow.inverse(&mut back);
                    back
                })
                .collect();
            for input in inputs {
                let mut want = input.clone();
                slow.forward(&mut want);
                let reduced: Vec<u64> = input.iter().map(|x| x % value).collect();
                for fast in fast {
                    let mut x = input.clone();
                    fast.forward(&mut x);
                    assert!(x == want, "forward {fast:?}");
                    fast.inverse(&mut x);
                    assert!(x == reduced, "inverse {fast:?}");
                }
            }
            for fast in fast {
                for (digit, (top, back)) in tops.iter().zip(&backs).enumerate() {
                    let mut y = top.clone();
                    fast.inverse(&mut y);
                    assert!(y == *back, "inverse {fast:?} {digit}");
                }
            }
        }
    }
}

type Op<'a> = Box<dyn Fn(&Prime, &mut Vec<u64>) + 'a>;

/// Every vector operation, with one operand fixed.
fn operations<'a>(b: &'a [u64], coefficients: &'a [i64]) -> Vec<(&'static str, Op<'a>)> {
    let w = |p: &Prime| p.constant(b[9]);
    let sum = move |x: &mut Vec<u64>, p: &Prime, terms: usize| {
        let y = x.clone();
        let all: Vec<_> = (0..terms).map(|i| if i % 3 == 0 { (&y[..], b) } else { (b, &y[..]) }).collect();
        p.mul_sum(x, &all);
    };
    vec![
        ("forward", Box::new(|p, x| p.forward(x))),
        ("inverse", Box::new(|p, x| p.inverse(x))),
        ("add", Box::new(|p, x| p.add_assign(x, b))),
        ("sub", Box::new(|p, x| p.sub_assign(x, b))),
        ("neg", Box::new(|p, x| p.neg_assign(x))),
        ("mul", Box::new(|p, x| p.mul_assign(x, b))),
        ("mul_into", Box::new(|p, x| p.mul_into(x, b, b))),
        ("mul_add", Box::new(|p, x| p.mul_add_assign(x, b, b))),
        ("mul_sum of none", Box::new(move |p, x| sum(x, p, 0))),
        ("mul_sum of 3", Box::new(move |p, x| sum(x, p, 3))),
        ("mul_sum of 16", Box::new(move |p, x| sum(x, p, 16))),
        ("mul_sum of 17", Box::new(move |p, x| sum(x, p, 17))),
        ("mul_constant", Box::new(move |p, x| p.mul_constant_assign(x, w(p)))),
        ("mul_constant_add", Box::new(move |p, x| p.mul_constant_add_assign(x, b, w(p)))),
        ("sub_mul_constant", Box::new(move |p, x| p.sub_mul_constant_assign(x, b, w(p)))),
        ("signed_to_ntt", Box::new(|p, x| p.signed_to_ntt(x, coefficients))),
        (
            "lift_centred, then forward",
            Box::new(|p, x| {
                let y = x.clone();
                p.lift_centred_lazy(x, &y, p.modulus());
                p.forward(x);
            }),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn paths_give_the_same_words(seed: u64, bits in 20u32..=50, extreme: bool) {
        let value = ntt_primes(bits, 10, 1).unwrap()[0];
        let (a, b) = if extreme {
            // The largest residues, and those whose centred representatives are largest.
            (vec![value - 1; 1024], (0..1024).map(|i| value / 2 + i % 2).collect())
        } else {
            (residues(value, 1024, seed), residues(value, 1024, seed ^ 0xabcd))
        };
        let coefficients: Vec<i64> = b.iter().map(|&x| x as i64 - (value / 2) as i64).collect();
        let paths = paths(value, 10);
        let (slow, fast) = paths.split_first().unwrap();
        for (name, op) in &operations(&b, &coefficients) {
            let mut want = a.clone();
            op(slow, &mut want);
            for fast in fast {
                let mut got = a.clone();
                op(fast, &mut got);
                prop_assert!(got == want, "{} differs on {:?}", name, fast);
            }
        }
    }

    /// Sums for both halves of a key are what each is by itself, for any number of terms.
    #[test]
    fn two_sums_equal_one_and_one(seed: u64, bits in prop::sample::select(vec![25u32, 40, 46, 48, 50, 60]), terms in 0usize..20,
        path in prop::sample::select(Arithmetic::available().collect::<Vec<_>>())) {
        let p = Prime::on(path, ntt_primes(bits, 10, 1).unwrap()[0], 10).unwrap();
        let vectors = |salt: u64| -> Vec<Vec<u64>> {
            (0..terms as u64).map(|t| residues(p.value(), 1024, seed ^ salt ^ t)).collect()
        };
        let (x, y) = (vectors(0), [vectors(1 << 32), vectors(1 << 33)]);
        let (mut first, mut second) = (vec![7; 1024], vec![7; 1024]);
        let x_refs: Vec<&[u64]> = x.iter().map(Vec::as_slice).collect();
        let y_refs = y.each_ref().map(|half| half.iter().map(Vec::as_slice).collect::<Vec<&[u64]>>());
        p.mul_sums([&mut first, &mut second], &x_refs, [&y_refs[0], &y_refs[1]]);
        for (got, half) in [first, second].iter().zip(&y) {
            let mut want = vec![0; 1024];
            for (x, y) in x.iter().zip(half) {
                p.mul_add_assign(&mut want, x, y);
            }
            prop_assert_eq!(got, &want);
        }
    }

    #[test]
    fn vector_operations_equal_scalar_ones(seed: u64, bits in prop::sample::select(vec![25u32, 40, 46, 48, 50, 60]),
        path in prop::sample::select(Arithmetic::available().collect::<Vec<_>>())) {
        let p = Prime::on(path, ntt_primes(bits, 10, 1).unwrap()[0], 10).unwrap();
        let m = p.modulus();
        let (a, b) = (residues(p.value(), 1024, seed), residues(p.value(), 1024, !seed));
        let mut sum = vec![0; 1024];
        p.mul_sum(&mut sum, &[(&a[..], &b[..]); 16]);
        let mut fused = a.clone();
        p.sub_mul_constant_assign(&mut fused, &b, p.constant(b[5]));
        for i in 0..1024 {
            prop_assert_eq!(u128::from(sum[i]), 16 * (u128::from(a[i]) * u128::from(b[i])) % u128::from(p.value()));
            prop_assert_eq!(fused[i], m.mul(m.sub(a[i], b[i]), b[5]));
        }
    }
}
