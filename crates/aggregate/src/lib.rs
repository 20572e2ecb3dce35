//! Exact encrypted sums.
//!
//! Values become integers ([`FixedPoint`]: clip, scale, offset), several integers share a coefficient as digits wide enough
//! for the whole cohort's sum, and the digits sit above noise and masks. Rounding after decryption leaves the integer sum,
//! bit for bit. A [`SumPlan`] proves that before anything is sent.
//!
//! Everything streams: [`write_upload`] and [`write_zeros`] at a site, [`write_sum`] at the server, [`write_shares`] at each site
//! of the committee, [`open_sum`] where the result is read. Lengths follow from the plan; every byte is checked.

mod error;
mod fields;
mod fixed;
mod layout;
pub mod one_round;
mod open;
mod plan;
pub mod presets;
pub mod statistics;
mod stream;
mod sum;
mod upload;
mod weighted;
mod words;

pub use error::{Error, Result};
pub use fixed::FixedPoint;
pub use layout::Layout;
pub use open::{open_sum, write_shares};
pub use plan::{SumPlan, SumPlanLiteral};
pub use stream::{SHARES, SUM, UPLOAD};
pub use sum::write_sum;
pub use upload::{write_upload, write_zeros};
pub use weighted::{Mean, WeightedMean};
