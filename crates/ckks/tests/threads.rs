//! Keys that threads make together: the bytes of one thread, and no secret in memory that a thread hands on.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use rand_core::Rng;
use rayon::{ThreadPool, ThreadPoolBuilder};
use zeroize::Zeroize;

use blindscope_ckks::ring_switch::{self, DigitBits, MIN_DEGREE, RingSwitchKey, SmallSecret};
use blindscope_ckks::{GaloisKey, KeyGenerator, Level, Parameters, SecretKey, codec};
use blindscope_ring::galois::{Automorphism, conjugation_element, rotation_element};
use blindscope_ring::sample::{self, SecretSeed};
use blindscope_ring::{Ntt, Poly};
use common::literals;

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// The elements of these parameters that are asked for, at levels from the top down.
fn elements(params: &Parameters) -> Vec<(usize, Level)> {
    let (log_n, top) = (params.log_n(), params.top_level());
    let rotations = [1, 2, -3, 4].map(|steps| (rotation_element(steps, log_n), top));
    rotations.into_iter().chain([(conjugation_element(log_n), Level(0))]).collect()
}

fn bytes(params: &Parameters) -> Vec<Vec<u8>> {
    let mut rng = blindscope_testkit::rng(8);
    let generator = KeyGenerator::new(params);
    let secret = generator.secret_key(&mut rng);
    let galois = generator.galois_keys_at(&secret, &elements(params), &mut rng).unwrap();
    let mut all: Vec<_> = galois.iter().map(codec::encode_galois_key).collect();
    all.push(codec::encode_relin_key(&generator.relin_key(&secret, &mut rng).unwrap()));
    if params.n() >= MIN_DEGREE {
        let small = SmallSecret::generate(MIN_DEGREE, &mut rng).unwrap();
        let switch = RingSwitchKey::generate(&secret, &small, DigitBits::WIDE, &mut rng).unwrap();
        all.push(ring_switch::encode_key(&switch));
    }
    all
}

/// One key after the other, each from where the generator stands: what the keys were before threads shared them.
fn one_after_another(params: &Parameters) -> Vec<Vec<u8>> {
    let mut rng = blindscope_testkit::rng(8);
    let generator = KeyGenerator::new(params);
    let secret = generator.secret_key(&mut rng);
    let mut all: Vec<_> = elements(params)
        .into_iter()
        .map(|(element, level)| generator.galois_key(&secret, element, &mut rng).unwrap().at_level(level))
        .collect();
    all.sort_by_key(GaloisKey::element);
    all.iter().map(codec::encode_galois_key).collect()
}

#[test]
fn any_number_of_threads_makes_the_same_keys() {
    for (name, literal) in literals() {
        let params = Parameters::insecure_for_tests(literal).unwrap();
        if params.n() < 1024 {
            continue;
        }
        let one = pool(1).install(|| bytes(&params));
        for threads in [2, 3, 5] {
            assert!(pool(threads).install(|| bytes(&params)) == one, "{name}, {threads} threads");
        }
        let single = one_after_another(&params);
        assert!(one[..single.len()] == single, "{name}: each key follows from where the generator stands");
    }
}

/// The errors and the images of the secret that the keys of [`bytes`] are made with.
fn secrets(params: &Parameters) -> (SecretKey, Vec<Vec<u64>>) {
    let mut rng = blindscope_testkit::rng(8);
    let secret = KeyGenerator::new(params).secret_key(&mut rng);
    let mut limbs = Vec::new();
    let mut keep = |poly: &Poly<Ntt>| limbs.extend(poly.limbs().map(<[u64]>::to_vec));
    let mut next = || {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        SecretSeed::from_bytes(seed)
    };
    for (element, _) in elements(params) {
        // The seed of the uniform half.
        next();
        for _ in 0..params.digits() {
            let mut error = sample::error_poly_of(params.qp(), &next());
            keep(&error);
            error.zeroize();
        }
        let two_n = 2 * params.n();
        let inverse = (1..params.n() / 2).fold(1, |acc, _| acc * element % two_n);
        let mut image = Automorphism::new(inverse, params.log_n()).apply(secret.evaluations());
        keep(&image);
        image.zeroize();
    }
    (secret, limbs)
}

/// Memory of polynomials goes from hand to hand in a thread: no thread hands on an error or an image of the secret.
#[test]
fn no_secret_stays_in_the_memory_of_a_thread() {
    let (_, literal) = literals().swap_remove(1);
    let params = Parameters::insecure_for_tests(literal).unwrap();
    let (secret, limbs) = secrets(&params);
    let pool = pool(3);
    let handed_on = |_: rayon::BroadcastContext<'_>| {
        let runs: Vec<Poly<Ntt>> =
            (0..64).map(|_| Poly::unspecified(params.n(), params.qp().len())).collect();
        let found = runs.iter().flat_map(Poly::limbs).filter(|limb| limbs.iter().any(|l| l == limb)).count();
        // Of this test's own making nothing stays either.
        for mut run in runs {
            run.zeroize();
        }
        found
    };
    let found = || pool.broadcast(handed_on).into_iter().sum::<usize>();
    pool.broadcast(|_| {
        let two_n = 2 * params.n();
        let inverse = (1..params.n() / 2).fold(1, |acc, _| acc * rotation_element(1, params.log_n()) % two_n);
        drop(Automorphism::new(inverse, params.log_n()).apply(secret.evaluations()));
    });
    assert!(found() > 0, "the way this test looks finds what is not wiped");
    assert_eq!(found(), 0);
    let made = pool.install(|| bytes(&params));
    assert_eq!(found(), 0, "after {} keys", made.len());
}
