//! Figures of the arithmetic core at `N = 8192`, three ciphertext primes, one special prime.

mod against;

use std::collections::BTreeMap;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use self::against::{OPENFHE_ROWS, SEAL_ROWS, TFHE_ROWS, against};
use super::{Better, Error, Figure, Peers, Report};
use crate::clock::milliseconds;
use blindscope_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, Evaluator, GaloisKeys, KeyGenerator, Parameters,
    RelinKey, SecretKey, codec, presets,
};
use blindscope_ring::{Arithmetic, Prime, ntt_primes};

const AREA: &str = "core";

/// One party and its vectors.
struct Setup {
    params: Parameters,
    encoder: Encoder,
    evaluator: Evaluator,
    secret: SecretKey,
    relin: RelinKey,
    galois: GaloisKeys,
    x: Vec<Complex64>,
    c: Ciphertext,
    prime: Prime,
}

impl Setup {
    fn new(arithmetic: Arithmetic, rng: &mut ChaCha20Rng) -> Result<Self, Error> {
        let params = Parameters::on(arithmetic, presets::depth_two())?;
        let generator = KeyGenerator::new(&params);
        let secret = generator.secret_key(rng);
        let relin = generator.relin_key(&secret, rng)?;
        let galois = generator.galois_keys(&secret, &[1], rng)?;
        let encoder = Encoder::new(&params);
        let mut unit = || (rng.next_u64() >> 11) as f64 * 2f64.powi(-52) - 1.0;
        let x: Vec<_> =
            (0..params.slots()).map(|_| Complex64 { re: unit() * 0.7, im: unit() * 0.7 }).collect();
        let m = encoder.encode_slots(&x, params.top_level(), params.default_scale())?;
        let c = Encryptor::new(&secret).encrypt(&m, rng)?.into_ciphertext();
        let prime = Prime::on(arithmetic, ntt_primes(46, 13, 1)?[0], 13)?;
        let evaluator = Evaluator::new(&params);
        Ok(Self { params, encoder, evaluator, secret, relin, galois, x, c, prime })
    }

    fn open(&self, c: &Ciphertext) -> Result<Vec<Complex64>, Error> {
        Ok(self.encoder.decode_slots(&Decryptor::new(&self.secret).decrypt(c)?)?)
    }

    fn product(&self, a: &Ciphertext) -> Result<Ciphertext, Error> {
        let product = self.evaluator.mul_relin(a, a, &self.relin)?;
        Ok(self.evaluator.rescale(&product)?)
    }

    /// Correct bits of the worst slot: fresh, after two products, after a rotation.
    fn precision(&self) -> Result<[f64; 3], Error> {
        let square: Vec<_> = self.x.iter().map(|z| z * z).collect();
        let fourth: Vec<_> = square.iter().map(|z| z * z).collect();
        let deep = self.product(&self.product(&self.c)?)?;
        let mut moved = self.x.clone();
        moved.rotate_left(1);
        let rotated = self.evaluator.rotate(&self.c, 1, &self.galois)?;
        let bits = [
            worst_bits(&self.open(&self.c)?, &self.x),
            worst_bits(&self.open(&deep)?, &fourth),
            worst_bits(&self.open(&rotated)?, &moved),
        ];
        for (what, bits) in ["fresh", "depth two", "rotation"].into_iter().zip(bits) {
            if bits < 15.0 {
                return Err(Error::Wrong { what, bits, least: 15.0 });
            }
        }
        Ok(bits)
    }

    /// Milliseconds of every timed operation.
    fn time(&self, runs: usize, rng: &mut ChaCha20Rng) -> Result<Times, Error> {
        let mut times = Times::new();
        let (top, scale) = (self.params.top_level(), self.params.default_scale());
        let (encryptor, decryptor) = (Encryptor::new(&self.secret), Decryptor::new(&self.secret));
        let digits = self.evaluator.decompose(&self.c)?;
        // On a cache line, where polynomials begin.
        let mut words = vec![0; 8192 + 7];
        let at = words.as_ptr().align_offset(64);
        let limb = &mut words[at..at + 8192];
        (0..).zip(&mut *limb).for_each(|(i, x): (u64, _)| *x = i * 0x9e37_79b9 % self.prime.value());
        let mut put = |name, samples| times.insert(name, samples);
        put("ntt", milliseconds(runs, 20, || self.prime.forward(limb)));
        put("inverse_ntt", milliseconds(runs, 20, || self.prime.inverse(limb)));
        put(
            "encrypt",
            milliseconds(runs, 1, || {
                self.encoder.encode_slots(&self.x, top, scale).and_then(|m| encryptor.encrypt(&m, rng))
            }),
        );
        put(
            "decrypt",
            milliseconds(runs, 1, || decryptor.decrypt(&self.c).and_then(|m| self.encoder.decode_slots(&m))),
        );
        put("product", milliseconds(runs, 1, || self.product(&self.c)));
        put("rotate", milliseconds(runs, 1, || self.evaluator.rotate(&self.c, 1, &self.galois)));
        put(
            "hoisted",
            milliseconds(runs, 1, || self.evaluator.rotate_decomposed(&self.c, &digits, 1, &self.galois)),
        );
        Ok(times)
    }
}

