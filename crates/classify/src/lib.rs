//! Encrypted classification of feature vectors: heads as data, plans, packings, evaluation.
//!
//! A [`Head`] is checked data. A [`Plan`] decides packing, parameters, layout, keys, bytes and the error of the worst
//! logit before any key exists; it is public, and an asker needs nothing else. An [`Asker`] encrypts tokens and opens
//! answers; a [`Server`] evaluates. Every encrypted answer is held against the head's clear twin, [`Head::logits`].
//!
//! ```
//! use blindscope_classify::*;
//! # use rand_core::SeedableRng;
//! # fn main() -> Result<()> {
//! # let mut rng = chacha20::ChaCha20Rng::seed_from_u64(1);
//! # let layer = Affine { weights: vec![vec![0.5, -0.25], vec![0.25, 1.0]], bias: vec![0.1, 0.0] };
//! # let map = Map::Linear { layer };
//! # let head = HeadLiteral { normalisation: Normalisation::identity(2, 4.0), map, range: None };
//! let head = Head::new(head)?;
//! // The model's owner plans and publishes.
//! let plan = Plan::new(&head, Policy::new(1))?;
//! let server = Server::new(&head, &plan)?;
//! let published = plan.to_bytes()?;
//! // The asker makes keys, sends the public ones once, then asks.
//! let plan = Plan::from_bytes(&published)?;
//! let secret = AskerSecret::generate(&plan, &mut rng)?;
//! let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?.to_bytes(&plan)?;
//! let asker = Asker::new(&plan);
//! let token = [1.0, 2.0];
//! let question = asker.encrypt(&[token], &secret, &mut rng)?;
//! // The server.
//! let keys = EvaluationKeys::from_bytes(&plan, &keys)?;
//! let answer = server.answer_bytes(&keys, &question)?;
//! // The asker.
//! let logits = asker.open(1, &answer, &secret)?;
//! assert!((logits[0][1] - head.logits(&[token])?[0][1]).abs() < plan.literal().error_bound);
//! # Ok(())
//! # }
//! ```

mod answer;
mod asker;
mod encrypted_head;
mod error;
mod feature;
mod form;
mod head;
mod keys;
mod layout;
mod plan;
mod question;
mod server;
mod token;

pub use answer::Answer;
pub use asker::{Asker, class};
pub use encrypted_head::EncryptedHead;
pub use error::{Error, Result};
pub use feature::FeatureLayout;
pub use head::{Affine, Circuit, Clipped, Head, HeadLiteral, Map, Matrix, Normalisation, Powers};
pub use keys::{AskerSecret, EvaluationKeys};
pub use layout::{Comb, Layout, Outer};
pub use plan::{
    Chain, Collective, KeyOwner, Machine, Packing, Plan, PlanLiteral, PlanReport, Policy, Release, Rescale,
};
pub use question::{announced, question_of};
pub use server::Server;
