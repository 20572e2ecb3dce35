//! Gradient matching (Geiping, Bauermeister, Dröge, Moeller, arXiv 2003.14053): look for images whose gradient points where
//! the observed one does. For batches, and wherever no closed form holds.
//!
//! minimise 1 − ⟨g(x), g*⟩/(|g(x)|·|g*|) + α·TV(x), with g(x) the gradient of the loss at images x in all shared
//! parameters, by Adam with a stepwise falling rate, from several random starts.

mod objective;
mod run;
mod subspace;
mod variation;

pub use objective::Objective;
pub use run::{Matched, MatchingStep, Plan, reconstruct};
pub use subspace::Subspace;
pub use variation::total_variation;
