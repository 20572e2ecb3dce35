//! Attention over slides through encrypted sums: the bytes of the clear job, the weights of pooled training, and more than a mean tells.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod study;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use blindscope_federation::{Contribution, JobKind, JobSpec};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{
    AttentionPooling, AttentionSettings, CountedBy, Counts, Examples, MetricsSettings, Model, Models,
    SiteData, SiteLearner, clear_twin, job,
};
use blindscope_learn::training::train_slides;
use study::{Study, learner};

const WIDTH: usize = 10;

/// Slides of two classes. Most tiles of every slide are alike; in each, two in a dozen are marked, at either end of one feature, and
/// only the sign of *another* feature of those tells the class. Elsewhere that other feature is noise of mean zero.
fn slides(count: usize, seed: u64) -> Examples {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut out = Examples::default();
    for slide in 0..count {
        let label = slide % 2;
        for tile in 0..12 + slide % 5 {
            let marked = tile < 2;
            let noise = |rng: &mut ChaCha12Rng| -> f32 { (0..4).map(|_| rng.random_range(-0.6..0.6)).sum() };
            let mut row: Vec<f32> = (0..WIDTH).map(|j| noise(&mut rng) + j as f32 * 0.2).collect();
            row[2] += if marked { 3.0 } else { 0.0 };
            row[5] = if marked { if label == 0 { 1.5 } else { -1.5 } } else { 3.0 * noise(&mut rng) };
            out.rows.extend(row);
            out.labels.push(label);
            out.slides.push(slide);
        }
    }
    out
}

fn settings() -> AttentionSettings {
    AttentionSettings {
        width: WIDTH,
        classes: 2,
        rounds: 40,
        hidden: 8,
        rate: 3e-2,
        decay: 0.0,
        examples: 64,
        tiles: 2048,
        ..AttentionSettings::default()
    }
}

fn sites() -> Vec<SiteLearner> {
    [(18, 1), (9, 2), (24, 3)]
        .map(|(n, seed)| {
            let validation = slides(10, seed + 50);
            learner(SiteData { train: slides(n, seed), validation, ..SiteData::default() })
        })
        .into()
}

/// All slides in one place, one site's behind another's.
fn pooled(sites: &[SiteLearner], part: fn(&SiteData) -> &Examples) -> Examples {
    let mut all = Examples::default();
    for site in sites {
        let site = part(site.data());
        let before = all.slides.iter().max().map_or(0, |last| last + 1);
        all.rows.extend(site.rows.whole().unwrap().iter().copied());
        all.labels.extend(&site.labels);
        all.slides.extend(site.slides.iter().map(|slide| before + slide));
    }
    all
}

fn spec() -> JobSpec {
    job("slides", JobKind::Attention, &settings()).unwrap()
}

fn trained(sites: &[SiteLearner]) -> Vec<u8> {
    let data: Vec<&SiteData> = sites.iter().map(SiteLearner::data).collect();
    clear_twin(&spec(), &data, &|_| {}).unwrap()
}

fn accuracy(model: &Model, test: &Examples) -> f64 {
    let rows = model.pooling.as_ref().unwrap().examples("test", test).unwrap();
    let whole = rows.rows.whole().unwrap();
    let tokens: Vec<Vec<f64>> =
        whole.chunks(WIDTH).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect();
    let logits = model.head().unwrap().logits(&tokens).unwrap();
    let right = |(row, label): &(&Vec<f64>, &usize)| usize::from(row[1] > row[0]) == **label;
    logits.iter().zip(&rows.labels).filter(right).count() as f64 / rows.labels.len() as f64
}

/// A few rounds under encryption end in the bytes of the same rounds in the clear.
#[test]
fn encrypted_sums_end_in_the_clear_models_bytes() {
    let short = AttentionSettings { rounds: 3, ..settings() };
    let spec = job("slides", JobKind::Attention, &short).unwrap();
    assert_eq!(spec.rounds, 5);
    let sites = sites();
    let data: Vec<&SiteData> = sites.iter().map(SiteLearner::data).collect();
    let clear = clear_twin(&spec, &data, &|_| {}).unwrap();
    let (encrypted, _) = Study::new(7).run(&spec, &sites.iter().collect::<Vec<_>>());
    assert!(encrypted == clear, "the results differ");
    let model = Model::from_json(&encrypted).unwrap();
    assert_eq!((model.examples, model.sites), (51, 3));
    assert_eq!(
        model.validation.unwrap().iter().flatten().sum::<u64>(),
        30,
        "three sites held back ten slides each"
    );
}

/// Whatever site a slide lies at, the weights are those of all slides in one place: every bit of them.
#[test]
fn sites_train_what_pooled_slides_train() {
    let sites = sites();
    let of_sites = Model::from_json(&trained(&sites)).unwrap();
    let all = SiteData {
        train: pooled(&sites, |s| &s.train),
        validation: pooled(&sites, |s| &s.validation),
        ..SiteData::default()
    };
    let in_one_place = Model::from_json(&clear_twin(&spec(), &[&all], &|_| {}).unwrap()).unwrap();
    assert_eq!(of_sites.heads, in_one_place.heads);
    assert_eq!(of_sites.pooling, in_one_place.pooling);
    assert_eq!(of_sites.validation, in_one_place.validation);
    assert_eq!(of_sites.clipped, in_one_place.clipped);
    assert_eq!((of_sites.sites, in_one_place.sites), (3, 1));
}

