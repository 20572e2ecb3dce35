//! Pixels of tiles and slides: files that nobody vouches for become eight-bit RGB, within bounds, or a reason why not.
//!
//! | room | what |
//! | --- | --- |
//! | [`tile`] | one image: JPEG, PNG and TIFF, and resampling as Pillow does it |
//! | [`slides`] | whole slides: containers, regions, scales, tissue, grids |
//!
//! What is wrong with a file is a value, not a failure of the run: an [`tile::ImageProblem`] or a [`slides::SlideProblem`]
//! sets one image or one slide aside, and says so in a sentence.

#![allow(clippy::doc_markdown, reason = "the field's proper names: OpenSlide, BigTIFF, OpenCV")]
#![allow(
    clippy::needless_for_each,
    clippy::needless_range_loop,
    reason = "index arithmetic over several arrays at once"
)]

pub mod foreign;
mod jpeg;
mod rgb;
pub mod slides;
pub mod tile;

pub use rgb::{Limits, Rgb};
