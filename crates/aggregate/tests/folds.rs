//! Cross-validation from sums alone is cross-validation over the rows.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::print_stdout,
    reason = "a test says what it saw and stops"
)]

use rand_core::Rng;

use blindscope_aggregate::statistics::{
    FoldedStatistics, Head, Penalty, Statistics, StatisticsPlan, best, cross_validate, lda, ridge,
    squared_error,
};
use blindscope_aggregate::{Error, FixedPoint};
use blindscope_testkit as testkit;

const WIDTH: usize = 9;
const CLASSES: usize = 3;

type Row = (Vec<f64>, usize);

/// Rows that the fixed point represents exactly, far more features than they tell apart, so that a penalty matters.
fn rows(count: usize, apart: f64, rng: &mut impl Rng) -> Vec<Row> {
    let grid = |v: f64| (v * 100.0).round() / 100.0;
    (0..count)
        .map(|i| {
            let noise = testkit::real_values(rng, WIDTH, 1.0);
            let centre = |j: usize| if j == i % CLASSES { 1.0 } else { 1.0 + apart };
            (noise.iter().enumerate().map(|(j, v)| grid(centre(j) + v)).collect(), i % CLASSES)
        })
        .collect()
}

fn plan(width: usize) -> StatisticsPlan {
    // Steps of a hundredth: `step = clip/half`.
    StatisticsPlan::new(width, CLASSES, FixedPoint::new(81.91, 14).unwrap(), 1000).unwrap()
}

fn statistics<'a>(width: usize, rows: impl IntoIterator<Item = &'a Row>) -> Statistics {
    let mut out = plan(width).empty();
    rows.into_iter().for_each(|(x, class)| out.add(&x[x.len() - width..], *class).unwrap());
    out
}

fn answers(head: &Head, x: &[f64]) -> Vec<f64> {
    let z: Vec<f64> = x.iter().zip(&head.mean).zip(&head.deviation).map(|((x, m), d)| (x - m) / d).collect();
    let of = |(w, b): (&Vec<f64>, &f64)| b + w.iter().zip(&z).map(|(w, z)| w * z).sum::<f64>();
    head.weights.iter().zip(&head.bias).map(of).collect()
}

fn by_row(head: &Head, rows: &[Row]) -> f64 {
    let one = |(x, class): &Row| -> f64 {
        let target = |c: usize| if c == *class { 1.0 } else { 0.0 };
        answers(head, x).iter().enumerate().map(|(c, a)| (a - target(c)).powi(2)).sum()
    };
    rows.iter().map(one).sum()
}

#[test]
fn the_error_of_a_head_follows_from_sums() {
    let mut rng = testkit::rng(5);
    let (train, held_out) = (rows(60, 0.7, &mut rng), rows(41, 0.7, &mut rng));
    let of = statistics(WIDTH, &train);
    for head in [ridge(&of, 0.05).unwrap(), lda(&of, 0.1).unwrap()] {
        let (found, expected) =
            (squared_error(&head, &statistics(WIDTH, &held_out)), by_row(&head, &held_out));
        assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
    }
}

#[test]
fn a_folds_complement_and_parts_of_rows_are_exact() {
    let mut rng = testkit::rng(6);
    let all = rows(90, 0.7, &mut rng);
    let folds: Vec<Statistics> = all.chunks(23).map(|rows| statistics(WIDTH, rows)).collect();
    let folded = FoldedStatistics::of(folds).unwrap();
    assert_eq!(*folded.total(), statistics(WIDTH, &all));
    for (at, (fold, rest)) in folded.splits().unwrap().into_iter().enumerate() {
        let outside = all.iter().enumerate().filter(|(i, _)| i / 23 != at).map(|(_, row)| row);
        assert_eq!(rest, statistics(WIDTH, outside), "without fold {at}");
        assert_eq!(rest.plus(fold).unwrap(), *folded.total());
        assert!(matches!(fold.minus(&rest), Err(Error::Impossible { .. })), "fewer than are taken away");
    }
    for width in 1..=WIDTH {
        let part = folded.of_features(WIDTH - width..WIDTH).unwrap();
        assert_eq!(*part.total(), statistics(width, &all), "the last {width} features");
    }
    assert!(folded.of_features(3..WIDTH + 1).is_err() && folded.of_features(3..3).is_err());
    let sums: Vec<u64> = folded.folds().iter().cloned().flat_map(Statistics::into_values).collect();
    assert_eq!(FoldedStatistics::decode(&plan(WIDTH), &sums).unwrap(), folded);
    assert!(FoldedStatistics::decode(&plan(WIDTH), &sums[1..]).is_err());
    assert!(FoldedStatistics::decode(&plan(WIDTH), &[]).is_err());
    let other = statistics(WIDTH - 1, &all);
    assert!(matches!(folded.total().plus(&other), Err(Error::Mismatch { .. })));
}

#[test]
fn the_chosen_penalty_is_the_one_of_row_by_row_validation() {
    let [near, far] = [0.0, 3.0].map(chosen_penalty);
    assert!(near > far, "classes that nothing tells apart want a larger penalty: {near} and {far}");
}

fn chosen_penalty(apart: f64) -> f64 {
    let all = rows(48, apart, &mut testkit::rng(7));
    let ladder = [1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0];
    let chunks: Vec<&[Row]> = all.chunks(12).collect();
    let folded = FoldedStatistics::of(chunks.iter().map(|c| statistics(WIDTH, *c)).collect()).unwrap();
    let tried = cross_validate(&folded, &ladder).unwrap().unwrap();
    let mut slow = Vec::new();
    for lambda in ladder {
        let fold = |at: usize| {
            let outside = all.iter().enumerate().filter(|(i, _)| i / 12 != at).map(|(_, row)| row);
            by_row(&ridge(&statistics(WIDTH, outside), lambda).unwrap(), chunks[at])
        };
        slow.push(Penalty { lambda, error: (0..chunks.len()).map(fold).sum::<f64>() / 48.0 });
    }
    for (fast, slow) in tried.iter().zip(&slow) {
        assert!((fast.error - slow.error).abs() < 1e-9, "{fast:?} {slow:?}");
    }
    let chosen = best(&tried).unwrap();
    println!("classes {apart} apart: {chosen:?} of {tried:?}");
    assert_eq!(chosen.lambda, best(&slow).unwrap().lambda);
    chosen.lambda
}

#[test]
fn folds_that_leave_no_class_validate_nothing() {
    let mut rng = testkit::rng(8);
    let all = rows(30, 0.7, &mut rng);
    // One fold holds every example of class 0: without it there is no head, and it is left out.
    let (one, rest): (Vec<Row>, Vec<Row>) = all.iter().cloned().partition(|(_, class)| *class == 0);
    let folds = |parts: &[&[Row]]| {
        let folds = parts.iter().map(|rows| statistics(WIDTH, *rows)).collect();
        cross_validate(&FoldedStatistics::of(folds).unwrap(), &[0.1, 1.0]).unwrap()
    };
    assert_eq!(folds(&[&one, &rest]), None, "neither side has every class");
    assert_eq!(folds(&[&all, &[]]), None, "all in one fold");
    assert!(folds(&[&all[..15], &all[15..], &[]]).is_some(), "an empty fold is left out");
}
