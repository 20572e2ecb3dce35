//! What is learned from encrypted statistics is what pooled data would teach, bit for bit; weighted means likewise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

#[path = "one_round/world.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod world;

use rand_core::Rng;

use blindscope_aggregate::one_round::Plan;
use blindscope_aggregate::statistics::{Head, QuadraticFeatures, Statistics, StatisticsPlan, lda, ridge};
use blindscope_aggregate::{Error, FixedPoint, WeightedMean};
use blindscope_testkit as testkit;
use world::{World, literal};

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

/// `(x − mean)/deviation`.
fn standardised(head: &Head, x: &[f64]) -> Vec<f64> {
    x.iter().zip(&head.mean).zip(&head.deviation).map(|((x, m), d)| (x - m) / d).collect()
}

fn logit(head: &Head, z: &[f64], class: usize) -> f64 {
    head.bias[class] + head.weights[class].iter().zip(z).map(|(w, z)| w * z).sum::<f64>()
}

#[test]
fn heads_from_encrypted_statistics_are_the_pooled_ones() {
    let mut rng = testkit::rng(31);
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
    let sum_plan = Plan::new(literal(plan.values(), plan.max(), 5, 3)).unwrap();
    let opened = World::upload(&sum_plan, &updates, &mut rng).open(&[1, 2, 4]).unwrap();
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
        assert_eq!((bits(&ours.mean), bits(&ours.deviation)), (bits(&theirs.mean), bits(&theirs.deviation)));
        let is_right = |(x, class): &&(Vec<f64>, usize)| {
            let z = standardised(&ours, x);
            (0..3).all(|c| logit(&ours, &z, c) <= logit(&ours, &z, *class))
        };
        let right = mapped.iter().filter(is_right).count();
        println!("{right} of {} right", mapped.len());
        assert!(right > 270, "a head that learned nothing: {right}");
    }
}

/// Samples whose features have scales of their own, on the fixed point's grid, and their statistics.
fn scaled(width: usize, seed: u8) -> (Vec<(Vec<f64>, usize)>, Statistics) {
    let fixed = FixedPoint::new(8.0, 20).unwrap();
    let mut statistics = StatisticsPlan::new(width, 3, fixed, 100).unwrap().empty();
    let mut data = samples(100, width, &mut testkit::rng(u64::from(seed)));
    for (x, class) in &mut data {
        for (j, x) in x.iter_mut().enumerate() {
            let value = *x * [0.1, 1.0, 4.0][j % 3] + j as f64 * 0.2;
            *x = (value / fixed.step()).round() * fixed.step();
        }
        statistics.add(x, *class).unwrap();
    }
    (data, statistics)
}

/// The normal equations hold: the ridge head is the one of its definition, computed from the samples.
#[test]
fn the_ridge_head_solves_its_normal_equations() {
    let (width, lambda) = (9, 0.05);
    let (data, statistics) = scaled(width, 32);
    let head = ridge(&statistics, lambda).unwrap();
    let data: Vec<_> = data.iter().map(|(x, class)| (standardised(&head, x), *class)).collect();
    for j in 0..width {
        let mean = data.iter().map(|(z, _)| z[j]).sum::<f64>() / 100.0;
        let variance = data.iter().map(|(z, _)| z[j] * z[j]).sum::<f64>() / 100.0;
        assert!(mean.abs() < 1e-9 && (variance - 1.0).abs() < 1e-9, "feature {j}: {mean}, {variance}");
    }
    for c in 0..3 {
        let residual = |z: &[f64], class: usize| logit(&head, z, c) - f64::from(u8::from(class == c));
        let mean = data.iter().map(|(z, class)| residual(z, *class)).sum::<f64>() / 100.0;
        assert!(mean.abs() < 1e-9, "intercept: {mean}");
        for j in 0..width {
            let gradient = data.iter().map(|(z, class)| residual(z, *class) * z[j]).sum::<f64>() / 100.0
                + lambda * head.weights[c][j];
            assert!(gradient.abs() < 1e-9, "class {c}, feature {j}: {gradient}");
        }
    }
}

/// The LDA head is the one of its definition, shrinkage included, computed from the samples.
#[test]
fn the_lda_head_solves_its_equations() {
    let (width, shrinkage) = (9, 0.1);
    let (data, statistics) = scaled(width, 34);
    let head = lda(&statistics, shrinkage).unwrap();
    let data: Vec<_> = data.iter().map(|(x, class)| (standardised(&head, x), *class)).collect();
    let of = |c: usize| data.iter().filter(move |(_, class)| *class == c).map(|(z, _)| z);
    let mean = |c: usize, j: usize| of(c).map(|z| z[j]).sum::<f64>() / of(c).count() as f64;
    let means: Vec<Vec<f64>> = (0..3).map(|c| (0..width).map(|j| mean(c, j)).collect()).collect();
    for (c, w) in head.weights.iter().enumerate() {
        for i in 0..width {
            // Row i of the covariance within classes, times the weights.
            let within = |(z, class): &(Vec<f64>, usize)| {
                let along: f64 = (0..width).map(|j| (z[j] - means[*class][j]) * w[j]).sum();
                (z[i] - means[*class][i]) * along
            };
            let product = data.iter().map(within).sum::<f64>() / 100.0;
            let gap = (1.0 - shrinkage) * product + shrinkage * w[i] - means[c][i];
            assert!(gap.abs() < 1e-9, "class {c}, feature {i}: {gap}");
        }
        let half = 0.5 * w.iter().zip(&means[c]).map(|(w, m)| w * m).sum::<f64>();
        let bias = (of(c).count() as f64 / 100.0).ln() - half;
        assert!((head.bias[c] - bias).abs() < 1e-9, "class {c}: {} for {bias}", head.bias[c]);
    }
}

