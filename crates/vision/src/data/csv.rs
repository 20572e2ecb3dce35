//! A CSV list of tiles: `path,label[,group][,patient][,site]`.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use super::dataset::{Dataset, Rejected, Sample};
use super::roles::{Role, alike};
use super::sheet::Sheet;
use crate::error::{Error, Result};

/// Which columns hold what. Where one has the name of [`CsvColumns::default`] and the file has none of that name, other usual names
/// in any case and spelling are taken (`filename`, `image_id`, `slide_id`, `Class`, `case_id`).
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

/// Lists the tiles of a CSV file with a header row, separated by commas, semicolons or tabs. Rows that cannot be used (no path, no label, a path named twice or under
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
    listed(path, columns, labelled).map(|listing| listing.dataset)
}

/// A listing, with what a join to other rows has to know.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) dataset: Dataset,
    /// The sample of each usable line, in the order of lines.
    pub(crate) lines: Vec<usize>,
    /// The column of ids.
    pub(crate) named_by: String,
}

/// As [`read_csv`], with the order of lines.
pub(crate) fn listed(path: &Path, columns: &CsvColumns, labelled: bool) -> Result<Listing> {
    let sheet = Sheet::look("CSV", path)?;
    let text = std::fs::read(path).map_err(Error::io("reading", path))?;
    let root = path.parent().unwrap_or(Path::new(""));
    let mut reader = sheet.builder().flexible(true).from_reader(text.as_slice());
    let Taken { path: path_at, label: label_at, optional } =
        Taken::of(&sheet, columns, labelled).map_err(|reason| Error::format("CSV", path, reason))?;
    let width = sheet.header.len();

    let mut rows = Vec::new();
    let mut rejected = Vec::new();
    let labels = label_at.map(|at| Labels::of(&sheet, &text, path_at, at)).unwrap_or_default();
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
        let key = plain(&id);
        let several = labels.several.get(&*key);
        let unusable = unusable(&record, width, id.is_empty() || (labelled && label.is_empty()), several);
        let twice = || {
            (!seen.insert(key.clone().into_owned()))
                .then(|| "names a path that an earlier line names".to_owned())
        };
        if let Some(reason) = unusable.or_else(twice) {
            rejected.push(Rejected { id: format!("line {line}: {}", id.escape_debug()), reason });
            continue;
        }
        let [group, patient, site] = optional.map(|at| at.map(field).filter(|v| !v.is_empty()));
        let group = group.map(|g| if columns.groups_within_label { format!("{label}/{g}") } else { g });
        rows.push((label, Sample { path: root.join(&id), id, label: 0, group, patient, site }));
    }
    let (dataset, lines) = dataset(path, rows, rejected)?;
    Ok(Listing { dataset, lines, named_by: sheet.header[path_at].clone() })
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

/// The rows as samples of numbered classes, in the order of their names, and which sample each row became.
fn dataset(
    path: &Path,
    rows: Vec<(String, Sample)>,
    rejected: Vec<Rejected>,
) -> Result<(Dataset, Vec<usize>)> {
    if rows.is_empty() {
        let why: Vec<String> = rejected.iter().take(3).map(|r| format!("{} {}", r.id, r.reason)).collect();
        let reason = format!("{} holds no usable row: {}", path.display(), why.join("; "));
        return Err(Error::data("listing tiles", reason));
    }
    let names: BTreeSet<&str> = rows.iter().map(|(label, _)| label.as_str()).collect();
    let classes: Vec<String> = names.into_iter().map(str::to_owned).collect();
    // No two samples have one id.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| rows[*a].1.id.cmp(&rows[*b].1.id));
    let mut lines = vec![0; rows.len()];
    order.iter().enumerate().for_each(|(sample, line)| lines[*line] = sample);
    let numbered = |(label, sample): (String, Sample)| Sample {
        label: classes.partition_point(|c| *c < label),
        ..sample
    };
    let mut samples: Vec<(usize, Sample)> =
        lines.iter().copied().zip(rows.into_iter().map(numbered)).collect();
    samples.sort_by_key(|(place, _)| *place);
    let samples = samples.into_iter().map(|(_, sample)| sample).collect();
    Ok((Dataset { classes, samples, rejected }, lines))
}

/// Where the columns are.
struct Taken {
    path: usize,
    label: Option<usize>,
    /// Group, patient, site.
    optional: [Option<usize>; 3],
}

