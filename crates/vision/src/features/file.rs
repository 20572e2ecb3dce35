//! The features file: one `safetensors` with rows, ids, labels, groups and the backbone they came from.
//!
//! | tensor | type and shape | content |
//! | --- | --- | --- |
//! | `features` | F32 `[n, d]` | CLS tokens in rows |
//! | `labels` | U64 `[n]` | class index, or 2⁶⁴−1 for none |
//! | `groups` | U64 `[n]` | tiles that must stay together share a number |
//! | `ids` | U8 `[bytes]` | row names, each ended by a newline |
//! | `patients`, `sites` | U8 `[bytes]` | likewise, an empty line for an unknown one; absent when none is known |
//! | `coords` | I64 `[n, 2]` | corner of each patch at level 0 of its slide; absent when unknown |
//! | `image_digests` | U8 `[n, 32]` | SHA-256 of each image file; absent in imported files without them |
//!
//! Notes: `format`, `classes` (a JSON list), `backbone` (hexadecimal digest, empty when unknown), and under `of.NAME` what an
//! imported file said of itself. The same features make the same bytes.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;

use crate::error::{Error, Result};
use crate::tensorfile::{self, TensorFile};
use blindscope_wire::{hex, unhex};

const FORMAT: &str = "blindscope features 1";
/// Before the names of attributes among the notes.
const OF: &str = "of.";

/// Features of labelled tiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Width `d` of a row.
    pub width: usize,
    /// `[n, d]`.
    pub values: Vec<f32>,
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
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// The rows of some indices, one after another.
    pub fn rows(&self, indices: &[usize]) -> Vec<f32> {
        indices.iter().flat_map(|i| self.row(*i)).copied().collect()
    }

    /// The rows of some indices as features of their own; group numbers and classes stay.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        fn pick<T: Clone>(column: &[T], indices: &[usize]) -> Vec<T> {
            if column.is_empty() { Vec::new() } else { indices.iter().map(|i| column[*i].clone()).collect() }
        }
        Self {
            width: self.width,
            values: self.rows(indices),
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
    /// [`Error::Shape`] or [`Error::Data`] for the first fault.
    pub fn check(&self) -> Result<()> {
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
        if let Some(at) = self.values.iter().position(|v| !v.is_finite()) {
            let (row, column) = (at / self.width, at % self.width);
            return Err(Error::data(
                "features",
                format!("row `{}` column {column} is not finite", self.ids[row]),
            ));
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
            return Err(Error::data("features", format!("the name {name:?} holds a line break")));
        }
        Ok(())
    }

    /// Writes the file; a reader sees the old one or the new one, nothing between.
    ///
    /// # Errors
    /// As [`Features::check`]; [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        self.check()?;
        let n = self.len();
        let integers =
            |values: &mut dyn Iterator<Item = u64>| values.flat_map(u64::to_le_bytes).collect::<Vec<u8>>();
        let values: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let labels = integers(&mut self.labels.iter().map(|l| l.map_or(u64::MAX, |l| l as u64)));
        let groups = integers(&mut self.groups.iter().map(|g| *g as u64));
        let ids = lines(self.ids.iter().map(String::as_str));
        let named =
            |column: &[Option<String>]| lines(column.iter().map(|name| name.as_deref().unwrap_or("")));
        let (patients, sites) = (named(&self.patients), named(&self.sites));
        let digests = self.image_digests.concat();
        let mut tensors = vec![
            ("features".to_owned(), vec![n, self.width], Dtype::F32, values.as_slice()),
            ("labels".to_owned(), vec![n], Dtype::U64, labels.as_slice()),
            ("groups".to_owned(), vec![n], Dtype::U64, groups.as_slice()),
            ("ids".to_owned(), vec![ids.len()], Dtype::U8, ids.as_slice()),
        ];
        for (name, column) in [("patients", &patients), ("sites", &sites)] {
            if column.iter().any(|byte| *byte != b'\n') {
                tensors.push((name.to_owned(), vec![column.len()], Dtype::U8, column.as_slice()));
            }
        }
        if !digests.is_empty() {
            tensors.push(("image_digests".to_owned(), vec![n, 32], Dtype::U8, digests.as_slice()));
        }
        let corners: Vec<u8> = self.coords.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        if !corners.is_empty() {
            tensors.push(("coords".to_owned(), vec![n, 2], Dtype::I64, corners.as_slice()));
        }
        let classes = serde_json::Value::from(self.classes.clone()).to_string();
        let mut notes = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("classes".to_owned(), classes),
            ("backbone".to_owned(), self.backbone.map_or_else(String::new, |d| hex(&d))),
        ]);
        notes.extend(self.attributes.iter().map(|(name, value)| (format!("{OF}{name}"), value.clone())));
        tensorfile::write(path, &tensors, notes)
    }

    /// Whether a file says that [`Features::save`] wrote it.
    pub fn is_ours(path: &Path) -> bool {
        TensorFile::open(path).is_ok_and(|file| file.note("format") == Some(FORMAT))
    }

    /// Reads a file that [`Features::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Format`] for any other file, and as [`Features::check`].
    pub fn load(path: &Path) -> Result<Self> {
        let mut file = TensorFile::open(path)?;
        let bad = |reason: &str| Error::format("features", path, reason);
        if file.note("format") != Some(FORMAT) {
            return Err(bad(
                "its notes name no known features format; use `features import` for other files",
            ));
        }
        let shape = file.entry("features").map(|e| e.shape.clone()).unwrap_or_default();
        let &[_, width] = shape.as_slice() else { return Err(bad("no tensor `features` of rank 2")) };
        let classes = file.note("classes").and_then(|c| serde_json::from_str(c).ok());
        let classes = classes.ok_or_else(|| bad("its notes hold no list of classes"))?;
        let backbone = file.note("backbone").and_then(unhex);
        if file.entry("ids").is_none() {
            return Err(bad("no tensor `ids`"));
        }
        let ids = names(&mut file, "ids")?.into_iter().map(Option::unwrap_or_default).collect();
        let (patients, sites) = (names(&mut file, "patients")?, names(&mut file, "sites")?);
        let label = |l: u64| (l != u64::MAX).then_some(l as usize);
        let digests = match file.entry("image_digests") {
            Some(_) => file.octets("image_digests")?.as_chunks::<32>().0.to_vec(),
            None => Vec::new(),
        };
        let coords = match file.entry("coords") {
            Some(_) => file.signed("coords")?.as_chunks::<2>().0.to_vec(),
            None => Vec::new(),
        };
        let features = Self {
            width,
            values: file.floats("features")?,
            ids,
            labels: file.integers("labels")?.into_iter().map(label).collect(),
            groups: file.integers("groups")?.into_iter().map(|g| g as usize).collect(),
            patients,
            sites,
            classes,
            backbone,
            image_digests: digests,
            coords,
            attributes: file.notes_under(OF),
        };
        features.check()?;
        Ok(features)
    }
}

/// Names, each ended by a newline.
fn lines<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    names.flat_map(|name| name.bytes().chain([b'\n'])).collect()
}

/// The names in a tensor of lines, none for an empty line; no names without the tensor.
fn names(file: &mut TensorFile, tensor: &str) -> Result<Vec<Option<String>>> {
    if file.entry(tensor).is_none() {
        return Ok(Vec::new());
    }
    let text = String::from_utf8(file.octets(tensor)?);
    let text = text.map_err(|_| Error::format("features", file.path(), format!("{tensor} are not UTF-8")))?;
    Ok(text.lines().map(|line| (!line.is_empty()).then(|| line.to_owned())).collect())
}
