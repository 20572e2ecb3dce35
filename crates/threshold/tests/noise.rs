//! Collective keys are noisier than one party's: what the model says of them, held against what is measured.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw and stops")]

mod common;

use chacha20::ChaCha20Rng;

use blindscope_ckks::noise::{KeyVariances, NoiseModel};
use blindscope_ckks::{
    Ciphertext, Decryptor, Evaluator, GaloisKeys, Level, ModulusLiteral, Parameters, ParametersLiteral,
    Plaintext, PublicEncryptor, RelinKey, Scale, Security,
};
use blindscope_ring::galois::{Automorphism, rotation_element};
use blindscope_ring::{Basis, Ntt, Poly, sample};
use blindscope_testkit as testkit;
use blindscope_threshold::{GaloisKeyProtocol, RelinKeyProtocol, RelinKeyRoundTwo, fresh_sum_noise_log2};
use common::{Study, study};

fn params() -> Parameters {
    let bits = ModulusLiteral::bits;
    Parameters::insecure_for_tests(ParametersLiteral {
        log_n: 10,
        ciphertext: bits(&[45, 40, 40]),
        special: bits(&[45]),
        log2_scale: 40,
        security: Security::Classical128,
    })
    .unwrap()
}

fn relin_key(s: &Study, rng: &mut ChaCha20Rng) -> RelinKey {
    let mut one = RelinKeyProtocol::collector(&s.ceremony);
    let mut states = Vec::new();
    for secret in &s.secrets {
        let (message, state) = RelinKeyProtocol::begin(&s.ceremony).share(secret, rng).unwrap();
        one.absorb(&message).unwrap();
        states.push(state);
    }
    let one = RelinKeyProtocol::finish(one).unwrap();
    let mut two = RelinKeyRoundTwo::collector(&s.ceremony);
    for (state, secret) in states.into_iter().zip(&s.secrets) {
        two.absorb(&state.share(secret, &one, rng).unwrap()).unwrap();
    }
    RelinKeyRoundTwo::finish(&s.ceremony, &one, two).unwrap()
}

fn galois_key(s: &Study, rng: &mut ChaCha20Rng) -> GaloisKeys {
    let begin = || GaloisKeyProtocol::begin(&s.ceremony, rotation_element(1, s.ceremony.params().log_n()));
    let mut collector = begin().collector();
    for secret in &s.secrets {
        collector.absorb(&begin().share(secret, rng).unwrap()).unwrap();
    }
    GaloisKeys::new([begin().finish(collector).unwrap()])
}

/// `log2` of the deviation of a difference's coefficients, of which the first limb is enough.
fn deviation_log2(q: &Basis, mut found: Poly<Ntt>, expected: &Poly<Ntt>) -> f64 {
    q.sub_assign(&mut found, expected);
    let first = q.prefix(1);
    let mut limb: Poly<Ntt> = first.zero();
    limb.limb_mut(0).copy_from_slice(found.limb(0));
    let p = first.prime(0).value();
    let centred = |x: u64| if x > p / 2 { x as f64 - p as f64 } else { x as f64 };
    let sum: f64 = first.to_coeff(limb).limb(0).iter().map(|&x| centred(x).powi(2)).sum();
    (sum / q.n() as f64).log2() / 2.0
}

#[test]
fn keys_of_several_sites_are_as_noisy_as_the_model_says() {
    let (params, mut rng) = (params(), testkit::rng(91));
    let (q, n) = (params.q().clone(), params.n());
    let (evaluator, top) = (Evaluator::new(&params), params.top_level());
    let coefficient = |std: f64| std.log2() - 0.5 * (n as f64).log2();
    let alone = NoiseModel::new(&params);
    for sites in [2, 3, 16] {
        let s = study(&params, sites, 2, &mut rng);
        let key = s.collective_key();
        let decrypt = |c: &Ciphertext| Decryptor::new(&key).decrypt(c).unwrap().poly().clone();
        let model = NoiseModel::with_keys(&params, KeyVariances::collective(n, sites));
        let uniform = |rng: &mut ChaCha20Rng| sample::uniform(&q, &sample::Seed::generate(rng), 0);

        // A square's third component alone: what relinearising it adds.
        let relin = relin_key(&s, &mut rng);
        let three = vec![q.zero(), q.zero(), uniform(&mut rng)];
        let three = Ciphertext::from_components(&params, three, Scale::ONE);
        let after = decrypt(&evaluator.relinearise(&three, &relin).unwrap());
        let found = deviation_log2(&q, after, &decrypt(&three));
        let expected = coefficient(model.relinearise(top).std);
        let own = coefficient(alone.relinearise(top).std);
        println!(
            "{sites} sites: relinearisation 2^{found:.2}, model 2^{expected:.2}, one holder's 2^{own:.2}"
        );
        assert!((found - expected).abs() < 0.35, "relinearisation 2^{found:.2} for 2^{expected:.2}");
        assert!(found > own + 5.0, "a model of one holder's key would be wrong by bits");

        // The half that meets the secret alone: what rotating it adds.
        let galois = galois_key(&s, &mut rng);
        let half = Ciphertext::from_components(&params, vec![q.zero(), uniform(&mut rng)], Scale::ONE);
        let rotated = decrypt(&evaluator.rotate(&half, 1, &galois).unwrap());
        let turn = Automorphism::new(rotation_element(1, params.log_n()), params.log_n());
        let found = deviation_log2(&q, rotated, &turn.apply(&decrypt(&half)));
        let expected = coefficient(model.key_switch(top).std);
        println!("{sites} sites: rotation 2^{found:.2}, model 2^{expected:.2}");
        assert!((found - expected).abs() < 0.35, "rotation 2^{found:.2} for 2^{expected:.2}");

        // What masks of sums and of trial decryptions are derived from.
        let zero = Plaintext::from_polynomial(&params, q.zero(), Scale::ONE);
        let fresh = decrypt(&PublicEncryptor::new(&s.key).encrypt(&zero, &mut rng).unwrap());
        let (found, expected) = (deviation_log2(&q, fresh, &q.zero()), fresh_sum_noise_log2(n, sites, 1));
        println!("{sites} sites: encryption 2^{found:.2}, model 2^{expected:.2}");
        assert!((found - expected).abs() < 0.35, "encryption 2^{found:.2} for 2^{expected:.2}");
        assert_eq!(top, Level(2));
    }
}
