//! Times `tfhe-ntt`'s forward and inverse transforms and prints one JSON object.
//!
//! Median of the thread's CPU time over `ROUNDS` rounds, each the mean over `BATCH` transforms of one buffer in place.
//! The inverse leaves the factor N in, as the library does: its `normalize` is a further pass that is not timed.
//! Before anything is timed, a product by X through the transform is compared with the negacyclic shift it must be.

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tfhe_ntt::prime64::Plan;

const ROUNDS: usize = 101;
const BATCH: usize = 20;

fn main() {
    let mut cases = Vec::new();
    for log_n in [13, 14] {
        for bits in [46, 40] {
            let n = 1 << log_n;
            let p = largest_prime(n, bits);
            let plan = Plan::try_new(n, p).expect("no plan for this size and prime");
            check(&plan, n, p);
            cases.push((n, bits, plan));
        }
    }
    let figures: Vec<Value> = cases.iter().flat_map(|(n, bits, plan)| measure(plan, *n, *bits)).collect();
    println!("{}", json!({ "peer": "tfhe-ntt 0.7.1", "threads": 1, "figures": figures }));
}

fn measure(plan: &Plan, n: usize, bits: u32) -> [Value; 2] {
    // On a cache line, as the other side's.
    let mut words = vec![0; n + 7];
    let at = words.as_ptr().align_offset(64);
    let buffer = &mut words[at..at + n];
    buffer.copy_from_slice(&sample(n, plan.modulus()));
    let (mut forward, mut inverse) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        forward.push(mean_ns(|| plan.fwd(buffer)));
        inverse.push(mean_ns(|| plan.inv(buffer)));
    }
    [("ntt_forward", forward), ("ntt_inverse", inverse)].map(|(figure, mut ns)| {
        ns.sort_by(f64::total_cmp);
        let quantile = |q: f64| ns[(q * (ROUNDS - 1) as f64) as usize] / 1e3;
        json!({
            "figure": figure, "n": n, "bits": bits, "prime": plan.modulus(), "ifma": plan.use_ifma(),
            "value": quantile(0.5), "unit": "us", "clock": "thread cpu", "runs": ROUNDS * BATCH,
            "spread": [quantile(0.25), quantile(0.75)],
        })
    })
}

fn mean_ns(mut transform: impl FnMut()) -> f64 {
    let start = thread_cpu_ns();
    for _ in 0..BATCH {
        transform();
    }
    (thread_cpu_ns() - start) as f64 / BATCH as f64
}

fn thread_cpu_ns() -> i64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec * 1_000_000_000 + t.tv_nsec
}

/// Multiplies by X through the transform: coefficients move up by one, the last comes back negated.
fn check(plan: &Plan, n: usize, p: u64) {
    let a = sample(n, p);
    let (mut product, mut x) = (a.clone(), vec![0; n]);
    x[1] = 1;
    plan.fwd(&mut product);
    plan.fwd(&mut x);
    plan.mul_assign_normalize(&mut product, &x);
    plan.inv(&mut product);
    let shifted: Vec<u64> = (0..n).map(|i| if i == 0 { (p - a[n - 1]) % p } else { a[i - 1] }).collect();
    assert_eq!(product, shifted, "tfhe-ntt gave a wrong product at n {n}, p {p}; nothing measured");
}

/// Residues that look random: a Weyl sequence, reduced.
fn sample(n: usize, p: u64) -> Vec<u64> {
    (1..=n as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % p).collect()
}

/// The largest prime below 2^bits that is 1 modulo 2n.
fn largest_prime(n: usize, bits: u32) -> u64 {
    let step = 2 * n as u64;
    let mut candidate = ((1_u64 << bits) - 1) / step * step + 1;
    while candidate >> bits != 0 || !is_prime(candidate) {
        candidate -= step;
    }
    candidate
}

fn is_prime(candidate: u64) -> bool {
    (2..).take_while(|d| d * d <= candidate).all(|d| !candidate.is_multiple_of(d))
}
