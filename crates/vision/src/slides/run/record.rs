//! `slides.json`: what became of each slide, with a reason where it was set aside. No time and no machine stands in it: the
//! same slides give the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::replace::replace;

/// What became of a slide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlideRecord {
    /// Its name.
    pub slide: String,
    /// `done`, or the name of what was wrong.
    pub status: String,
    /// A sentence for a person; empty for `done`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The file.
    pub path: PathBuf,
    /// Format, vendor and compression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub format: String,
    /// Microns a pixel at level 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp: Option<f64>,
    /// Where they come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpp_source: Option<String>,
    /// Pixels of level 0 in a row and in a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[u64; 2]>,
    /// Level that tiles are read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<usize>,
    /// Side of a tile in pixels of level 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tile_level0: Option<u64>,
    /// Tiles with features.
    pub tiles: usize,
    /// Tiles without, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<TileRecord>,
    /// Native tiles of the overview that gave no pixels and were taken for background.
    #[serde(skip_serializing_if = "is_zero")]
    pub overview_unreadable: u64,
    /// The patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The hospital.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Digest of everything that the features depend on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub job: String,
}

impl SlideRecord {
    /// Whether the slide's features are whole.
    pub fn is_done(&self) -> bool {
        self.status == DONE
    }
}

/// A tile without features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TileRecord {
    /// Column at level 0.
    pub x: u64,
    /// Row at level 0.
    pub y: u64,
    /// Why.
    pub reason: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The status of a slide whose features are whole.
pub(super) const DONE: &str = "done";

/// Records of a file; none when there is no file.
///
/// # Errors
/// [`Error::Io`] where the file is there and cannot be read; [`Error::Format`] for one that is no list of slides.
pub fn read_records(path: &Path) -> Result<Vec<SlideRecord>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| Error::format("slides.json", path, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io("reading", path)(e)),
    }
}

pub(super) fn write_records(path: &Path, records: &BTreeMap<String, SlideRecord>) -> Result<()> {
    let list: Vec<&SlideRecord> = records.values().collect();
    let mut bytes = serde_json::to_vec_pretty(&list).map_err(|e| Error::format("slides.json", path, e))?;
    bytes.push(b'\n');
    replace(path, &bytes)
}

/// Joins the records `slides.I-of-N.json` of all shards of a run's folder into its `slides.json`, and returns them.
///
/// # Errors
/// [`Error::Data`] when a shard's file is missing, or no shard is there.
pub fn merge_records(folder: &Path) -> Result<Vec<SlideRecord>> {
    let mut shards: BTreeMap<usize, BTreeMap<usize, PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("listing", folder))? {
        let path = entry.map_err(Error::io("listing", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = name.strip_prefix("slides.").and_then(|n| n.strip_suffix(".json"));
        let numbers = numbers.and_then(|n| n.split_once("-of-"));
        if let Some((Ok(i), Ok(n))) = numbers.map(|(i, n)| (i.parse(), n.parse())) {
            shards.entry(n).or_default().insert(i, path);
        }
    }
    let bad = |reason: String| Error::data("merging shards", reason);
    let (count, files) = match shards.len() {
        1 => shards.into_iter().next().unwrap_or_default(),
        0 => return Err(bad(format!("{} holds no slides.I-of-N.json", folder.display()))),
        _ => {
            let counts: Vec<usize> = shards.into_keys().collect();
            return Err(bad(format!(
                "{} holds shards of {counts:?}: remove those of other runs",
                folder.display()
            )));
        }
    };
    let missing: Vec<String> =
        (1..=count).filter(|i| !files.contains_key(i)).map(|i| format!("{i}/{count}")).collect();
    if !missing.is_empty() {
        return Err(bad(format!("shards {} have not run", missing.join(", "))));
    }
    let mut all = BTreeMap::new();
    for path in files.values() {
        for record in read_records(path)? {
            all.insert(record.slide.clone(), record);
        }
    }
    write_records(&folder.join("slides.json"), &all)?;
    Ok(all.into_values().collect())
}
