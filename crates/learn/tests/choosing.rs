//! What is chosen without looking at anybody's rows is what pooled rows would choose, bit for bit.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_cmp, reason = "a test")]

mod study;

use std::collections::{BTreeMap, BTreeSet};

use blindscope_federation::{Contribution, JobKind};
use blindscope_learn::jobs::{GroupName, Model, SiteData, SiteLearner, StatisticsSettings, clear_twin, job};
use blindscope_vision::metrics::argmax;
use study::groups::{dealt, encrypted, grouped, select};
use study::{CLASSES, WIDTH, examples, learner};

fn settings() -> StatisticsSettings {
    StatisticsSettings {
        width: WIDTH,
        classes: CLASSES,
        examples: 512,
        seed: 11,
        ..StatisticsSettings::default()
    }
}

#[test]
fn one_two_three_and_five_sites_choose_what_pooled_rows_choose() {
    let all = grouped(66, 4);
    let pooled = SiteData { train: all.clone(), ..SiteData::default() };
    for (kind, halves) in [(JobKind::Statistics, false), (JobKind::Auto, false), (JobKind::Auto, true)] {
        let spec = job("job", kind, &StatisticsSettings { halves, ..settings() }).unwrap();
        let expected = Model::from_json(&clear_twin(&spec, &[&pooled], &|_| {}).unwrap()).unwrap();
        let chosen = expected.chosen.as_ref().unwrap();
        assert_eq!(chosen.tried.len(), if halves { 36 } else { 12 });
        println!("{kind}, halves {halves}: {} on {}, {:?}", chosen.lambda, chosen.features, chosen.heads);
        let one: Vec<SiteLearner> = dealt(&all, 1);
        let one = clear_twin(&spec, &[one[0].data()], &|_| {}).unwrap();
        assert_eq!(
            Model::from_json(&one).unwrap(),
            expected,
            "{kind}: one site in the clear, since no sum is of one"
        );
        for sites in [2, 3, 5] {
            let mut pooled = expected.clone();
            pooled.sites = sites;
            assert_eq!(encrypted(&spec, &dealt(&all, sites)), pooled, "{kind} over {sites} sites");
        }
    }
}

/// The figures of `auto`, counted again row by row with heads that were made without the row's fold.
#[test]
fn heads_are_measured_on_groups_that_they_have_not_seen() {
    let all = grouped(66, 5);
    let spec = job("auto", JobKind::Auto, &settings()).unwrap();
    let model = encrypted(&spec, &dealt(&all, 3));
    // One site a group tells each group's fold: the fold whose count is not zero, in sums that no second round makes longer.
    let folded = job("folded", JobKind::Statistics, &settings()).unwrap();
    let folds = |group: &GroupName| {
        let rows: Vec<usize> = (0..all.len()).filter(|i| all.groups[*i] == *group).collect();
        let train = select(&all, &rows);
        let sums: Vec<u64> =
            learner(SiteData { train, ..SiteData::default() }).values(&folded, 0, &[]).unwrap().collect();
        let each = (sums.len() - 1) / 5;
        let of: Vec<usize> =
            (0..5).filter(|f| sums[f * each..f * each + CLASSES].iter().sum::<u64>() > 0).collect();
        assert_eq!(of.len(), 1, "a group is in one fold, whole");
        of[0]
    };
    let groups: BTreeSet<GroupName> = all.groups.iter().copied().collect();
    let folds: BTreeMap<GroupName, usize> = groups.into_iter().map(|g| (g, folds(&g))).collect();
    let chosen = model.chosen.as_ref().unwrap();
    for figures in &chosen.heads {
        let mut right = 0;
        for fold in 0..5 {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..all.len()).partition(|i| folds[&all.groups[*i]] == fold);
            // The head of the others at the same penalty, which `statistics` gives where nothing is chosen.
            let fixed = StatisticsSettings { folds: 0, lambda: chosen.lambda, ..settings() };
            let fixed = job("fixed", JobKind::Statistics, &fixed).unwrap();
            let rest = SiteData { train: select(&all, &outside), ..SiteData::default() };
            let head = Model::from_json(&clear_twin(&fixed, &[&rest], &|_| {}).unwrap()).unwrap();
            let answers = head.head_named(&figures.name).unwrap();
            for at in inside {
                let row: Vec<f64> = all.rows.row(WIDTH, at).unwrap().iter().map(|v| f64::from(*v)).collect();
                let logits: Vec<f32> = answers.logits(&[row]).unwrap()[0].iter().map(|v| *v as f32).collect();
                right += usize::from(argmax(&logits) == all.labels[at]);
            }
        }
        assert_eq!(figures.accuracy, right as f64 / all.len() as f64, "{figures:?}");
        assert_eq!((figures.examples, figures.groups), (198, 66));
        assert!(
            figures.interval[0] < figures.accuracy && figures.accuracy <= figures.interval[1],
            "{figures:?}"
        );
    }
    assert!(chosen.heads.windows(2).all(|w| w[0].accuracy >= w[1].accuracy), "the best first");
    assert_eq!(model.heads[0].name, chosen.heads[0].name);
    let counts: u64 = model.validation.unwrap().iter().flatten().sum();
    assert_eq!(counts, 198);
}