#[test]
fn attention_finds_the_tiles_that_tell() {
    let test = slides(200, 99);
    // Two hundred slides: fifty are learned by heart before their marked tiles are found.
    let large = AttentionSettings { examples: 256, tiles: 4096, ..settings() };
    let spec = job("slides", JobKind::Attention, &large).unwrap();
    let train = SiteData { train: slides(200, 1), ..SiteData::default() };
    let model = Model::from_json(&clear_twin(&spec, &[&train], &|_| {}).unwrap()).unwrap();
    let attention = accuracy(&model, &test);
    // The same sums without attention: the mean over a slide's tiles, and the best linear head on it.
    let mean = |examples: &Examples| {
        let mut out = Examples::default();
        for bag in examples.bags("mean").unwrap() {
            let rows = examples.rows.rows(WIDTH, &bag.rows).unwrap();
            let row = |j: usize| rows.iter().skip(j).step_by(WIDTH).sum::<f32>() / bag.rows.len() as f32;
            out.rows.extend((0..WIDTH).map(row));
            out.labels.push(bag.label);
        }
        out
    };
    let statistics =
        blindscope_learn::jobs::StatisticsSettings { width: WIDTH, classes: 2, ..Default::default() };
    let site = SiteData { train: mean(&train.train), ..SiteData::default() };
    let spec = job("mean", JobKind::Statistics, &statistics).unwrap();
    let ridge = Model::from_json(&clear_twin(&spec, &[&site], &|_| {}).unwrap()).unwrap();
    let rows = mean(&test);
    let whole = rows.rows.whole().unwrap();
    let tokens: Vec<Vec<f64>> =
        whole.chunks(WIDTH).map(|r| r.iter().map(|v| f64::from(*v)).collect()).collect();
    let logits = ridge.head().unwrap().logits(&tokens).unwrap();
    let right =
        logits.iter().zip(&rows.labels).filter(|(row, label)| usize::from(row[1] > row[0]) == **label);
    let mean = right.count() as f64 / 200.0;
    println!("attention {attention}, mean {mean}");
    assert!(attention > 0.9 && attention > mean + 0.1, "{attention} with attention, {mean} with the mean");
    // Marked tiles, the first two of each slide, are what it looks at.
    let features = named(&test);
    let pooled = model.pooling.as_ref().unwrap().pool(&features).unwrap();
    let marked = |slide: usize| -> f32 {
        let rows = pooled.slides.iter().zip(&pooled.weights).filter(|(s, _)| **s == slide);
        rows.take(2).map(|(_, weight)| weight).sum()
    };
    let share = (0..200).map(marked).sum::<f32>() / 200.0;
    let equal = pooled.slides.len() as f32;
    let equal = 2.0 * 200.0 / equal;
    println!("share of the marked tiles: {share}, {equal} if all tiles counted alike");
    assert!(share > 2.0 * equal, "{share}, {equal} if all tiles counted alike");
}

/// Rows as a features file has them.
fn named(examples: &Examples) -> Features {
    let row = |(i, slide): (usize, &usize)| format!("slide-{slide}/{}_0", 256 * i);
    let patient = |slide: &usize| Some(format!("patient-{}", slide / 4));
    Features {
        width: WIDTH,
        values: examples.rows.clone(),
        ids: examples.slides.iter().enumerate().map(row).collect(),
        labels: examples.labels.iter().map(|l| Some(*l)).collect(),
        groups: examples.slides.iter().map(|slide| slide / 4).collect(),
        patients: examples.slides.iter().map(patient).collect(),
        classes: vec!["calm".into(), "wild".into()],
        ..Features::default()
    }
}

/// What a job does is what `train slides` does, and its figures are a slide's and a patient's.
#[test]
fn local_training_is_the_jobs() {
    let (train, test) = (named(&slides(200, 11)), named(&slides(40, 12)));
    let local = train_slides(
        &train,
        Some(&test),
        &AttentionSettings { rounds: 30, examples: 256, tiles: 4096, ..settings() },
        &|_| {},
    )
    .unwrap();
    assert_eq!((local.steps.len(), local.model.classes.len()), (30, 2));
    assert!(local.steps[29].loss < local.steps[0].loss / 2.0, "{:?}", local.steps);
    let figures = local.held_out.unwrap();
    assert_eq!(
        (figures.rows, figures.patients.as_ref().map(|p| p.count)),
        (40, None),
        "patients of both classes"
    );
    assert!(figures.accuracy > 0.85, "{}", figures.accuracy);
    let same = SiteData { train: slides(200, 11), ..SiteData::default() };
    let settings = AttentionSettings {
        rounds: 30,
        validate: false,
        examples: 256,
        tiles: 4096,
        names: vec!["calm".into(), "wild".into()],
        ..settings()
    };
    let spec = job("x", JobKind::Attention, &settings).unwrap();
    assert_eq!(clear_twin(&spec, &[&same], &|_| {}).unwrap(), local.model.to_json().unwrap());
}