type Times = BTreeMap<&'static str, Vec<f64>>;

fn worst_bits(got: &[Complex64], want: &[Complex64]) -> f64 {
    -got.iter().zip(want).map(|(a, b)| (a - b).norm()).fold(f64::MIN_POSITIVE, f64::max).log2()
}

fn median(samples: &[f64]) -> f64 {
    Figure::of(AREA, "", "", Better::Lower, samples).value
}

/// How often ours and the peers take turns: ratios are made within a turn, so a machine that slows down slows both.
const TURNS: usize = 3;

/// A peer's figures of each turn, or why there are none.
type Turns = Vec<Result<BTreeMap<String, f64>, String>>;

pub(super) fn run(arithmetic: Arithmetic, runs: usize, peers: &Peers) -> Result<Report, Error> {
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let setup = Setup::new(arithmetic, &mut rng)?;
    let precision = setup.precision()?;
    let each = runs.div_ceil(TURNS).max(5);
    let mut ours = Vec::new();
    let (mut seal, mut tfhe, mut openfhe) = (Turns::new(), Turns::new(), Turns::new());
    for _ in 0..TURNS {
        ours.push(setup.time(each, &mut rng)?);
        tfhe.push(peers.tfhe_ntt());
        seal.push(peers.tenseal(each));
        openfhe.push(peers.openfhe_core(each));
    }
    let backend = format!("arithmetic path: {}; thread CPU time", setup.prime.arithmetic());
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend };
    let path = setup.prime.arithmetic();
    operations(path, &merged(&ours), &mut report);
    sizes_and_precision(&setup, precision, &mut report);
    against("SEAL", &SEAL_ROWS, path, &ours, &seal, &mut report);
    against("OpenFHE", &OPENFHE_ROWS, path, &ours, &openfhe, &mut report);
    against("tfhe-ntt", &TFHE_ROWS, path, &ours, &tfhe, &mut report);
    Ok(report)
}

fn merged(turns: &[Times]) -> Times {
    let mut all = Times::new();
    for (name, samples) in turns.iter().flatten() {
        all.entry(name).or_default().extend(samples);
    }
    all
}

fn operations(path: Arithmetic, times: &Times, report: &mut Report) {
    let rows = [
        ("encrypt", "encode_encrypt_seeded", 0.6, 0.25),
        ("decrypt", "decrypt_decode", 0.6, 0.25),
        ("product", "product_relinearise_rescale", 1.2, 0.6),
        ("rotate", "rotation", 0.9, 0.5),
        ("hoisted", "rotation_hoisted_further", 0.45, 0.25),
    ];
    for (name, figure, bar, aim) in rows {
        let measured = Figure::of(AREA, figure, "ms", Better::Lower, &times[name]);
        // Milliseconds have bars on the fastest path only; the others are held against peers on the same machine.
        report.figures.push(if path == Arithmetic::Ifma { measured.must(bar, aim) } else { measured });
    }
    let microseconds = |name: &str| times[name].iter().map(|t| t * 1e3).collect::<Vec<_>>();
    report.figures.push(Figure::of(AREA, "ntt_forward", "us", Better::Lower, &microseconds("ntt")));
    report.figures.push(Figure::of(AREA, "ntt_inverse", "us", Better::Lower, &microseconds("inverse_ntt")));
    // With L = 3: L + 2 inverse and L^2 + 2L forward transforms in a rotation.
    let limit = 5.0 * median(&times["inverse_ntt"]) + 15.0 * median(&times["ntt"]);
    let over: Vec<f64> = times["rotate"].iter().map(|t| t / limit).collect();
    report.figures.push(Figure::of(AREA, "rotation_over_its_transforms", "x", Better::Lower, &over));
}

fn sizes_and_precision(setup: &Setup, [fresh, deep, rotated]: [f64; 3], report: &mut Report) {
    let params = &setup.params;
    let bytes = codec::seeded_len(params, params.top_level()) as f64;
    let bar = (params.n() as f64 * params.log_q(params.top_level()) / 8.0).ceil() + 128.0;
    report
        .figures
        .push(Figure::of(AREA, "seeded_ciphertext", "bytes", Better::Lower, &[bytes]).must(bar, bar));
    report
        .figures
        .push(Figure::of(AREA, "precision_fresh", "bits", Better::Higher, &[fresh]).must(26.0, 26.0));
    report
        .figures
        .push(Figure::of(AREA, "precision_depth_two", "bits", Better::Higher, &[deep]).must(20.0, 20.0));
    report.figures.push(Figure::of(AREA, "precision_rotation", "bits", Better::Higher, &[rotated]));
}
