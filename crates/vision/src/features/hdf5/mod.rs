//! HDF5: one matrix of floats, with the ids, labels, groups, patients and sites that lie beside it.
//!
//! `hdf5-reader` takes the file apart; what it hands out is bounded, checked and joined here. It runs in a thread of its
//! own, so that a fault in it is an error of this file and not the end of the program.

mod beside;
mod bytes;
mod grid;
mod lzf;
mod matrix;

use std::path::Path;
use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, FileStorage, Hdf5File, OpenOptions, Storage};

use super::table::{Names, Table};
use crate::data::Role;
use crate::error::{Error, Result};
use crate::tensorfile;
use crate::values::Scratch;
use beside::Beside;
use blindscope_pixels::foreign::Found;

const FORMAT: &str = "HDF5";

/// Most bytes that one array may have once decompressed: a million rows of a thousand floats.
const MOST_BYTES: u64 = 4 << 30;
/// DEFLATE makes no more of a byte than this, so a file of `n` bytes holds no more than this many times `n`.
const MOST_EXPANSION: u64 = 1032;
/// Datasets that one group may hold; feature files have a handful.
const MOST_DATASETS: usize = 4096;
/// Room for the reader's recursion; it limits its depth itself.
const STACK: usize = 16 << 20;

/// Reads the matrix `dataset` (a path such as `fold1/features`); or else `features`, `embeddings` or the only matrix of
/// floats in the root, `[n, d]` or `[1, n, d]`; or else such a matrix in each group of the root, a slide a group. The columns
/// `ids`, `labels`, `groups`, `patients` and `sites` (or in the singular) and `coords` of the same group are read too.
///
/// # Errors
/// [`Error::Format`] for a damaged file, for no matrix or more than one, for a column of another length.
pub(crate) fn read(
    path: &Path,
    dataset: Option<&str>,
    id_column: Option<&str>,
    scratch: &Scratch,
) -> Result<Vec<Table>> {
    read_noting(path, dataset, id_column, scratch).map(|(tables, _)| tables)
}

/// As [`read`], with sentences that say what was taken for what and what was not taken.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_noting(
    path: &Path,
    dataset: Option<&str>,
    id_column: Option<&str>,
    scratch: &Scratch,
) -> Result<(Vec<Table>, Vec<String>)> {
    let found = tensorfile::found(path)?;
    if let Some(other) = found.filter(|found| *found != Found::Hdf5) {
        return Err(Error::format(FORMAT, path, other.described()));
    }
    let (owned, scratch) = (path.to_owned(), scratch.clone());
    let wanted = Wanted { dataset: dataset.map(str::to_owned), ids: id_column.map(str::to_owned) };
    apart(path, move || {
        let mut notes = Vec::new();
        Ok((tables(&owned, &wanted, &scratch, &mut notes)?, notes))
    })
}

/// What somebody named.
struct Wanted {
    /// The matrix.
    dataset: Option<String>,
    /// The dataset of ids beside it.
    ids: Option<String>,
}

/// A reason in words, for lack of a path.
type Outcome<T> = std::result::Result<T, String>;

/// Does `work` on the file `path` in a thread that may end by a fault.
fn apart<T: Send + 'static>(path: &Path, work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Result<T> {
    let thread = std::thread::Builder::new().name("hdf5".into()).stack_size(STACK).spawn(work);
    let thread = thread.map_err(Error::io("reading", path))?;
    let outcome = thread.join().unwrap_or_else(|_| Err("the reader gave up on it; it is damaged".into()));
    outcome.map_err(|reason| Error::format(FORMAT, path, reason))
}

/// What a file can hold at most.
#[derive(Clone, Copy)]
struct Bounds {
    /// Bytes of the file.
    file: u64,
    /// Bytes of an array once decompressed.
    array: u64,
}