/// A model of slides is measured on slides, not on their tiles.
#[test]
fn a_metrics_job_counts_slides() {
    let sites = sites();
    let bytes = trained(&sites);
    let digest = blindscope_learn::features::hex(&Sha256::digest(&bytes));
    let settings =
        MetricsSettings { model: digest.clone(), classes: 2, examples: 64, ..MetricsSettings::default() };
    let spec = job("metrics", JobKind::Metrics, &settings).unwrap();
    let mut data: Vec<SiteData> = sites.iter().map(|s| s.data().clone()).collect();
    for site in &mut data {
        site.models = Models::of(vec![bytes.clone()]);
    }
    let counted = |spec: &JobSpec, data: &[SiteData]| -> Counts {
        let counts = clear_twin(spec, &data.iter().collect::<Vec<_>>(), &|_| {}).unwrap();
        serde_json::from_slice(&counts).unwrap()
    };
    let counts = counted(&spec, &data);
    assert_eq!(Some(&counts.counts), Model::from_json(&bytes).unwrap().validation.as_ref());
    assert_eq!(counts.figures, None);

    // Two slides a patient: as many patients as half the slides, whose class is the slides'.
    for site in &mut data {
        let held = &mut site.validation;
        let mut order = held.bags("test").unwrap();
        order.sort_by_key(|bag| bag.label);
        held.groups = vec![[0; 32]; held.labels.len()];
        for (at, bag) in order.iter().enumerate() {
            let patient = (100 * bag.label + at / 2) as u8;
            bag.rows.iter().for_each(|row| held.groups[*row] = [patient; 32]);
        }
    }
    let by = |by| job("metrics", JobKind::Metrics, &MetricsSettings { by, ..settings.clone() }).unwrap();
    let slides = counted(&by(CountedBy::Slide), &data);
    assert_eq!(slides.counts, counts.counts, "a model of slides answers one by one");
    let figures = slides.figures.unwrap();
    let (all, right) = (figures.examples as f64, (slides.counts[0][0] + slides.counts[1][1]) as f64);
    assert!((figures.accuracy - right / all).abs() < 1e-12 && figures.interval[0] <= figures.accuracy);
    assert!(figures.groups < figures.examples, "{figures:?}");
    let patients = counted(&by(CountedBy::Patient), &data);
    assert_eq!(patients.figures.unwrap().examples, figures.groups);
}

#[test]
fn what_is_no_slide_is_refused_with_a_repair() {
    let (spec, sound) = (spec(), slides(6, 4));
    let said = |change: fn(&mut Examples)| {
        let mut train = sound.clone();
        change(&mut train);
        let site = learner(SiteData { train, ..SiteData::default() });
        site.values(&spec, 0, &[]).err().unwrap().to_string()
    };
    assert!(said(|e| e.slides.clear()).contains("features import RUN"));
    assert!(said(|e| e.labels[0] = 1).contains("one class for all tiles of a slide"));
    assert!(said(|e| e.slides.iter_mut().enumerate().for_each(|(i, s)| *s = i)).contains("1 to 64"));
    let one_class = SiteData { train: slides(1, 4), ..SiteData::default() };
    let message = clear_twin(&spec, &[&one_class], &|_| {}).unwrap_err().to_string();
    assert!(message.contains("has an example of number"), "{message}");
    let large = AttentionSettings { width: 4096, hidden: 4096, ..settings() };
    let message = job("x", JobKind::Attention, &large).unwrap_err().to_string();
    assert!(message.contains("hidden is 4096") && message.contains("2^20"), "{message}");
}

/// What the coordinator sends to askers: every cut and every flipped byte is refused, or is another attention of the same shape.
#[test]
fn bytes_of_an_attention_are_read_back_or_refused() {
    let model = Model::from_json(&trained(&sites()[..1])).unwrap();
    let pooling = model.pooling.unwrap();
    let bytes = pooling.to_bytes();
    assert_eq!(AttentionPooling::from_bytes(&bytes).unwrap(), pooling);
    assert!((0..bytes.len()).all(|end| AttentionPooling::from_bytes(&bytes[..end]).is_err()));
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let mut refused = 0;
    for _ in 0..2000 {
        let mut changed = bytes.clone();
        changed[rng.random_range(0..bytes.len())] = rng.random();
        match AttentionPooling::from_bytes(&changed) {
            Ok(other) => assert_eq!(other.to_bytes().len(), bytes.len()),
            Err(_) => refused += 1,
        }
    }
    println!("{refused} of 2000 refused");
    let mut claim = bytes.clone();
    claim[8..16].fill(0xff);
    assert!(AttentionPooling::from_bytes(&claim).is_err(), "a claim of four billion features");
}
