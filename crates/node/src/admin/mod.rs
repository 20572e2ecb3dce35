//! What an administrator does: jobs, and the audit log.

mod course;
mod download;
pub mod jobs;
pub mod log;
mod watch;

pub use course::{AnswerCourse, Course, RoundCourse, StepCourse};
pub use download::Downloaded;
pub use watch::PATIENCE;