/// A site that does not keep to the protocol gets an error, not an overflow.
#[test]
fn sums_that_no_samples_give_are_refused() {
    let plan = StatisticsPlan::new(1, 2, FixedPoint::new(1.0, 20).unwrap(), 1 << 20).unwrap();
    let half = (1 << 19) - 1;
    let refused = [
        ("number of samples", [u64::MAX, u64::MAX, 0, 0, 0]),
        ("number of samples", [1 << 26, 0, 0, 0, 0]),
        ("class sum", [1, 1, 2 * half + 1, 0, 0]),
        ("class sum", [2, 0, 0, 1, 0]),
        ("sum of products", [1, 1, 0, 0, 4 * half * half + 1]),
    ];
    for (expected, sums) in refused {
        let what = match plan.decode(&sums) {
            Err(Error::Impossible { what, .. }) => what,
            other => panic!("{sums:?}: {other:?}"),
        };
        assert_eq!(what, expected, "{sums:?}");
    }
    let most = (1u64 << 25) - 1;
    let edge = plan.decode(&[most, 1, 0, 2 * half, 2 * (most + 1) * half * half]).unwrap();
    assert_eq!(edge.sums(), [-((most * half) as i64), half as i64]);
    assert_eq!(edge.gram(), [((most + 1) * half * half) as i64]);
}

#[test]
fn statistics_refuse_what_they_were_not_planned_for() {
    let fixed = FixedPoint::new(1.0, 8).unwrap();
    let plan = StatisticsPlan::new(2, 2, fixed, 2).unwrap();
    let mut s = plan.empty();
    s.add(&[0.5, -0.5], 0).unwrap();
    assert!(matches!(s.add(&[f64::NAN, 0.0], 0), Err(Error::NotANumber { index: 0 })));
    assert!(matches!(s.add(&[0.0], 0), Err(Error::Mismatch { .. })));
    assert!(matches!(s.add(&[0.0, 0.0], 2), Err(Error::Range { what: "class", .. })));
    s.add(&[0.5, 0.25], 0).unwrap();
    assert!(matches!(s.add(&[0.0, 0.0], 1), Err(Error::Range { found: 3, max: 2, .. })));
    assert_eq!(ridge(&s, 0.1), Err(Error::EmptyClass { class: 1 }));
    assert!(matches!(plan.decode(&[0; 3]), Err(Error::Mismatch { .. })));
    assert!(StatisticsPlan::new(2, 2, FixedPoint::new(1.0, 32).unwrap(), 100).is_err());
    let mut flat = StatisticsPlan::new(2, 1, fixed, 4).unwrap().empty();
    flat.add(&[1.0, 1.0], 0).unwrap();
    assert!(matches!(ridge(&flat, 0.0), Err(Error::Singular { .. })));
}

#[test]
fn weighted_means_keep_the_weights_in_the_sum() {
    let mut rng = testkit::rng(33);
    let mean = WeightedMean::new(FixedPoint::new(1.0, 16).unwrap(), 50, 10_000).unwrap();
    let plan = Plan::new(literal(mean.values(), mean.max(), 4, 2)).unwrap();
    let weights = [10_000, 1, 0, 777];
    let vectors: Vec<_> = weights.iter().map(|_| testkit::real_values(&mut rng, 50, 0.9)).collect();
    let updates: Vec<Vec<u64>> =
        vectors.iter().zip(weights).map(|(v, w)| mean.encode(v, w).unwrap().collect()).collect();
    let opened = World::upload(&plan, &updates, &mut rng).open(&[0, 3]).unwrap();
    let got = mean.decode(&opened).unwrap();
    assert_eq!(got.weight, 10_778);
    for j in 0..50 {
        let want = vectors.iter().zip(weights).map(|(v, w)| v[j] * w as f64).sum::<f64>() / 10_778.0;
        assert!((got.values[j] - want).abs() <= 0.51 / 32_767.0, "{j}: {} for {want}", got.values[j]);
    }
    assert!(matches!(mean.encode(&vectors[0], 10_001).map(drop), Err(Error::Range { .. })));
    assert_eq!(mean.decode(&[0; 51]), Err(Error::NoWeight));
    assert!(WeightedMean::new(FixedPoint::new(1.0, 32).unwrap(), 1, 1 << 40).is_err());
}
