//! What a site brings to a job. It stays at the site.

use std::collections::BTreeMap;

use super::folds::{GroupName, name_of_row};
use super::{Error, Result};
use blindscope_vision::data::Preprocess;
use blindscope_vision::train::TrainingTile;
use blindscope_vision::values::Values;
use blindscope_vision::vit::Vit;

/// CLS tokens in rows with their labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    /// `[n, width]`; in memory, or in the site's file when they are many.
    pub rows: Values,
    /// One a row, below the number of classes.
    pub labels: Vec<usize>,
    /// The name of each row's group; empty where no row is known to belong to another's.
    pub groups: Vec<GroupName>,
}

impl Examples {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The name of the group of row `at`, whose values are `row`: a row of no known group is one of its own.
    pub(super) fn group(&self, at: usize, row: &[f32]) -> GroupName {
        self.groups.get(at).copied().unwrap_or_else(|| name_of_row(row))
    }

    /// Refuses rows of another width, labels beyond the classes, values that are not finite.
    ///
    /// # Errors
    /// [`Error::Data`] with what is wrong of the rows and what the job takes; [`Error::Vision`] when the file of rows cannot be read any
    /// more.
    pub fn check(&self, operation: &'static str, width: usize, classes: usize) -> Result<()> {
        let refuse =
            |what, found: String, expected: String| Err(Error::Data { operation, what, found, expected });
        if self.rows.len() != self.labels.len() * width {
            let expected = format!("{} rows of {width}", self.labels.len());
            return refuse("number of feature values", self.rows.len().to_string(), expected);
        }
        if !self.groups.is_empty() && self.groups.len() != self.labels.len() {
            return refuse(
                "number of groups' names",
                self.groups.len().to_string(),
                self.labels.len().to_string(),
            );
        }
        if let Some(label) = self.labels.iter().find(|l| **l >= classes) {
            return refuse("label", label.to_string(), format!("a class below {classes}"));
        }
        if let Some(at) = self.rows.position(|v| !v.is_finite())? {
            let found = format!("number {} of row {} is not", at % width.max(1), at / width.max(1));
            return refuse("feature value", found, "finite numbers".into());
        }
        Ok(())
    }

    /// Refuses rows of which more than the share `most` would be clipped to `±bound`: a head of clipped values is another head.
    ///
    /// # Errors
    /// [`Error::Data`] with both shares; [`Error::Vision`] when the file of rows cannot be read any more.
    pub fn check_clipped(&self, operation: &'static str, bound: f64, most: f64) -> Result<()> {
        let beyond = self.rows.count(|v| f64::from(v.abs()) > bound)?;
        if beyond as f64 <= most * self.rows.len() as f64 {
            return Ok(());
        }
        let share = 100.0 * beyond as f64 / self.rows.len().max(1) as f64;
        let what = "the share of values beyond the bound";
        let found = format!("{share:.3} % ({beyond} of {} beyond \u{b1}{bound})", self.rows.len());
        let expected = format!(
            "at most {:.3} %, the job's `clipped`; give the job a larger `bound`, or look for rows that are wrong",
            100.0 * most
        );
        Err(Error::Data { operation, what, found, expected })
    }
}

/// The tiles themselves with the backbone, for jobs that train it.
#[derive(Debug, Clone)]
pub struct Tiles {
    /// The backbone that the study shares.
    pub model: Vit,
    /// Its preprocessing.
    pub preprocess: Preprocess,
    /// The training tiles.
    pub train: Vec<TrainingTile>,
}

/// Everything a site may learn from.
#[derive(Debug, Clone, Default)]
pub struct SiteData {
    /// Names of the classes that labels number; empty where the data belong to no study.
    pub classes: Vec<String>,
    /// What is learned from.
    pub train: Examples,
    /// What is held back at the site to measure on.
    pub validation: Examples,
    /// Tiles, where the site lets jobs train the backbone.
    pub tiles: Option<Tiles>,
    /// Model files by their SHA-256 in hexadecimal, for jobs that measure one.
    pub models: BTreeMap<String, Vec<u8>>,
}
