//! Lists of tiles.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;
use blindscope_vision::data::{
    Copies, CsvColumns, Dataset, Duplicates, Limits, Sample, group_duplicates, open_all, read_csv,
    read_folder, read_unlabelled, read_unlabelled_csv,
};
use blindscope_vision::synth::SyntheticPlan;

/// A folder with one sub-folder a class, or a CSV file `path,label[,group][,patient][,site]`.
#[derive(Debug, Clone)]
pub struct TileList {
    /// The folder or file.
    pub path: PathBuf,
    /// What the CSV file's columns are called.
    pub columns: CsvColumns,
}

impl TileList {
    /// With the usual column names.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), columns: CsvColumns::default() }
    }

    /// Lists the tiles; no image is opened.
    ///
    /// # Errors
    /// [`Error::Vision`] for a folder or file that cannot be read or lists no tile.
    pub fn open(&self) -> Result<Dataset, Error> {
        Ok(if self.path.is_dir() { read_folder(&self.path) } else { read_csv(&self.path, &self.columns) }?)
    }

    /// Lists tiles that nobody has labelled: every image below a folder, the column of paths of a CSV file, or one image.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_unlabelled(&self) -> Result<Dataset, Error> {
        if self.path.is_dir() {
            return Ok(read_unlabelled(&self.path)?);
        }
        if self.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
            return Ok(read_unlabelled_csv(&self.path, &self.columns)?);
        }
        let id = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = self.path.clone();
        let sample = Sample { id, path, label: 0, group: None, patient: None, site: None };
        Ok(Dataset { classes: vec![String::new()], samples: vec![sample], rejected: Vec::new() })
    }
}

/// Joins near-duplicate tiles into groups; `progress` hears of tiles read and tiles listed.
///
/// # Errors
/// [`Error::Vision`] when `cancel` was set or there are too many tiles for comparing all pairs.
pub fn join_copies(
    dataset: &mut Dataset,
    limits: Limits,
    progress: &mut dyn FnMut(usize, usize),
    cancel: &AtomicBool,
) -> Result<Copies, Error> {
    let copies = group_duplicates(dataset, limits, Duplicates::default(), &mut |done, total| {
        progress(done, total);
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(copies)
}

/// Opens every tile and sets aside what is no whole image, or the same image under two labels; `progress` hears of tiles
/// opened and tiles listed. Returns how many independent groups are left, by group, patient and equal images.
///
/// # Errors
/// [`Error::Vision`] when `cancel` was set.
pub fn open_tiles(
    dataset: &mut Dataset,
    limits: Limits,
    progress: &mut dyn FnMut(usize, usize),
    cancel: &AtomicBool,
) -> Result<usize, Error> {
    Ok(open_all(dataset, limits, &mut |done, total| {
        progress(done, total);
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?)
}

/// Draws synthetic tiles into `folder`, with a list `tiles.csv`.
///
/// # Errors
/// [`Error::Vision`] when a file cannot be written.
pub fn synthesise(plan: &SyntheticPlan, folder: &Path) -> Result<Dataset, Error> {
    Ok(plan.write(folder)?)
}
