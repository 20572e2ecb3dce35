//! Statistics with noise in two rounds: no unit moves a round's sums further than is paid for, whatever the second round starts from,
//! and heads of what is opened stand.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use rand_core::Rng as _;

use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::{Loss, NoiseKey};
use blindscope_aggregate::statistics::{MeansPlan, NoisedMeans, NoisedPlan, NoisedStatistics, ScatterPlan};
use blindscope_testkit::rng;
use blindscope_wire::Digest;

const D: usize = 6;
const ONE: f64 = (1 << 18) as f64;

type Units = Vec<(Vec<f64>, Vec<usize>)>;

fn key(site: u8, round: u8) -> NoiseKey {
    NoiseKey::new(&[site; 32], RoundId(Digest([round; 32])), &Digest([8; 32]), 2)
}

fn plans(rho: f64) -> (MeansPlan, ScatterPlan) {
    let loss = |share: f64| Loss::new(rho * share).unwrap();
    (MeansPlan::new((D, 3), 1000, loss(0.25)).unwrap(), ScatterPlan::new(D, 1000, loss(0.75)).unwrap())
}

/// Units of rows around three places far from the origin and near each other, of norm one at most.
fn units(n: usize, seed: u64) -> Units {
    let mut rng = rng(seed);
    let mut unit = || {
        let (mut rows, mut classes) = (Vec::new(), Vec::new());
        let class = rng.next_u32() as usize % 3;
        for _ in 0..=rng.next_u32() % 5 {
            let mut row: Vec<f64> = (0..D).map(|_| f64::from(rng.next_u32() % 1000) / 6000.0).collect();
            row[5] = 0.8 + 0.2 * row[5];
            row[class] += 0.2;
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt().max(1.0);
            rows.extend(row.into_iter().map(|v| v / norm));
            classes.push(class);
        }
        (rows, classes)
    };
    (0..n).map(|_| unit()).collect()
}

/// Both rounds over these sites.
fn learned(rho: f64, sites: &[Units]) -> (NoisedMeans, NoisedStatistics) {
    let (first, second) = plans(rho);
    let mut sums = vec![0u64; first.values() as usize];
    for (number, units) in sites.iter().enumerate() {
        let mut site = first.empty();
        for (rows, classes) in units {
            first.add_unit(&mut site, rows, classes).unwrap();
        }
        let values = site.into_values(&key(number as u8, 1)).unwrap();
        sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
    }
    let means = first.decode(&sums, sites.len()).unwrap();
    let back = NoisedMeans::from_numbers(&first, &means.to_numbers()).unwrap();
    assert_eq!(back, means, "what the second round starts from is what the first ended in");
    let mut sums = vec![0u64; second.values() as usize];
    for (number, units) in sites.iter().enumerate() {
        let mut site = second.empty();
        for (rows, classes) in units {
            second.add_unit(&mut site, &means, rows, classes).unwrap();
        }
        let values = site.into_values(&key(number as u8, 2)).unwrap();
        sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
    }
    let opened = second.decode(&sums, sites.len(), means.clone()).unwrap();
    (means, opened)
}

/// A unit's vectors alone, next to no noise in them.
fn alone(first: bool, around: &NoisedMeans, rows: &[f64], classes: &[usize]) -> Vec<f64> {
    let quiet = plans(1e10);
    let values = |empty: bool| -> Vec<u64> {
        let add = |mut site| {
            if !empty {
                if first {
                    quiet.0.add_unit(&mut site, rows, classes).unwrap();
                } else {
                    quiet.1.add_unit(&mut site, around, rows, classes).unwrap();
                }
            }
            site
        };
        let site = add(if first { quiet.0.empty() } else { quiet.1.empty() });
        site.into_values(&key(0, 3)).unwrap().collect()
    };
    let (with, without) = (values(false), values(true));
    with.iter().zip(without).map(|(a, b)| (*a as f64 - b as f64) / ONE).collect()
}

