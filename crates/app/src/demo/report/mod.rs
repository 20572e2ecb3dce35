//! Pages about what was measured.

mod card;
mod demo;
mod figures;
mod tables;

pub use demo::demo_page;
