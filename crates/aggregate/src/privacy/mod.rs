//! Differential privacy of opened sums: noise that each site adds to its integers before it encrypts them, and what it is worth.
//!
//! | part | what is in it |
//! | --- | --- |
//! | [`DiscreteGaussian`] | exact samples of integers `x` with probability in proportion to `exp(−x²/2σ²)` |
//! | [`NoiseKey`] | where a site's noise comes from: the same values in the same round have the same noise, ever |
//! | [`Loss`] | what a mechanism gives away: zero-concentrated privacy, its `(ε, δ)`, and sums of sites' noise |
//!
//! *References*: Canonne, Kamath, Steinke, *The Discrete Gaussian for Differential Privacy* (arXiv 2004.00010); Kairouz, Liu, Steinke,
//! *The Distributed Discrete Gaussian Mechanism* (arXiv 2102.06387); Bun, Steinke, *Concentrated Differential Privacy* (arXiv 1605.02065).

mod gaussian;
mod key;
mod loss;

pub use gaussian::DiscreteGaussian;
pub use key::{NoiseKey, ShareOfNoise};
pub use loss::Loss;
