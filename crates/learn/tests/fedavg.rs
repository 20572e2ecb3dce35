//! Rounds of training that choose their settings, their end and the scale of their probabilities by what the sites hold out, summed under
//! encryption.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_cmp, reason = "a test")]

mod study;

use blindscope_federation::{Advance, Advanced, Contribution, JobKind, JobSpec};
use blindscope_learn::jobs::{
    CoordinatorLearner, Examples, FedAvgSettings, Model, SiteData, SiteLearner, clear_twin, job,
};
use blindscope_vision::metrics::argmax;
use study::groups::{dealt, encrypted, grouped, select};
use study::{CLASSES, Study, WIDTH, learner};

fn settings() -> FedAvgSettings {
    FedAvgSettings {
        width: WIDTH,
        classes: CLASSES,
        rounds: 3,
        epochs: 3,
        hidden: 6,
        batch: 8,
        rate: 1e-2,
        examples: 256,
        seed: 11,
        validate: false,
        ..FedAvgSettings::default()
    }
}

fn spec(settings: &FedAvgSettings) -> JobSpec {
    job("fedavg", JobKind::Fedavg, settings).unwrap()
}

fn pooled(all: &Examples) -> SiteLearner {
    learner(SiteData { train: all.clone(), ..SiteData::default() })
}

fn twin(settings: &FedAvgSettings, sites: &[SiteLearner]) -> Model {
    let data: Vec<&SiteData> = sites.iter().map(SiteLearner::data).collect();
    Model::from_json(&clear_twin(&spec(settings), &data, &|_| {}).unwrap()).unwrap()
}

/// The rows that are held out, as a site that brings one group alone tells: it has nothing to learn from.
fn held_out(settings: &FedAvgSettings, all: &Examples) -> Examples {
    let groups = || all.groups.iter().collect::<std::collections::BTreeSet<_>>();
    let is_held = |group: &&[u8; 32]| {
        let rows: Vec<usize> = (0..all.len()).filter(|at| all.groups[*at] == **group).collect();
        let site = pooled(&select(all, &rows));
        let sums: Vec<u64> = site.values(&spec(settings), 0, &[]).unwrap().take(CLASSES).collect();
        assert!(
            [0, rows.len() as u64].contains(&sums.iter().sum()),
            "a group is held out whole or not at all"
        );
        sums.iter().all(|n| *n == 0)
    };
    let held: Vec<&[u8; 32]> = groups().into_iter().filter(is_held).collect();
    let rows: Vec<usize> = (0..all.len()).filter(|at| held.contains(&&all.groups[*at])).collect();
    select(all, &rows)
}

/// Right answers and mean loss of a head of the model, row by row.
fn asked(model: &Model, name: &str, rows: &Examples) -> (usize, f64) {
    let head = model.head_named(name).unwrap();
    let (mut right, mut loss) = (0, 0.0);
    for at in 0..rows.len() {
        let row: Vec<f64> = rows.rows.row(WIDTH, at).unwrap().iter().map(|v| f64::from(*v)).collect();
        let logits = head.logits(&[row]).unwrap().concat();
        let all: f64 = logits.iter().map(|z| z.exp()).sum();
        loss += (all.ln() - logits[rows.labels[at]]) / rows.len() as f64;
        right +=
            usize::from(argmax(&logits.iter().map(|z| *z as f32).collect::<Vec<_>>()) == rows.labels[at]);
    }
    (right, loss)
}

#[test]
fn settings_are_chosen_alike_under_encryption_and_in_the_clear() {
    let all = grouped(66, 4);
    let settings = FedAvgSettings {
        tried_hidden: vec![8, 4],
        tried_decay: vec![0.01, 1.0],
        validate: true,
        ..settings()
    };
    for sites in [2, 3, 5] {
        let sites = dealt(&all, sites);
        let model = encrypted(&spec(&settings), &sites);
        assert_eq!(model, twin(&settings, &sites));
        let chosen = model.chosen.unwrap();
        println!("{chosen:?}");
        let mut tried: Vec<(usize, f32)> = chosen.settings.iter().map(|t| (t.hidden, t.decay)).collect();
        tried.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        assert_eq!(tried, [(4, 0.01), (4, 1.0), (8, 0.01), (8, 1.0)]);
        assert!(chosen.settings.windows(2).all(|w| w[0].accuracy >= w[1].accuracy), "the best first");
        assert_eq!(chosen.heads[0].accuracy, chosen.settings[0].accuracy);
        let first = &model.heads[0].head.map;
        let blindscope_classify::Map::Polynomial { outer, .. } = first else { panic!("{first:?}") };
        assert_eq!(outer.weights[0].len(), chosen.settings[0].hidden, "the head is of the best setting");
    }
}

