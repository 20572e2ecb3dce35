//! Who was in a released mean: told without noise, hidden with it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, reason = "a test")]

use rand::SeedableRng as _;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution as _, StandardNormal};

use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_audit::membership::{Population, auc, head_scores};
use blindscope_classify::Map;
use blindscope_federation::{Advance as _, Advanced, Contribution as _, JobKind, JobSpec};
use blindscope_learn::jobs::{
    CoordinatorLearner, EpochFigures, Examples, Model, SiteData, SiteLearner, StatisticsSettings, sized,
};
use blindscope_wire::Digest;

/// Features, classes, sites, patients of each.
const D: usize = 64;
const CLASSES: usize = 2;
const SITES: usize = 3;
const PATIENTS: usize = 8;
/// Rounds of the attack.
const TRIALS: u64 = 20;

/// Tokens as transformers have them: a common place, classes a little apart, most of the spread in few directions.
fn tokens(n: usize, rng: &mut ChaCha12Rng) -> (Vec<f32>, Vec<usize>) {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for i in 0..n {
        labels.push(i % CLASSES);
        rows.extend((0..D).map(|j| {
            let z: f32 = StandardNormal.sample(rng);
            let place = if j % CLASSES == i % CLASSES { 0.5 } else { 0.3 };
            place + z * 1.5 / (1.0 + j as f32).sqrt()
        }));
    }
    (rows, labels)
}

fn spec(kind: JobKind, privacy: Option<&str>) -> JobSpec {
    let settings =
        StatisticsSettings { width: D, classes: CLASSES, examples: 512, ..StatisticsSettings::default() };
    let privacy = privacy.map(|text| serde_json::from_str(text).unwrap());
    let settings = serde_json::to_value(settings).unwrap();
    sized(JobSpec { kind, settings, privacy, ..JobSpec::named("means") }).unwrap()
}

/// The model of a job over these rows, dealt to the sites.
fn released(spec: &JobSpec, rows: &[f32], labels: &[usize], trial: u64) -> Model {
    let mut sums = vec![0u64; spec.values as usize];
    for (number, (rows, labels)) in rows.chunks(PATIENTS * D).zip(labels.chunks(PATIENTS)).enumerate() {
        let groups = (0..labels.len()).map(|at| [(number * PATIENTS + at) as u8; 32]).collect();
        let train =
            Examples { rows: rows.to_vec().into(), labels: labels.to_vec(), groups, ..Examples::default() };
        let site = SiteLearner::new(SiteData { train, ..SiteData::default() }, |_: &EpochFigures| {});
        let key = NoiseKey::new(&[number as u8; 32], RoundId(Digest([trial as u8; 32])), &Digest([0; 32]), 2);
        let values: Vec<u64> = match spec.privacy {
            None => site.values(spec, 0, &[]).unwrap().collect(),
            Some(_) => site.noised(spec, 0, &[], &key).unwrap().collect(),
        };
        sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
    }
    match CoordinatorLearner::default().advance(spec, 0, &[], &sums, SITES).unwrap() {
        Advanced::Final(bytes) => Model::from_json(&bytes).unwrap(),
        Advanced::Next(_) => panic!("one round"),
    }
}

/// The mean of a class as the released head has it.
fn mean_of(model: &Model, class: usize) -> Vec<f32> {
    let head = &model.heads.iter().find(|h| h.name == "nearest-mean").unwrap().head;
    let (normalisation, Map::Linear { layer }) = (&head.normalisation, &head.map) else { panic!("linear") };
    let scaled = layer.weights[class].iter().zip(&normalisation.gain).zip(&normalisation.mean);
    scaled.map(|((w, gain), mean)| (w / gain + mean) as f32).collect()
}

/// Mean AUC of tracing members in the class means, and of the head's loss on them.
fn attacked(spec: &JobSpec) -> (f64, f64) {
    let (mut traced, mut by_loss) = (0.0, 0.0);
    for trial in 0..TRIALS {
        let mut rng = ChaCha12Rng::seed_from_u64(trial);
        let n = SITES * PATIENTS;
        let (known, known_labels) = tokens(400, &mut rng);
        let (inside, labels) = tokens(n, &mut rng);
        let (outside, other_labels) = tokens(n, &mut rng);
        let model = released(spec, &inside, &labels, trial);
        let of = |rows: &[f32], labels: &[usize], class: usize| -> Vec<f32> {
            let own = rows.chunks(D).zip(labels).filter(|(_, label)| **label == class);
            own.flat_map(|(row, _)| row).copied().collect()
        };
        for class in 0..CLASSES {
            let population = Population::new(&of(&known, &known_labels, class), D).unwrap();
            let mean = mean_of(&model, class);
            let scores = |rows: &[f32], labels: &[usize]| population.scores(&mean, &of(rows, labels, class));
            traced += auc(&scores(&inside, &labels), &scores(&outside, &other_labels)) / CLASSES as f64;
        }
        let wide = |rows: &[f32]| -> Vec<Vec<f64>> {
            rows.chunks(D).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
        };
        let head = model.head().unwrap();
        let loss = |rows: &[f32], labels: &[usize]| head_scores(&head, &wide(rows), labels).unwrap();
        by_loss += auc(&loss(&inside, &labels), &loss(&outside, &other_labels));
    }
    (traced / TRIALS as f64, by_loss / TRIALS as f64)
}

#[test]
fn members_are_told_without_noise_and_not_with_it() {
    let (before, head_before) = attacked(&spec(JobKind::ClsMean, None));
    // Nearly every row is shorter.
    let noise = r#"{"epsilon": 8, "delta": 1e-5, "unit": "patient", "norm": 6}"#;
    let (after, head_after) = attacked(&spec(JobKind::Statistics, Some(noise)));
    println!(
        "tracing: AUC {before:.3} without noise, {after:.3} with; by loss: {head_before:.3}, {head_after:.3}"
    );
    assert!(before > 0.85, "the attack works: {before}");
    assert!(after <= 0.60, "at ε = 8 by patient: {after}");
    assert!(head_after <= 0.60, "{head_after}");
    // A job that spends all on means gives away more of them, and keeps the same promise.
    let (means, _) = attacked(&spec(JobKind::ClsMean, Some(noise)));
    println!("tracing in cls-mean with noise: AUC {means:.3}");
    assert!(means < before - 0.2, "{means} {before}");
}
