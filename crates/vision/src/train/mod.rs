//! Training the backbone: last blocks, low-rank adapters or everything, with a head that encryption can evaluate.

mod augment;
mod classifier;
mod fit;
mod gradient;
mod tuning;

pub use augment::augment;
pub use classifier::Classifier;
pub use fit::{Epoch, FitPlan, TrainingTile, fit};
pub use gradient::{BatchGradient, batch_gradient, pixel_gradient};
pub use tuning::Tuning;
