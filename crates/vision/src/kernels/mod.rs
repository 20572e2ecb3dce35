//! The arithmetic beneath the model: matrix products and the row operations between them.
//!
//! Row operations are written once over `pulp`'s SIMD types and run at the width the processor has.

#![allow(clippy::inline_always, reason = "a function compiled apart would lose the caller's instruction set")]

pub(crate) mod gelu;
pub(crate) mod lanes;
pub(crate) mod matmul;
pub(crate) mod norm;
pub(crate) mod pairs;
pub(crate) mod softmax;
