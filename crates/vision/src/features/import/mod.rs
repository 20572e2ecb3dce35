//! Features that other tools made.

mod columns;
mod families;
mod folder;
mod labels;
mod scales;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::table::{self, Table};
use super::{Features, hdf5, npy};
use crate::error::{Error, Result};
use crate::tensorfile::{self, TensorFile};
use crate::values::{Scratch, Values};

/// What an imported file does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// A CSV `path,label[,group][,patient][,site]`. Its rows are joined to the features by id; to a bag of patches by the name
    /// of its slide; only to features without any names by order.
    pub labels: Option<PathBuf>,
    /// The matrix of an HDF5 file that holds several, such as `fold1/features`.
    pub dataset: Option<String>,
    /// The digest of the backbone that made the features, where its owner knows; otherwise it stays unknown.
    pub backbone: Option<[u8; 32]>,
    /// Where numbers go that do not fit into memory and cannot be left in their file (CSV, HDF5): a folder on a disk, such as that of
    /// the result. The system's folder for such files where none is named.
    pub scratch: Option<PathBuf>,
    /// The columns of a CSV file that are features, in this order; `f*` stands for all of `f0`, `f1`, … in the order of their
    /// numbers. Empty where they are the one numbered family of the file.
    pub columns: Vec<String>,
    /// The column or dataset of ids, where it has no usual name or several have one.
    pub id_column: Option<String>,
    /// The list's column of ids, where it has no usual name.
    pub path_column: Option<String>,
    /// The column of labels, of the list or else of a CSV file of features.
    pub label_column: Option<String>,
    /// Joins labels by the order of lines although the file holds what may be ids.
    pub by_order: bool,
    /// Takes slides whose patches were cut at different scales.
    pub mixed_scales: bool,
}

/// Features, and what was made of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The features.
    pub features: Features,
    /// Sentences for a person: columns taken and passed over, ids that repeat, labels that replaced others.
    pub notes: Vec<String>,
}

const OPERATION: &str = "importing features";

/// Reads features from `path`:
///
/// - our own file, or another `safetensors` (tensor `features`, `embeddings` or the only one of rank 2);
/// - `.npy` of floats, `[n, d]` or `[1, n, d]`;
/// - `.h5` likewise, with the columns beside the matrix; slides in groups of their own become bags of patches;
/// - CSV, whose columns are told apart by their names, separated by commas, semicolons or tabs;
/// - a folder of `.h5` or `.npy` files, each the bag of one slide.
///
/// # Errors
/// [`Error::Format`] for a file of another kind or a damaged one, [`Error::Data`] for labels that do not belong to the rows
/// and for options that the format has no use for, [`Error::Shape`] for lengths that do not agree.
pub fn import(path: &Path, options: &ImportOptions) -> Result<Imported> {
    let mut notes = Vec::new();
    std::fs::metadata(path).map_err(Error::io("reading", path))?;
    let is_folder = path.is_dir();
    if let Some(reason) = useless(options, &extension(path), is_folder) {
        return Err(Error::data(OPERATION, reason));
    }
    if extension(path) == "safetensors" && !is_folder && Features::is_ours(path) {
        return ours(path, options);
    }
    let scratch = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = Scratch::new(&scratch);
    let mut tables = if is_folder {
        folder::read(path, options.id_column.as_deref(), &scratch, &mut notes)?
    } else {
        read(path, options, &scratch, &mut notes)?
    };
    if let Some(labels) = &options.labels {
        for table in &mut tables {
            labels::join(table, labels, options, &mut notes)?;
        }
    }
    scales::check(&tables, options.mixed_scales, &mut notes)?;
    let bags = tables.iter().filter(|t| t.slide.is_some()).count();
    if bags > 0 {
        notes.push(format!("{bags} slide(s), each a bag of patches that stays together"));
    }
    for table in &mut tables {
        table.name_rows();
    }
    let mut features = Table::stack(tables)?.into_features()?;
    features.backbone = options.backbone;
    if let Some((count, first)) = table::repeated(&features.ids) {
        notes.push(format!("{count} rows carry an id that an earlier row has, the first is `{first}`"));
    }
    Ok(Imported { features, notes })
}

