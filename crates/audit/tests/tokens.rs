//! Attacks on tokens, aggregates, heads and ciphertext bytes, on small material where the right answer is known.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::ops::ControlFlow;

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use blindscope_audit::Picture;
use blindscope_audit::extraction::{agreement, linear_from_logits, quadratic_from_logits};
use blindscope_audit::membership::{Population, auc, head_scores};
use blindscope_audit::metrics::Similarity;
use blindscope_audit::sealed::{Sealer, read_as_values};
use blindscope_audit::token::{
    AnsweredHead, Decoder, InversionPlan, TokenFromAnswers, invert, nearest, same_group,
};
use blindscope_classify::{Affine, Head, HeadLiteral, Map, Normalisation};
use blindscope_vision::data::Preprocess;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};
use blindscope_vision::vit::{Config, Parameters, Vit};

fn tiles(side: usize, count: usize) -> Vec<Picture> {
    let plan = SyntheticPlan { side, patients: count, tiles: 1, sites: 1, seed: 9 };
    let tile = |i| plan.draw(TileIndex { class: i % 3, site: 0, patient: i, tile: 0 });
    (0..count).map(|i| Picture::from_rgb(&tile(i))).collect()
}

fn head(map: Map) -> Head {
    Head::new(HeadLiteral { normalisation: Normalisation::identity(6, 1e6), map, range: None }).unwrap()
}

fn affine(outputs: usize, inputs: usize, rng: &mut ChaCha12Rng) -> Affine {
    let mut row = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f64>>();
    Affine { weights: (0..outputs).map(|_| row(inputs)).collect(), bias: row(outputs) }
}

#[test]
fn a_search_brings_the_token_nearer() {
    let config = Config::plain(32, 8, 48, 2, 3);
    let parameters = Parameters::random(&config, &mut ChaCha12Rng::seed_from_u64(1));
    let model = Vit::new(config, parameters).unwrap();
    let preprocess = Preprocess::imagenet(32);
    let pictures = tiles(32, 4);
    let token = model.cls_tokens(&pictures[0].normalised(&preprocess)).unwrap();
    let start = Picture::mean(&pictures[1..]).unwrap().normalised(&preprocess);
    let plan = InversionPlan { steps: 60, variation: 1e-3, ..InversionPlan::default() };
    let mut distances = Vec::new();
    invert(&model, &preprocess, &token, &start, &plan, &mut |at| {
        distances.push(at.distance);
        ControlFlow::Continue(())
    })
    .unwrap();
    println!("{:.5} to {:.5}", distances[0], distances[59]);
    assert!(distances[59] < 0.1 * distances[0]);
}

#[test]
fn a_decoder_learns_what_tokens_hold() {
    // Tokens that are the pictures' own means by channel, of pictures of different brightness: the decoder must find the
    // brightness of unseen tiles.
    let mut pictures = tiles(32, 40);
    for (i, picture) in pictures.iter_mut().enumerate() {
        let brightness = 0.3 + 0.07 * (i * 7 % 11) as f32;
        picture.values.iter_mut().for_each(|v| *v *= brightness);
    }
    let token = |p: &Picture| -> Vec<f32> {
        p.values.chunks_exact(32 * 32).map(|c| c.iter().sum::<f32>() / 1024.0).collect()
    };
    let tokens: Vec<f32> = pictures[..30].iter().flat_map(token).collect();
    let decoder = Decoder::train(&tokens, &pictures[..30], 1e-3).unwrap();
    let mean = Picture::mean(&pictures[..30]).unwrap();
    let (mut found, mut guess) = (0.0, 0.0);
    for picture in &pictures[30..] {
        found += Similarity::of(picture, &decoder.decode(&token(picture)).unwrap()).unwrap().mse;
        guess += Similarity::of(picture, &mean).unwrap().mse;
    }
    println!("{found:.4} against {guess:.4}");
    assert!(found < 0.8 * guess);
    assert!(decoder.decode(&[0.0; 5]).is_err());
}

#[test]
fn the_nearest_row_is_found() {
    let gallery = [1.0, 0.0, 0.0, 1.0, -1.0, 0.1];
    assert_eq!(nearest(&[0.1, 2.0], &gallery, &[0.0, 0.0]), Some(1));
    assert_eq!(nearest(&[0.1, 2.0], &[], &[0.0, 0.0]), None);
    let hits = same_group(&[2.0, 0.1, -3.0, 0.0], &[7, 7], &gallery, &[7, 8, 9], &[0.0, 0.0]);
    assert_eq!(hits, [1.0, 0.0]);
}

