//! A folder of feature files, one a slide, as TRIDENT, CLAM and their like leave it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::features::table::{self, Table};
use crate::features::{hdf5, npy};
use crate::values::Scratch;

/// Files that one folder may hold.
const MOST: usize = 100_000;

/// The bag of every `.h5` or `.npy` file, by name.
pub(super) fn read(
    folder: &Path,
    id_column: Option<&str>,
    scratch: &Scratch,
    notes: &mut Vec<String>,
) -> Result<Vec<Table>> {
    let mut files = Vec::new();
    let mut others = 0;
    for entry in std::fs::read_dir(folder).map_err(Error::io("listing", folder))? {
        let path = entry.map_err(Error::io("listing", folder))?.path();
        match super::extension(&path).as_str() {
            "h5" | "hdf5" | "npy" => files.push(path),
            _ => others += 1,
        }
    }
    files.sort();
    if files.is_empty() || files.len() > MOST {
        let reason =
            format!("{} holds {} .h5 or .npy files; expected one a slide", folder.display(), files.len());
        return Err(Error::data(super::OPERATION, reason));
    }
    if others > 0 {
        notes.push(format!("{others} other files of {} were passed over", folder.display()));
    }
    let mut tables = Vec::with_capacity(files.len());
    for path in files {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let mut read = if super::extension(&path) == "npy" {
            // Thousands of files are not all kept open.
            let (width, values, _) = npy::read(&path)?;
            let values = scratch.keep(width, values.whole()?.into_owned())?;
            vec![Table { width, values, ..Table::default() }]
        } else {
            hdf5::read(&path, None, id_column, scratch)?
        };
        for table in &mut read {
            table::written(&table.values, "features", &path)?;
            table.slide.get_or_insert_with(|| name.clone());
        }
        tables.append(&mut read);
    }
    Ok(tables)
}
