//! Seeds, precision and noise statistics for tests. Used from `tests/` and `benches/`, never shipped.

mod precision;
mod random;

pub use precision::{Precision, assert_bits};
pub use random::{complex_slots, real_values, rng};
