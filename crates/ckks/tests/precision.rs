//! Promised precision of the worst slot, at production size.

use blindscope_ckks::{
    Complex64, Decryptor, Encoder, Encryptor, Evaluator, GaloisKeys, KeyGenerator, Parameters,
    PublicEncryptor, RelinKey, SecretKey, presets,
};
use blindscope_testkit::{Precision, assert_bits, complex_slots, rng};
use chacha20::ChaCha20Rng;

struct Bench {
    params: Parameters,
    encoder: Encoder,
    evaluator: Evaluator,
    secret: SecretKey,
    relin: RelinKey,
    galois: GaloisKeys,
    rng: ChaCha20Rng,
}

fn bench(seed: u64) -> Bench {
    let params = Parameters::new(presets::depth_two()).unwrap();
    let mut rng = rng(seed);
    let generator = KeyGenerator::new(&params);
    let secret = generator.secret_key(&mut rng);
    let relin = generator.relin_key(&secret, &mut rng).unwrap();
    let mut keys: Vec<_> =
        generator.galois_keys(&secret, &[1, 2, 4, -3], &mut rng).unwrap().iter().cloned().collect();
    keys.push(generator.conjugation_key(&secret, &mut rng).unwrap());
    Bench {
        encoder: Encoder::new(&params),
        evaluator: Evaluator::new(&params),
        galois: GaloisKeys::new(keys),
        params,
        secret,
        relin,
        rng,
    }
}

impl Bench {
    fn encrypt(&mut self, z: &[Complex64]) -> blindscope_ckks::Ciphertext {
        let m = self.encoder.encode_slots(z, self.params.top_level(), self.params.default_scale()).unwrap();
        Encryptor::new(&self.secret).encrypt(&m, &mut self.rng).unwrap().into_ciphertext()
    }

    fn open(&self, c: &blindscope_ckks::Ciphertext) -> Vec<Complex64> {
        self.encoder.decode_slots(&Decryptor::new(&self.secret).decrypt(c).unwrap()).unwrap()
    }
}

#[test]
fn fresh_secret_and_public_key_ciphertexts() {
    let mut b = bench(1);
    let z = complex_slots(&mut b.rng, b.params.slots(), 1.0);
    let c = b.encrypt(&z);
    assert_bits("fresh, secret key", Precision::of(&b.open(&c), &z), 26.0);
    let public = KeyGenerator::new(&b.params).public_key(&b.secret, &mut b.rng);
    let m = b.encoder.encode_slots(&z, b.params.top_level(), b.params.default_scale()).unwrap();
    let c = PublicEncryptor::new(&public).encrypt(&m, &mut b.rng).unwrap();
    assert_bits("fresh, public key", Precision::of(&b.open(&c), &z), 20.0);
}

#[test]
fn depth_two() {
    let mut b = bench(2);
    let x = complex_slots(&mut b.rng, b.params.slots(), 0.7);
    let y = complex_slots(&mut b.rng, b.params.slots(), 0.7);
    let (cx, cy) = (b.encrypt(&x), b.encrypt(&y));
    let product = b.evaluator.rescale(&b.evaluator.mul_relin(&cx, &cy, &b.relin).unwrap()).unwrap();
    let want: Vec<_> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
    assert_bits("depth 1", Precision::of(&b.open(&product), &want), 24.0);
    let square = b.evaluator.square(&product).unwrap();
    let square = b.evaluator.rescale(&b.evaluator.relinearise(&square, &b.relin).unwrap()).unwrap();
    let want: Vec<_> = want.iter().map(|z| z * z).collect();
    assert_bits("depth 2", Precision::of(&b.open(&square), &want), 20.0);
}

#[test]
fn rotations_and_conjugation() {
    let mut b = bench(3);
    let slots = b.params.slots();
    let x = complex_slots(&mut b.rng, slots, 1.0);
    let c = b.encrypt(&x);
    for steps in [1i64, 2, -3] {
        let got = b.open(&b.evaluator.rotate(&c, steps, &b.galois).unwrap());
        let want: Vec<_> =
            (0..slots).map(|t| x[(t as i64 + steps).rem_euclid(slots as i64) as usize]).collect();
        assert_bits(&format!("rotate by {steps}"), Precision::of(&got, &want), 24.0);
    }
    let many = b.evaluator.rotate_many(&c, &[1, -3], &b.galois).unwrap();
    assert_eq!(many[1], b.evaluator.rotate(&c, -3, &b.galois).unwrap());
    let got = b.open(&b.evaluator.conjugate(&c, &b.galois).unwrap());
    let want: Vec<_> = x.iter().map(Complex64::conj).collect();
    assert_bits("conjugate", Precision::of(&got, &want), 24.0);
    let got = b.open(&b.evaluator.inner_sum(&c, 8, 1, &b.galois).unwrap());
    let want: Vec<_> = (0..slots).map(|t| (0..8).map(|k| x[(t + k) % slots]).sum()).collect();
    assert_bits("inner sum of 8", Precision::of(&got, &want), 22.0);
}
