//! Figures of encrypted inference: the head 768 → 32 → 3 with a polynomial of degree two, one thread.

mod against;
mod agreement;
mod precision;
mod thousands;
mod turned;

use std::collections::BTreeMap;
use std::path::Path;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::part::{OnPart, Parts};
use super::scratch::Scratch;
use super::{Better, Error, Figure, Peers, Report};
use crate::clock::milliseconds;
use blindscope_classify::{
    Affine, Asker, AskerSecret, EvaluationKeys, Head, HeadLiteral, Map, Normalisation, Packing, Plan, Policy,
    Server,
};
use blindscope_ring::Arithmetic;

const AREA: &str = "inference";
const SHAPE: [usize; 3] = [768, 32, 3];
/// How often ours and the peer take turns.
const TURNS: usize = 3;

/// Numbers that look like independent standard normal ones.
fn normals(rng: &mut ChaCha20Rng, count: usize, size: f64) -> Vec<f64> {
    let mut unit = || (rng.next_u64() >> 11) as f64 * 2f64.powi(-53);
    // A sum of twelve uniform numbers has variance one.
    (0..count).map(|_| ((0..12).map(|_| unit()).sum::<f64>() - 6.0) * size).collect()
}

fn affine(rng: &mut ChaCha20Rng, rows: usize, width: usize) -> Affine {
    let size = (width as f64).sqrt().recip();
    Affine { weights: (0..rows).map(|_| normals(rng, width, size)).collect(), bias: normals(rng, rows, 0.1) }
}

fn tokens(rng: &mut ChaCha20Rng, count: usize) -> Vec<Vec<f64>> {
    (0..count).map(|_| normals(rng, SHAPE[0], 1.0)).collect()
}

fn head(rng: &mut ChaCha20Rng) -> Result<Head, Error> {
    let [width, hidden, classes] = SHAPE;
    let (inner, outer) = (affine(rng, hidden, width), affine(rng, classes, hidden));
    let map = Map::Polynomial { inner, polynomial: vec![0.1, 0.5, 0.2], outer };
    let normalisation = Normalisation::identity(width, 4.0);
    let head = Head::new(HeadLiteral { normalisation, map, range: None })?;
    Ok(head.calibrated(&tokens(rng, 1000), 1.5)?)
}

/// One asker, one server, one plan.
struct Case {
    plan: Plan,
    secret: AskerSecret,
    keys: EvaluationKeys,
    asker: Asker,
    server: Server,
}

impl Case {
    /// Evaluated on no faster path than `path`.
    fn new(head: &Head, policy: Policy, path: Arithmetic, rng: &mut ChaCha20Rng) -> Result<Self, Error> {
        let plan = Plan::new(head, policy)?.on(path)?;
        let secret = AskerSecret::generate(&plan, rng)?;
        let bytes = EvaluationKeys::generate(&plan, &secret, rng)?.to_bytes(&plan)?;
        let keys = EvaluationKeys::from_bytes(&plan, &bytes)?;
        let (asker, server) = (Asker::new(&plan), Server::new(head, &plan)?);
        Ok(Self { plan, secret, keys, asker, server })
    }

    fn ask(&self, tokens: &[Vec<f64>], rng: &mut ChaCha20Rng) -> Result<Vec<u8>, Error> {
        Ok(self.asker.encrypt(tokens, &self.secret, rng)?)
    }

    /// The largest error of a logit; an error above the plan's bound stops the benchmark.
    fn worst(&self, head: &Head, tokens: &[Vec<f64>], answer: &[u8]) -> Result<f64, Error> {
        let got = self.asker.open(tokens.len(), answer, &self.secret)?;
        let want = head.logits(tokens)?;
        let errors = got.iter().flatten().zip(want.iter().flatten()).map(|(g, w)| (g - w).abs());
        let worst = errors.fold(0.0, f64::max);
        let bound = self.plan.literal().error_bound;
        if worst > bound {
            let (bits, least) = (-worst.log2(), -bound.log2());
            return Err(Error::Wrong { what: "logits", bits, least });
        }
        Ok(worst)
    }
}

/// Parts without real tiles.
const PARTS: u64 = 4;

pub(super) fn run(
    arithmetic: Arithmetic,
    runs: usize,
    peers: &Peers,
    data: Option<&Path>,
    tell: OnPart<'_>,
) -> Result<Report, Error> {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let head = head(&mut rng)?;
    let path = reached(arithmetic)?;
    let words = format!("arithmetic path: {path}; thread CPU time");
    let mut report = Report { figures: Vec::new(), missing: Vec::new(), backend: words };
    let mut parts = Parts::new(PARTS + data.map_or(0, |_| agreement::PARTS), tell);
    let bars = Bars::of(path);
    parts.begin("one token, beside OpenFHE and TenSEAL", &report.figures);
    let lone = Case::new(&head, Policy::new(1), path, &mut rng)?;
    let ours = lone_token(&lone, &head, runs, peers, &bars, &mut rng, &mut report)?;
    against::openfhe(&lone, &ours, &bars, &mut report);
    against::tenseal(&lone, &ours, &mut report);
    parts.begin("batches of 8 and 256", &report.figures);
    small_batches(&head, path, runs, &mut rng, &mut report)?;
    parts.begin("batches of 4,096", &report.figures);
    thousands::run(&head, runs, &bars, &mut rng, &mut report)?;
    parts.begin("plans of an asked precision", &report.figures);
    precision::run(&head, path, runs, &mut rng, &mut report)?;
    match data {
        Some(folder) => agreement::run(folder, path, &mut rng, &mut report, &mut parts)?,
        None => report.missing.push("agreement on real tokens: BLINDSCOPE_DATA is not set".into()),
    }
    parts.end(&report.figures);
    Ok(report)
}