fn tables(path: &Path, wanted: &Wanted, scratch: &Scratch, notes: &mut Vec<String>) -> Outcome<Vec<Table>> {
    let storage = FileStorage::open(path).map_err(text)?;
    let length = storage.len();
    let most = length.saturating_mul(MOST_EXPANSION).min(MOST_BYTES);
    let bounds = Bounds { file: length, array: most };
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(0)
        .with_filter_registry(lzf::registry())
        .with_max_chunk_bytes(usize::try_from(most.min(256 << 20)).unwrap_or(0))
        .with_max_read_bytes(usize::try_from(length).unwrap_or(0))
        .with_max_object_header_bytes(1 << 20);
    let file = Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(text)?;
    let stem = || path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let ids = wanted.ids.as_deref();
    if let Some(wanted) = &wanted.dataset {
        let wanted = wanted.trim_matches('/');
        let (group, name) = match wanted.rsplit_once('/') {
            Some((parent, name)) => (file.group(parent).map_err(text)?, name),
            None => (file.root_group().map_err(text)?, wanted),
        };
        let matrix = group.dataset(name).map_err(|e| format!("{e}; it holds {}", listing(&group)))?;
        return Ok(vec![table(&group, &matrix, (bounds, scratch), stem(), (ids, notes))?]);
    }
    let root = file.root_group().map_err(text)?;
    match only_matrix(&root)? {
        Ok(matrix) => Ok(vec![table(&root, &matrix, (bounds, scratch), stem(), (ids, notes))?]),
        Err(several) => {
            let slides = slides(&root)?;
            if slides.is_empty() {
                Err(several)
            } else {
                slides.into_iter().map(|(g, m)| bag(&g, &m, (bounds, scratch), ids)).collect()
            }
        }
    }
}

/// The matrix of each group of the root, where every one has one and none is a part of a study.
fn slides(root: &Group) -> Outcome<Vec<(Group, Dataset)>> {
    let groups = root.groups().map_err(text)?;
    if groups.len() > MOST_DATASETS {
        return Err(format!("{} groups are more than {MOST_DATASETS}", groups.len()));
    }
    let part = |group: &Group| {
        let name = group.name().trim_matches('/').to_ascii_lowercase();
        ["fold", "split", "train", "test", "val"].iter().any(|p| name.starts_with(p))
    };
    if groups.iter().any(part) {
        let names: Vec<String> =
            groups.iter().map(|g| g.name().trim_matches('/').to_owned()).take(8).collect();
        return Err(format!(
            "it holds parts of a study ({}); name one with --dataset, such as {}/features",
            names.join(", "),
            names[0]
        ));
    }
    let mut found = Vec::with_capacity(groups.len());
    for group in groups {
        match only_matrix(&group)? {
            Ok(matrix) => found.push((group, matrix)),
            Err(_) => return Ok(Vec::new()),
        }
    }
    Ok(found)
}

fn bag(group: &Group, matrix: &Dataset, bounds: (Bounds, &Scratch), ids: Option<&str>) -> Outcome<Table> {
    let slide = group.name().trim_matches('/').to_owned();
    let mut table = table(group, matrix, bounds, slide.clone(), (ids, &mut Vec::new()))?;
    table.slide = Some(slide);
    Ok(table)
}

/// A matrix with its columns; `name` is the slide's, should it be a bag of patches.
fn table(
    group: &Group,
    matrix: &Dataset,
    (bounds, scratch): (Bounds, &Scratch),
    name: String,
    (ids, notes): (Option<&str>, &mut Vec<String>),
) -> Outcome<Table> {
    let (rows, width, bag) = match *matrix.shape() {
        [rows, width] => (rows, width, false),
        [1, rows, width] => (rows, width, true),
        _ => {
            let shape = matrix.shape();
            return Err(format!(
                "`{}` has shape {shape:?}, neither two dimensions nor [1, rows, columns]",
                matrix.name()
            ));
        }
    };
    let width = usize::try_from(width).map_err(|e| e.to_string())?;
    let values = matrix::matrix(matrix, bounds, width, scratch)?;
    let mut table = Table { width, values, ..Table::default() };
    let beside = Beside::of(group, matrix, rows, ids)?;
    let column = |dataset: Option<&Dataset>| column(dataset, rows, bounds);
    table.ids = column(beside.ids())?;
    let (labels, scalar) = labels(beside.find(Role::Label), rows, bounds)?;
    table.labels = labels;
    table.groups = column(beside.find(Role::Group))?;
    table.patients = column(beside.find(Role::Patient))?;
    table.sites = column(beside.find(Role::Site))?;
    table.coords = coords(group, rows, bounds)?;
    table.named_by = beside.ids().map(|d| plain(d).to_owned());
    table.perhaps_ids = beside.perhaps_ids();
    notes.extend(beside.described());
    attributes(group, matrix, &mut table);
    if bag || scalar || !table.coords.is_empty() && table.ids.is_empty() {
        table.slide = Some(name);
    }
    Ok(table)
}

