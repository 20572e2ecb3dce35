//! What a site brings to a job. It stays at the site.

use std::path::PathBuf;

use super::folds::{GroupName, name_of_row};
use super::models::Models;
use super::survey::Survey;
use super::{Error, Result, Terms};
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
    /// The file that they are from, to be named where they do not fit; none for rows of no file.
    pub file: Option<PathBuf>,
    /// The slide of each row, numbered from 0; empty where some row names none.
    pub slides: Vec<usize>,
}

/// One slide of some examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bag {
    /// Its class.
    pub label: usize,
    /// Its rows, by number.
    pub rows: Vec<usize>,
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

    /// Some of the rows with their labels and groups. Range: there are such rows, of `width` numbers.
    pub(super) fn select(&self, width: usize, indices: &[usize]) -> Self {
        Self {
            rows: self.rows.select(width, indices),
            labels: indices.iter().map(|at| self.labels[*at]).collect(),
            groups: indices.iter().filter_map(|at| self.groups.get(*at).copied()).collect(),
            slides: indices.iter().filter_map(|at| self.slides.get(*at).copied()).collect(),
            file: self.file.clone(),
        }
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
        self.check_shape(operation, width, classes)?;
        match self.rows.position(|v| !v.is_finite())? {
            Some(at) => Err(self.not_finite(operation, at, width)),
            None => Ok(()),
        }
    }

    /// As [`Self::check`], but for the numbers themselves.
    fn check_shape(&self, operation: &'static str, width: usize, classes: usize) -> Result<()> {
        let refuse =
            |what, found, expected| Err(self.refusal(Error::Data { operation, what, found, expected }));
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
        Ok(())
    }

    /// The number at `at` is none.
    fn not_finite(&self, operation: &'static str, at: usize, width: usize) -> Error {
        let found = format!("number {} of row {} is not", at % width.max(1), at / width.max(1));
        let (what, expected) = ("feature value", "finite numbers".into());
        self.refusal(Error::Data { operation, what, found, expected })
    }

    /// All that a job which sums rows at a fixed point asks of them ([`Self::check`], [`Self::check_clipped`], [`Self::check_step`]), by
    /// reading them once; the number of values that will be clipped.
    ///
    /// # Errors
    /// As these.
    pub(super) fn check_summed(&self, operation: &'static str, terms: &Summed) -> Result<usize> {
        self.check_shape(operation, terms.width, terms.classes)?;
        let survey = Survey::of(&self.rows, terms.width, terms.bound)?;
        if let Some(at) = survey.not_finite {
            return Err(self.not_finite(operation, at, terms.width));
        }
        self.refuse_clipped(operation, survey.beyond, terms.bound, terms.clipped)?;
        self.refuse_step(operation, survey.spread(), terms.step)?;
        Ok(survey.beyond)
    }

    /// The slides, each with its rows. Range: labels and slides are one a row, as [`Self::check`] has it.
    ///
    /// # Errors
    /// [`Error::Data`] for rows that name no slide, and for a slide whose rows have several classes.
    pub fn bags(&self, operation: &'static str) -> Result<Vec<Bag>> {
        let refuse = |what, found: &str, expected: &str| Error::Data {
            operation,
            what,
            found: found.into(),
            expected: expected.into(),
        };
        if self.slides.len() != self.labels.len() {
            let expected = "rows called SLIDE/X_Y, as `features import RUN` calls those of a run over slides";
            return Err(refuse("the slides of the rows", "not named by the rows", expected));
        }
        let mut bags: Vec<Option<Bag>> = vec![None; self.slides.iter().max().map_or(0, |most| most + 1)];
        for (row, (slide, label)) in self.slides.iter().zip(&self.labels).enumerate() {
            let bag = bags[*slide].get_or_insert_with(|| Bag { label: *label, rows: Vec::new() });
            if bag.label != *label {
                let expected = "one class for all tiles of a slide";
                return Err(refuse("the class of a slide", "several, one a tile", expected));
            }
            bag.rows.push(row);
        }
        Ok(bags.into_iter().flatten().collect())
    }

    /// Refuses rows of which more than the share `most` would be clipped to `±bound`: a head of clipped values is another head.
    ///
    /// # Errors
    /// [`Error::Data`] with both shares; [`Error::Vision`] when the file of rows cannot be read any more.
    pub fn check_clipped(&self, operation: &'static str, bound: f64, most: f64) -> Result<()> {
        let beyond = self.rows.count(|v| f64::from(v.abs()) > bound)?;
        self.refuse_clipped(operation, beyond, bound, most)
    }

    fn refuse_clipped(&self, operation: &'static str, beyond: usize, bound: f64, most: f64) -> Result<()> {
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
        Err(self.refusal(Error::Data { operation, what, found, expected }))
    }

    /// The refusal of these rows, with their file.
    fn refusal(&self, cause: Error) -> Error {
        match &self.file {
            Some(path) => Error::In { path: path.clone(), cause: Box::new(cause) },
            None => cause,
        }
    }
}

impl Examples {
    /// Refuses rows among whose values a step of `step` tells little: what is summed would be the rounding, and what follows from it
    /// nothing. Rows that are all alike say nothing of it.
    ///
    /// # Errors
    /// [`Error::Data`] with the step and what the values differ by; [`Error::Vision`] when the file of rows cannot be read any more.
    pub fn check_step(&self, operation: &'static str, width: usize, step: f64) -> Result<()> {
        self.refuse_step(operation, Survey::of(&self.rows, width, f64::INFINITY)?.spread(), step)
    }

    fn refuse_step(&self, operation: &'static str, spread: f64, step: f64) -> Result<()> {
        if spread == 0.0 || step * STEPS <= spread {
            return Ok(());
        }
        let what = "the step that values are rounded to";
        let expected = format!(
            "a {STEPS}th of what they differ by, {spread:.3e}, at most; give the job a smaller `bound` or more `bits`"
        );
        Err(self.refusal(Error::Data { operation, what, found: format!("{step:.3e}"), expected }))
    }
}

/// Steps that the values of a feature differ by at least. Rounding then adds a three-thousandth to their variance.
const STEPS: f64 = 16.0;

/// What a job that sums rows at a fixed point asks of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summed {
    /// Numbers of a row.
    pub(super) width: usize,
    /// Classes that labels are below.
    pub(super) classes: usize,
    /// Values beyond `±bound` are clipped to it.
    pub(super) bound: f64,
    /// The share of values that may be.
    pub(super) clipped: f64,
    /// What values are rounded to.
    pub(super) step: f64,
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
    /// The study that labels and features are of; none for data that belong to no study.
    pub terms: Option<Terms>,
    /// What is learned from.
    pub train: Examples,
    /// What is held back at the site to measure on.
    pub validation: Examples,
    /// Tiles, where the site lets jobs train the backbone.
    pub tiles: Option<Tiles>,
    /// Model files, for jobs that measure one.
    pub models: Models,
}