/// Why an option can mean nothing here, if one does: passed over in silence, it would let its owner believe that it was heard.
fn useless(options: &ImportOptions, extension: &str, is_folder: bool) -> Option<&'static str> {
    let is = |names: &[&str]| !is_folder && names.contains(&extension);
    let (hdf5, csv, listed) = (is(&["h5", "hdf5"]), is(&["csv", "tsv"]), options.labels.is_some());
    let rules = [
        (options.dataset.is_some() && !hdf5, "a dataset is named, but only HDF5 files hold datasets"),
        (
            !options.columns.is_empty() && !csv,
            "columns of features are named (--columns), but only CSV files have such",
        ),
        (
            options.id_column.is_some() && !(csv || hdf5 || is_folder),
            "a column of ids is named (--id-column), but only CSV and HDF5 files have such",
        ),
        (
            options.path_column.is_some() && !listed,
            "the list's column of ids is named (--path-column), but no list of labels (--labels)",
        ),
        (
            options.label_column.is_some() && !listed && !csv,
            "a column of labels is named (--label-column), but neither a list of labels (--labels) nor a CSV file of features",
        ),
        (
            options.by_order && !listed,
            "labels are to be joined by order (--by-order), but no list of labels is named (--labels)",
        ),
    ];
    rules.into_iter().find(|(is_useless, _)| *is_useless).map(|(_, reason)| reason)
}

fn ours(path: &Path, options: &ImportOptions) -> Result<Imported> {
    if options.labels.is_some() {
        let reason = "a list of labels is named, but the file has labels of its own";
        return Err(Error::data(OPERATION, reason));
    }
    let mut features = Features::load(path)?;
    match (features.backbone, options.backbone) {
        (Some(own), Some(said)) if own != said => {
            let reason = "another backbone is stated than the file names; a file of ours knows its own";
            return Err(Error::data(OPERATION, reason));
        }
        (own, said) => features.backbone = own.or(said),
    }
    Ok(Imported { features, notes: Vec::new() })
}

fn extension(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// The tables of one file: one, but for HDF5 with a group a slide.
fn read(
    path: &Path,
    options: &ImportOptions,
    scratch: &Scratch,
    notes: &mut Vec<String>,
) -> Result<Vec<Table>> {
    let bare = |(width, values)| Table { width, values, ..Table::default() };
    let bag = |(width, values, bag): (usize, Values, bool)| {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned());
        Table { slide: name.filter(|_| bag), ..bare((width, values)) }
    };
    let tables = match extension(path).as_str() {
        "safetensors" => vec![bare(safetensors(path)?)],
        "npy" => vec![bag(npy::read(path)?)],
        "csv" | "tsv" => vec![columns::read(path, options, scratch, notes)?],
        "h5" | "hdf5" => {
            let (tables, mut said) =
                hdf5::read_noting(path, options.dataset.as_deref(), options.id_column.as_deref(), scratch)?;
            notes.append(&mut said);
            tables
        }
        other => {
            let found = tensorfile::found(path)?.map(|found| format!(": {}", found.described()));
            let reason = format!(
                "`.{other}` is none of .safetensors, .npy, .csv, .tsv, .h5{}",
                found.unwrap_or_default()
            );
            return Err(Error::format("features", path, reason));
        }
    };
    for table in &tables {
        table::written(&table.values, "features", path)?;
    }
    Ok(tables)
}

fn safetensors(path: &Path) -> Result<(usize, Values)> {
    let file = TensorFile::open(path)?;
    let matrices: Vec<String> = file
        .names()
        .filter(|n| file.entry(n).is_some_and(|e| e.shape.len() == 2))
        .map(str::to_owned)
        .collect();
    let named = ["features", "embeddings"].into_iter().find_map(|name| matrices.iter().find(|n| *n == name));
    let only = if matrices.len() == 1 { matrices.first() } else { None };
    let name = named.or(only).cloned().ok_or_else(|| {
        let reason = format!(
            "no tensor `features` or `embeddings`, and {} of rank 2: {}",
            matrices.len(),
            matrices.iter().take(20).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        );
        Error::format("features", path, reason)
    })?;
    let numbers = Arc::new(file.numbers(&name)?);
    Ok((numbers.width(), Values::of_file(numbers)?))
}
