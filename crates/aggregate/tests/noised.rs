//! What a unit adds is bounded, what is opened is the sums with the noise that was promised, and heads of it stand.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use rand_core::Rng as _;

use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::{Loss, NoiseKey};
use blindscope_aggregate::statistics::NoisedPlan;
use blindscope_testkit::rng;
use blindscope_wire::Digest;

const D: usize = 6;

fn key(site: u8, honest: u32) -> NoiseKey {
    NoiseKey::new(&[site; 32], RoundId(Digest([7; 32])), &Digest([8; 32]), honest)
}

fn plan(rho: f64) -> NoisedPlan {
    NoisedPlan::new((D, 3), 1000, Loss::new(rho).unwrap(), true).unwrap()
}

/// Units of rows around three places, of norm one at most.
fn units(n: usize, seed: u64) -> Vec<(Vec<f64>, Vec<usize>)> {
    let mut rng = rng(seed);
    let mut unit = || {
        let (mut rows, mut classes) = (Vec::new(), Vec::new());
        let class = rng.next_u32() as usize % 3;
        for _ in 0..=rng.next_u32() % 5 {
            let mut row: Vec<f64> = (0..D).map(|_| f64::from(rng.next_u32() % 1000) / 5000.0).collect();
            row[class] += 0.6;
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt().max(1.0);
            rows.extend(row.into_iter().map(|v| v / norm));
            classes.push(class);
        }
        (rows, classes)
    };
    (0..n).map(|_| unit()).collect()
}

fn opened(plan: &NoisedPlan, sites: &[Vec<(Vec<f64>, Vec<usize>)>], honest: u32) -> Vec<u64> {
    let mut sums = vec![0u64; plan.values() as usize];
    for (number, units) in sites.iter().enumerate() {
        let mut site = plan.empty();
        for (rows, classes) in units {
            plan.add_unit(&mut site, rows, classes).unwrap();
        }
        let values: Vec<u64> = site.into_values(&key(number as u8, honest)).unwrap().collect();
        assert!(values.iter().all(|v| *v <= plan.max()));
        sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
    }
    sums
}

#[test]
fn no_unit_moves_the_sums_further_than_is_paid_for() {
    let plan = plan(1.0);
    let clear = |units: &[(Vec<f64>, Vec<usize>)]| -> Vec<i64> {
        // Of a loss so large that the noise is next to nothing.
        let quiet = NoisedPlan::new((D, 3), 1000, Loss::new(1e9).unwrap(), true).unwrap();
        let mut site = quiet.empty();
        for (rows, classes) in units {
            quiet.add_unit(&mut site, rows, classes).unwrap();
        }
        site.into_values(&key(0, 1)).unwrap().map(u64::cast_signed).collect()
    };
    let mut all = units(20, 1);
    // A patient with a thousand equal tiles at the bound, and one whose tiles are of two classes.
    let mut edge = [0.0; D];
    edge[5] = 1.0;
    all.push((edge.repeat(1000), vec![1; 1000]));
    all.push((edge.repeat(2), vec![0, 2]));
    let whole = clear(&all);
    for left in [0, 5, 20, 21] {
        let mut without = all.clone();
        without.remove(left);
        let moved = clear(&without);
        let part = |range: std::ops::Range<usize>| -> f64 {
            let square: f64 = range.map(|i| ((whole[i] - moved[i]) as f64).powi(2)).sum();
            square.sqrt() / f64::from(1 << 18)
        };
        // Noise of so large a loss is of variance 2^12: 64 of 2^18 steps a value.
        for (name, range) in [("shares", 0..3), ("sums", 3..3 + 3 * D), ("products", 3 + 3 * D..whole.len())]
        {
            let moved = part(range);
            assert!(moved <= 1.002, "unit {left} moves the {name} by {moved}");
        }
    }
    let long = vec![0.8; D];
    let refused = plan.add_unit(&mut plan.empty(), &long, &[0]).unwrap_err().to_string();
    assert!(refused.contains("squared norm of a unit"), "{refused}");
    for (rows, classes) in [(&edge[..], &[3][..]), (&[], &[])] {
        assert!(plan.add_unit(&mut plan.empty(), rows, classes).is_err());
    }
}

