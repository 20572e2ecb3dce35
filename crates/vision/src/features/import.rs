//! Features that other tools made.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::file::Features;
use super::hdf5::{self, Table};
use super::npy;
use crate::data::{CsvColumns, Dataset, Sample, connected_groups, read_csv};
use crate::error::{Error, Result};
use crate::tensorfile::TensorFile;

/// What an imported file does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// A CSV `path,label[,group][,patient][,site]` whose rows are in the features' order, for formats without columns of
    /// their own, or instead of them.
    pub labels: Option<PathBuf>,
    /// The matrix of an HDF5 file that holds several, such as `fold1/features`.
    pub dataset: Option<String>,
}

/// Reads features from `path`: our own file, another `safetensors` (tensor `features`, `embeddings` or the only one of
/// rank 2), `.npy`, `.h5` (likewise, with the columns `ids`, `labels`, `groups`, `patients` and `sites` where they are), or a
/// CSV of numbers with optional columns `id`, `label` and `group`.
///
/// # Errors
/// [`Error::Format`] for a file of another kind or a damaged one, [`Error::Shape`] when `labels` has another number of
/// rows, [`Error::Data`] for options that the format has no use for.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Features> {
    let labels = options.labels.as_deref();
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let hdf5 = ["h5", "hdf5"].contains(&extension.as_str());
    if options.dataset.is_some() && !hdf5 {
        return Err(Error::data(
            "importing features",
            "a dataset is named, but only HDF5 files hold datasets",
        ));
    }
    std::fs::metadata(path).map_err(Error::io("reading", path))?;
    let (width, values) = match extension.as_str() {
        "safetensors" => {
            if Features::is_ours(path) {
                if labels.is_some() {
                    let reason = "a list of labels is named, but the file has labels of its own";
                    return Err(Error::data("importing features", reason));
                }
                return Features::load(path);
            }
            safetensors(path)?
        }
        "npy" => npy::read(path)?,
        "csv" => {
            let features = csv(path)?;
            if labels.is_none() {
                return Ok(features);
            }
            (features.width, features.values)
        }
        "h5" | "hdf5" => {
            let table = hdf5::read(path, options.dataset.as_deref(), labels.is_none())?;
            if labels.is_none() {
                return with_columns(table);
            }
            (table.width, table.values)
        }
        other => {
            let reason = format!("`.{other}` is none of .safetensors, .npy, .csv, .h5");
            return Err(Error::format("features", path, reason));
        }
    };
    with_labels(width, values, labels)
}

fn safetensors(path: &Path) -> Result<(usize, Vec<f32>)> {
    let mut file = TensorFile::open(path)?;
    let matrices: Vec<String> = file
        .names()
        .filter(|n| file.entry(n).is_some_and(|e| e.shape.len() == 2))
        .map(str::to_owned)
        .collect();
    let named = matrices.iter().find(|n| ["features", "embeddings"].contains(&n.as_str()));
    let only = if matrices.len() == 1 { matrices.first() } else { None };
    let name = named.or(only).cloned().ok_or_else(|| {
        let reason =
            format!("no tensor `features` or `embeddings`, and {} of rank 2: {matrices:?}", matrices.len());
        Error::format("features", path, reason)
    })?;
    let width = file.entry(&name).map_or(0, |e| e.shape[1]);
    Ok((width, file.floats(&name)?))
}

fn with_labels(width: usize, values: Vec<f32>, labels: Option<&Path>) -> Result<Features> {
    let n = values.len().checked_div(width).unwrap_or(0);
    let mut features = Features { width, values, ..Features::default() };
    if let Some(path) = labels {
        let dataset = read_csv(path, &CsvColumns::default())?;
        if dataset.samples.len() != n || !dataset.rejected.is_empty() {
            let got = format!("{} and {} rejected", dataset.samples.len(), dataset.rejected.len());
            return Err(Error::shape("importing labels", format!("{n} rows, none rejected"), got));
        }
        // The listing is sorted by id; the features are in the file's order.
        let order = row_order(path, &dataset.samples)?;
        let groups = connected_groups(&dataset);
        for at in order {
            features.ids.push(dataset.samples[at].id.clone());
            features.labels.push(Some(dataset.samples[at].label));
            features.patients.push(dataset.samples[at].patient.clone());
            features.sites.push(dataset.samples[at].site.clone());
            features.groups.push(groups[at]);
        }
        features.classes = dataset.classes;
        features.drop_unknown_names();
    } else {
        features.ids = (0..n).map(|i| format!("row-{i}")).collect();
        features.labels = vec![None; n];
        features.groups = (0..n).collect();
    }
    features.check()?;
    Ok(features)
}

