//! Labels join a study by name: whatever order, subset or spelling a site's file has, the job ends as over the pooled rows, or the
//! site is refused with both lists.

#![allow(clippy::unwrap_used, reason = "a test")]

use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};
use blindscope_federation::{JobKind, JobSpec};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{
    Examples, FedAvgSettings, MetricsSettings, Models, SiteData, StatisticsSettings, Terms, clear_twin,
    group_names, job,
};
use blindscope_learn::training::comparable;

const WIDTH: usize = 3;
const STUDY: [&str; 4] = ["squamous", "adeno", "normal", "small cell"];

fn terms() -> Terms {
    let classes = STUDY.map(str::to_owned).to_vec();
    Terms { classes, width: WIDTH, backbone: [7; 32], allow_unknown_backbone: false }
}

/// Rows of the study's classes `present`, in a file that lists `listed`.
fn file(listed: &[String], present: &[&str], each: usize, rng: &mut ChaCha12Rng) -> Features {
    let mut out =
        Features { width: WIDTH, classes: listed.to_vec(), backbone: Some([7; 32]), ..Features::default() };
    for name in present {
        let centre = STUDY.iter().position(|c| c == name).unwrap() as f32;
        for _ in 0..each {
            out.values.extend((0..WIDTH).map(|j| centre * (j as f32 - 1.0) + rng.random_range(-0.2..0.2)));
            out.labels.push(listed.iter().position(|c| c == name));
            out.ids.push(format!("{name} {}", out.ids.len()));
            out.groups.push(out.groups.len());
        }
    }
    out
}

/// The result of a job over these sites, whatever their number.
fn ends(spec: &JobSpec, data: &[SiteData]) -> blindscope_learn::jobs::Result<serde_json::Value> {
    let bytes = clear_twin(spec, &data.iter().collect::<Vec<_>>(), &|_| {})?;
    let mut model: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    model.as_object_mut().unwrap().remove("sites");
    Ok(model)
}

fn result(kind: JobKind, sites: &[Examples]) -> blindscope_learn::jobs::Result<serde_json::Value> {
    let settings = StatisticsSettings { width: WIDTH, classes: STUDY.len(), ..StatisticsSettings::default() };
    let site = |train: &Examples| SiteData { train: train.clone(), ..SiteData::default() };
    ends(&job("job", kind, &settings)?, &sites.iter().map(site).collect::<Vec<_>>())
}

/// Rounds of training, and how the model does on the same rows: of sites whose rows were joined in two ways.
fn trained(sites: &[Examples], folds: usize) -> serde_json::Value {
    let settings = FedAvgSettings {
        width: WIDTH,
        classes: STUDY.len(),
        rounds: 2,
        epochs: 1,
        hidden: 6,
        folds,
        ..FedAvgSettings::default()
    };
    let spec = job("job", JobKind::Fedavg, &settings).unwrap();
    let site =
        |rows: &Examples| SiteData { train: rows.clone(), validation: rows.clone(), ..SiteData::default() };
    ends(&spec, &sites.iter().map(site).collect::<Vec<_>>()).unwrap()
}

/// Counts of right and wrong answers of one model file.
fn measured(model: &[u8], sites: &[Examples]) -> serde_json::Value {
    let digest = blindscope_learn::features::hex(&Sha256::digest(model));
    let settings =
        MetricsSettings { model: digest.clone(), classes: STUDY.len(), ..MetricsSettings::default() };
    let spec = job("job", JobKind::Metrics, &settings).unwrap();
    let site = |rows: &Examples| SiteData {
        validation: rows.clone(),
        models: Models::of(vec![model.to_vec()]),
        ..SiteData::default()
    };
    ends(&spec, &sites.iter().map(site).collect::<Vec<_>>()).unwrap()
}

/// A model that some rows make, as a file.
fn model_file(rows: &Examples) -> Vec<u8> {
    let settings = StatisticsSettings { width: WIDTH, classes: STUDY.len(), ..StatisticsSettings::default() };
    let site = SiteData { train: rows.clone(), ..SiteData::default() };
    clear_twin(&job("model", JobKind::ClsMean, &settings).unwrap(), &[&site], &|_| {}).unwrap()
}

