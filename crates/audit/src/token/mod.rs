//! Attacks on CLS tokens, the features that leave a site in the paper's design.

mod answered;
mod decode;
mod invert;
mod retrieve;

pub use answered::{AnsweredHead, TokenFromAnswers};
pub use decode::Decoder;
pub use invert::{InversionPlan, InversionStep, invert};
pub use retrieve::{nearest, same_group};
