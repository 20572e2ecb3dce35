//! Membership inference: was this tile among those that an aggregate or a head was made of?

mod aggregate;
mod auc;
mod loss;
mod ratio;

pub use aggregate::Population;
pub use auc::auc;
pub use loss::{head_scores, label_scores};
pub use ratio::{Trial, likelihood_ratios};
