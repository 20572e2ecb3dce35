//! One image: decoded within limits, and resampled as Pillow does it.

mod image;
mod resample;
mod tiff;

pub use self::image::{ImageProblem, decode, read_image};
pub use resample::{Filter, resize};
