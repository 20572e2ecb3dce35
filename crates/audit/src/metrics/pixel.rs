//! Errors pixel by pixel.

/// The largest PSNR that is reported, dB: `f32` pixels in 0..=1 cannot tell two images further apart than this.
pub(crate) const PSNR_LIMIT: f64 = 160.0;

/// Mean squared error of two equally long lists.
pub fn mse(a: &[f32], b: &[f32]) -> f64 {
    let total: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    total / a.len().max(1) as f64
}

/// PSNR of values in 0..=1, dB: 10·log₁₀(1/MSE), at most 160.
pub fn psnr(mse: f64) -> f64 {
    (-10.0 * mse.log10()).min(PSNR_LIMIT)
}

/// Share of equal bytes.
pub fn exact_bytes(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len().max(1) as f64
}