/// Everything that is chosen from is a sum of integers over rows: one site with all rows sends what the sites' sums come to, and the same
/// follows from it. Only the trained heads are those of the sites.
#[test]
fn the_sums_that_are_chosen_from_are_those_of_pooled_rows() {
    let all = grouped(66, 5);
    let settings = FedAvgSettings { patience: 0, ..settings() };
    let (spec, sites, one) = (spec(&settings), dealt(&all, 3), pooled(&all));
    let parameters = settings.hidden * (WIDTH + 1) + settings.degree + 1 + CLASSES * (settings.hidden + 1);
    let (mut input, mut compared) = (Vec::new(), 0);
    for round in 0..spec.rounds {
        let mut sums = vec![0u64; spec.values as usize];
        for site in &sites {
            sums.iter_mut().zip(site.values(&spec, round, &input).unwrap()).for_each(|(s, v)| *s += v);
        }
        let alone: Vec<u64> = one.values(&spec, round, &input).unwrap().collect();
        let trains = (2..spec.rounds - 1).contains(&round);
        let from = if trains { 1 + parameters + 1 } else { 0 };
        assert!(sums[from..] == alone[from..], "round {round}");
        compared += usize::from(sums[from..].iter().any(|v| *v > 0));
        let advance = |sums: &[u64], committed| {
            CoordinatorLearner::default().advance(&spec, round, &input, sums, committed).unwrap()
        };
        let next = advance(&sums, 3);
        if !trains && round + 1 < spec.rounds {
            assert_eq!(next, advance(&alone, 1), "round {round}");
        }
        match next {
            Advanced::Next(next) => input = next,
            Advanced::Final(_) => assert_eq!((compared, round + 1), (6, spec.rounds)),
        }
    }
}

#[test]
fn figures_are_of_groups_that_nothing_was_learned_of() {
    let all = grouped(66, 6);
    let settings = settings();
    let model = encrypted(&spec(&settings), &dealt(&all, 3));
    let held = held_out(&settings, &all);
    let chosen = model.chosen.as_ref().unwrap();
    assert!(held.len() > 20 && held.len() < all.len() / 2, "{} of {}", held.len(), all.len());
    assert_eq!(model.examples, (all.len() - held.len()) as u64);
    for figures in &chosen.heads {
        let (right, _) = asked(&model, &figures.name, &held);
        assert_eq!(figures.accuracy, right as f64 / held.len() as f64, "{figures:?}");
        assert_eq!((figures.examples, figures.groups), (held.len() as u64, held.len() as u64 / 3));
    }
    let counts = model.validation.as_ref().unwrap();
    assert_eq!(counts.iter().flatten().sum::<u64>(), held.len() as u64);
}

#[test]
fn probabilities_and_the_unsure_band_are_measured_on_what_is_held_out() {
    let all = grouped(66, 7);
    let settings = settings();
    let model = encrypted(&spec(&settings), &dealt(&all, 3));
    let held = held_out(&settings, &all);
    let found = model.calibration.as_ref().unwrap();
    println!("{found:?}");
    // The factor is in the head: whoever asks it finds the loss that was summed, to a step of the sum a row.
    let (right, loss) = asked(&model, "polynomial", &held);
    assert!((loss - found.loss[0]).abs() < 1e-3, "{loss} {found:?}");
    assert!(found.loss[0] <= found.loss[1] + 1e-9, "{found:?}");
    assert_eq!((found.bands[0].from, found.bands[0].answered), (0.0, 1.0));
    assert!((found.bands[0].wrong - (1.0 - right as f64 / held.len() as f64)).abs() < 1e-12);
    assert!(found.bands.windows(2).all(|w| w[0].answered >= w[1].answered), "{found:?}");
}

/// Steps far too large: rounds of plain training end below the linear head. Training that starts from it does not.
#[test]
fn a_head_never_ends_below_the_linear_one() {
    let mut ended_below = 0;
    for seed in [8, 9, 10] {
        let all = grouped(66, seed);
        let sites = dealt(&all, 3);
        let wild = FedAvgSettings { rate: 0.5, epochs: 6, patience: 0, ..settings() };
        let held = held_out(&wild, &all);
        let model = encrypted(&spec(&wild), &sites);
        let linear = &model.chosen.as_ref().unwrap().heads[1].name;
        let (polynomial, of_linear) = (asked(&model, "polynomial", &held).0, asked(&model, linear, &held).0);
        assert!(polynomial >= of_linear, "seed {seed}: {polynomial} {of_linear}");

        let rest: Vec<usize> = (0..all.len()).filter(|at| !held.groups.contains(&all.groups[*at])).collect();
        let plain = FedAvgSettings { folds: 0, ..wild };
        let plain = twin(&plain, &dealt(&select(&all, &rest), 3));
        let plain = asked(&plain, "polynomial", &held).0;
        println!("seed {seed}: {polynomial}, linear {of_linear}, plain {plain} of {}", held.len());
        ended_below += usize::from(plain < of_linear);
    }
    assert!(ended_below > 0, "plain training ended nowhere below the linear head: the test shows nothing");
}

