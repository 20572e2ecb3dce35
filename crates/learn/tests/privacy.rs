//! Jobs with noise: bounded by patient, the same bytes again, refused where nothing bounds them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod study;

use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::NoiseKey;
use blindscope_federation::{Advance as _, Advanced, Contribution as _, JobKind, JobSpec, Privacy};
use blindscope_learn::jobs::{
    CoordinatorLearner, FedAvgSettings, Model, SiteData, SiteLearner, StatisticsSettings, clear_twin, job,
    sized,
};
use blindscope_vision::metrics::argmax;
use blindscope_wire::Digest;
use study::{CLASSES, WIDTH, examples, learner};

fn privacy(epsilon: f64, unit: &str) -> Privacy {
    let text = format!("{{\"epsilon\": {epsilon}, \"delta\": 1e-5, \"unit\": \"{unit}\", \"norm\": 12.0}}");
    serde_json::from_str(&text).unwrap()
}

fn with_noise(kind: JobKind, epsilon: f64, unit: &str) -> JobSpec {
    let settings =
        StatisticsSettings { width: WIDTH, classes: CLASSES, examples: 512, ..StatisticsSettings::default() };
    let settings = serde_json::to_value(settings).unwrap();
    sized(JobSpec {
        kind,
        settings,
        privacy: Some(privacy(epsilon, unit).into()),
        ..JobSpec::named("noised")
    })
    .unwrap()
}

fn key(site: u8) -> NoiseKey {
    NoiseKey::new(&[site; 32], RoundId(Digest([1; 32])), &Digest([2; 32]), 2)
}

/// A site of `n` patients with four tiles each, all of one class.
fn site(n: usize, seed: u64) -> SiteLearner {
    let mut train = examples(4 * n, seed);
    let whole = train.rows.whole().unwrap().into_owned();
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for patient in 0..n {
        for tile in 0..4 {
            let at = (patient / CLASSES * CLASSES * 4 + patient % CLASSES + tile * CLASSES).min(4 * n - 1);
            rows.extend_from_slice(&whole[at * WIDTH..(at + 1) * WIDTH]);
            labels.push(train.labels[at]);
            train.groups.push([patient as u8; 32]);
        }
    }
    (train.rows, train.labels) = (rows.into(), labels);
    learner(SiteData { train, ..SiteData::default() })
}

fn sites() -> Vec<SiteLearner> {
    [(60, 1), (48, 2), (90, 3)].map(|(n, seed)| site(n, seed)).into()
}

fn noised(spec: &JobSpec, site: &SiteLearner, key: &NoiseKey) -> Vec<u64> {
    site.noised(spec, 0, &[], key).unwrap().collect()
}

fn learned(spec: &JobSpec, sites: &[SiteLearner]) -> Model {
    let mut input = Vec::new();
    for round in 0..spec.rounds {
        let mut sums = vec![0u64; spec.values as usize];
        for (number, site) in sites.iter().enumerate() {
            let key = key(number as u8 + 16 * round as u8);
            let values: Vec<u64> = site.noised(spec, round, &input, &key).unwrap().collect();
            assert_eq!(values.len() as u64, spec.values);
            assert!(values.iter().all(|v| *v <= spec.max));
            sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
        }
        let result =
            || CoordinatorLearner::default().advance(spec, round, &input, &sums, sites.len()).unwrap();
        assert_eq!(result(), result(), "the same bytes of the same sum");
        match result() {
            Advanced::Next(next) => input = next,
            Advanced::Final(bytes) => return Model::from_json(&bytes).unwrap(),
        }
    }
    panic!("a job without a last round")
}

fn accuracy(model: &Model, name: &str) -> f64 {
    let test = examples(600, 999);
    let rows: Vec<Vec<f64>> =
        test.rows.whole().unwrap().chunks(WIDTH).map(|r| r.iter().map(|v| f64::from(*v)).collect()).collect();
    let logits = model.head_named(name).unwrap().logits(&rows).unwrap();
    let answer = |row: &Vec<f64>| argmax(&row.iter().map(|v| *v as f32).collect::<Vec<_>>());
    let right = logits.iter().zip(&test.labels).filter(|(row, label)| answer(row) == **label).count();
    right as f64 / test.labels.len() as f64
}

#[test]
fn heads_with_noise_are_learned_and_say_so() {
    let all = &["lda", "ridge", "nearest-mean"][..];
    for (kind, heads) in
        [(JobKind::Statistics, all), (JobKind::Auto, all), (JobKind::ClsMean, &["nearest-mean"])]
    {
        let spec = with_noise(kind, 8.0, "patient");
        let model = learned(&spec, &sites());
        assert_eq!(model.privacy, spec.privacy.as_deref().copied(), "the model says what it promises");
        assert_eq!(model.heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), heads);
        assert!((150..250).contains(&model.examples), "about 198 patients: {}", model.examples);
        for name in heads {
            let found = accuracy(&model, name);
            println!("{kind}: {name} {found}");
            assert!(found > 0.8, "{kind}: {name} {found}");
        }
    }
}

