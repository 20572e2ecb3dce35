//! What is learned from encrypted statistics is what pooled data would teach, bit for bit; weighted means likewise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

mod common;

use blindscope_aggregate::statistics::{QuadraticFeatures, StatisticsPlan, lda, ridge};
use blindscope_aggregate::{AggregateError, FixedPoint, WeightedMean};
use blindscope_testkit as testkit;
use blindscope_threshold::PartyId;
use common::Study;
use rand_core::Rng;

/// Three classes around different means, their features correlated.
fn samples(count: usize, width: usize, rng: &mut impl Rng) -> Vec<(Vec<f64>, usize)> {
    (0..count)
        .map(|i| {
            let class = i % 3;
            let noise = testkit::real_values(rng, width, 0.4);
            let shared = noise[0];
            let centre = |j: usize| if j % 3 == class { 0.5 } else { -0.1 };
            ((0..width).map(|j| centre(j) + noise[j] + 0.2 * shared).collect(), class)
        })
        .collect()
}

#[test]
fn heads_from_encrypted_statistics_are_the_pooled_ones() {
    let mut rng = testkit::rng(31);
    let study = Study::new(&common::toy(), 5, 3, 4, &mut rng);
    let quadratic = QuadraticFeatures::new([7; 32], 10, 6).unwrap();
    let plan = StatisticsPlan::new(16, 3, FixedPoint::new(1.5, 14).unwrap(), 200).unwrap();
    let data = samples(300, 10, &mut rng);
    let mapped: Vec<_> = data.iter().map(|(x, class)| (quadratic.map(x).unwrap(), *class)).collect();
    let mut pooled = StatisticsPlan::new(16, 3, FixedPoint::new(1.5, 14).unwrap(), 300).unwrap().empty();
    let mut sites: Vec<_> = (0..5).map(|_| plan.empty()).collect();
    for (x, class) in &mapped {
        pooled.add(x, *class).unwrap();
        // Uneven, and site 4 has one class only.
        let site =
            if *class == 2 && rng.next_u64().is_multiple_of(2) { 4 } else { (rng.next_u64() % 4) as usize };
        sites[site].add(x, *class).unwrap();
    }
    let updates: Vec<Vec<u64>> = sites.into_iter().map(|s| s.into_values().collect()).collect();
    let sum_plan = study.plan(plan.values(), plan.max());
    let members = [PartyId(1), PartyId(2), PartyId(4)];
    let opened = study.sum(&sum_plan, &updates, &members, &study.round(b"statistics", 1), &mut rng);
    let opened = plan.decode(&opened).unwrap();
    assert_eq!(
        (opened.counts(), opened.sums(), opened.gram()),
        (pooled.counts(), pooled.sums(), pooled.gram())
    );
    for (ours, theirs) in [
        (ridge(&opened, 0.01).unwrap(), ridge(&pooled, 0.01).unwrap()),
        (lda(&opened, 0.1).unwrap(), lda(&pooled, 0.1).unwrap()),
    ] {
        let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&ours.bias), bits(&theirs.bias));
        assert_eq!(bits(&ours.weights.concat()), bits(&theirs.weights.concat()));
        let logit = |x: &[f64], c: usize| {
            ours.bias[c] + ours.weights[c].iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
        };
        let right =
            mapped.iter().filter(|(x, class)| (0..3).all(|c| logit(x, c) <= logit(x, *class))).count();
        println!("{right} of {} right", mapped.len());
        assert!(right > 270, "a head that learned nothing: {right}");
    }
}

