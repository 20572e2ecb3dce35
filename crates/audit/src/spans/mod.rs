//! Batches, exactly: the spans of the first block's gradients tell the images of a batch apart.
//!
//! dL/dW of a layer is Σ input·(gradient at its output)ᵀ over all tokens of the batch, so every token's input lies in its
//! column space (as SPEAR, arXiv 2403.03945, and DAGER, arXiv 2405.15586, use for dense layers and for text). In a transformer
//! that is wider than the batch has tokens:
//!
//! 1. patches of position k lie in an affine space of (b − 1)·n dimensions ([`crate::matching::Subspace`]);
//! 2. attention mixes the tokens of *one* image. After it, the inputs of the first block's feed-forward layers lie in the
//!    spans of dL/dW_fc1 and dL/dW_fc2 only if all tokens belong together.
//!
//! So each image of the batch is a zero of a misfit that needs one block, no labels and no second-order gradient, and is
//! found by L-BFGS from random starts. Found images are taken off the gradient, one after the other ([`recover`]), token by token where
//! models are wide ([`recover_tokens`]); behind an update after several steps they are told apart otherwise ([`recover_update`]).

mod apart;
mod batch;
mod block;
mod descent;
mod fit;
mod gelu;
mod search;
mod seen;
mod softmax;
mod update;

pub use apart::{TokenBatch, TokenPlan, TokenStep, recover_tokens};
pub use batch::{Observed, SpanImage, SpanStep, recover};
pub use search::SearchPlan;
pub use update::{UpdateStep, recover_update};
