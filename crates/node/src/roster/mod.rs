//! Sites come and go: the roster's history on the disk of each party, and what administrators and sites do about a change.
//!
//! Nobody believes a coordinator's roster. A party knows the one of `study.toml`, and each later one by the signatures of a quorum of the
//! one before; what it has verified it keeps, so that an older roster is not taken for the present one.

mod learned;
mod office;

pub(crate) use learned::{catch_up, see};
pub use office::{Office, change};
