//! Noise is exactly what is claimed, the same for the same upload and never for another, and what it is worth agrees with what others
//! have published and with divergences that are summed up term by term.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use blindscope_aggregate::one_round::RoundId;
use blindscope_aggregate::privacy::{DiscreteGaussian, Loss, NoiseKey};
use blindscope_testkit::rng;
use blindscope_wire::Digest;

/// `P(x) ∝ exp(−x²/2σ²)` for `|x| ≤ reach`.
fn law(variance: f64, reach: i64) -> Vec<f64> {
    let weights: Vec<f64> = (-reach..=reach).map(|x| (-((x * x) as f64) / (2.0 * variance)).exp()).collect();
    let all: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / all).collect()
}

#[test]
fn samples_follow_the_law() {
    let (draws, mut rng) = (200_000, rng(200_400_010));
    for variance in [1u64, 2, 7, 100, 5000] {
        let reach = (14.0 * (variance as f64).sqrt()) as i64 + 14;
        let law = law(variance as f64, reach);
        let mut found = vec![0.0f64; law.len()];
        let noise = DiscreteGaussian::new(variance).unwrap();
        for _ in 0..draws {
            found[(noise.sample(&mut rng) + reach) as usize] += 1.0;
        }
        // Neighbours are laid together until fifty draws are expected.
        let (mut chi, mut cells, mut seen, mut expected) = (0.0, 0usize, 0.0, 0.0);
        for (count, p) in found.iter().zip(&law) {
            seen += count;
            expected += p * f64::from(draws);
            if expected >= 50.0 {
                chi += (seen - expected).powi(2) / expected;
                (cells, seen, expected) = (cells + 1, 0.0, 0.0);
            }
        }
        let freedom = (cells - 1) as f64;
        // Wilson and Hilferty: 3.1 deviations are passed once in a thousand seeds.
        let bound = freedom * (1.0 - 2.0 / (9.0 * freedom) + 3.1 * (2.0 / (9.0 * freedom)).sqrt()).powi(3);
        println!("variance {variance}: chi-square {chi:.1} over {cells} cells, at most {bound:.1}");
        assert!(chi < bound && cells >= 7, "variance {variance}: {chi} over {cells} cells, {bound}");
    }
}

