//! Learning through encryption equals learning in the clear, to the last bit.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod study;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use sha2::{Digest, Sha256};

use blindscope_federation::{Contribution, JobKind, JobSpec};
use blindscope_learn::jobs::{
    Counts, FedAvgSettings, MetricsSettings, Model, Models, SiteData, StatisticsSettings, Tiles, UpdatePart,
    UpdateSettings, UpdateState, clear_twin, job, update_values,
};
use blindscope_vision::data::Preprocess;
use blindscope_vision::metrics::argmax;
use blindscope_vision::synth::SyntheticPlan;
use blindscope_vision::train::TrainingTile;
use blindscope_vision::vit::{Config, Parameters, Vit};
use study::{CLASSES, Study, WIDTH, examples, learner, pooled, sites};

fn statistics() -> StatisticsSettings {
    StatisticsSettings { width: WIDTH, classes: CLASSES, examples: 256, ..StatisticsSettings::default() }
}

fn fedavg() -> FedAvgSettings {
    FedAvgSettings {
        width: WIDTH,
        classes: CLASSES,
        hidden: 8,
        rounds: 3,
        epochs: 5,
        // Few examples: small steps of the mean come from many small batches.
        batch: 8,
        rate: 1e-2,
        examples: 256,
        ..FedAvgSettings::default()
    }
}

fn data(sites: &[blindscope_learn::jobs::SiteLearner]) -> Vec<&SiteData> {
    sites.iter().map(blindscope_learn::jobs::SiteLearner::data).collect()
}

/// The encrypted job ends in the bytes of the clear one.
fn ends_alike(spec: &JobSpec, sites: &[blindscope_learn::jobs::SiteLearner]) -> Vec<u8> {
    let clear = clear_twin(spec, &data(sites), &|_| {}).unwrap();
    let (encrypted, _) = Study::new(7).run(spec, &sites.iter().collect::<Vec<_>>());
    assert!(encrypted == clear, "{}: the results differ", spec.kind);
    encrypted
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
fn statistics_give_the_pooled_heads_bit_for_bit() {
    let sites = sites();
    let spec = job("statistics", JobKind::Statistics, &statistics()).unwrap();
    let encrypted = Model::from_json(&ends_alike(&spec, &sites)).unwrap();
    let pooled = clear_twin(&spec, &[&pooled(&sites)], &|_| {}).unwrap();
    let pooled = Model::from_json(&pooled).unwrap();
    assert_eq!(encrypted.heads, pooled.heads, "weights of three sites and of the pooled data");
    assert_eq!((encrypted.examples, encrypted.sites, pooled.sites), (195, 3, 1));
    for name in ["ridge", "lda"] {
        let accuracy = accuracy(&encrypted, name);
        println!("{name}: {accuracy}");
        assert!(accuracy > 0.9, "{name}: {accuracy}");
    }
}

#[test]
fn fedavg_ends_in_the_clear_models_bytes_and_counts_answers() {
    let spec = job("fedavg", JobKind::Fedavg, &fedavg()).unwrap();
    assert_eq!(spec.rounds, 7);
    let model = Model::from_json(&ends_alike(&spec, &sites())).unwrap();
    let counts = model.validation.clone().unwrap();
    assert_eq!(counts.iter().flatten().sum::<u64>(), 90, "three sites held back thirty each");
    let right: u64 = (0..CLASSES).map(|c| counts[c][c]).sum();
    let accuracy = accuracy(&model, "polynomial");
    println!("test {accuracy}, validation {counts:?}");
    assert!(accuracy > 0.9 && right > 75, "{accuracy}, {counts:?}");
}

#[test]
fn class_means_and_counts_of_a_model() {
    let mut data: Vec<SiteData> = sites().iter().map(|s| s.data().clone()).collect();
    let means = job("means", JobKind::ClsMean, &statistics()).unwrap();
    let bytes = ends_alike(&means, &sites());
    let digest = blindscope_learn::features::hex(&Sha256::digest(&bytes));
    let settings = MetricsSettings {
        model: digest.clone(),
        classes: CLASSES,
        examples: 256,
        ..MetricsSettings::default()
    };
    let spec = job("metrics", JobKind::Metrics, &settings).unwrap();
    let missing = learner(data[0].clone()).values(&spec, 0, &[]).err().unwrap().to_string();
    assert!(missing.contains("names no folder of models") && missing.contains(&digest), "{missing}");
    for site in &mut data {
        site.models = Models::of(vec![bytes.clone()]);
    }
    let with_model: Vec<_> = data.into_iter().map(learner).collect();
    let counts: Counts = serde_json::from_slice(&ends_alike(&spec, &with_model)).unwrap();
    assert_eq!(counts.counts.iter().flatten().sum::<u64>(), 90);
    assert!(accuracy(&Model::from_json(&bytes).unwrap(), "nearest-mean") > 0.85);
}

/// Tiny tiles and a tiny transformer at three sites.
fn tiles() -> (Vit, Vec<blindscope_learn::jobs::SiteLearner>) {
    let config = Config { hidden: 16, ..Config::plain(16, 8, 8, 2, 2) };
    let model =
        Vit::new(config.clone(), Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1))).unwrap();
    let plan = SyntheticPlan { side: 16, patients: 3, tiles: 1, sites: 3, seed: 5 };
    let site = |site: usize| {
        let tile = |t| TrainingTile { image: plan.draw(t), label: t.class };
        let train = plan.tiles().filter(|t| t.site == site).map(tile).collect();
        let tiles = Some(Tiles { model: model.clone(), preprocess: Preprocess::half(16), train });
        learner(SiteData { tiles, ..SiteData::default() })
    };
    let sites = (0..3).map(site).collect();
    (model, sites)
}

