//! Which slides there are: a folder, or a CSV that names files, cases and labels.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::data::{Rejected, Sheet};
use crate::error::{Error, Result};

/// File names that may be slides; others in a folder are passed over.
const EXTENSIONS: [&str; 12] =
    ["svs", "tif", "tiff", "dcm", "ndpi", "scn", "mrxs", "bif", "svslide", "vms", "vmu", "czi"];
/// Folders within folders that are looked into.
const MOST_DEPTH: usize = 16;

/// A slide that is to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct SlideEntry {
    /// Its name in files and features: unique in a list.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What a CSV says about it.
    pub facts: SlideFacts,
}

/// What a CSV `slide_id[,case_id][,label][,site][,mpp]` says about a slide.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlideFacts {
    /// The patient: slides of one case share a group.
    pub case: Option<String>,
    /// Class of the slide.
    pub label: Option<String>,
    /// Hospital.
    pub site: Option<String>,
    /// Microns a pixel of level 0, which win over what the file says.
    pub mpp: Option<f64>,
}

/// Slides by name, and what was named and is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlideList {
    /// Sorted by name.
    pub slides: Vec<SlideEntry>,
    /// Rows of a CSV that name no file.
    pub rejected: Vec<Rejected>,
}

/// Columns by slide, with the path where the CSV has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlideTable {
    rows: BTreeMap<String, (Option<PathBuf>, SlideFacts)>,
}

impl SlideTable {
    /// Reads a CSV. The slide is named by `slide_id`, or by the file name in `path` (also `wsi`, `slide`).
    ///
    /// # Errors
    /// [`Error::Format`] for a damaged file, one without names, a slide named twice, or an impossible `mpp`; [`Error::Io`] where it cannot
    /// be read.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::format("slides CSV", path, reason);
        let sheet = Sheet::look("slides CSV", path)?;
        let mut reader = sheet.builder().from_path(path).map_err(|e| bad(e.to_string()))?;
        let header = &sheet.header;
        let at =
            |names: &[&str]| header.iter().position(|h| names.contains(&h.to_ascii_lowercase().as_str()));
        let (name, file) = (at(&["slide_id"]), at(&["path", "wsi", "slide", "filename"]));
        let (case, label, site, mpp) =
            (at(&["case_id", "patient", "patient_id"]), at(&["label"]), at(&["site"]), at(&["mpp"]));
        if name.is_none() && file.is_none() {
            return Err(bad("no column `slide_id` or `path` names the slides".into()));
        }
        let mut table = Self::default();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(|e| bad(e.to_string()))?;
            let cell = |at: Option<usize>| {
                at.and_then(|at| record.get(at)).filter(|v| !v.is_empty()).map(str::to_owned)
            };
            let file = cell(file);
            let name = cell(name).or_else(|| file.as_deref().map(|f| name_of(Path::new(f))));
            let name = name.ok_or_else(|| bad(format!("row {row} names no slide")))?;
            let mpp = cell(mpp).map(|text| {
                let value = text.parse().ok().filter(|v| super::Mpp::PLAUSIBLE.contains(v));
                value.ok_or_else(|| {
                    bad(format!("row {row}: `{text}` is no size of a pixel in µm (0.05 to 20)"))
                })
            });
            let facts =
                SlideFacts { case: cell(case), label: cell(label), site: cell(site), mpp: mpp.transpose()? };
            let folder = path.parent().unwrap_or(Path::new(""));
            // `slide_id` may carry the file's ending in one table and not in another.
            let key = plain_name(&name);
            if table.rows.insert(key, (file.map(|f| folder.join(f)), facts)).is_some() {
                return Err(bad(format!("row {row}: the slide `{name}` is named twice")));
            }
        }
        Ok(table)
    }

    /// What is known about a slide.
    pub fn facts(&self, name: &str) -> Option<&SlideFacts> {
        self.rows.get(&plain_name(name)).map(|(_, facts)| facts)
    }
}