/// `labels` or `label`: a name or number a row, `[n]`, `[n, 1]` or one-hot `[n, c]`; or one for all rows, which makes it a
/// slide's (the second value).
fn labels(dataset: Option<&Dataset>, rows: u64, bounds: Bounds) -> Outcome<(Names, bool)> {
    let Some(dataset) = dataset else { return Ok((Names::new(), false)) };
    let known = |names: Vec<String>| -> Names {
        names.into_iter().map(|v| Some(v).filter(|v| !v.is_empty())).collect()
    };
    let count = |names: &[String]| {
        usize::try_from(rows).map(|rows| vec![names[0].clone(); rows]).map_err(|e| e.to_string())
    };
    match *dataset.shape() {
        [n] | [n, 1] if n == rows => Ok((known(bytes::names(dataset, bounds)?), false)),
        [] | [1] | [1, 1] => Ok((known(count(&bytes::names(dataset, bounds)?)?), true)),
        [n, classes] if n == rows => {
            let cells = bytes::numbers(dataset, bounds)?;
            let classes = usize::try_from(classes).unwrap_or(usize::MAX);
            let is = |v: f64, wanted: f64| (v - wanted).abs() < f64::EPSILON;
            let hot = |row: &[f64]| {
                let ones = row.iter().filter(|v| is(**v, 1.0)).count();
                let zeros = row.iter().filter(|v| is(**v, 0.0)).count();
                let at = row.iter().position(|v| is(*v, 1.0))?;
                (ones == 1 && zeros == row.len() - 1).then(|| at.to_string())
            };
            let labels: Option<Vec<String>> = cells.chunks_exact(classes).map(hot).collect();
            let labels =
                labels.ok_or_else(|| format!("`{}` {:?} is not one-hot", dataset.name(), dataset.shape()))?;
            Ok((known(labels), false))
        }
        _ => {
            let (name, shape) = (dataset.name(), dataset.shape());
            Err(format!("`{name}` has shape {shape:?}, expected [{rows}], one for each row, or one for all"))
        }
    }
}

/// `coords` or `coordinates`: `[n, 2]` or `[1, n, 2]` of whole numbers.
fn coords(group: &Group, rows: u64, bounds: Bounds) -> Outcome<Vec<[i64; 2]>> {
    let Some(dataset) = find(group, ["coords", "coordinates"])? else { return Ok(Vec::new()) };
    if !matches!(*dataset.shape(), [n, 2] | [1, n, 2] if n == rows) {
        let (name, shape) = (dataset.name(), dataset.shape());
        return Err(format!("`{name}` has shape {shape:?}, expected [{rows}, 2], a corner for each row"));
    }
    let numbers = bytes::numbers(&dataset, bounds)?;
    Ok(numbers.as_chunks::<2>().0.iter().map(|c| c.map(|v| v.round() as i64)).collect())
}

/// Attributes longer than this are passed over: they are no settings.
const LONGEST_ATTRIBUTE: usize = 256;

