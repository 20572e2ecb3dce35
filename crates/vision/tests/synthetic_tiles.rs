//! Structure separates the synthetic classes; colour does not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::format_push_string,
    reason = "a test"
)]

use blindscope_vision::data::{Rgb, k_fold};
use blindscope_vision::head::{LogisticPlan, train_logistic};
use blindscope_vision::metrics::argmax;
use blindscope_vision::synth::{SyntheticPlan, TileIndex};

const SIDE: usize = 96;

fn grey(image: &Rgb) -> Vec<f32> {
    image
        .pixels
        .chunks_exact(3)
        .map(|p| (f32::from(p[0]) + f32::from(p[1]) + f32::from(p[2])) / 3.0)
        .collect()
}

/// Means, deviations, cross products and nine quantiles of each channel: all that ignores position.
fn colour_statistics(image: &Rgb) -> Vec<f32> {
    let n = (SIDE * SIDE) as f32;
    let channel = |c: usize| -> Vec<f32> { image.pixels.chunks_exact(3).map(|p| f32::from(p[c])).collect() };
    let channels = [channel(0), channel(1), channel(2)];
    let mut out = Vec::new();
    for (a, left) in channels.iter().enumerate() {
        out.push(left.iter().sum::<f32>() / n);
        for right in &channels[a..] {
            out.push(left.iter().zip(right).map(|(x, y)| x * y).sum::<f32>() / n / 100.0);
        }
        let mut sorted = left.clone();
        sorted.sort_by(f32::total_cmp);
        out.extend((1..10).map(|q| sorted[sorted.len() * q / 10]));
    }
    out
}

/// Autocorrelation of the grey tile at distances along rows, columns and diagonals.
fn texture(image: &Rgb) -> Vec<f32> {
    let grey = grey(image);
    let mean = grey.iter().sum::<f32>() / grey.len() as f32;
    let variance = grey.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / grey.len() as f32;
    let mut out = Vec::new();
    for (dx, dy) in [(1usize, 0usize), (0, 1), (1, 1)] {
        for lag in 1..14 {
            let (mut sum, mut n) = (0.0, 0.0);
            for y in 0..SIDE - lag * dy {
                for x in 0..SIDE - lag * dx {
                    let other = grey[(y + lag * dy) * SIDE + x + lag * dx];
                    sum += (grey[y * SIDE + x] - mean) * (other - mean);
                    n += 1.0;
                }
            }
            out.push(sum / n / variance);
        }
    }
    out
}

fn accuracy(rows: &[Vec<f32>], tiles: &[TileIndex]) -> f64 {
    let labels: Vec<usize> = tiles.iter().map(|t| t.class).collect();
    let groups: Vec<usize> = tiles.iter().map(|t| (t.class * 100 + t.site) * 1000 + t.patient).collect();
    let folds = k_fold(&labels, &groups, 4, 3).unwrap();
    let width = rows[0].len();
    let mut right = 0;
    for fold in 0..4 {
        let train = folds.others(fold);
        let x: Vec<f32> = train.iter().flat_map(|i| rows[*i].clone()).collect();
        let y: Vec<usize> = train.iter().map(|i| labels[*i]).collect();
        let head = train_logistic(&x, width, &y, 3, &LogisticPlan::default()).unwrap();
        let test = folds.members(fold);
        right += test.iter().filter(|i| argmax(&head.logits(&rows[**i]).unwrap()) == labels[**i]).count();
    }
    right as f64 / labels.len() as f64
}

#[test]
fn colour_cannot_tell_the_classes_and_texture_can() {
    let plan = SyntheticPlan { side: SIDE, patients: 20, tiles: 2, sites: 3, seed: 11 };
    let tiles: Vec<TileIndex> = plan.tiles().collect();
    let images: Vec<Rgb> = tiles.iter().map(|t| plan.draw(*t)).collect();
    let colour = accuracy(&images.iter().map(colour_statistics).collect::<Vec<_>>(), &tiles);
    let structure = accuracy(&images.iter().map(texture).collect::<Vec<_>>(), &tiles);
    println!("colour {colour:.3}, texture {structure:.3}, {} tiles", tiles.len());
    // 360 tiles: chance is 1/3 with a standard error of 0.025.
    assert!(colour < 0.45, "colour statistics reach {colour}");
    assert!(structure > 0.85, "texture reaches only {structure}");
}

#[test]
fn one_seed_draws_one_tile_and_sites_differ_in_stain() {
    let plan = SyntheticPlan { side: 64, patients: 1, tiles: 1, sites: 2, seed: 5 };
    let tile = TileIndex { class: 0, site: 0, patient: 0, tile: 0 };
    assert_eq!(plan.draw(tile), plan.draw(tile));
    let mean = |image: Rgb| -> Vec<f32> {
        let n = (64 * 64) as f32;
        (0..3).map(|c| image.pixels.chunks_exact(3).map(|p| f32::from(p[c])).sum::<f32>() / n).collect()
    };
    let (a, b) = (mean(plan.draw(tile)), mean(plan.draw(TileIndex { site: 1, ..tile })));
    assert!(a.iter().zip(&b).any(|(a, b)| (a - b).abs() > 4.0), "{a:?} against {b:?}");
}