/// The normal equations hold: the ridge head is the one of its definition, computed from the samples.
#[test]
fn the_ridge_head_solves_its_normal_equations() {
    let mut rng = testkit::rng(32);
    let (width, lambda) = (9, 0.05);
    let fixed = FixedPoint::new(2.0, 24).unwrap();
    let mut statistics = StatisticsPlan::new(width, 3, fixed, 100).unwrap().empty();
    let data = samples(100, width, &mut rng);
    for (x, class) in &data {
        statistics.add(x, *class).unwrap();
    }
    let head = ridge(&statistics, lambda).unwrap();
    for c in 0..3 {
        let residual = |x: &[f64], class: usize| {
            let logit = head.bias[c] + head.weights[c].iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            logit - f64::from(u8::from(class == c))
        };
        let mean = data.iter().map(|(x, class)| residual(x, *class)).sum::<f64>() / 100.0;
        assert!(mean.abs() < 1e-5, "intercept: {mean}");
        for j in 0..width {
            let gradient = data.iter().map(|(x, class)| residual(x, *class) * x[j]).sum::<f64>() / 100.0
                + lambda * head.weights[c][j];
            assert!(gradient.abs() < 1e-5, "class {c}, feature {j}: {gradient}");
        }
    }
}

#[test]
fn statistics_refuse_what_they_were_not_planned_for() {
    let fixed = FixedPoint::new(1.0, 8).unwrap();
    let plan = StatisticsPlan::new(2, 2, fixed, 2).unwrap();
    let mut s = plan.empty();
    s.add(&[0.5, -0.5], 0).unwrap();
    assert!(matches!(s.add(&[f64::NAN, 0.0], 0), Err(AggregateError::NotANumber { index: 0 })));
    assert!(matches!(s.add(&[0.0], 0), Err(AggregateError::Mismatch { .. })));
    assert!(matches!(s.add(&[0.0, 0.0], 2), Err(AggregateError::Range { what: "class", .. })));
    s.add(&[0.5, 0.25], 0).unwrap();
    assert!(matches!(s.add(&[0.0, 0.0], 1), Err(AggregateError::Range { found: 3, max: 2, .. })));
    assert_eq!(ridge(&s, 0.1), Err(AggregateError::EmptyClass { class: 1 }));
    assert!(matches!(plan.decode(&[0; 3]), Err(AggregateError::Mismatch { .. })));
    assert!(StatisticsPlan::new(2, 2, FixedPoint::new(1.0, 32).unwrap(), 100).is_err());
    let mut flat = StatisticsPlan::new(2, 1, fixed, 4).unwrap().empty();
    flat.add(&[1.0, 1.0], 0).unwrap();
    assert!(matches!(ridge(&flat, 0.0), Err(AggregateError::Singular { .. })));
}

#[test]
fn weighted_means_keep_the_weights_in_the_sum() {
    let mut rng = testkit::rng(33);
    let study = Study::new(&common::toy(), 4, 2, 2, &mut rng);
    let mean = WeightedMean::new(FixedPoint::new(1.0, 16).unwrap(), 50, 10_000).unwrap();
    let plan = study.plan(mean.values(), mean.max());
    let weights = [10_000, 1, 0, 777];
    let vectors: Vec<_> = weights.iter().map(|_| testkit::real_values(&mut rng, 50, 0.9)).collect();
    let updates: Vec<Vec<u64>> =
        vectors.iter().zip(weights).map(|(v, w)| mean.encode(v, w).unwrap().collect()).collect();
    let members = [PartyId(0), PartyId(3)];
    let opened = study.sum(&plan, &updates, &members, &study.round(b"mean", 1), &mut rng);
    let got = mean.decode(&opened).unwrap();
    assert_eq!(got.weight, 10_778);
    for j in 0..50 {
        let want = vectors.iter().zip(weights).map(|(v, w)| v[j] * w as f64).sum::<f64>() / 10_778.0;
        assert!((got.values[j] - want).abs() <= 0.51 / 32_767.0, "{j}: {} for {want}", got.values[j]);
    }
    assert!(matches!(mean.encode(&vectors[0], 10_001).map(drop), Err(AggregateError::Range { .. })));
    assert_eq!(mean.decode(&[0; 51]), Err(AggregateError::NoWeight));
    assert!(WeightedMean::new(FixedPoint::new(1.0, 32).unwrap(), 1, 1 << 40).is_err());
}