#[test]
fn training_ends_when_it_gets_no_better_and_goes_on_where_it_is_told_to() {
    let all = grouped(66, 12);
    let sites = dealt(&all, 2);
    let sites: Vec<&SiteLearner> = sites.iter().collect();
    let rounds = |patience| {
        let settings = FedAvgSettings { rounds: 12, epochs: 1, patience, rate: 0.5, ..settings() };
        let spec = spec(&settings);
        let (result, opened) = Study::new(5).run(&spec, &sites);
        (opened.len() as u64, spec.rounds, Model::from_json(&result).unwrap())
    };
    let (stopped, announced, early) = rounds(2);
    assert!(stopped < announced, "{stopped} of {announced}");
    // The best head stood two rounds before the last one that was measured; two rounds come before training.
    assert_eq!(early.chosen.unwrap().settings[0].rounds + 2 + 3, stopped);
    let (all_of_them, announced, _) = rounds(0);
    assert_eq!(all_of_them, announced);
}

#[test]
fn where_nothing_is_held_out_nothing_is_chosen() {
    // Two groups a class, of which the seed holds out none.
    let all = grouped(6, 13);
    let settings = (0..100)
        .map(|seed| FedAvgSettings { seed, validate: true, ..settings() })
        .find(|s| held_out(s, &all).is_empty())
        .unwrap();
    let mut sites = dealt(&all, 1);
    let data = SiteData { validation: all.clone(), ..sites.remove(0).data().clone() };
    let model = twin(&settings, &[learner(data)]);
    assert!(model.chosen.is_none() && model.calibration.is_none(), "{:?}", model.chosen);
    assert_eq!(model.validation.unwrap().iter().flatten().sum::<u64>(), all.len() as u64);
}

#[test]
fn ladders_that_do_not_fit_are_refused_with_what_to_do() {
    let said = |s: FedAvgSettings| job("f", JobKind::Fedavg, &s).unwrap_err().to_string();
    let narrow = said(FedAvgSettings { hidden: 3, ..settings() });
    assert!(narrow.contains("hidden is 3, expected twice the number of classes less one"), "{narrow}");
    assert!(narrow.ends_with("or `linear = false`"), "{narrow}");
    drop(spec(&FedAvgSettings { hidden: 3, linear: false, ..settings() }));
    let many = FedAvgSettings { tried_hidden: vec![8; 3], tried_decay: vec![0.1; 3], ..settings() };
    assert!(said(many.clone()).contains("the number of settings is 9, expected at most 8"));
    let blind = said(FedAvgSettings { folds: 0, tried_decay: vec![0.1; 3], ..settings() });
    assert!(blind.contains("folds is 0, expected 2 to 20, with rounds to train"), "{blind}");
    let one = said(FedAvgSettings { folds: 1, ..settings() });
    assert!(one.contains("folds is 1, expected 0, or 2 to 20"), "{one}");
}

#[test]
fn starts_of_another_shape_or_with_impossible_counts_are_refused() {
    let all = grouped(30, 9);
    let (settings, site) = (settings(), pooled(&all));
    let spec = spec(&settings);
    let (mut input, mut starts) = (Vec::new(), Vec::new());
    for round in 0..spec.rounds - 1 {
        let sums: Vec<u64> = site.values(&spec, round, &input).unwrap().collect();
        let next = CoordinatorLearner::default().advance(&spec, round, &input, &sums, 1).unwrap();
        let Advanced::Next(next) = next else { break };
        starts.push(next.clone());
        input = next;
    }
    assert!(starts.len() > 2, "{}", starts.len());
    for start in &starts {
        drop(site.values(&spec, 1, start).unwrap());
        for cut in [0, 1, 40, start.len() / 2, start.len() - 1] {
            assert!(site.values(&spec, 1, &start[..cut]).is_err(), "{cut} of {}", start.len());
        }
    }
    // The counts of the linear head stand behind four words and its number.
    let mut wrong = starts[1].clone();
    wrong[40..48].fill(0xff);
    let said = site.values(&spec, 2, &wrong).err().unwrap().to_string();
    assert!(said.contains("at most 9007199254740992 are made by sites"), "{said}");
    let mut stage = starts[1].clone();
    stage[..8].copy_from_slice(&99u64.to_le_bytes());
    let said = site.values(&spec, 2, &stage).err().unwrap().to_string();
    assert!(said.contains("stage 99 of a job of 3 rounds"), "{said}");
}