#[test]
fn noise_is_worth_what_was_asked() {
    for rho in [0.01, 0.5, 1.23, 20.0] {
        for honest in [1, 2, 7] {
            let found = plan(rho).loss(honest).unwrap().rho();
            assert!(found <= rho * (1.0 + 1e-12) && found > 0.99 * rho, "{rho} of {honest}: {found}");
        }
    }
    let few = NoisedPlan::new((D, 3), 1000, Loss::new(1e-12).unwrap(), true).unwrap_err().to_string();
    assert!(few.contains("variance of the noise"), "{few}");
    // What is opened less what is known is noise of the promised size: of two sites, one of which may collude.
    let (plan, sites) = (plan(0.5), vec![units(50, 2), units(60, 3)]);
    let quiet = NoisedPlan::new((D, 3), 1000, Loss::new(1e9).unwrap(), true).unwrap();
    let noisy = plan.decode(&opened(&plan, &sites, 1), 2).unwrap();
    let known = quiet.decode(&opened(&quiet, &sites, 1), 2).unwrap();
    let square: f64 =
        noisy.units().iter().zip(known.units()).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 3.0;
    let expected = 2.0 * plan.deviations()[0].powi(2);
    assert!(square > 0.02 * expected && square < 6.0 * expected, "{square} {expected}");
}

#[test]
fn heads_stand_on_noise() {
    let sites: Vec<_> = (0..3).map(|site| units(120, 10 + site)).collect();
    let test = units(200, 99);
    for (rho, least) in [(1e9, 0.99), (1.2, 0.95), (0.02, 0.5)] {
        let plan = NoisedPlan::new((D, 3), 1000, Loss::new(rho).unwrap(), true).unwrap();
        let sums = opened(&plan, &sites, 2);
        let statistics = plan.decode(&sums, 3).unwrap();
        for (name, head) in [
            ("nearest", statistics.nearest_mean()),
            ("lda", statistics.lda(1e-3).unwrap()),
            ("ridge", statistics.ridge(1e-3).unwrap()),
        ] {
            let answer = |row: &[f64]| -> usize {
                let z: Vec<f64> = row.iter().zip(&head.mean).map(|(x, m)| x - m).collect();
                let logit =
                    |c: usize| head.bias[c] + head.weights[c].iter().zip(&z).map(|(w, z)| w * z).sum::<f64>();
                (0..3).max_by(|a, b| logit(*a).total_cmp(&logit(*b))).unwrap()
            };
            let rows: Vec<(&[f64], usize)> =
                test.iter().flat_map(|(rows, c)| rows.chunks(D).zip(c.iter().copied())).collect();
            let right =
                rows.iter().filter(|(row, class)| answer(row) == *class).count() as f64 / rows.len() as f64;
            println!("rho {rho}: {name} {right:.3}");
            assert!(head.weights.iter().flatten().chain(&head.bias).all(|v| v.is_finite()));
            assert!(right >= least || rho < 0.1, "rho {rho}: {name} {right}");
        }
        assert_eq!(statistics, plan.decode(&sums, 3).unwrap());
        assert_eq!(
            statistics.lda(1e-3).unwrap(),
            plan.decode(&sums, 3).unwrap().lda(1e-3).unwrap(),
            "the same bits"
        );
    }
    let plan = plan(1.0);
    assert!(plan.decode(&[0; 3], 3).is_err());
    let mut wild = vec![0; plan.values() as usize];
    wild[4] = u64::MAX;
    assert!(plan.decode(&wild, 3).unwrap_err().to_string().contains("sum with noise"));
}