#[test]
fn a_site_that_starts_again_sends_the_same_and_others_other_noise() {
    let (spec, sites) = (with_noise(JobKind::Statistics, 1.0, "patient"), sites());
    let first = noised(&spec, &sites[0], &key(0));
    assert_eq!(first, noised(&spec, &site(60, 1), &key(0)), "after a crash: no second draw");
    let other = noised(&spec, &sites[0], &key(9));
    let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(same < 3, "another site's noise: {same} values alike");
    // Without noise nothing leaves: neither through the plain way nor through the twin.
    let plain = sites[0].values(&spec, 0, &[]).err().unwrap().to_string();
    assert!(plain.contains("made with noise alone"), "{plain}");
    assert!(clear_twin(&spec, &[sites[0].data()], &|_| {}).is_err());
}

#[test]
fn a_patient_with_many_tiles_counts_once() {
    // At ε = 1000 the noise is small: what a patient of 400 tiles moves is seen.
    let spec = with_noise(JobKind::ClsMean, 1000.0, "patient");
    let before = site(60, 1);
    let mut data = before.data().clone();
    let row = data.train.rows.row(WIDTH, 0).unwrap().into_owned();
    for _ in 0..400 {
        data.train.rows.extend(row.iter().copied());
        data.train.labels.push(0);
        data.train.groups.push([255; 32]);
    }
    let after = noised(&spec, &learner(data.clone()), &key(0));
    let shares =
        |values: &[u64]| values[..CLASSES].iter().map(|v| *v as f64 / f64::from(1 << 18)).sum::<f64>();
    let moved = shares(&after) - shares(&noised(&spec, &before, &key(0)));
    assert!((0.4..1.6).contains(&moved), "one patient more: {moved}");
    let tiles = with_noise(JobKind::ClsMean, 1000.0, "tile");
    let small =
        StatisticsSettings { width: WIDTH, classes: CLASSES, examples: 100, ..StatisticsSettings::default() };
    let few =
        sized(JobSpec { settings: serde_json::to_value(small).unwrap(), values: 0, max: 0, ..tiles.clone() })
            .unwrap();
    let refused = learner(data.clone()).noised(&few, 0, &[], &key(0)).err().unwrap().to_string();
    assert!(refused.contains("units of privacy") && refused.contains("1 to 100"), "{refused}");
    data.train.groups.clear();
    let nameless = learner(data).noised(&spec, 0, &[], &key(0)).err().unwrap().to_string();
    assert!(nameless.contains("unit = \"tile\""), "{nameless}");
}

#[test]
fn a_second_round_starts_from_an_opened_sum_or_not_at_all() {
    let (spec, sites) = (with_noise(JobKind::Auto, 8.0, "patient"), sites());
    assert_eq!(spec.rounds, 2);
    let sums = noised(&spec, &sites[0], &key(0));
    let follow = |round: u64, input: &[u8], sums: &[u64]| sites[0].follow(&spec, round, input, sums, 1);
    let Advanced::Next(start) = follow(0, &[], &sums).unwrap() else { panic!("two rounds") };
    let second: Vec<u64> = sites[0].noised(&spec, 1, &start, &key(1)).unwrap().collect();
    assert!(matches!(follow(1, &start, &second).unwrap(), Advanced::Final(_)));
    let mut wild = start.clone();
    wild[80..88].copy_from_slice(&f64::INFINITY.to_le_bytes());
    for input in [&start[1..], &start[8..], &[], &wild] {
        let refused = sites[0].noised(&spec, 1, input, &key(1)).err().unwrap().to_string();
        assert!(refused.contains("start of the second round of auto"), "{refused}");
        assert!(follow(1, input, &second).is_err());
    }
    assert!(follow(0, &[], &sums[..9]).is_err());
    assert!(
        sites[0].values(&spec, 1, &start).is_err(),
        "nothing leaves without noise in the second round either"
    );
}

#[test]
fn kinds_that_nothing_bounds_are_refused() {
    let settings = FedAvgSettings { width: WIDTH, classes: CLASSES, ..FedAvgSettings::default() };
    let mut spec = job("rounds", JobKind::Fedavg, &settings).unwrap();
    spec.privacy = Some(privacy(8.0, "patient").into());
    let refused = sized(spec.clone()).unwrap_err().to_string();
    assert!(refused.contains("leave [privacy] out, or take kind statistics, auto or cls-mean"), "{refused}");
    assert!(sites()[0].noised(&spec, 0, &[], &key(0)).is_err() && sites()[0].values(&spec, 0, &[]).is_err());
    for (epsilon, delta) in [("0", "1e-5"), ("8", "0.5"), ("-1", "1e-5")] {
        let toml = format!(
            "name = \"x\"\nkind = \"statistics\"\n[privacy]\nepsilon = {epsilon}\ndelta = {delta}\nunit = \"tile\"\nnorm = 1\n"
        );
        let refused = JobSpec::draft_from_toml(&toml).unwrap_err().to_string();
        assert!(refused.contains("expected a number above 0"), "{refused}");
    }
    let toml = "name = \"x\"\nkind = \"statistics\"\nvalues = 1\nmax = 1\n[privacy]\nepsilon = 8\ndelta = 1e-5\nunit = \"tile\"\nnorm = 0\n";
    assert!(JobSpec::from_toml(toml).unwrap_err().to_string().contains("privacy.norm"));
    assert!(JobSpec::from_toml(&toml.replace("norm = 0", "norm = 1")).is_ok());
}
