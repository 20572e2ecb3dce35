//! Rows of numbers with what is known of each.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::values::Values;

/// Features of labelled tiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Width `d` of a row.
    pub width: usize,
    /// `[n, d]`; in memory, or in the file they were loaded from when they are many.
    pub values: Values,
    /// Row names.
    pub ids: Vec<String>,
    /// Class index of each row, if it has one.
    pub labels: Vec<Option<usize>>,
    /// Group number of each row.
    pub groups: Vec<usize>,
    /// Patient of each row, or empty when none is known.
    pub patients: Vec<Option<String>>,
    /// Hospital of each row, or empty when none is known.
    pub sites: Vec<Option<String>>,
    /// Class names.
    pub classes: Vec<String>,
    /// Digest of the backbone and its preprocessing; none for imported features that do not tell.
    pub backbone: Option<[u8; 32]>,
    /// SHA-256 of each image file, or empty.
    pub image_digests: Vec<[u8; 32]>,
    /// Left upper corner of each row's patch at level 0 of its slide, or empty.
    pub coords: Vec<[i64; 2]>,
    /// What an imported file said of itself, such as sizes of patches.
    pub attributes: BTreeMap<String, String>,
}

impl Features {
    /// Rows `n`.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// One row.
    ///
    /// # Errors
    /// [`Error::Io`] when the rows are in a file that cannot be read any more.
    pub fn row(&self, i: usize) -> Result<Cow<'_, [f32]>> {
        self.values.row(self.width, i)
    }

    /// The rows of some indices, one after another.
    ///
    /// # Errors
    /// [`Error::Io`] when the rows are in a file that cannot be read any more.
    pub fn rows(&self, indices: &[usize]) -> Result<Vec<f32>> {
        self.values.rows(self.width, indices)
    }

    /// The same with all numbers in memory. For who knows that there is room.
    ///
    /// # Errors
    /// [`Error::Io`] when the rows are in a file that cannot be read any more.
    pub fn into_memory(self) -> Result<Self> {
        if self.values.in_memory().is_some() {
            return Ok(self);
        }
        let values = self.values.whole()?.into_owned().into();
        Ok(Self { values, ..self })
    }

    /// The rows of some indices as features of their own; group numbers and classes stay. Numbers that are in a file stay there.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        fn pick<T: Clone>(column: &[T], indices: &[usize]) -> Vec<T> {
            if column.is_empty() { Vec::new() } else { indices.iter().map(|i| column[*i].clone()).collect() }
        }
        Self {
            width: self.width,
            values: self.values.select(self.width, indices),
            ids: pick(&self.ids, indices),
            labels: pick(&self.labels, indices),
            groups: pick(&self.groups, indices),
            patients: pick(&self.patients, indices),
            sites: pick(&self.sites, indices),
            classes: self.classes.clone(),
            backbone: self.backbone,
            image_digests: pick(&self.image_digests, indices),
            coords: pick(&self.coords, indices),
            attributes: self.attributes.clone(),
        }
    }

    /// Every row's label.
    ///
    /// # Errors
    /// [`Error::Data`] when a row has none.
    pub fn known_labels(&self) -> Result<Vec<usize>> {
        let labels: Option<Vec<usize>> = self.labels.iter().copied().collect();
        labels.ok_or_else(|| Error::data("training", "some rows have no label"))
    }

    /// Empties the columns of patients and sites that name none.
    pub(crate) fn drop_unknown_names(&mut self) {
        for column in [&mut self.patients, &mut self.sites] {
            if column.iter().all(Option::is_none) {
                column.clear();
            }
        }
    }

    /// Refuses columns of different lengths, labels without a class, values that are not finite, names with a line
    /// break.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Data`] for the first fault; [`Error::Io`] when the rows are in a file that cannot be read any more.
    pub fn check(&self) -> Result<()> {
        self.check_columns()?;
        match self.values.position(|v| !v.is_finite())? {
            Some(at) => Err(self.not_finite(at)),
            None => Ok(()),
        }
    }

    /// The number at `at` is none.
    pub(super) fn not_finite(&self, at: usize) -> Error {
        let (row, column) = (at / self.width, at % self.width);
        Error::data("features", format!("row `{}` column {column} is not finite", self.ids[row]))
    }

    /// As [`Features::check`], but for the numbers themselves.
    pub(super) fn check_columns(&self) -> Result<()> {
        let n = self.len();
        let optional = [self.image_digests.len(), self.patients.len(), self.sites.len(), self.coords.len()];
        if self.width == 0
            || self.values.len() != n * self.width
            || self.labels.len() != n
            || self.groups.len() != n
            || optional.iter().any(|len| *len != n && *len != 0)
        {
            let [digests, patients, sites, coords] = optional;
            let got = format!(
                "{} values of width {}, {} labels, {} groups, {digests} digests, {patients} patients, {sites} sites, \
                 {coords} coordinates",
                self.values.len(),
                self.width,
                self.labels.len(),
                self.groups.len()
            );
            return Err(Error::shape("features", format!("{n} rows in every column"), got));
        }
        if let Some(label) = self.labels.iter().flatten().find(|l| **l >= self.classes.len()) {
            return Err(Error::data("features", format!("label {label} of {} classes", self.classes.len())));
        }
        let twice = |(at, name): &(usize, &String)| self.classes[..*at].contains(name);
        if let Some((_, name)) = self.classes.iter().enumerate().find(twice) {
            return Err(Error::data("features", format!("class `{name}` is listed twice")));
        }
        let named = self.patients.iter().chain(&self.sites).flatten();
        if let Some(name) = self.ids.iter().chain(named).find(|name| name.contains(['\n', '\r'])) {
            return Err(Error::data(
                "features",
                format!("the name `{}` holds a line break", name.escape_debug()),
            ));
        }
        Ok(())
    }
}
