//! A party with every key, at toy, small and production size.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test file uses a part, and stops by panic"
)]

use chacha20::ChaCha20Rng;

use blindscope_ckks::{
    Arithmetic, Ciphertext, Complex64, Decryptor, Encoder, Encryptor, Evaluator, GaloisKeys, KeyGenerator,
    ModulusLiteral, Parameters, ParametersLiteral, RelinKey, SecretKey, Security, presets,
};

/// Toy, small, two special primes, production.
pub(crate) fn literals() -> Vec<(&'static str, ParametersLiteral)> {
    let literal = |log_n, q: &[u32], p: &[u32], log2_scale| ParametersLiteral {
        log_n,
        ciphertext: ModulusLiteral::bits(q),
        special: ModulusLiteral::bits(p),
        log2_scale,
        security: Security::Classical128,
    };
    vec![
        ("toy", literal(5, &[40, 30, 30], &[40], 30)),
        ("small", literal(10, &[46, 40, 40, 40], &[46], 40)),
        ("two special primes", literal(10, &[45, 36, 36, 36, 36], &[45, 46], 36)),
        ("production", presets::depth_two()),
    ]
}

pub(crate) struct Site {
    pub(crate) params: Parameters,
    pub(crate) encoder: Encoder,
    pub(crate) evaluator: Evaluator,
    pub(crate) secret: SecretKey,
    pub(crate) relin: RelinKey,
    pub(crate) galois: GaloisKeys,
    pub(crate) rng: ChaCha20Rng,
}

impl Site {
    pub(crate) fn new(params: Parameters, seed: u64) -> Self {
        let mut rng = blindscope_testkit::rng(seed);
        let generator = KeyGenerator::new(&params);
        let secret = generator.secret_key(&mut rng);
        let relin = generator.relin_key(&secret, &mut rng).unwrap();
        let rotations = generator.galois_keys(&secret, &[1, 2, 4, -3], &mut rng).unwrap();
        let mut keys: Vec<_> = rotations.iter().cloned().collect();
        keys.push(generator.conjugation_key(&secret, &mut rng).unwrap());
        Self {
            encoder: Encoder::new(&params),
            evaluator: Evaluator::new(&params),
            galois: GaloisKeys::new(keys),
            params,
            secret,
            relin,
            rng,
        }
    }

    pub(crate) fn toy_or_real(name: &str, literal: ParametersLiteral, seed: u64) -> Self {
        println!("{name}");
        Self::new(Parameters::insecure_for_tests(literal).unwrap(), seed)
    }

    /// On no faster path than this one.
    pub(crate) fn on(path: Arithmetic, name: &str, literal: ParametersLiteral, seed: u64) -> Self {
        println!("{name}, {path}");
        Self::new(Parameters::insecure_for_tests_on(path, literal).unwrap(), seed)
    }

    pub(crate) fn encrypt(&mut self, z: &[Complex64]) -> Ciphertext {
        let (level, scale) = (self.params.top_level(), self.params.default_scale());
        let m = self.encoder.encode_slots(z, level, scale).unwrap();
        Encryptor::new(&self.secret).encrypt(&m, &mut self.rng).unwrap().into_ciphertext()
    }

    pub(crate) fn open(&self, c: &Ciphertext) -> Vec<Complex64> {
        self.encoder.decode_slots(&Decryptor::new(&self.secret).decrypt(c).unwrap()).unwrap()
    }
}
