//! Encrypted classification of feature vectors: heads as data, plans, packings, evaluation.

mod error;
mod head;

pub use error::{ClassifyError, Result};
pub use head::{Affine, Circuit, Head, HeadLiteral, Map, Matrix, Normalisation, Powers};