/// Puts the first `count` numbers beyond any bound.
fn beyond(rows: &mut Examples, count: usize) {
    let mut numbers = rows.rows.whole().unwrap().into_owned();
    numbers[..count].fill(1e8);
    rows.rows = numbers.into();
}

/// The reference joins by name on its own: a class's number is its place in the study.
fn pooled(files: &[Features]) -> Examples {
    let mut all = Examples::default();
    for file in files {
        all.rows.extend(file.values.whole().unwrap().iter().copied());
        all.groups.extend(group_names(file));
        let name = |label: &Option<usize>| &file.classes[label.unwrap()];
        all.labels.extend(file.labels.iter().map(|l| STUDY.iter().position(|c| c == name(l)).unwrap()));
    }
    all
}

#[test]
fn every_order_subset_and_spelling_ends_pooled_or_refused() {
    let (mut ended, mut refused) = (0, 0);
    for seed in 0..200 {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let sites = rng.random_range(2..=5);
        let mut files = Vec::new();
        let mut spoilt = false;
        for site in 0..sites {
            let mut present = STUDY.to_vec();
            present.shuffle(&mut rng);
            // The first site has every class: a class that nobody has is another refusal.
            present.truncate(if site == 0 { STUDY.len() } else { rng.random_range(1..=STUDY.len()) });
            // A file may list classes that it has no row of, the study's or not.
            let mut listed: Vec<String> = STUDY.map(str::to_owned).to_vec();
            listed.retain(|c| present.contains(&c.as_str()) || rng.random_bool(0.5));
            if rng.random_bool(0.3) {
                listed.push("artefact".into());
            }
            listed.shuffle(&mut rng);
            let mut file = file(&listed, &present, rng.random_range(2..6), &mut rng);
            if rng.random_bool(0.1) {
                let at = file.labels.first().copied().flatten().unwrap();
                file.classes[at] = ["Squamous", "carcinoid", "0", " adeno"][rng.random_range(0..4)].into();
                spoilt = true;
            }
            files.push(file);
        }
        let joined: Result<Vec<Examples>, _> = files.iter().map(|f| terms().examples("rows", f)).collect();
        match joined {
            Ok(joined) => {
                assert!(!spoilt, "seed {seed}: a name that the study has not was taken");
                let whole = pooled(&files);
                for kind in [JobKind::ClsMean, JobKind::Statistics] {
                    let got = result(kind, &joined).unwrap();
                    assert_eq!(
                        got,
                        result(kind, std::slice::from_ref(&whole)).unwrap(),
                        "seed {seed}, {kind}"
                    );
                }
                let model = model_file(&whole);
                let counts = measured(&model, std::slice::from_ref(&whole));
                assert_eq!(measured(&model, &joined), counts, "seed {seed}, metrics");
                // Training goes over each site's own rows: it is held against the same sites, joined by the reference.
                if seed % 8 == 0 {
                    let each: Vec<Examples> = files.iter().map(|f| pooled(std::slice::from_ref(f))).collect();
                    assert_eq!(trained(&joined, 5), trained(&each, 5), "seed {seed}, fedavg");
                }
                ended += 1;
            }
            Err(e) => {
                assert!(spoilt, "seed {seed}: {e}");
                let said = e.to_string();
                assert!(
                    STUDY.iter().all(|c| said.contains(c)) && said.contains("among its classes"),
                    "{said}"
                );
                refused += 1;
            }
        }
    }
    println!("{ended} ended as pooled, {refused} were refused");
    assert!(ended > 50 && refused > 20, "{ended} {refused}");
}

