//! Seeds, precision and noise statistics for tests. Used from `tests/` and `benches/`, never shipped.
#![allow(
    clippy::print_stdout,
    clippy::missing_panics_doc,
    reason = "tests print their seeds and figures, and stop by panic"
)]

mod altered;
#[cfg(feature = "nats")]
pub mod nats;
mod precision;
mod random;
#[cfg(feature = "services")]
pub mod s3;
#[cfg(feature = "services")]
pub mod services;

pub use altered::{altered, patched};
pub use precision::{Precision, assert_bits};
pub use random::{complex_slots, real_values, rng};