#[test]
fn large_noise_keeps_its_variance_and_sign() {
    let mut rng = rng(200_400_011);
    for variance in [1u64 << 30, 3 << 41, DiscreteGaussian::MOST_VARIANCE] {
        let noise = DiscreteGaussian::new(variance).unwrap();
        let draws: Vec<f64> = (0..20_000).map(|_| noise.sample(&mut rng) as f64).collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n / (variance as f64).sqrt();
        let square = draws.iter().map(|x| x * x).sum::<f64>() / n / variance as f64;
        assert!(mean.abs() < 4.0 / n.sqrt(), "{variance}: mean {mean} deviations");
        assert!((square - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{variance}: {square} of the variance");
        let beyond = draws.iter().filter(|x| x.abs() > 3.0 * (variance as f64).sqrt()).count();
        assert!((20..100).contains(&beyond), "{beyond} of 20,000 beyond three deviations, about 54");
    }
    for wrong in [0, DiscreteGaussian::MOST_VARIANCE + 1] {
        assert!(DiscreteGaussian::new(wrong).unwrap_err().to_string().contains("variance of the noise"));
    }
}

fn key(secret: u8, round: u8, input: u8) -> NoiseKey {
    NoiseKey::new(&[secret; 32], RoundId(Digest([round; 32])), &Digest([input; 32]), 2)
}

fn noised(key: &NoiseKey, values: &[i64]) -> Vec<i64> {
    let mut out = values.to_vec();
    key.for_values(values).add_to(&mut out, 1 << 20).unwrap();
    out
}

#[test]
fn one_upload_has_one_noise() {
    let values: Vec<i64> = (0..10_000).collect();
    let first = noised(&key(1, 2, 3), &values);
    assert_eq!(first, noised(&key(1, 2, 3), &values), "a site that starts again sends the same");
    let noise =
        |of: &[i64], clear: &[i64]| -> Vec<i64> { of.iter().zip(clear).map(|(a, b)| a - b).collect() };
    let mut other = values.clone();
    other[9_999] += 1;
    let others = [
        noise(&noised(&key(9, 2, 3), &values), &values),
        noise(&noised(&key(1, 9, 3), &values), &values),
        noise(&noised(&key(1, 2, 9), &values), &values),
        noise(&noised(&key(1, 2, 3), &other), &other),
        noise(&noised(&key(1, 2, 3), &values[..9_999]), &values[..9_999]),
    ];
    let own = noise(&first, &values);
    for (at, other) in others.iter().enumerate() {
        // Values that differ in one place have other noise in all: otherwise the difference of two uploads were that of the values.
        let same = own.iter().zip(other).filter(|(a, b)| a == b).count();
        assert!(same < 60, "{at}: {same} of 10,000 values have the same noise");
    }
    let square = own.iter().map(|x| (x * x) as f64).sum::<f64>() / 10_000.0 / f64::from(1 << 19);
    assert!((square - 1.0).abs() < 0.06, "each of two sites adds half of the variance: {square}");
    assert_eq!(
        format!("{:?} {:?}", key(1, 2, 3), key(1, 2, 3).for_values(&values)),
        "NoiseKey(..) ShareOfNoise(..)"
    );
}

#[test]
fn losses_agree_with_published_ones() {
    // The 2020 census' redistricting data: ρ = 2.56 for persons and 0.07 for housing units, published as ε = 17.14 and 2.47 at δ = 1e-10.
    for (rho, epsilon) in [(2.56, 17.14), (0.07, 2.47)] {
        let found = Loss::within(epsilon, 1e-10).unwrap().rho();
        assert!((found - rho).abs() < 0.005, "ε = {epsilon}: ρ = {found}, published as {rho}");
    }
    for (rho, delta) in [(0.01, 1e-6), (0.5, 1e-5), (1.2, 1e-5), (5.0, 1e-9)] {
        let epsilon = Loss::new(rho).unwrap().epsilon(delta).unwrap();
        // Bun and Steinke, proposition 1.3, which this one improves on.
        let bun = rho + 2.0 * (rho * (1.0 / delta).ln()).sqrt();
        // Never less than the continuous Gaussian of that ρ has exactly (Balle and Wang 2018, theorem 8).
        let exact = exact_delta(epsilon, (2.0 * rho).sqrt());
        assert!(
            epsilon < bun && exact <= delta && exact > 0.05 * delta,
            "{rho} {delta}: {epsilon} {bun} {exact}"
        );
        let back = Loss::within(epsilon, delta).unwrap().rho();
        assert!((back - rho).abs() < 1e-6 * rho, "{back} {rho}");
    }
}

/// `δ` of a Gaussian of deviation one and sensitivity `mu` at `epsilon`: `Φ(μ/2 − ε/μ) − e^ε·Φ(−μ/2 − ε/μ)`, by summing up the density.
fn exact_delta(epsilon: f64, mu: f64) -> f64 {
    let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let step = 1e-4;
    let gap = |i: i32| {
        let x = f64::from(i) * step;
        (density(x - mu) - epsilon.exp() * density(x)).max(0.0) * step
    };
    (-200_000..200_000).map(gap).sum()
}

#[test]
fn sums_of_noise_are_worth_what_is_claimed() {
    for (sites, variance) in [(1u32, 2.0), (2, 0.5), (3, 1.0), (5, 0.5), (8, 4.0)] {
        let reach = 60i64;
        let one = law(variance, reach);
        let mut sum = vec![1.0];
        for _ in 0..sites {
            let mut next = vec![0.0; sum.len() + one.len() - 1];
            for (i, a) in sum.iter().enumerate() {
                for (j, b) in one.iter().enumerate() {
                    next[i + j] += a * b;
                }
            }
            sum = next;
        }
        let rho = Loss::of_sum(sites, variance, 1.0, 1).unwrap().rho();
        for alpha in [1.5, 2.0, 4.0, 8.0] {
            // Rényi's divergence of the sum from its neighbour, where both have weight enough to be told in doubles.
            let terms = sum.windows(2).filter(|w| w[0] > 1e-250 && w[1] > 1e-250);
            let moment: f64 = terms.map(|w| w[1] * ((w[0] / w[1]).ln() * alpha).exp()).sum();
            let divergence = moment.ln() / (alpha - 1.0);
            assert!(
                divergence <= alpha * rho * (1.0 + 1e-9),
                "{sites} {variance} {alpha}: {divergence} {rho}"
            );
        }
        let plain = 1.0 / (2.0 * f64::from(sites) * variance);
        assert!(rho >= plain && (sites > 1 || rho <= plain * (1.0 + 1e-12)), "{rho} {plain}");
    }
    let wide = Loss::of_sum(8, 64.0, 100.0, 1 << 20).unwrap().rho();
    assert!((wide / (100.0 / 1024.0) - 1.0).abs() < 1e-9, "wide noise adds up as Gaussians do: {wide}");
    for refused in [Loss::of_sum(0, 1.0, 1.0, 1), Loss::of_sum(2, 0.1, 1.0, 1), Loss::new(f64::NAN)] {
        assert!(refused.unwrap_err().to_string().contains("expected"));
    }
    assert!(
        Loss::within(0.0, 1e-5).is_err()
            && Loss::within(1.0, 0.0).is_err()
            && Loss::within(1.0, 1.0).is_err()
    );
    assert!((Loss::NONE.epsilon(1e-5).unwrap()).abs() < 1e-12);
    let both = Loss::new(0.25).unwrap().and(Loss::new(0.5).unwrap());
    assert!((both.rho() - 0.75).abs() < 1e-15, "losses add up");
}