#[test]
fn no_unit_moves_a_round_further_than_is_paid_for() {
    let (means, _) = learned(5.0, &[units(100, 1), units(80, 2)]);
    let mut edge = vec![0.0; D];
    edge[3] = 1.0;
    let mut far = means.to_numbers();
    far.iter_mut().skip(7).for_each(|v| *v = 1e6);
    // Whoever invents the start of the second round gains nothing: means far from every row, a spread of nothing.
    let invented = NoisedMeans::from_numbers(&plans(1.0).0, &far).unwrap();
    let mut none = means.to_numbers();
    none[0] = 0.0;
    let tight = NoisedMeans::from_numbers(&plans(1.0).0, &none).unwrap();
    let mut cases: Units = units(20, 3);
    cases.push((edge.repeat(1000), vec![1; 1000]));
    cases.push(([edge.clone(), edge.iter().map(|v| -v).collect()].concat(), vec![0, 2]));
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (rows, classes) in &cases {
        let moved = alone(true, &means, rows, classes);
        for (name, range) in [("shares", 0..3), ("norm", 3..4), ("sums", 4..moved.len())] {
            assert!(norm(&moved[range]) < 1.002, "{name}");
        }
        for around in [&means, &invented, &tight] {
            let moved = norm(&alone(false, around, rows, classes));
            assert!(moved < 1.002, "the products move by {moved}");
        }
        // Shortened units use the room that is paid for.
        assert!(norm(&alone(false, &tight, rows, classes)) > 0.5);
    }
    let long = vec![0.8; D];
    let (first, second) = plans(1.0);
    let refused = first.add_unit(&mut first.empty(), &long, &[0]).unwrap_err().to_string();
    assert!(refused.contains("squared norm of a unit"), "{refused}");
    assert!(second.add_unit(&mut second.empty(), &means, &edge, &[3]).is_err());
}

#[test]
fn both_rounds_together_are_worth_what_was_asked() {
    for rho in [0.05, 1.23, 20.0] {
        for honest in [1, 2, 7] {
            let (first, second) = plans(rho);
            let all = first.loss(honest).unwrap().and(second.loss(honest).unwrap()).rho();
            assert!(all <= rho * (1.0 + 1e-12) && all > 0.99 * rho, "{rho} of {honest}: {all}");
        }
    }
}

#[test]
fn a_start_is_read_as_it_was_written_or_not_at_all() {
    let (means, _) = learned(5.0, &[units(100, 1)]);
    let (first, _) = plans(5.0);
    let numbers = means.to_numbers();
    let mut wild = numbers.clone();
    wild[9] = f64::NAN;
    assert!(NoisedMeans::from_numbers(&first, &wild).unwrap_err().to_string().contains("not a number"));
    assert!(NoisedMeans::from_numbers(&first, &numbers[1..]).is_err());
}

fn right(head: &blindscope_aggregate::statistics::Head, test: &Units) -> f64 {
    let answer = |row: &[f64]| -> usize {
        let z: Vec<f64> = row.iter().zip(&head.mean).map(|(x, m)| x - m).collect();
        let logit = |c: usize| head.bias[c] + head.weights[c].iter().zip(&z).map(|(w, z)| w * z).sum::<f64>();
        (0..3).max_by(|a, b| logit(*a).total_cmp(&logit(*b))).unwrap()
    };
    let rows: Vec<(&[f64], usize)> =
        test.iter().flat_map(|(rows, c)| rows.chunks(D).zip(c.iter().copied())).collect();
    rows.iter().filter(|(row, class)| answer(row) == *class).count() as f64 / rows.len() as f64
}

/// Where rows have a common mean, two rounds lose less than one to the same noise.
#[test]
fn heads_stand_on_less_noise_than_in_one_round() {
    let test = units(400, 99);
    let (mut two, mut one) = (0.0, 0.0);
    for draw in 0..4 {
        let sites: Vec<Units> = (0..3).map(|site| units(60, 10 + 7 * draw + site)).collect();
        let (_, opened) = learned(0.4, &sites);
        two += right(&opened.lda(1e-3).unwrap(), &test) / 4.0;
        let plan = NoisedPlan::new((D, 3), 1000, Loss::new(0.4).unwrap(), true).unwrap();
        let mut sums = vec![0u64; plan.values() as usize];
        for (number, units) in sites.iter().enumerate() {
            let mut site = plan.empty();
            for (rows, classes) in units {
                plan.add_unit(&mut site, rows, classes).unwrap();
            }
            let values = site.into_values(&key(number as u8 + 10, draw as u8)).unwrap();
            sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
        }
        one += right(&plan.decode(&sums, 3).unwrap().lda(1e-3).unwrap(), &test) / 4.0;
    }
    println!("right answers: two rounds {two:.3}, one round {one:.3}");
    assert!(two > one && two > 0.7, "two rounds {two}, one {one}");
    let (_, clear) = learned(1e9, &[units(200, 5)]);
    for head in [clear.lda(1e-3).unwrap(), clear.ridge(1e-3).unwrap()] {
        assert!(right(&head, &test) > 0.95, "{}", right(&head, &test));
    }
    assert!(clear.nearest_mean().weights.iter().flatten().all(|v| v.is_finite()));
}
