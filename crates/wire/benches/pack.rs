//! Packing speed at the widths that ciphertexts use, in bytes of unpacked residues.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use blindscope_wire::{pack, packed_len, unpack};

const N: usize = 8192;

fn packing(c: &mut Criterion) {
    let mut group = c.benchmark_group("pack");
    group.throughput(Throughput::Bytes(8 * N as u64));
    for width in [31, 38, 40, 46, 50, 60] {
        let values: Vec<u64> =
            (1..=N as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - width)).collect();
        let mut packed = Vec::with_capacity(packed_len(N, width));
        let mut unpacked = vec![0; N];
        group.bench_function(format!("pack/{width}"), |b| {
            b.iter(|| {
                packed.clear();
                pack(black_box(&values), width, &mut packed);
            });
        });
        group.bench_function(format!("unpack/{width}"), |b| {
            b.iter(|| unpack(black_box(&packed), width, &mut unpacked));
        });
    }
    group.finish();
}

criterion_group!(benches, packing);
criterion_main!(benches);
