//! Encrypted classification of feature vectors: heads as data, plans, packings, evaluation.
//!
//! A [`Head`] is checked data. A [`Plan`] decides parameters, layout, keys, bytes and the error of the worst logit
//! before any key exists. A [`TokenAsker`] encrypts tokens and opens answers; a [`TokenServer`] evaluates. Every
//! encrypted answer is held against the head's clear twin, [`Head::logits`].

mod answer;
mod error;
mod head;
mod plan;
mod token;

pub use answer::Answer;
pub use error::{ClassifyError, Result};
pub use head::{Affine, Circuit, Head, HeadLiteral, Map, Matrix, Normalisation, Powers};
pub use plan::{Plan, PlanReport, Policy};
pub use token::{EvaluationKeys, Layout, TokenAsker, TokenServer};
