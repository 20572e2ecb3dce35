//! Loops of one kind of work, for a sampling profiler:
//!
//! ```sh
//! cargo build --release --manifest-path bench/profile/Cargo.toml
//! perf record -e cpu-clock bench/profile/target/release/blindscope-profile token ifma 300
//! perf report --no-children
//! ```
//!
//! `WORK [PATH [RUNS [THREADS]]]`, work one of `encrypt`, `token`, `batch`, `sum`, `open`, `add`, `keys`. Prints the median: CPU
//! milliseconds of one thread, wall milliseconds of several.

mod sums;

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use blindscope_ckks::{Arithmetic, Complex64, Encoder, Encryptor, KeyGenerator, Parameters, presets};
use blindscope_classify::{
    Affine, Asker, AskerSecret, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Plan, Policy, Server,
};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const WIDTH: usize = 768;

/// The loop of one kind of work: on which path, how often.
#[derive(Clone, Copy)]
struct Work {
    path: Arithmetic,
    runs: usize,
}

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |i: usize| words.get(i).map(String::as_str);
    let path = word(1).map_or(Ok(Arithmetic::fastest()), str::parse)?;
    let runs = word(2).map_or(Ok(31), str::parse)?;
    let threads = word(3).map_or(Ok(1), str::parse)?;
    let work = Work { path, runs };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()?.install(|| match word(0) {
        Some("encrypt") => encrypt(work),
        Some("token") => answer(work, Policy::new(1)),
        Some("batch") => answer(work, Policy::new(4096).precise(8)),
        Some("keys") => keys(work),
        Some("sum") => sums::encrypt(work),
        Some("add") => sums::add(work),
        Some("open") => sums::open(work),
        _ => Err("which work: encrypt, token, batch, keys, sum, add or open".into()),
    })
}

/// CPU milliseconds of this thread, from `/proc`.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) * 1e-6
}

impl Work {
    /// Runs `f` once more than is counted, and prints the median.
    fn time<T>(self, name: &str, mut f: impl FnMut() -> Outcome<T>) -> Outcome {
        black_box(f()?);
        let mut times = Vec::with_capacity(self.runs);
        for _ in 0..self.runs.max(1) {
            let (wall, on_cpu) = (Instant::now(), cpu());
            black_box(f()?);
            let alone = rayon::current_num_threads() == 1;
            times.push(if alone { cpu() - on_cpu } else { wall.elapsed().as_secs_f64() * 1e3 });
        }
        times.sort_by(f64::total_cmp);
        println!("{name} {:.3} ms", times[times.len() / 2]);
        Ok(())
    }
}

fn encrypt(work: Work) -> Outcome {
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let params = Parameters::on(work.path, presets::depth_two())?;
    let secret = KeyGenerator::new(&params).secret_key(&mut rng);
    let (encoder, encryptor) = (Encoder::new(&params), Encryptor::new(&secret));
    let x: Vec<_> = (0..params.slots()).map(|i| Complex64 { re: (i as f64).sin() * 0.7, im: 0.1 }).collect();
    work.time("encode and encrypt, seeded", || {
        let m = encoder.encode_slots(&x, params.top_level(), params.default_scale())?;
        Ok(encryptor.encrypt(&m, &mut rng)?)
    })
}

/// Numbers that look like independent standard normal ones.
fn normals(rng: &mut ChaCha20Rng, count: usize, size: f64) -> Vec<f64> {
    let mut unit = || (rng.next_u64() >> 11) as f64 * 2f64.powi(-53);
    (0..count).map(|_| ((0..12).map(|_| unit()).sum::<f64>() - 6.0) * size).collect()
}

fn affine(rng: &mut ChaCha20Rng, rows: usize, width: usize) -> Affine {
    let size = (width as f64).sqrt().recip();
    Affine { weights: (0..rows).map(|_| normals(rng, width, size)).collect(), bias: normals(rng, rows, 0.1) }
}

/// The head of `bench inference`: 768 → 32 → 3 with a square.
fn head(rng: &mut ChaCha20Rng) -> Outcome<Head> {
    let (inner, outer) = (affine(rng, 32, WIDTH), affine(rng, 3, 32));
    let map = Map::Polynomial { inner, polynomial: vec![0.1, 0.5, 0.2], outer };
    let normalisation = Normalisation::identity(WIDTH, 4.0);
    let head = Head::new(HeadLiteral { normalisation, map, range: None })?;
    let tokens: Vec<_> = (0..1000).map(|_| normals(rng, WIDTH, 1.0)).collect();
    Ok(head.calibrated(&tokens, 1.5)?)
}

fn answer(work: Work, policy: Policy) -> Outcome {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let head = head(&mut rng)?;
    let plan = Plan::new(&head, policy)?.on(work.path)?;
    let secret = AskerSecret::generate(&plan, &mut rng)?;
    let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?;
    let server = Server::new(&head, &plan)?;
    let tokens: Vec<_> = (0..plan.literal().batch).map(|_| normals(&mut rng, WIDTH, 1.0)).collect();
    let question = Asker::new(&plan).encrypt(&tokens, &secret, &mut rng)?;
    work.time("answer", || Ok(server.answer_bytes(&keys, &question, &mut rng)?))
}

fn keys(work: Work) -> Outcome {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let plan = Plan::new(&head(&mut rng)?, Policy::new(1))?.on(work.path)?;
    let secret = AskerSecret::generate(&plan, &mut rng)?;
    work.time("evaluation keys", || Ok(EvaluationKeys::generate(&plan, &secret, &mut rng)?))
}
