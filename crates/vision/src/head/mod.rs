//! Classifiers on CLS tokens, made to be evaluated under encryption.
//!
//! | head | form | cost under encryption |
//! | --- | --- | --- |
//! | [`LinearHead`] | W·x + b | one product |
//! | [`PolynomialHead`] | W₂·p(W₁·x + b₁) + b₂, p of degree 2 or 4 | two products and p |
//! | [`SlideClassifier`] | W·m + b on the token m that gated attention pools of a slide's tiles, in the clear | one product |
//!
//! The first two take raw features: the standardisation that training uses is folded into the first layer.

mod activation;
mod adamw;
mod attention;
mod batches;
mod gradient;
mod gram;
mod linear;
mod polynomial;
mod scaling;

pub use activation::Activation;
pub use adamw::AdamW;
pub use attention::{GatedAttention, SlideClassifier, SlideGradient, SlideToken};
pub(crate) use batches::for_each_batch;
pub use gradient::{LinearGradient, PolynomialGradient};
pub use gram::IntegerGram;
pub(crate) use linear::cross_entropy;
pub use linear::{LinearHead, LogisticPlan, train_logistic, train_logistic_watched};
pub use polynomial::{HeadPlan, PolynomialHead, TrainedHead, train_polynomial};
pub use scaling::Scaling;