/// The factor that is chosen is in the head, and bands are counts of the same answers as the accuracy.
#[test]
fn probabilities_are_calibrated_and_the_unsure_are_counted() {
    let all = grouped(66, 5);
    let spec = job("auto", JobKind::Auto, &settings()).unwrap();
    let model = encrypted(&spec, &dealt(&all, 3));
    let (found, chosen) = (model.calibration.clone().unwrap(), model.chosen.clone().unwrap());
    println!("{found:?}");
    let fixed = StatisticsSettings { folds: 0, lambda: chosen.lambda, ..settings() };
    let fixed = job("fixed", JobKind::Statistics, &fixed).unwrap();
    let pooled = SiteData { train: all.clone(), ..SiteData::default() };
    let plain = Model::from_json(&clear_twin(&fixed, &[&pooled], &|_| {}).unwrap()).unwrap();
    let row: Vec<f64> = all.rows.row(WIDTH, 7).unwrap().iter().map(|v| f64::from(*v)).collect();
    let name = &model.heads[0].name;
    let of =
        |model: &Model| model.head_named(name).unwrap().logits(std::slice::from_ref(&row)).unwrap().concat();
    for (calibrated, plain) in of(&model).iter().zip(of(&plain)) {
        assert!(
            (calibrated - found.gain * plain).abs() < 1e-9 * (1.0 + calibrated.abs()),
            "{calibrated} {plain}"
        );
    }
    assert!(found.loss[0] <= found.loss[1], "one is among the factors");
    assert!((found.bands[0].answered - 1.0).abs() < 1e-12);
    assert!((found.bands[0].wrong - (1.0 - chosen.heads[0].accuracy)).abs() < 1e-12, "the same answers");
    for pair in found.bands.windows(2) {
        assert!(pair[0].from < pair[1].from && pair[0].answered >= pair[1].answered, "{pair:?}");
    }
}

/// Where one half of a row tells nothing, the other is read alone; the head answers the same whatever stands in the first.
#[test]
fn a_half_that_tells_nothing_is_not_read() {
    let mut all = grouped(42, 6);
    let mut rows = all.rows.whole().unwrap().into_owned();
    let noise = examples(all.len(), 77).rows.whole().unwrap().into_owned();
    for (at, row) in rows.chunks_mut(WIDTH).enumerate() {
        // Shuffled against the labels.
        let from = (at * 31 + 5) % all.len();
        row[..WIDTH / 2].copy_from_slice(&noise[from * WIDTH..][..WIDTH / 2]);
    }
    all.rows = rows.into();
    let spec =
        job("statistics", JobKind::Statistics, &StatisticsSettings { halves: true, ..settings() }).unwrap();
    let model = encrypted(&spec, &dealt(&all, 2));
    assert_eq!(model.chosen.as_ref().unwrap().features, "mean");
    let head = model.head().unwrap();
    let row =
        |first: f64| -> Vec<f64> { (0..WIDTH).map(|j| if j < WIDTH / 2 { first } else { 0.5 }).collect() };
    let logits = head.logits(&[row(0.0), row(9.0)]).unwrap();
    assert_eq!(logits[0], logits[1]);
}

#[test]
fn too_few_groups_leave_the_jobs_own_penalty() {
    let all = grouped(3, 8);
    let settings = StatisticsSettings { lambda: 0.2, ..settings() };
    for kind in [JobKind::Statistics, JobKind::Auto] {
        let spec = job("job", kind, &settings).unwrap();
        let site = SiteData { train: all.clone(), ..SiteData::default() };
        let model = Model::from_json(&clear_twin(&spec, &[&site], &|_| {}).unwrap()).unwrap();
        let chosen = model.chosen.unwrap();
        assert!(chosen.tried.is_empty() && chosen.heads.is_empty(), "{kind}: {chosen:?}");
        assert_eq!(chosen.lambda, 0.2);
    }
    let none = job("job", JobKind::Auto, &StatisticsSettings { folds: 0, ..settings }).unwrap_err();
    assert!(none.to_string().contains("folds is 0, expected 2 to 20"), "{none}");
}

#[test]
fn a_start_of_another_shape_is_refused() {
    let all = grouped(30, 9);
    let spec = job("auto", JobKind::Auto, &settings()).unwrap();
    let sites = dealt(&all, 1);
    let wide = job("auto", JobKind::Auto, &StatisticsSettings { folds: 4, ..settings() }).unwrap();
    let sums: Vec<u64> = sites[0].values(&wide, 0, &[]).unwrap().collect();
    let next = blindscope_federation::Advance::advance(
        &blindscope_learn::jobs::CoordinatorLearner::default(),
        &wide,
        0,
        &[],
        &sums,
        1,
    );
    let blindscope_federation::Advanced::Next(start) = next.unwrap() else { panic!("two rounds") };
    drop(sites[0].values(&wide, 1, &start).unwrap());
    let said = sites[0].values(&spec, 1, &start).err().unwrap().to_string();
    assert!(said.contains("each of 5 folds"), "{said}");
    for cut in [0, 1, start.len() / 2, start.len() - 1] {
        assert!(sites[0].values(&wide, 1, &start[..cut]).is_err());
    }
}
