//! Rows as other tools keep them, before classes and groups are numbered.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::data::{Dataset, Sample, connected_groups};
use crate::error::{Error, Result};
use crate::features::Features;
use crate::values::Values;

/// Names in a column, none for an empty cell; no column at all is an empty list.
pub(crate) type Names = Vec<Option<String>>;

/// A matrix and the columns beside it, each empty or as long as the matrix has rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub(crate) width: usize,
    /// `[rows, width]`
    pub(crate) values: Values,
    pub(crate) ids: Names,
    pub(crate) labels: Names,
    pub(crate) groups: Names,
    pub(crate) patients: Names,
    pub(crate) sites: Names,
    /// Left upper corner of each row's patch at level 0 of its slide.
    pub(crate) coords: Vec<[i64; 2]>,
    /// The slide whose bag of patches this is.
    pub(crate) slide: Option<String>,
    /// What the file says of itself, such as TRIDENT's and CLAM's sizes of patches.
    pub(crate) attributes: BTreeMap<String, String>,
    /// The column or dataset that the ids are from.
    pub(crate) named_by: Option<String>,
    /// Columns of the file that were not taken and might be ids.
    pub(crate) perhaps_ids: Vec<String>,
}

impl Table {
    pub(crate) fn rows(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Names rows without an id by their slide and coordinates or place; lets a slide's rows be one group.
    pub(super) fn name_rows(&mut self) {
        let rows = self.rows();
        self.ids.resize(rows, None);
        let before = self.slide.as_ref().map_or_else(|| "row-".to_owned(), |slide| format!("{slide}/"));
        for (i, id) in self.ids.iter_mut().enumerate() {
            let place = || match self.coords.get(i).filter(|_| self.slide.is_some()) {
                Some([x, y]) => format!("{x}_{y}"),
                None => i.to_string(),
            };
            id.get_or_insert_with(|| format!("{before}{}", place()));
        }
        if let Some(slide) = self.slide.as_ref().filter(|_| self.groups.is_empty()) {
            self.groups = vec![Some(slide.clone()); rows];
        }
    }

    /// Puts the rows of several tables one below the other.
    pub(super) fn stack(tables: Vec<Self>) -> Result<Self> {
        let mut tables = tables.into_iter();
        let slides: Vec<(Option<String>, BTreeMap<String, String>)> =
            tables.as_slice().iter().map(|t| (t.slide.clone(), t.attributes.clone())).collect();
        let mut whole = tables.next().unwrap_or_default();
        whole.attributes = attributes(&slides);
        let mut rows = whole.rows();
        let mut values = vec![std::mem::take(&mut whole.values)];
        for table in tables {
            if table.width != whole.width {
                let slide = table.slide.as_deref().unwrap_or("a file");
                return Err(Error::shape(
                    "importing features",
                    format!("{} values a row", whole.width),
                    format!("{} in {slide}", table.width),
                ));
            }
            let more = table.rows();
            let join = |column: &mut Names, other: Names| {
                if !(column.is_empty() && other.is_empty()) {
                    column.resize(rows, None);
                    column.extend(other);
                    column.resize(rows + more, None);
                }
            };
            join(&mut whole.ids, table.ids);
            join(&mut whole.labels, table.labels);
            join(&mut whole.groups, table.groups);
            join(&mut whole.patients, table.patients);
            join(&mut whole.sites, table.sites);
            // Coordinates are kept where every row has some.
            if whole.coords.len() == rows && table.coords.len() == more {
                whole.coords.extend(table.coords);
            } else {
                whole.coords.clear();
            }
            values.push(table.values);
            rows += more;
        }
        whole.values = Values::stack(whole.width, values);
        Ok(whole)
    }

    /// Features: classes sorted (by value when all are integers), groups and patients joined.
    pub(super) fn into_features(mut self) -> Result<Features> {
        self.name_rows();
        let n = self.rows();
        let named: BTreeSet<&String> = self.labels.iter().flatten().collect();
        let mut classes: Vec<String> = named.into_iter().cloned().collect();
        if classes.iter().all(|c| c.parse::<i64>().is_ok()) {
            classes.sort_by_key(|c| c.parse::<i64>().unwrap_or_default());
        }
        let place: HashMap<&String, usize> = classes.iter().enumerate().map(|(i, c)| (c, i)).collect();
        let label = |l: &Option<String>| l.as_ref().and_then(|l| place.get(l).copied());
        let labels =
            if self.labels.is_empty() { vec![None; n] } else { self.labels.iter().map(label).collect() };
        let sample = |i: usize| Sample {
            id: String::new(),
            path: PathBuf::new(),
            label: 0,
            group: self.groups.get(i).cloned().flatten(),
            patient: self.patients.get(i).cloned().flatten(),
            site: None,
        };
        let samples = (0..n).map(sample).collect();
        let mut features = Features {
            width: self.width,
            values: self.values,
            ids: self.ids.into_iter().map(Option::unwrap_or_default).collect(),
            labels,
            groups: connected_groups(&Dataset { samples, ..Dataset::default() }),
            patients: self.patients,
            sites: self.sites,
            coords: self.coords,
            attributes: self.attributes,
            ..Features::default()
        };
        features.classes = classes;
        features.drop_unknown_names();
        features.check()?;
        Ok(features)
    }
}

/// What all slides say alike under its name, and what they say otherwise, or only some say, under `SLIDE/NAME`.
fn attributes(slides: &[(Option<String>, BTreeMap<String, String>)]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (at, (slide, own)) in slides.iter().enumerate() {
        for (name, value) in own {
            let alike = slides.iter().all(|(_, other)| other.get(name) == Some(value));
            let slide = slide.clone().unwrap_or_else(|| at.to_string());
            all.insert(if alike { name.clone() } else { format!("{slide}/{name}") }, value.clone());
        }
    }
    all
}

/// Refuses a matrix that nobody can have meant: every value the same, as in a file whose data was never written.
pub(super) fn written(values: &Values, format: &'static str, path: &Path) -> Result<()> {
    let first = values.blocks().next().transpose()?.and_then(|block| block.first().copied());
    let Some(first) = first.filter(|_| values.len() > 1) else { return Ok(()) };
    if values.position(|v| v.to_bits() != first.to_bits())?.is_some() {
        return Ok(());
    }
    let reason = format!("every one of its {} values is {first}: it was never written", values.len());
    Err(Error::format(format, path, reason))
}

/// Ids that several rows carry: how many, and the first.
pub(super) fn repeated(ids: &[String]) -> Option<(usize, &String)> {
    let mut seen = HashSet::new();
    let again: Vec<&String> = ids.iter().filter(|id| !seen.insert(*id)).collect();
    again.first().map(|first| (again.len(), *first))
}