/// A slide's name without a slide's ending.
fn plain_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, end)) if EXTENSIONS.contains(&end.to_ascii_lowercase().as_str()) => plain_name(stem),
        _ => name.strip_suffix(".ome").unwrap_or(name).to_owned(),
    }
}

fn name_of(path: &Path) -> String {
    plain_name(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// Slides of a folder and the folders in it, or of a CSV with a column `path`.
///
/// # Errors
/// [`Error::Io`] where a file or folder cannot be read; [`Error::Format`] for a table that is none; [`Error::Data`] when two slides
/// would have one name, or there is none.
pub fn list_slides(path: &Path, facts: Option<&SlideTable>) -> Result<SlideList> {
    let mut list = if path.is_dir() { from_folder(path)? } else { from_csv(path)? };
    if let Some(table) = facts {
        for slide in &mut list.slides {
            if let Some(facts) = table.facts(&slide.name) {
                slide.facts = facts.clone();
            }
        }
    }
    list.slides.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = list.slides.windows(2).find(|pair| pair[0].name == pair[1].name) {
        let (a, b) = (pair[0].path.display(), pair[1].path.display());
        let reason =
            format!("{a} and {b} would both be called `{}`: rename one, or name them in a CSV", pair[0].name);
        return Err(Error::data("listing slides", reason));
    }
    if list.slides.is_empty() && list.rejected.is_empty() {
        return Err(Error::data("listing slides", format!("{} holds no slide", path.display())));
    }
    Ok(list)
}

fn from_csv(path: &Path) -> Result<SlideList> {
    let table = SlideTable::read(path)?;
    let mut list = SlideList::default();
    for (name, (file, facts)) in table.rows {
        match file {
            // A file that is not there is set aside by the run, by name, as one that cannot be read.
            Some(file) => list.slides.push(SlideEntry { name, path: file, facts }),
            None => {
                list.rejected.push(Rejected { id: name, reason: "the CSV names no file in `path`".into() });
            }
        }
    }
    Ok(list)
}

fn from_folder(folder: &Path) -> Result<SlideList> {
    let mut files = Vec::new();
    collect(folder, 0, &mut files)?;
    files.sort();
    let mut list = SlideList::default();
    let mut series: HashMap<(PathBuf, String), (u64, PathBuf)> = HashMap::new();
    for path in files {
        let entry = |path: PathBuf| SlideEntry { name: name_of(&path), path, facts: SlideFacts::default() };
        if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("dcm")) {
            list.slides.push(entry(path));
            continue;
        }
        match blindscope_pixels::slides::series(&path) {
            // Files of one series are the levels of one slide, which is named after the finest.
            Ok(Some((uid, width))) if !uid.is_empty() => {
                let key = (path.parent().unwrap_or(folder).to_owned(), uid);
                let best = series.entry(key).or_insert((0, path.clone()));
                if width > best.0 {
                    *best = (width, path);
                }
            }
            // Labels and overviews of a slide are no slides; what cannot be read is one that says why.
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => list.slides.push(entry(path)),
        }
    }
    let finest = series.into_values().map(|(_, path)| path);
    list.slides.extend(finest.map(|path| SlideEntry {
        name: name_of(&path),
        path,
        facts: SlideFacts::default(),
    }));
    Ok(list)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    if depth > MOST_DEPTH {
        return Err(Error::data("listing slides", format!("{}: folders too deep", folder.display())));
    }
    for entry in std::fs::read_dir(folder).map_err(Error::io("listing", folder))? {
        let path = entry.map_err(Error::io("listing", folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            // A MIRAX slide's companions are a folder of its name.
            if !path.with_extension("mrxs").is_file() {
                collect(&path, depth + 1, files)?;
            }
        } else if path
            .extension()
            .is_some_and(|e| EXTENSIONS.contains(&e.to_string_lossy().to_ascii_lowercase().as_str()))
        {
            files.push(path);
        }
    }
    Ok(())
}