#[test]
fn another_backbone_is_refused_and_an_unknown_one_unless_allowed() {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let good = file(&STUDY.map(str::to_owned), &STUDY, 2, &mut rng);
    terms().examples("rows", &good).unwrap();
    let other = Features { backbone: Some([8; 32]), ..good.clone() };
    let said = terms().examples("rows", &other).unwrap_err().to_string();
    assert!(said.contains(&"08".repeat(32)) && said.contains(&"07".repeat(32)), "{said}");
    let unknown = Features { backbone: None, ..good.clone() };
    let said = terms().examples("rows", &unknown).unwrap_err().to_string();
    assert!(said.contains("unknown") && said.contains("--backbone"), "{said}");
    Terms { allow_unknown_backbone: true, ..terms() }.examples("rows", &unknown).unwrap();
    Terms { allow_unknown_backbone: true, ..terms() }.examples("rows", &other).unwrap_err();
}

#[test]
fn a_test_cohort_is_joined_by_name_and_may_lack_a_class() {
    let mut rng = ChaCha12Rng::seed_from_u64(2);
    let train = file(&STUDY.map(str::to_owned), &STUDY, 2, &mut rng);
    let listed = ["normal".to_owned(), "adeno".to_owned()];
    let test = comparable(&train, file(&listed, &["adeno", "normal"], 1, &mut rng)).unwrap();
    let test = test.features;
    assert_eq!((test.labels, test.classes), (vec![Some(1), Some(2)], train.classes.clone()));
    let mut odd = file(&listed, &["adeno"], 1, &mut rng);
    odd.classes[1] = "Adeno".into();
    let said = comparable(&train, odd).unwrap_err().to_string();
    assert!(said.contains("`Adeno` (1 rows)") && said.contains("squamous, adeno"), "{said}");
}

#[test]
fn a_job_that_contradicts_its_study_is_refused() {
    let settings = StatisticsSettings { width: WIDTH, classes: 3, ..StatisticsSettings::default() };
    let spec = job("means", JobKind::ClsMean, &settings).unwrap();
    let said = terms().check_job(&spec).unwrap_err().to_string();
    assert!(said.contains("classes = 3") && said.contains("the study has 4"), "{said}");
    let mut other = terms().fill(JobSpec { kind: JobKind::Statistics, ..JobSpec::named("job") });
    terms().check_job(&other).unwrap();
    assert_eq!(other.settings["width"], WIDTH);
    assert_eq!(other.settings["names"], serde_json::json!(STUDY));
    other.settings["names"] = serde_json::json!(["squamous", "normal", "adeno", "small cell"]);
    let said = terms().check_job(&other).unwrap_err().to_string();
    assert!(said.contains("names = [\"squamous\",\"normal\""), "{said}");
    // A kind is given only what it asks for.
    assert_eq!(terms().fill(JobSpec::named("key")).settings, serde_json::json!({}));
    let metrics = terms().fill(JobSpec { kind: JobKind::Metrics, ..JobSpec::named("job") });
    assert!(metrics.settings.get("width").is_none() && metrics.settings["classes"] == STUDY.len());
}

/// The head whose largest logit is of the nearest of the centres that [`file`] draws rows about.
fn nearest_centre(order: &[&str]) -> Head {
    let centre = |name: &&str| {
        let at = STUDY.iter().position(|class| class == name).unwrap() as f64;
        (0..WIDTH).map(|j| at * (j as f64 - 1.0)).collect::<Vec<f64>>()
    };
    let weights: Vec<Vec<f64>> = order.iter().map(centre).collect();
    let bias = weights.iter().map(|m| -0.5 * m.iter().map(|x| x * x).sum::<f64>()).collect();
    let map = Map::Linear { layer: Affine { weights, bias } };
    Head::new(HeadLiteral { normalisation: Normalisation::identity(WIDTH, 16.0), map, range: None }).unwrap()
}

