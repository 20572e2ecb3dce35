//! Criterion timings of the transforms, kernels and samplers at N = 8192.
#![allow(missing_docs, clippy::unwrap_used, clippy::semicolon_if_nothing_returned, reason = "benchmarks")]

use std::hint::black_box;

use chacha20::ChaCha20Rng;
use criterion::{Criterion, criterion_group, criterion_main};
use rand_core::SeedableRng;

use blindscope_ring::sample::{self, Seed};
use blindscope_ring::{Arithmetic, Basis, Prime, ntt_primes};

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("ntt");
    for log_n in [12, 13, 14] {
        for bits in [40, 46] {
            let value = ntt_primes(bits, log_n, 1).unwrap()[0];
            for prime in Arithmetic::available().map(|path| Prime::on(path, value, log_n).unwrap()) {
                let mut a: Vec<u64> = (0..1u64 << log_n).map(|i| i * 0x9e37_79b9 % value).collect();
                let name = format!("2^{log_n}/{bits} bits/{}", prime.arithmetic());
                group.bench_function(format!("forward/{name}"), |b| {
                    b.iter(|| prime.forward(black_box(&mut a)))
                });
                group.bench_function(format!("inverse/{name}"), |b| {
                    b.iter(|| prime.inverse(black_box(&mut a)))
                });
            }
        }
    }
    group.finish();
}

fn kernels(c: &mut Criterion) {
    let mut group = c.benchmark_group("limb of 8192");
    let p = Prime::new(ntt_primes(46, 13, 1).unwrap()[0], 13).unwrap();
    let b: Vec<u64> = (0..8192).map(|i| i * 77_777_777 % p.value()).collect();
    let mut a = b.clone();
    let w = p.constant(12_345);
    group.bench_function("add", |t| t.iter(|| p.add_assign(black_box(&mut a), &b)));
    group.bench_function("mul", |t| t.iter(|| p.mul_assign(black_box(&mut a), &b)));
    group.bench_function("mul_sum of 3", |t| t.iter(|| p.mul_sum(black_box(&mut a), &[(&b[..], &b[..]); 3])));
    group.bench_function("mul_constant", |t| t.iter(|| p.mul_constant_assign(black_box(&mut a), w)));
    group.bench_function("sub_mul_constant", |t| {
        t.iter(|| p.sub_mul_constant_assign(black_box(&mut a), &b, w))
    });
    group.bench_function("lift_centred", |t| {
        t.iter(|| p.lift_centred_lazy(black_box(&mut a), &b, p.modulus()))
    });
    group.finish();
}

fn samplers(c: &mut Criterion) {
    let mut group = c.benchmark_group("sample 8192");
    let values = ntt_primes(46, 13, 3).unwrap();
    let basis = Basis::new(&values, 13).unwrap();
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    group.bench_function("uniform, 3 limbs of 46 bits", |b| {
        b.iter(|| sample::uniform(&basis, &Seed([3; 32]), 0))
    });
    group.bench_function("error, 3 limbs", |b| b.iter(|| sample::error_poly(&basis, &mut rng)));
    group.bench_function("ternary, 3 limbs", |b| b.iter(|| sample::ternary_poly(&basis, &mut rng)));
    let automorphism = blindscope_ring::galois::Automorphism::new(5, 13);
    let a = sample::uniform(&basis, &Seed([3; 32]), 0);
    group.bench_function("automorphism, 3 limbs", |b| b.iter(|| automorphism.apply(black_box(&a))));
    let lift = blindscope_ring::lift::Lift::new(&basis);
    let coeff = basis.to_coeff(a);
    group.bench_function("lift to f64, 3 limbs", |b| b.iter(|| lift.to_f64(black_box(&coeff))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_millis(600))
        .warm_up_time(std::time::Duration::from_millis(200));
    targets = transforms, kernels, samplers
}
criterion_main!(benches);
