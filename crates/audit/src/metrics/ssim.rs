//! Structural similarity (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004).

use crate::Picture;
use crate::error::{Error, Result};

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// SSIM of two pictures of one side, values in 0..=1: mean over channels and over every window inside the picture.
///
/// # Errors
/// [`Error::Shape`] below 11 pixels or for different sides.
pub fn ssim(a: &Picture, b: &Picture) -> Result<f64> {
    if a.side < WINDOW || a.side != b.side {
        let expected = format!("two pictures of one side, at least {WINDOW}");
        return Err(Error::shape("SSIM", expected, format!("{} and {}", a.side, b.side)));
    }
    let plane = a.side * a.side;
    let channels = a.values.chunks_exact(plane).zip(b.values.chunks_exact(plane));
    let figures: Vec<f64> = channels.map(|(a_plane, b_plane)| channel(a_plane, b_plane, a.side)).collect();
    Ok(figures.iter().sum::<f64>() / figures.len().max(1) as f64)
}

fn channel(a: &[f32], b: &[f32], side: usize) -> f64 {
    let a: Vec<f64> = a.iter().map(|v| f64::from(*v)).collect();
    let b: Vec<f64> = b.iter().map(|v| f64::from(*v)).collect();
    let product = |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
    let mean_a = blur(&a, side);
    let mean_b = blur(&b, side);
    let square_a = blur(&product(&a, &a), side);
    let square_b = blur(&product(&b, &b), side);
    let cross = blur(&product(&a, &b), side);
    let total: f64 = (0..mean_a.len())
        .map(|i| {
            let (ma, mb) = (mean_a[i], mean_b[i]);
            let (va, vb, cov) = (square_a[i] - ma * ma, square_b[i] - mb * mb, cross[i] - ma * mb);
            (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
        })
        .sum();
    total / mean_a.len() as f64
}

/// The Gaussian-weighted mean of every window inside: `[side − 10, side − 10]`.
fn blur(plane: &[f64], side: usize) -> Vec<f64> {
    let kernel = kernel();
    let out = side - WINDOW + 1;
    let mut rows = vec![0.0; side * out];
    for (row, line) in rows.chunks_exact_mut(out).zip(plane.chunks_exact(side)) {
        for (value, window) in row.iter_mut().zip(line.windows(WINDOW)) {
            *value = window.iter().zip(&kernel).map(|(v, k)| v * k).sum();
        }
    }
    let mut result = vec![0.0; out * out];
    for (y, line) in result.chunks_exact_mut(out).enumerate() {
        for (row, k) in rows[y * out..].chunks_exact(out).zip(&kernel) {
            for (value, v) in line.iter_mut().zip(row) {
                *value += v * k;
            }
        }
    }
    result
}

fn kernel() -> [f64; WINDOW] {
    let centre = (WINDOW / 2) as f64;
    let weights: [f64; WINDOW] =
        std::array::from_fn(|i| (-(i as f64 - centre).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let total: f64 = weights.iter().sum();
    weights.map(|w| w / total)
}