/// A model of another study, or one that a site trained for itself, has its classes in an order of its own: its answers are counted
/// by name, and it is refused where a name of it is none of the study's.
#[test]
fn a_model_is_measured_by_the_names_of_its_classes() {
    let mut rng = ChaCha12Rng::seed_from_u64(6);
    let study = STUDY.map(str::to_owned).to_vec();
    let rows = terms().examples("rows", &file(&study, &STUDY, 10, &mut rng)).unwrap();
    let counted = |order: &[&str], called: &str| {
        let head = nearest_centre(order).of_classes(order.iter().map(|&name| name.to_owned()).collect());
        let head = String::from_utf8(head.unwrap().to_json().unwrap()).unwrap();
        let head = head.replace("adeno", called).into_bytes();
        let digest = blindscope_learn::features::hex(&Sha256::digest(&head));
        let settings =
            MetricsSettings { model: digest.clone(), classes: STUDY.len(), ..MetricsSettings::default() };
        let site = SiteData {
            terms: Some(Terms { allow_unknown_backbone: true, ..terms() }),
            validation: rows.clone(),
            models: Models::of(vec![head]),
            ..SiteData::default()
        };
        let result = ends(&job("job", JobKind::Metrics, &settings).unwrap(), &[site])?;
        Ok::<_, blindscope_learn::jobs::Error>(result["counts"].clone())
    };
    let right = serde_json::json!([[10, 0, 0, 0], [0, 10, 0, 0], [0, 0, 10, 0], [0, 0, 0, 10]]);
    let turned = ["small cell", "normal", "squamous", "adeno"];
    assert_eq!(counted(&STUDY, "adeno").unwrap(), right);
    assert_eq!(counted(&turned, "adeno").unwrap(), right);
    let said = counted(&turned, "carcinoid").unwrap_err().to_string();
    assert!(said.contains("carcinoid") && said.contains("some of the study's: squamous, adeno"), "{said}");
}

/// One image in another unit among many: the sum is opened over clipped values, and the result says how many of how many.
#[test]
fn clipped_values_are_counted_in_the_result() {
    let mut rng = ChaCha12Rng::seed_from_u64(4);
    let names = STUDY.map(str::to_owned);
    let mut sites = Vec::new();
    for site in 0..3 {
        let file = file(&names, &STUDY, 500, &mut rng);
        let mut rows = terms().examples("rows", &file).unwrap();
        beyond(&mut rows, site);
        sites.push(rows);
    }
    for kind in [JobKind::ClsMean, JobKind::Statistics] {
        let clipped = result(kind, &sites).unwrap()["clipped"].clone();
        assert_eq!(clipped, serde_json::json!({ "clipped": 3, "values": 3 * 4 * 500 * WIDTH }), "{kind}");
    }
    let model = trained(&sites, 0);
    let (clipped, values) = (&model["clipped"]["clipped"], model["clipped"]["values"].as_u64().unwrap());
    assert!(*clipped == 3 && values > 18_000, "weights are counted as well: {clipped} of {values}");
}

#[test]
fn a_head_of_one_class_is_refused_whichever_sites_lack_the_others() {
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let names = STUDY.map(str::to_owned);
    let rows: Vec<Examples> =
        (0..3).map(|_| terms().examples("rows", &file(&names, &["adeno"], 20, &mut rng)).unwrap()).collect();
    let site = |rows: &Examples| SiteData { train: rows.clone(), ..SiteData::default() };
    let data: Vec<SiteData> = rows.iter().map(site).collect();
    let settings = FedAvgSettings { width: WIDTH, classes: STUDY.len(), ..FedAvgSettings::default() };
    let said = ends(&job("job", JobKind::Fedavg, &settings).unwrap(), &data).unwrap_err().to_string();
    assert!(said.contains("has an example of"), "{said}");
    let said = result(JobKind::Statistics, &rows).unwrap_err().to_string();
    assert!(said.contains("has an example of"), "{said}");
    let said = result(JobKind::ClsMean, &rows).unwrap_err().to_string();
    assert!(said.contains("has an example of number 0, number 2, number 3"), "{said}");
}

