//! HDF5: one matrix of floats, with the ids, labels, groups, patients and sites that lie beside it.
//!
//! `hdf5-reader` takes the file apart; what it hands out is bounded, checked and joined here. It runs in a thread of its
//! own, so that a fault in it is an error of this file and not the end of the program.

mod bytes;

use std::path::Path;
use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, FileStorage, Hdf5File, OpenOptions, Storage};

use crate::error::{Error, Result};

const FORMAT: &str = "HDF5";

/// Most bytes that one array may have once decompressed: a million rows of a thousand floats.
const MOST_BYTES: u64 = 4 << 30;
/// DEFLATE makes no more of a byte than this, so a file of `n` bytes holds no more than this many times `n`.
const MOST_EXPANSION: u64 = 1032;
/// Datasets that one group may hold; feature files have a handful.
const MOST_DATASETS: usize = 4096;
/// Room for the reader's recursion; it limits its depth itself.
const STACK: usize = 16 << 20;

/// A matrix and the columns beside it, each as long as the matrix has rows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) width: usize,
    /// `[rows, width]`
    pub(super) values: Vec<f32>,
    pub(super) ids: Option<Vec<String>>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) patients: Option<Vec<String>>,
    pub(super) sites: Option<Vec<String>>,
}

/// Reads the matrix `dataset` (a path such as `fold1/features`), or else `features`, `embeddings` or the only matrix of
/// floats in the root. With `columns`, the one-dimensional datasets `ids`, `labels`, `groups`, `patients` and `sites` (or
/// in the singular) of the same group are read too.
///
/// # Errors
/// [`Error::Format`] for a damaged file, for no matrix or more than one, for a column of another length.
pub(super) fn read(path: &Path, dataset: Option<&str>, columns: bool) -> Result<Table> {
    let (owned, wanted) = (path.to_owned(), dataset.map(str::to_owned));
    apart(path, move || table(&owned, wanted.as_deref(), columns))
}

/// A slide's matrix `features` and its corners `coords` where they are, as TRIDENT and CLAM write them.
///
/// # Errors
/// [`Error::Format`] for a damaged file, or coordinates that are not two whole numbers for each row.
pub(super) fn read_bag(path: &Path) -> Result<(Table, Option<Vec<[u64; 2]>>)> {
    let owned = path.to_owned();
    apart(path, move || {
        let table = table(&owned, None, false)?;
        Ok((table, corners(&owned)?))
    })
}

fn corners(path: &Path) -> Outcome<Option<Vec<[u64; 2]>>> {
    let (file, bounds) = open(path)?;
    let group = file.root_group().map_err(text)?;
    let (_, present) = group.member_names().map_err(text)?;
    if !present.iter().any(|name| name == "coords") {
        return Ok(None);
    }
    let dataset = group.dataset("coords").map_err(text)?;
    if !matches!(dataset.shape(), [_, 2]) {
        return Err(format!("`coords` has shape {:?}, not [rows, 2]", dataset.shape()));
    }
    let numbers: Vec<u64> = bytes::names(&dataset, bounds)?
        .iter()
        .map(|text| text.parse().map_err(|_| format!("`coords` holds `{text}`, no place on a slide")))
        .collect::<Outcome<_>>()?;
    Ok(Some(numbers.as_chunks::<2>().0.to_vec()))
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

fn open(path: &Path) -> Outcome<(Hdf5File, Bounds)> {
    let storage = FileStorage::open(path).map_err(text)?;
    let length = storage.len();
    let most = length.saturating_mul(MOST_EXPANSION).min(MOST_BYTES);
    let bounds = Bounds { file: length, array: most };
    let options = OpenOptions::default()
        .with_chunk_cache_bytes(0)
        .with_max_chunk_bytes(usize::try_from(most.min(256 << 20)).unwrap_or(0))
        .with_max_read_bytes(usize::try_from(length).unwrap_or(0))
        .with_max_object_header_bytes(1 << 20);
    let file = Hdf5File::from_storage_with_options(Arc::new(storage), options).map_err(text)?;
    Ok((file, bounds))
}

fn table(path: &Path, wanted: Option<&str>, columns: bool) -> Outcome<Table> {
    let (file, bounds) = open(path)?;
    let (parent, name) = wanted.and_then(|w| w.trim_matches('/').rsplit_once('/')).unzip();
    let name = name.or(wanted.map(|w| w.trim_matches('/')));
    let group = match parent {
        Some(parent) => file.group(parent).map_err(text)?,
        None => file.root_group().map_err(text)?,
    };
    let matrix = match name {
        Some(name) => group.dataset(name).map_err(|e| format!("{e}; it holds {}", listing(&group)))?,
        None => only_matrix(&group)?,
    };
    let &[rows, width] = matrix.shape() else {
        return Err(format!("`{}` has shape {:?}, not two dimensions", matrix.name(), matrix.shape()));
    };
    let values = bytes::floats(&matrix, bounds)?;
    let mut table = Table { width: usize::try_from(width).unwrap_or(0), values, ..Table::default() };
    if columns {
        let column = |names| column(&group, names, rows, bounds);
        table.ids = column(["ids", "id"])?;
        table.labels = column(["labels", "label"])?;
        table.groups = column(["groups", "group"])?;
        table.patients = column(["patients", "patient"])?;
        table.sites = column(["sites", "site"])?;
    }
    Ok(table)
}

/// The reader's message.
fn text(e: hdf5_reader::error::Error) -> String {
    e.to_string()
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

fn only_matrix(group: &Group) -> Outcome<Dataset> {
    let is_matrix = |d: &Dataset| d.ndim() == 2 && matches!(d.dtype(), Datatype::FloatingPoint { .. });
    let mut matrices: Vec<Dataset> = datasets(group)?.into_iter().filter(is_matrix).collect();
    let named = matrices.iter().position(|d| ["features", "embeddings"].contains(&d.name()));
    match named.or((matrices.len() == 1).then_some(0)) {
        Some(at) => Ok(matrices.swap_remove(at)),
        None => Err(format!(
            "no dataset `features` or `embeddings`, and {} matrices of floats; name one with --dataset (found: {})",
            matrices.len(),
            listing(group)
        )),
    }
}

fn column(group: &Group, names: [&str; 2], rows: u64, bounds: Bounds) -> Outcome<Option<Vec<String>>> {
    let (_, present) = group.member_names().map_err(text)?;
    let Some(name) = names.into_iter().find(|name| present.iter().any(|p| p == name)) else {
        return Ok(None);
    };
    let dataset = group.dataset(name).map_err(text)?;
    if dataset.shape() != [rows] {
        let shape = dataset.shape();
        return Err(format!("`{name}` has shape {shape:?}, expected [{rows}], one for each row"));
    }
    bytes::names(&dataset, bounds).map(Some)
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
