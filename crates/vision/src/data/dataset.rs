//! A list of labelled tiles in a fixed order.

use std::path::PathBuf;

/// One tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Name within the data set: the path as listed, with `/` between parts.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Index into [`Dataset::classes`].
    pub label: usize,
    /// Tiles of one group are copies or neighbours of each other.
    pub group: Option<String>,
    /// The patient a tile comes from.
    pub patient: Option<String>,
    /// The hospital a tile comes from.
    pub site: Option<String>,
}

/// A tile or row that was set aside, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The file or row as listed.
    pub id: String,
    /// The reason, for a person.
    pub reason: String,
}

/// Labelled tiles, ordered by id, so that two listings of one folder agree on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Class names, sorted.
    pub classes: Vec<String>,
    /// The tiles.
    pub samples: Vec<Sample>,
    /// What was listed but cannot be used.
    pub rejected: Vec<Rejected>,
}

impl Dataset {
    /// Label of every sample.
    pub fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|s| s.label).collect()
    }

    /// Samples of every class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for sample in &self.samples {
            counts[sample.label] += 1;
        }
        counts
    }
}
