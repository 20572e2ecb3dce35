//! What a running demo tells.

/// One thing that a demo tells while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum DemoEvent {
    /// A step begins.
    Step {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// What is done.
        name: &'static str,
    },
    /// Something of the step at hand.
    Progress {
        /// What is counted.
        what: String,
        /// Done so far.
        done: u64,
        /// To be done.
        total: u64,
    },
    /// Something worth a line.
    Note(String),
    /// The step is over.
    Done {
        /// Seconds it took.
        seconds: f64,
    },
    /// The step had been done by an earlier run of the same demo.
    Kept,
}
