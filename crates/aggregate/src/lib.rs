//! Exact encrypted sums.
//!
//! Values become integers ([`FixedPoint`]: clip, scale, offset), several integers share a coefficient as digits wide enough
//! for the whole cohort's sum, and the digits sit above noise. Rounding after decryption leaves the integer sum, bit for bit.
//! Keys live for one round ([`one_round`]), whose [`one_round::Plan`] proves all of it before anything is sent.
//!
//! Everything streams. Lengths follow from the plan; every byte is checked.

mod error;
mod fields;
mod fixed;
pub mod one_round;
pub mod privacy;
pub mod statistics;
mod weighted;
mod words;

pub use error::{Error, Result};
pub use fixed::FixedPoint;
pub use weighted::{Mean, WeightedMean};