/// Bar and aim.
type Must = Option<(f64, f64)>;

/// Bar and aim of what depends on the arithmetic path; the portable one has none.
struct Bars {
    path: Arithmetic,
    latency: Must,
    throughput: Must,
    over_openfhe: Must,
}

impl Bars {
    fn of(path: Arithmetic) -> Self {
        let of = |latency, throughput, over_openfhe| Self {
            path,
            latency: Some(latency),
            throughput: Some(throughput),
            over_openfhe: Some(over_openfhe),
        };
        match path {
            Arithmetic::Ifma => of((4.0, 2.0), (24e3, 40e3), (20.0, 40.0)),
            Arithmetic::Doubles => of((9.0, 5.0), (12e3, 20e3), (12.0, 20.0)),
            _ => Self { path, latency: None, throughput: None, over_openfhe: None },
        }
    }
}

/// Which path a prime of the plans' kind runs on under a ceiling.
fn reached(ceiling: Arithmetic) -> Result<Arithmetic, Error> {
    let value = blindscope_ring::ntt_primes(44, 13, 1)?[0];
    Ok(blindscope_ring::Prime::on(ceiling, value, 13)?.arithmetic())
}

/// A peer's figures of one turn, or why there are none.
type Peer = Result<BTreeMap<String, f64>, String>;

/// Ours and the peers' figures of each turn.
struct Turns {
    latency: Vec<Vec<f64>>,
    openfhe: Vec<Peer>,
    tenseal: Vec<Peer>,
}

fn lone_token(
    case: &Case,
    head: &Head,
    runs: usize,
    peers: &Peers,
    bars: &Bars,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> Result<Turns, Error> {
    let asked = tokens(rng, 1);
    let question = case.ask(&asked, rng)?;
    let answer = case.server.answer_bytes(&case.keys, &question, rng)?;
    let worst = case.worst(head, &asked, &answer)?;
    let each = runs.div_ceil(TURNS).max(5);
    let mut turns = Turns { latency: Vec::new(), openfhe: Vec::new(), tenseal: Vec::new() };
    for _ in 0..TURNS {
        turns.latency.push(milliseconds(each, 1, || case.server.answer_bytes(&case.keys, &question, rng)));
        turns.openfhe.push(peers.openfhe(each));
        turns.tenseal.push(peers.tenseal_inference());
    }
    let all: Vec<f64> = turns.latency.iter().flatten().copied().collect();
    let mut put = |f: Figure| report.figures.push(f);
    put(lower("latency_one_token", "ms", &all).must_if(bars.latency));
    let predicted = case.plan.report_on(crate::plan::machine(&case.plan)).predicted_ms;
    put(lower("latency_predicted", "ms", &[predicted]));
    put(lower("latency_off_prediction", "x", &off(&all, predicted)).must(1.5, 1.2));
    put(lower("upload_lone_token", "bytes", &[question.len() as f64]));
    put(lower("answer_lone_token", "bytes", &[answer.len() as f64]).must(40e3, 8e3));
    put(lower("evaluation_keys", "bytes", &[case.plan.keys_len() as f64]).must(3e6, 1.5e6));
    put(lower("encrypt_one_token", "ms", &milliseconds(each, 1, || case.ask(&asked, rng))));
    let open = || case.asker.open(1, &answer, &case.secret);
    put(lower("open_one_answer", "ms", &milliseconds(each, 1, open)));
    put(Figure::of(AREA, "logit_bits_lone_token", "bits", Better::Higher, &[-worst.log2()]));
    put(Figure::of(
        AREA,
        "logit_bits_promised",
        "bits",
        Better::Higher,
        &[-case.plan.literal().error_bound.log2()],
    ));
    Ok(turns)
}

/// Measured and predicted milliseconds: whichever is larger, over the other.
fn off(measured: &[f64], predicted: f64) -> Vec<f64> {
    measured.iter().map(|ms| (ms / predicted).max(predicted / ms)).collect()
}

fn lower(figure: &str, unit: &'static str, samples: &[f64]) -> Figure {
    Figure::of(AREA, figure, unit, Better::Lower, samples)
}

fn small_batches(
    head: &Head,
    path: Arithmetic,
    runs: usize,
    rng: &mut ChaCha20Rng,
    report: &mut Report,
) -> Result<(), Error> {
    for batch in [8, 256] {
        let policy = Policy { packing: Some(Packing::Token), ..Policy::new(batch) };
        let case = Case::new(head, policy, path, rng)?;
        let asked = tokens(rng, batch);
        let question = case.ask(&asked, rng)?;
        let answer = case.server.answer_bytes(&case.keys, &question, rng)?;
        case.worst(head, &asked, &answer)?;
        let each = |bytes: usize| [bytes as f64 / batch as f64];
        let name = |what: &str| format!("{what}_token_in_batch_of_{batch}");
        let upload = lower(&name("upload"), "bytes", &each(question.len()));
        let down = lower(&name("answer"), "bytes", &each(answer.len()));
        if batch == 8 {
            report.figures.extend([upload, down]);
            let time = milliseconds(runs.min(31), 1, || case.server.answer_bytes(&case.keys, &question, rng));
            report.figures.push(lower("latency_batch_of_8", "ms", &time));
        } else {
            report.figures.extend([upload, down.must(200.0, 64.0)]);
        }
    }
    Ok(())
}