#[test]
fn updates_of_every_part_are_averaged_exactly() {
    let (backbone, sites) = tiles();
    let parts = [
        UpdatePart::Head,
        UpdatePart::LastBlocks { blocks: 1 },
        UpdatePart::Lora { rank: 2, scale: 1.0 },
        UpdatePart::Whole,
    ];
    for (part, hidden) in parts.into_iter().zip([0, 4, 4, 4]) {
        let mut settings = UpdateSettings {
            part,
            classes: CLASSES,
            width: 8,
            hidden,
            rounds: 2,
            epochs: 1,
            examples: 64,
            ..UpdateSettings::default()
        };
        settings.values = update_values(&backbone, &settings).unwrap();
        let spec = job("update", JobKind::Update, &settings).unwrap();
        let state = UpdateState::from_bytes(&ends_alike(&spec, &sites), settings.values).unwrap();
        assert!(state.change.iter().any(|v| *v != 0.0), "{part:?}: something was learned");
        let (model, _) = state.apply(&backbone, &settings).unwrap();
        let changed = model.digest() != backbone.digest();
        assert_eq!(changed, part != UpdatePart::Head, "{part:?}: the backbone changed");
        println!("{part:?}: {} values", settings.values);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_numbers() {
    let sites = sites();
    let said = |spec: &JobSpec| sites[0].values(spec, 0, &[]).err().unwrap().to_string();
    let spec = job("s", JobKind::Statistics, &statistics()).unwrap();
    let wrong = JobSpec { values: spec.values + 1, ..spec.clone() };
    assert!(said(&wrong).contains("values is 587, but its settings need 586"), "{}", said(&wrong));
    let few = job("s", JobKind::Statistics, &StatisticsSettings { examples: 10, ..statistics() }).unwrap();
    assert!(said(&few).contains("number of examples is 60, expected 1 to 10"), "{}", said(&few));
    let other = StatisticsSettings { width: WIDTH + 1, ..statistics() };
    let other = job("s", JobKind::Statistics, &other).unwrap();
    assert!(said(&other).contains("60 rows of 13"), "{}", said(&other));
    let e = job("f", JobKind::Fedavg, &FedAvgSettings { degree: 3, ..fedavg() }).unwrap_err();
    assert_eq!(e.to_string(), "settings of fedavg: degree is 3, expected 2 or 4");
    let e = job("f", JobKind::Fedavg, &statistics()).unwrap_err();
    assert!(e.to_string().contains("unknown field `halves`"), "{e}");
    let spec = job("f", JobKind::Fedavg, &fedavg()).unwrap();
    let e = sites[0].values(&spec, 1, b"short").err().unwrap();
    assert!(e.to_string().contains("too few"), "{e}");
}
