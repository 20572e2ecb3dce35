//! The transforms against their definition, and the two paths against each other.
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

use blindscope_ring::{Backend, EvaluationOrder, Prime, ntt_primes};
use proptest::prelude::*;

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

fn primes_under_test(log_n: u32) -> Vec<Prime> {
    let mut values = ntt_primes(46, log_n, 2).unwrap();
    values.extend(ntt_primes(30, log_n, 1).unwrap());
    values.extend(ntt_primes(60, log_n, 1).unwrap());
    let both = |v: &u64| [Prime::new(*v, log_n).unwrap(), Prime::portable(*v, log_n).unwrap()];
    values.iter().flat_map(both).collect()
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

/// The pair of paths for one prime; `None` where the processor has only the portable one.
fn pair(value: u64, log_n: u32) -> Option<(Prime, Prime)> {
    let fast = Prime::new(value, log_n).unwrap();
    if fast.backend() != Backend::Ifma {
        println!("skipped: this processor has no AVX-512 IFMA");
        return None;
    }
    Some((fast, Prime::portable(value, log_n).unwrap()))
}

#[test]
fn both_paths_give_the_same_words_on_extreme_input() {
    for log_n in 10..=16 {
        let n = 1 << log_n;
        for value in ntt_primes(46, log_n, 3).unwrap().into_iter().chain(ntt_primes(25, log_n, 1).unwrap()) {
            let Some((fast, slow)) = pair(value, log_n) else { return };
            // Everything at the top of the stated range, at the top of the residues, and alternating.
            let inputs = [
                vec![(1 << 51) - 1; n],
                vec![value - 1; n],
                (0..n).map(|i| if i % 2 == 0 { (1 << 51) - 1 } else { 0 }).collect::<Vec<_>>(),
            ];
            for input in inputs {
                let (mut x, mut y) = (input.clone(), input);
                fast.forward(&mut x);
                slow.forward(&mut y);
                assert!(x == y, "forward {fast:?}");
                let mut top = vec![value - 1; n];
                top[n / 3] = 0;
                let mut same = top.clone();
                fast.inverse(&mut top);
                slow.inverse(&mut same);
                assert!(top == same, "inverse {fast:?}");
                fast.inverse(&mut x);
                slow.inverse(&mut y);
                assert!(x == y, "inverse {fast:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn both_paths_give_the_same_words(seed: u64, bits in 25u32..=46) {
        let value = ntt_primes(bits, 10, 1).unwrap()[0];
        if let Some((fast, slow)) = pair(value, 10) {
            let a = residues(value, 1024, seed);
            let b = residues(value, 1024, seed ^ 0xabcd);
            let w = fast.constant(b[9]);
            type Op<'a> = Box<dyn Fn(&Prime, &mut Vec<u64>) + 'a>;
            let ops: Vec<(&str, Op)> = vec![
                ("forward", Box::new(|p, x| p.forward(x))),
                ("inverse", Box::new(|p, x| p.inverse(x))),
                ("add", Box::new(|p, x| p.add_assign(x, &b))),
                ("sub", Box::new(|p, x| p.sub_assign(x, &b))),
                ("neg", Box::new(|p, x| p.neg_assign(x))),
                ("mul", Box::new(|p, x| p.mul_assign(x, &b))),
                ("mul_into", Box::new(|p, x| { let y = x.clone(); p.mul_into(x, &y, &b); })),
                ("mul_add", Box::new(|p, x| p.mul_add_assign(x, &b, &b))),
                ("mul_sum of 3", Box::new(|p, x| { let y = x.clone(); p.mul_sum(x, &[(&y, &b), (&b, &b), (&y, &y)]); })),
                ("mul_sum of 17", Box::new(|p, x| { let y = x.clone(); p.mul_sum(x, &[(&y[..], &b[..]); 17]); })),
                ("mul_constant", Box::new(|p, x| p.mul_constant_assign(x, w))),
                ("mul_constant_add", Box::new(|p, x| p.mul_constant_add_assign(x, &b, w))),
                ("sub_mul_constant", Box::new(|p, x| p.sub_mul_constant_assign(x, &b, w))),
            ];
            for (name, op) in &ops {
                let (mut x, mut y) = (a.clone(), a.clone());
                op(&fast, &mut x);
                op(&slow, &mut y);
                prop_assert!(x == y, "{} differs at {} bits", name, bits);
            }
        }
    }

    #[test]
    fn vector_operations_equal_scalar_ones(seed: u64, bits in prop::sample::select(vec![25u32, 40, 46, 60])) {
        let p = Prime::new(ntt_primes(bits, 10, 1).unwrap()[0], 10).unwrap();
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
