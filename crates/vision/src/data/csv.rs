//! A CSV list of tiles: `path,label[,group][,patient][,site]`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::dataset::{Dataset, Rejected, Sample};
use crate::error::{Error, Result};

/// Which columns hold what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumns {
    /// The tile's path, relative to the CSV file's folder. Required.
    pub path: String,
    /// The class name. Required.
    pub label: String,
    /// Group of copies or neighbours; may be absent.
    pub group: String,
    /// Patient; may be absent.
    pub patient: String,
    /// Hospital; may be absent.
    pub site: String,
    /// Whether group names are numbered anew in each class, so that class and group together name a group.
    pub groups_within_label: bool,
}

impl Default for CsvColumns {
    fn default() -> Self {
        Self {
            path: "path".into(),
            label: "label".into(),
            group: "group".into(),
            patient: "patient".into(),
            site: "site".into(),
            groups_within_label: false,
        }
    }
}

/// Lists the tiles of a CSV file with a header row. Rows that cannot be used (no path, no label, a path named twice or under
/// two labels, more fields than the header, a name with a line break, a broken row) are rejected with their line; unknown
/// columns are passed over.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read, [`Error::Format`] when the path or label column is missing,
/// [`Error::Data`] when no row can be used.
pub fn read_csv(path: &Path, columns: &CsvColumns) -> Result<Dataset> {
    read(path, columns, true)
}

/// The same of tiles that nobody has labelled: the column of labels is not looked at and may be missing. All carry label 0 of one
/// class without a name.
///
/// # Errors
/// As [`read_csv`].
pub fn read_unlabelled_csv(path: &Path, columns: &CsvColumns) -> Result<Dataset> {
    read(path, columns, false)
}

fn read(path: &Path, columns: &CsvColumns, labelled: bool) -> Result<Dataset> {
    let text = std::fs::read(path).map_err(Error::io("reading", path))?;
    let root = path.parent().unwrap_or(Path::new(""));
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_slice());
    let header = reader.headers().map_err(|e| Error::format("CSV", path, e))?.clone();
    let find = |name: &str| header.iter().position(|h| h.trim_start_matches('\u{feff}') == name);
    let need = |name: &str| {
        let listed: Vec<_> = header.iter().collect();
        find(name).ok_or_else(|| Error::format("CSV", path, format!("no column `{name}` among {listed:?}")))
    };
    let path_at = need(&columns.path)?;
    let label_at = labelled.then(|| need(&columns.label)).transpose()?;
    let optional = [&columns.group, &columns.patient, &columns.site].map(|name| find(name));

    let mut rows = Vec::new();
    let mut rejected = Vec::new();
    let labels = label_at.map(|at| labels_of_paths(&text, path_at, at)).unwrap_or_default();
    let mut seen = HashSet::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                rejected.push(Rejected { id: path.display().to_string(), reason: e.to_string() });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let field = |at: usize| record.get(at).unwrap_or("").to_owned();
        let (id, label) = (field(path_at), label_at.map_or(String::new(), field));
        let several = labels.get(&plain(&id)).filter(|labels| labels.len() > 1);
        let unusable =
            unusable(&record, header.len(), id.is_empty() || (labelled && label.is_empty()), several);
        let twice =
            || (!seen.insert(plain(&id))).then(|| "names a path that an earlier line names".to_owned());
        if let Some(reason) = unusable.or_else(twice) {
            rejected.push(Rejected { id: format!("line {line}: {}", id.escape_debug()), reason });
            continue;
        }
        let [group, patient, site] = optional.map(|at| at.map(field).filter(|v| !v.is_empty()));
        let group = group.map(|g| if columns.groups_within_label { format!("{label}/{g}") } else { g });
        rows.push((label, Sample { path: root.join(&id), id, label: 0, group, patient, site }));
    }
    dataset(path, rows, rejected)
}

/// Why a row cannot be used whatever the others are; `labels` are those of its path where it has several.
fn unusable(
    record: &csv::StringRecord,
    columns: usize,
    bare: bool,
    labels: Option<&BTreeSet<String>>,
) -> Option<String> {
    if record.len() > columns {
        let fields = record.len();
        return Some(format!(
            "has {fields} fields, more than the {columns} of the header; put values with commas in quotes"
        ));
    }
    if bare {
        return Some("has no path or no label".into());
    }
    if record.iter().any(|cell| cell.chars().any(char::is_control)) {
        return Some("holds a line break or another control character within a value".into());
    }
    let labels: Vec<&str> = labels?.iter().map(String::as_str).collect();
    Some(format!("names a path that is listed under several labels: {}", labels.join(", ")))
}

/// The rows as samples of numbered classes, in the order of their names.
fn dataset(path: &Path, rows: Vec<(String, Sample)>, rejected: Vec<Rejected>) -> Result<Dataset> {
    if rows.is_empty() {
        let why: Vec<String> = rejected.iter().take(3).map(|r| format!("{} {}", r.id, r.reason)).collect();
        let reason = format!("{} holds no usable row: {}", path.display(), why.join("; "));
        return Err(Error::data("listing tiles", reason));
    }
    let names: BTreeSet<String> = rows.iter().map(|(label, _)| label.clone()).collect();
    let classes: Vec<String> = names.into_iter().collect();
    let mut samples: Vec<Sample> = rows
        .into_iter()
        .map(|(label, sample)| Sample { label: classes.partition_point(|c| *c < label), ..sample })
        .collect();
    samples.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Dataset { classes, samples, rejected })
}

/// A path without steps that lead nowhere, so that two ways of writing one are seen as one.
fn plain(id: &str) -> PathBuf {
    Path::new(id).components().filter(|c| *c != Component::CurDir).collect()
}

/// Every label that a path is listed under.
fn labels_of_paths(text: &[u8], path_at: usize, label_at: usize) -> HashMap<PathBuf, BTreeSet<String>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let mut labels: HashMap<PathBuf, BTreeSet<String>> = HashMap::new();
    for record in reader.records().flatten() {
        let pair = record.get(path_at).zip(record.get(label_at));
        if let Some((id, label)) = pair.filter(|(id, label)| !id.is_empty() && !label.is_empty()) {
            labels.entry(plain(id)).or_default().insert(label.to_owned());
        }
    }
    labels
}
