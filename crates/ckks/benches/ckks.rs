//! Criterion timings of every operation at N = 8192, three ciphertext primes, one special prime.
#![allow(missing_docs, clippy::unwrap_used, clippy::semicolon_if_nothing_returned, reason = "benchmarks")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use blindscope_ckks::{
    Complex64, Decryptor, Encoder, Encryptor, Evaluator, KeyGenerator, Parameters, PublicEncryptor, codec,
    presets,
};

fn operations(c: &mut Criterion) {
    let params = Parameters::new(presets::depth_two()).unwrap();
    let mut rng = blindscope_testkit::rng(1);
    let generator = KeyGenerator::new(&params);
    let secret = generator.secret_key(&mut rng);
    let public = generator.public_key(&secret, &mut rng);
    let relin = generator.relin_key(&secret, &mut rng).unwrap();
    let galois = generator.galois_keys(&secret, &[1], &mut rng).unwrap();
    let (encoder, evaluator) = (Encoder::new(&params), Evaluator::new(&params));
    let (encryptor, decryptor) = (Encryptor::new(&secret), Decryptor::new(&secret));
    let z: Vec<Complex64> = blindscope_testkit::complex_slots(&mut rng, params.slots(), 1.0);
    let (top, scale) = (params.top_level(), params.default_scale());
    let m = encoder.encode_slots(&z, top, scale).unwrap();
    let seeded = encryptor.encrypt(&m, &mut rng).unwrap();
    let (x, bytes) = (seeded.expand(), codec::encode_seeded(&seeded));
    let product = evaluator.mul(&x, &x).unwrap();
    let digits = evaluator.decompose(&x).unwrap();

    let mut g = c.benchmark_group("N = 8192, 46+40+40, 46");
    g.bench_function("encode", |b| b.iter(|| encoder.encode_slots(black_box(&z), top, scale)));
    g.bench_function("decode", |b| b.iter(|| encoder.decode_slots(black_box(&m))));
    g.bench_function("encrypt, secret key", |b| b.iter(|| encryptor.encrypt(black_box(&m), &mut rng)));
    let mut rng = blindscope_testkit::rng(2);
    let under_public = PublicEncryptor::new(&public);
    g.bench_function("encrypt, public key", |b| b.iter(|| under_public.encrypt(black_box(&m), &mut rng)));
    g.bench_function("expand a seeded ciphertext", |b| b.iter(|| black_box(&seeded).expand()));
    g.bench_function("decrypt", |b| b.iter(|| decryptor.decrypt(black_box(&x))));
    g.bench_function("add", |b| b.iter(|| evaluator.add(black_box(&x), &x)));
    g.bench_function("multiply by a plaintext", |b| b.iter(|| evaluator.mul_plain(black_box(&x), &m)));
    g.bench_function("multiply", |b| b.iter(|| evaluator.mul(black_box(&x), &x)));
    g.bench_function("relinearise", |b| b.iter(|| evaluator.relinearise(black_box(&product), &relin)));
    g.bench_function("rescale", |b| b.iter(|| evaluator.rescale(black_box(&x))));
    g.bench_function("decompose", |b| b.iter(|| evaluator.decompose(black_box(&x))));
    g.bench_function("rotate", |b| b.iter(|| evaluator.rotate(black_box(&x), 1, &galois)));
    let hoisted = || evaluator.rotate_decomposed(black_box(&x), &digits, 1, &galois);
    g.bench_function("rotate, hoisted", |b| b.iter(hoisted));
    g.bench_function("write a seeded ciphertext", |b| b.iter(|| codec::encode_seeded(black_box(&seeded))));
    g.bench_function("read a seeded ciphertext", |b| {
        b.iter(|| codec::decode_seeded(&params, black_box(&bytes)))
    });
    g.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_millis(600))
        .warm_up_time(std::time::Duration::from_millis(200));
    targets = operations
}
criterion_main!(benches);
