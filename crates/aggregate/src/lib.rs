//! Exact encrypted sums.
//!
//! Values become integers ([`FixedPoint`]: clip, scale, offset), several integers share a coefficient as digits wide enough
//! for the whole cohort's sum ([`Layout`], with the proof of headroom), and the digits sit above noise and masks. Rounding
//! after decryption leaves the integer sum, bit for bit.

pub mod bench;
mod error;
mod fixed;
mod layout;
pub mod presets;
mod stream;

pub use error::{AggregateError, Result};
pub use fixed::FixedPoint;
pub use layout::Layout;
pub use stream::{ChunkEncryptor, SumStream};