#[test]
fn members_of_a_small_mean_are_traced_and_of_a_large_one_less() {
    let d = 24;
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let mut draw = |n: usize| -> Vec<f32> { (0..n * d).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let population = Population::new(&draw(400), d).unwrap();
    let mut traced = |members: usize| {
        let (inside, outside) = (draw(members), draw(200));
        let mean: Vec<f32> =
            (0..d).map(|j| inside.iter().skip(j).step_by(d).sum::<f32>() / members as f32).collect();
        auc(&population.scores(&mean, &inside), &population.scores(&mean, &outside))
    };
    let (few, many) = (traced(3), traced(400));
    println!("{few:.3} and {many:.3}");
    assert!(few > 0.9 && many < 0.7 && few > many);
}

#[test]
fn heads_are_copied_by_chosen_queries() {
    let mut rng = ChaCha12Rng::seed_from_u64(4);
    let tokens: Vec<Vec<f64>> =
        (0..200).map(|_| (0..6).map(|_| rng.random_range(-2.0..2.0)).collect()).collect();
    let linear = head(Map::Linear { layer: affine(3, 6, &mut rng) });
    let ask = |h: &Head, q: &[f64]| Ok(h.logits(&[q])?.remove(0));
    let copy = linear_from_logits(6, 1.0, &mut |q| ask(&linear, q)).unwrap();
    let (a, b) = (linear.logits(&tokens).unwrap(), copy.logits(&tokens).unwrap());
    assert!(a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-9));

    let map = Map::Polynomial {
        inner: affine(4, 6, &mut rng),
        polynomial: vec![0.3, -0.5, 0.7],
        outer: affine(3, 4, &mut rng),
    };
    let square = head(map);
    let mut queries = 0;
    let copy = quadratic_from_logits(6, 1.0, &mut |q| {
        queries += 1;
        ask(&square, q)
    })
    .unwrap();
    let b: Vec<Vec<f64>> = tokens.iter().map(|t| copy.logits(t)).collect();
    let a = square.logits(&tokens).unwrap();
    assert!(a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-8));
    assert_eq!(queries, blindscope_audit::extraction::Quadratic::queries(6));
    assert!((agreement(&a, &b) - 1.0).abs() < 1e-12);
    // The true labels of the head's own answers have less loss than wrong ones.
    let right = vec![blindscope_audit::extraction::top(&a[0]).unwrap()];
    let wrong = vec![(right[0] + 1) % 3];
    let scores = |l: &[usize]| head_scores(&square, &tokens[..1], l).unwrap()[0];
    assert!(scores(&right) > scores(&wrong));
}

#[test]
fn ciphertext_bytes_look_like_noise() {
    let mut sealer = Sealer::new([5; 32]).unwrap();
    let values: Vec<f32> = (0..5000).map(|i| (i as f32 * 0.01).sin()).collect();
    let bytes = sealer.seal(&values).unwrap();
    let read = read_as_values(&bytes, &values);
    let dot: f32 = values.iter().zip(&read).map(|(a, b)| a * b).sum();
    let lengths: f32 = values.iter().map(|a| a * a).sum::<f32>() * read.iter().map(|a| a * a).sum::<f32>();
    let correlation = dot / lengths.sqrt();
    println!("correlation {correlation}");
    // 5,000 independent values correlate by 1/√5000 = 0.014 in deviation.
    assert!(correlation.abs() < 0.06);
    let sum = sealer.seal_sum(&[values.clone(), values.clone()]).unwrap();
    assert_eq!(sum.len(), bytes.len());
    assert_ne!(sum, bytes);
    assert!(sealer.seal_sum(&[values, vec![0.0; 3]]).is_err());
    assert!(sealer.seal_sum(&[]).is_err());
}

/// Heads' rows and tokens with a common direction, of numbers that a little generator gives.
#[test]
fn as_many_answers_as_features_give_the_token_and_fewer_come_nearer_than_the_mean() {
    const WIDTH: usize = 12;
    // One token may well be nearer to the mean than to what a few answers say; over many, answers help.
    const ASKED: usize = 40;
    let mut state = 7u64;
    let mut number = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    let tokens: Vec<f32> = (0..ASKED + 100)
        .flat_map(|_| {
            let along = 3.0 * number();
            (0..WIDTH).map(|j| (along * (j as f64 - 5.0) / 5.0 + number()) as f32).collect::<Vec<_>>()
        })
        .collect();
    let known = TokenFromAnswers::new(&tokens[ASKED * WIDTH..], WIDTH).unwrap();
    let heads: Vec<Head> = (0..6)
        .map(|_| {
            let weights = (0..2).map(|_| (0..WIDTH).map(|_| number()).collect()).collect();
            let layer = Affine { weights, bias: vec![number(), number()] };
            let (mean, gain) = ((0..WIDTH).map(|_| number()).collect(), vec![0.5; WIDTH]);
            let normalisation = Normalisation { mean, gain, bound: 100.0, radius: None };
            Head::new(HeadLiteral { normalisation, map: Map::Linear { layer }, range: None }).unwrap()
        })
        .collect();
    let asked: Vec<Vec<f64>> = tokens[..ASKED * WIDTH]
        .chunks_exact(WIDTH)
        .map(|token| token.iter().map(|v| f64::from(*v)).collect())
        .collect();
    let logits: Vec<Vec<Vec<f64>>> = heads.iter().map(|head| head.logits(&asked).unwrap()).collect();
    let equations: Vec<AnsweredHead> = heads.iter().map(|head| AnsweredHead::of(head).unwrap()).collect();
    let off = |count: usize| {
        let heads: Vec<&AnsweredHead> = equations.iter().take(count).collect();
        let one = |(at, token): (usize, &Vec<f64>)| {
            let logits: Vec<&[f64]> = logits.iter().take(count).map(|of| of[at].as_slice()).collect();
            let found = known.token(&heads, &logits, 0.0).unwrap();
            found.iter().zip(token).map(|(f, t)| (f64::from(*f) - t).powi(2)).sum::<f64>()
        };
        (asked.iter().enumerate().map(one).sum::<f64>() / ASKED as f64).sqrt()
    };
    let all = [0, 1, 3, 6].map(off);
    assert!(all[3] < 1e-4 && all[2] < all[1] && all[1] < all[0], "{all:?}");
    assert!(known.token(&[&equations[0]], &[&logits[0][0][..1]], 0.0).is_err(), "a logit too few");
}