/// What group, matrix and coordinates say of themselves, as text.
fn attributes(group: &Group, matrix: &Dataset, table: &mut Table) {
    let mut all = group.attributes().unwrap_or_default();
    all.extend(matrix.attributes());
    if let Ok(Some(coords)) = find(group, ["coords", "coordinates"]) {
        all.extend(coords.attributes());
    }
    for attribute in all.iter().take(64) {
        let number = || attribute.read_as_f64().ok().map(|v| v.to_string());
        let text = attribute.read_string().ok().filter(|t| !t.is_empty()).or_else(number);
        if let Some(text) = text.filter(|t| t.len() <= LONGEST_ATTRIBUTE && attribute.name.len() <= 64) {
            table.attributes.insert(attribute.name.clone(), text);
        }
    }
}

/// The reader's message, in the words of who has such files where it is a known case.
fn text(e: hdf5_reader::error::Error) -> String {
    let message = e.to_string();
    if message.contains("layout class 3") {
        return "it holds a virtual dataset, a view of other files; copy it into a file of its own, in h5py: \
                out.create_dataset(\"features\", data=file[\"features\"][:])"
            .into();
    }
    message
}

/// The group's datasets; one that cannot be opened is none.
fn datasets(group: &Group) -> Outcome<Vec<Dataset>> {
    let (_, names) = group.member_names().map_err(text)?;
    if names.len() > MOST_DATASETS {
        return Err(format!("{} datasets in one group are more than {MOST_DATASETS}", names.len()));
    }
    Ok(names.iter().filter_map(|name| group.dataset(name).ok()).collect())
}

fn listing(group: &Group) -> String {
    let shown = |d: &Dataset| format!("`{}` {:?}", d.name(), d.shape());
    let all: Vec<String> = datasets(group).unwrap_or_default().iter().take(20).map(shown).collect();
    if all.is_empty() { "no dataset there".into() } else { all.join(", ") }
}

/// A dataset's name within its group.
fn plain(dataset: &Dataset) -> &str {
    let name = dataset.name();
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

/// The matrix of a group, or why there is none.
fn only_matrix(group: &Group) -> Outcome<Outcome<Dataset>> {
    let shaped = |d: &Dataset| d.ndim() == 2 || matches!(*d.shape(), [1, _, _]);
    let is_matrix = |d: &Dataset| shaped(d) && matches!(d.dtype(), Datatype::FloatingPoint { .. });
    let (_, present) = group.member_names().map_err(text)?;
    for name in ["features", "embeddings"] {
        if present.iter().any(|p| p == name) {
            return group.dataset(name).map(Ok).map_err(text);
        }
    }
    let mut matrices: Vec<Dataset> = datasets(group)?.into_iter().filter(is_matrix).collect();
    if matrices.len() == 1 {
        return Ok(Ok(matrices.swap_remove(0)));
    }
    Ok(Err(format!(
        "no dataset `features` or `embeddings`, and {} matrices of floats; name one with --dataset (found: {})",
        matrices.len(),
        listing(group)
    )))
}

/// The dataset of the first name that is there.
fn find(group: &Group, names: [&str; 2]) -> Outcome<Option<Dataset>> {
    let (_, present) = group.member_names().map_err(text)?;
    match names.into_iter().find(|name| present.iter().any(|p| p == name)) {
        Some(name) => group.dataset(name).map(Some).map_err(text),
        None => Ok(None),
    }
}

fn column(dataset: Option<&Dataset>, rows: u64, bounds: Bounds) -> Outcome<Names> {
    let Some(dataset) = dataset else { return Ok(Names::new()) };
    if !matches!(*dataset.shape(), [n] | [n, 1] if n == rows) {
        let (name, shape) = (dataset.name(), dataset.shape());
        return Err(format!("`{name}` has shape {shape:?}, expected [{rows}], one for each row"));
    }
    let names = bytes::names(dataset, bounds)?;
    Ok(names.into_iter().map(|v| Some(v).filter(|v| !v.is_empty())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_reader_is_an_error_of_the_file() {
        let faulty = || -> Outcome<()> { panic!("index out of bounds") };
        let message = apart(Path::new("f.h5"), faulty).unwrap_err().to_string();
        assert_eq!(message, "f.h5 is not a readable HDF5 file: the reader gave up on it; it is damaged");
    }
}