impl Taken {
    fn of(sheet: &Sheet, columns: &CsvColumns, labelled: bool) -> std::result::Result<Self, String> {
        let usual = CsvColumns::default();
        let roles = Role::of_all(sheet.header.iter().map(String::as_str));
        // A column that somebody named is that one; the usual one is known under its other names too.
        let find = |wanted: &str, default: &str, role: Role, other: Option<Role>, option: &str| {
            let exact: Vec<usize> = (0..roles.len()).filter(|at| sheet.header[*at] == wanted).collect();
            if let [at] = exact.as_slice() {
                return Ok(Some(*at));
            }
            if wanted != default {
                return Ok(None);
            }
            let of = |role: Role| (0..roles.len()).filter(|at| roles[*at] == Some(role)).collect::<Vec<_>>();
            let spelt: Vec<usize> =
                of(role).into_iter().filter(|at| alike(&sheet.header[*at], wanted)).collect();
            let known = of(role);
            let instead = other.map(of).unwrap_or_default();
            let found = [spelt, known, instead].into_iter().find(|found| !found.is_empty());
            match found.as_deref() {
                None => Ok(None),
                Some([at]) => Ok(Some(*at)),
                Some(several) => {
                    let names: Vec<String> =
                        several.iter().map(|at| format!("`{}`", sheet.header[*at])).collect();
                    let (names, role) = (names.join(" and "), role.name());
                    Err(format!("{names} may all be the {role}; {option}"))
                }
            }
        };
        let need = |found: Option<usize>, wanted: &str, option: &str| {
            let columns = sheet.columns();
            found.ok_or_else(|| {
                format!("no column `{wanted}` among {columns}; name the one that is meant with {option}")
            })
        };
        let path =
            find(&columns.path, &usual.path, Role::Id, Some(Role::Group), "name one with --path-column")?;
        let path = need(path, &columns.path, "--path-column")?;
        let label = if labelled {
            let found =
                find(&columns.label, &usual.label, Role::Label, None, "name one with --label-column")?;
            Some(need(found, &columns.label, "--label-column")?)
        } else {
            None
        };
        let rename = "call the right one as it is written here";
        let group = find(&columns.group, &usual.group, Role::Group, None, "name one with --group-column")?;
        // `tile_group` is numbered anew in each class in known lists: only whoever names it knows whether it is here.
        let group = group.filter(|at| {
            *at != path && (sheet.header[*at] == columns.group || !alike(&sheet.header[*at], "tilegroup"))
        });
        let patient = find(&columns.patient, &usual.patient, Role::Patient, None, rename)?;
        let site = find(&columns.site, &usual.site, Role::Site, None, rename)?;
        Ok(Self { path, label, optional: [group, patient, site] })
    }
}

/// A path without steps that lead nowhere, so that two ways of writing one are seen as one.
fn plain(id: &str) -> Cow<'_, str> {
    let plain = |part: &str| !part.is_empty() && part != ".";
    if std::path::MAIN_SEPARATOR == '/' && id.split('/').all(plain) {
        return id.into();
    }
    let path: PathBuf = Path::new(id).components().filter(|c| *c != Component::CurDir).collect();
    path.to_string_lossy().into_owned().into()
}

/// The paths that are listed under several labels, and those labels.
#[derive(Default)]
struct Labels {
    several: HashMap<String, BTreeSet<String>>,
}

impl Labels {
    fn of(sheet: &Sheet, text: &[u8], path_at: usize, label_at: usize) -> Self {
        let mut reader = sheet.builder().flexible(true).from_reader(text);
        // Each label is kept once, under its number.
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let (mut first, mut several) = (HashMap::new(), Self::default().several);
        for record in reader.records().flatten() {
            let pair = record.get(path_at).zip(record.get(label_at));
            let Some((id, label)) = pair.filter(|(id, label)| !id.is_empty() && !label.is_empty()) else {
                continue;
            };
            let name = numbers.get(label).copied().unwrap_or_else(|| {
                names.push(label.to_owned());
                numbers.insert(label.to_owned(), names.len() - 1);
                names.len() - 1
            });
            let key = plain(id);
            match first.get(&*key) {
                None => drop(first.insert(key.into_owned(), name)),
                Some(known) if *known == name => {}
                Some(known) => {
                    let labels: &mut BTreeSet<String> = several.entry(key.into_owned()).or_default();
                    labels.extend([names[*known].clone(), label.to_owned()]);
                }
            }
        }
        Self { several }
    }
}
