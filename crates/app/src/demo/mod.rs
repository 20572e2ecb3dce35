//! `blindscope demo`: a whole study on one machine, from tiles to a report.
//!
//! One coordinator and three sites, each with its own tiles and its own kit. The sites learn together through encryption, an
//! asker has held-out tiles classified through encryption, and everything is learned once more in the clear to compare.

mod ask;
mod backbone;
mod error;
mod evaluate;
mod event;
mod extraction;
mod gather;
mod inference;
mod jobs;
mod journal;
mod options;
pub mod paper;
mod project;
pub mod report;
mod results;
mod run;
mod study;
mod tiles;
mod traffic;

pub use error::{Error, Result};
pub use event::DemoEvent;
pub use options::{DemoOptions, OwnData, SITES};
pub use results::{
    BackboneFigures, ClientCurve, DataFigures, DemoResults, Estimate, Evaluation, Exactness, LogFigures,
    SameClasses, StepFigures, TrafficFigures,
};
pub use run::{DemoOutcome, run};