/// Features with the columns of their own file. Rows without an id are numbered; class names that are all integers are
/// ordered by value, other ones by letter.
fn with_columns(table: Table) -> Result<Features> {
    let n = table.values.len().checked_div(table.width).unwrap_or(0);
    let known = |column: Option<Vec<String>>| -> Vec<Option<String>> {
        let column = column.map(|c| c.into_iter().map(|v| Some(v).filter(|v| !v.is_empty())).collect());
        column.unwrap_or_else(|| vec![None; n])
    };
    let ids =
        known(table.ids).into_iter().enumerate().map(|(i, id)| id.unwrap_or_else(|| format!("row-{i}")));
    let (labels, groups) = (known(table.labels), known(table.groups));
    let (patients, sites) = (known(table.patients), known(table.sites));
    let names: BTreeSet<&String> = labels.iter().flatten().collect();
    let mut classes: Vec<String> = names.into_iter().cloned().collect();
    if classes.iter().all(|c| c.parse::<i64>().is_ok()) {
        classes.sort_by_key(|c| c.parse::<i64>().unwrap_or_default());
    }
    let place: HashMap<&String, usize> = classes.iter().enumerate().map(|(i, c)| (c, i)).collect();
    let sample = |(group, patient): (&Option<String>, &Option<String>)| Sample {
        id: String::new(),
        path: PathBuf::new(),
        label: 0,
        group: group.clone(),
        patient: patient.clone(),
        site: None,
    };
    let samples = groups.iter().zip(&patients).map(sample).collect();
    let mut features = Features {
        width: table.width,
        values: table.values,
        ids: ids.collect(),
        labels: labels.iter().map(|l| l.as_ref().and_then(|l| place.get(l).copied())).collect(),
        groups: connected_groups(&Dataset { samples, ..Dataset::default() }),
        patients,
        sites,
        ..Features::default()
    };
    features.classes = classes;
    features.drop_unknown_names();
    features.check()?;
    Ok(features)
}

/// For each row of the CSV, the sample that it became.
fn row_order(path: &Path, samples: &[Sample]) -> Result<Vec<usize>> {
    let bad = |e: csv::Error| Error::format("CSV", path, e);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(path).map_err(bad)?;
    let at = reader.headers().map_err(bad)?.iter().position(|h| h.trim_start_matches('\u{feff}') == "path");
    let place: HashMap<&str, usize> = samples.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect();
    let mut order = Vec::with_capacity(samples.len());
    for record in reader.records() {
        let record = record.map_err(bad)?;
        order.extend(place.get(record.get(at.unwrap_or(0)).unwrap_or("")));
    }
    Ok(order)
}

fn csv(path: &Path) -> Result<Features> {
    let bad = |reason: String| Error::format("CSV features", path, reason);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(|e| bad(e.to_string()))?;
    let header = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
    let named = |name: &str| header.iter().position(|h| h == name);
    let (id_at, label_at, group_at) = (named("id"), named("label"), named("group"));
    let numbers: Vec<usize> =
        (0..header.len()).filter(|i| ![id_at, label_at, group_at].contains(&Some(*i))).collect();
    let mut features = Features { width: numbers.len(), ..Features::default() };
    let (mut labels, mut groups) = (Vec::new(), HashMap::new());
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        for &at in &numbers {
            let text = record.get(at).unwrap_or("");
            let value: f32 = text.parse().map_err(|_| bad(format!("row {row}: `{text}` is no number")))?;
            features.values.push(value);
        }
        let field =
            |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|v| !v.is_empty()).map(str::to_owned);
        features.ids.push(field(id_at).unwrap_or_else(|| format!("row-{row}")));
        labels.push(field(label_at));
        let next = groups.len();
        let group = field(group_at).unwrap_or_else(|| format!("row-{row}"));
        features.groups.push(*groups.entry(group).or_insert(next));
    }
    let classes: BTreeSet<&String> = labels.iter().flatten().collect();
    features.classes = classes.into_iter().cloned().collect();
    let index = |label: &String| features.classes.partition_point(|c| c < label);
    features.labels = labels.iter().map(|l| l.as_ref().map(index)).collect();
    features.check()?;
    Ok(features)
}