#[test]
fn a_class_that_no_site_has_is_named_by_every_kind() {
    let mut rng = ChaCha12Rng::seed_from_u64(8);
    let names = STUDY.map(str::to_owned);
    let present = ["squamous", "normal", "small cell"];
    let rows: Vec<Examples> =
        (0..3).map(|_| terms().examples("rows", &file(&names, &present, 20, &mut rng)).unwrap()).collect();
    let site = |rows: &Examples| SiteData { train: rows.clone(), ..SiteData::default() };
    let data: Vec<SiteData> = rows.iter().map(site).collect();
    let names = names.to_vec();
    let fedavg = FedAvgSettings { width: WIDTH, classes: STUDY.len(), names, ..FedAvgSettings::default() };
    let said = ends(&job("job", JobKind::Fedavg, &fedavg).unwrap(), &data).unwrap_err().to_string();
    let of_kinds =
        [JobKind::Statistics, JobKind::ClsMean].map(|kind| result(kind, &rows).unwrap_err().to_string());
    assert!(said.contains("has an example of adeno;"), "{said}");
    // These jobs do not say what their classes are called.
    for said in of_kinds {
        assert!(said.contains("has an example of number 1;"), "{said}");
    }
}

#[test]
fn a_bound_whose_steps_swallow_the_values_is_refused() {
    let mut rng = ChaCha12Rng::seed_from_u64(9);
    let rows = terms().examples("rows", &file(&STUDY.map(str::to_owned), &STUDY, 20, &mut rng)).unwrap();
    for kind in [JobKind::Statistics, JobKind::ClsMean] {
        for (bound, fine) in [(16.0, true), (64.0, true), (1e4, false), (1e6, false)] {
            let settings = StatisticsSettings {
                width: WIDTH,
                classes: STUDY.len(),
                bound,
                ..StatisticsSettings::default()
            };
            let site = SiteData { train: rows.clone(), ..SiteData::default() };
            let found = ends(&job("job", kind, &settings).unwrap(), &[site]);
            assert_eq!(found.is_ok(), fine, "{kind} {bound}");
            if let Err(error) = found {
                assert!(error.to_string().contains("smaller `bound`"), "{error}");
            }
        }
    }
}

#[test]
fn a_model_of_another_backbone_is_not_measured() {
    let mut rng = ChaCha12Rng::seed_from_u64(10);
    let rows = terms().examples("rows", &file(&STUDY.map(str::to_owned), &STUDY, 4, &mut rng)).unwrap();
    let measured = |backbone: Option<[u8; 32]>, terms: Terms| {
        let head = nearest_centre(&STUDY).of_classes(STUDY.map(str::to_owned).to_vec()).unwrap();
        let head = head.of_backbone(backbone);
        for file in [head.to_json().unwrap(), head.to_safetensors().unwrap()] {
            assert_eq!(Head::from_bytes(&file).unwrap(), head);
        }
        let head = head.to_json().unwrap();
        let model = blindscope_learn::features::hex(&Sha256::digest(&head));
        let settings = MetricsSettings { model, classes: STUDY.len(), ..MetricsSettings::default() };
        let site = SiteData {
            terms: Some(terms),
            validation: rows.clone(),
            models: Models::of(vec![head]),
            ..SiteData::default()
        };
        ends(&job("job", JobKind::Metrics, &settings).unwrap(), &[site]).map(drop)
    };
    let open = || Terms { allow_unknown_backbone: true, ..terms() };
    measured(Some([7; 32]), terms()).unwrap();
    measured(None, open()).unwrap();
    measured(None, terms()).unwrap_err();
    for terms in [terms(), open()] {
        let said = measured(Some([8; 32]), terms).unwrap_err().to_string();
        assert!(said.contains(&"08".repeat(32)) && said.contains(&"07".repeat(32)), "{said}");
    }
}

#[test]
fn a_site_whose_values_the_job_would_clip_is_refused_with_the_share() {
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let file = file(&STUDY.map(str::to_owned), &STUDY, 50, &mut rng);
    let mut rows = terms().examples("rows", &file).unwrap();
    result(JobKind::ClsMean, &[rows.clone()]).unwrap();
    beyond(&mut rows, 6);
    for kind in [JobKind::ClsMean, JobKind::Statistics] {
        let said = result(kind, &[rows.clone()]).unwrap_err().to_string();
        assert!(said.contains("1.000 % (6 of 600") && said.contains("at most 0.100 %"), "{said}");
    }
}
