//! A folder of tiles with one sub-folder a class.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::dataset::{Dataset, Rejected, Sample};
use crate::error::{Error, Result};

const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "tif", "tiff"];

/// Lists `root/CLASS/**/FILE` for JPEG, PNG and TIFF files. Classes and files are sorted by name; other files, images outside of
/// class folders, names that no list can hold and folders that links lead to twice are listed as rejected; images among hidden files too, other hidden files are passed over. Images are not
/// opened here.
///
/// # Errors
/// [`Error::Io`] when a folder cannot be read, [`Error::Data`] when no class folder holds an image.
pub fn read_folder(root: &Path) -> Result<Dataset> {
    let mut walk = Walk::new(root, Dataset::default());
    let (classes, files): (Vec<DirEntry>, Vec<DirEntry>) =
        walk.entries(root, "")?.into_iter().partition(|e| e.is_dir);
    let loose = files.iter().filter(|file| is_image(&file.path)).count();
    for file in files.into_iter().filter(|file| is_image(&file.path)) {
        walk.reject(file.name, "it lies in no class's folder; move it into one");
    }
    for class in classes {
        let label = walk.dataset.classes.len();
        let before = walk.dataset.samples.len();
        walk.folder(&class.path, &class.name, label, 0)?;
        if walk.dataset.samples.len() > before {
            walk.dataset.classes.push(class.name);
        } else {
            walk.reject(class.name, "a folder without an image of its own");
        }
    }
    let mut dataset = walk.dataset;
    if dataset.samples.is_empty() {
        let flat = if loose > 0 {
            format!("{loose} image(s) lie in it without a class, and it")
        } else {
            "it".to_owned()
        };
        let reason = format!(
            "{}: {flat} holds no folder with JPEG, PNG or TIFF files; put the images of each class into a folder called after the \
             class, or list them in a CSV file with columns path,label",
            root.display()
        );
        return Err(Error::data("listing tiles", reason));
    }
    dataset.samples.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(dataset)
}

/// Lists every JPEG, PNG and TIFF file below `root`, however deep, without a look at what folders are called: tiles that nobody has
/// labelled. All carry label 0 of one class without a name. Rejected as in [`read_folder`].
///
/// # Errors
/// [`Error::Io`] when a folder cannot be read, [`Error::Data`] when it holds no image.
pub fn read_unlabelled(root: &Path) -> Result<Dataset> {
    let dataset = Dataset { classes: vec![String::new()], ..Dataset::default() };
    let mut walk = Walk::new(root, dataset);
    walk.entered.clear();
    walk.folder(root, "", 0, 0)?;
    let mut dataset = walk.dataset;
    if dataset.samples.is_empty() {
        return Err(Error::data(
            "listing tiles",
            format!("{} holds no JPEG, PNG or TIFF file", root.display()),
        ));
    }
    dataset.samples.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(dataset)
}

/// Whether a file is named as images are.
fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

struct DirEntry {
    name: String,
    path: PathBuf,
    is_dir: bool,
}

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 16;

struct Walk {
    dataset: Dataset,
    /// The folder that is listed, as it is on disk.
    root: PathBuf,
    /// Folders by what they are on disk, with the name under which each was entered.
    entered: HashMap<PathBuf, String>,
}

impl Walk {
    fn new(root: &Path, dataset: Dataset) -> Self {
        let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let mut walk = Self { dataset, root: real, entered: HashMap::new() };
        walk.enter(root, "the folder itself");
        walk
    }

    /// Whether a link leads to a folder that is listed under its own name, or that holds the list: followed, it would give tiles the
    /// label of where the link lies.
    fn leads_back(&self, folder: &Path) -> bool {
        folder.is_symlink()
            && folder
                .canonicalize()
                .is_ok_and(|real| real.starts_with(&self.root) || self.root.starts_with(&real))
    }

    fn reject(&mut self, id: String, reason: impl Into<String>) {
        self.dataset.rejected.push(Rejected { id, reason: reason.into() });
    }

    /// Notes a folder; under which name it was entered before, if it was.
    fn enter(&mut self, folder: &Path, name: &str) -> Option<String> {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let before = self.entered.get(&real).cloned();
        self.entered.entry(real).or_insert_with(|| name.to_owned());
        before
    }

    /// Entries of a folder sorted by name, hidden ones left out, those whose names no list can hold rejected.
    fn entries(&mut self, folder: &Path, prefix: &str) -> Result<Vec<DirEntry>> {
        let io = |e| Error::io("listing", folder)(e);
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let path = entry.path();
            match entry.file_name().into_string() {
                Ok(name) if name.starts_with('.') => {
                    if is_image(&path) {
                        self.reject(
                            format!("{prefix}{name}"),
                            "a hidden file: its name begins with a full stop; rename it",
                        );
                    }
                }
                Ok(name) if name.chars().any(char::is_control) => {
                    let shown = format!("{prefix}{}", name.escape_debug());
                    self.reject(shown, "its name holds a line break or another control character; rename it");
                }
                Ok(name) => all.push(DirEntry { name, is_dir: path.is_dir(), path }),
                Err(raw) => {
                    let shown = format!("{prefix}{}", raw.to_string_lossy());
                    self.reject(shown, "its name is not UTF-8; rename it");
                }
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn folder(&mut self, folder: &Path, prefix: &str, label: usize, depth: usize) -> Result<()> {
        if self.leads_back(folder) && !prefix.is_empty() {
            self.reject(prefix.to_owned(), "a link to a folder that is listed under its own name");
            return Ok(());
        }
        if let Some(before) = self.enter(folder, prefix) {
            self.reject(prefix.to_owned(), format!("the same folder as {before}, which links lead to twice"));
            return Ok(());
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        for entry in self.entries(folder, &prefix)? {
            let id = format!("{prefix}{}", entry.name);
            if entry.is_dir {
                if depth < MAX_DEPTH {
                    self.folder(&entry.path, &id, label, depth + 1)?;
                } else {
                    self.reject(id, format!("nested deeper than {MAX_DEPTH} folders"));
                }
                continue;
            }
            if is_image(&entry.path) {
                let path = entry.path;
                let sample = Sample { id, path, label, group: None, patient: None, site: None };
                self.dataset.samples.push(sample);
            } else {
                self.reject(id, "not named .jpg, .jpeg, .png, .tif or .tiff");
            }
        }
        Ok(())
    }
}
