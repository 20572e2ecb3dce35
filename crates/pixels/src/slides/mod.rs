//! Whole slides: containers, microns a pixel, tissue, grids and regions.
//!
//! | room | what |
//! | --- | --- |
//! | `tiff`, `dicom` | containers; native tiles by position |
//! | `companions` | files that belong to a slide and stayed behind |
//! | `slide` | regions through a bounded cache |
//! | `overview`, `tissue` | a small picture of the whole; outlines of tissue |
//! | `scale`, `grid` | which level, which regions |
//! | `thumbnail` | what was found, drawn on the overview |
//!
//! Everything that a file claims is bounded before it is believed: 4,096 directories, 16 million tiles, 64 MiB and 4,096²
//! pixels a compressed tile.

mod companions;
mod dicom;
mod grid;
mod jpeg2000;
#[cfg(feature = "openslide")]
mod openslide;
mod overview;
mod problem;
mod reader;
mod scale;
mod slide;
mod source;
mod thumbnail;
mod tiff;
mod tissue;

pub use dicom::{DicomSlide, series};
pub use grid::Grid;
pub use overview::{Overview, OverviewPlan};
pub use problem::SlideProblem;
pub use reader::{Container, Level, Mpp, MppSource, TileProblem};
pub use scale::{Scale, TilePlan, magnification_of};
pub use slide::{Opener, Slide};
pub use thumbnail::Thumbnail;
pub use tiff::TiffSlide;
pub use tissue::{Outline, TissueRule};
