//! A folder of tiles with one sub-folder a class.

use std::path::Path;

use super::dataset::{Dataset, Rejected, Sample};
use crate::error::{Error, Result};

const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "tif", "tiff"];

/// Lists `root/CLASS/**/FILE` for JPEG, PNG and TIFF files. Classes and files are sorted by name; other files are
/// listed as rejected; hidden files are passed over. Images are not opened here.
///
/// # Errors
/// [`Error::Io`] when a folder cannot be read, [`Error::Data`] when no class folder holds an image.
pub fn read_folder(root: &Path) -> Result<Dataset> {
    let mut dataset = Dataset::default();
    for class in entries(root)?.into_iter().filter(|e| e.is_dir) {
        let label = dataset.classes.len();
        let before = dataset.samples.len();
        walk(&class.path, &class.name, label, &mut dataset, 0)?;
        if dataset.samples.len() > before {
            dataset.classes.push(class.name);
        } else {
            dataset.rejected.push(Rejected { id: class.name, reason: "a folder without an image".into() });
        }
    }
    if dataset.samples.is_empty() {
        let reason =
            format!("{} holds no folder with JPEG, PNG or TIFF files; expected CLASS/FILE", root.display());
        return Err(Error::data("listing tiles", reason));
    }
    dataset.samples.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(dataset)
}

struct DirEntry {
    name: String,
    path: std::path::PathBuf,
    is_dir: bool,
}

/// Entries of a folder sorted by name, hidden ones left out.
fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let io = |e| Error::io("listing", folder)(e);
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let path = entry.path();
            all.push(DirEntry { name, is_dir: path.is_dir(), path });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// Deepest nesting that is followed, so that a link to a parent folder ends.
const MAX_DEPTH: usize = 16;

fn walk(folder: &Path, prefix: &str, label: usize, dataset: &mut Dataset, depth: usize) -> Result<()> {
    for entry in entries(folder)? {
        let id = format!("{prefix}/{}", entry.name);
        if entry.is_dir {
            if depth < MAX_DEPTH {
                walk(&entry.path, &id, label, dataset, depth + 1)?;
            } else {
                dataset
                    .rejected
                    .push(Rejected { id, reason: format!("nested deeper than {MAX_DEPTH} folders") });
            }
            continue;
        }
        let extension = entry.path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        if extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) {
            let path = entry.path;
            dataset.samples.push(Sample { id, path, label, group: None, patient: None, site: None });
        } else {
            dataset
                .rejected
                .push(Rejected { id, reason: "not named .jpg, .jpeg, .png, .tif or .tiff".into() });
        }
    }
    Ok(())
}
