//! Features of whole slides: a folder of `NAME.h5` as TRIDENT, CLAM and `features extract --slides` write them, one bag a
//! slide. A bag is read alone; what is made of many holds one row of each, or their rows one after another.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{SlideFacts, SlideTable};
use crate::data::{Dataset, Rejected, Sample, connected_groups};
use crate::error::{Error, Result};
use crate::features::{Features, hdf5, unhex};
use crate::values::{Scratch, Values};

/// The features of one slide's tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Bag {
    /// Width of a row.
    pub width: usize,
    /// `[tiles, width]`
    pub values: Values,
    /// Corners at level 0, or empty where the file has none.
    pub corners: Vec<[i64; 2]>,
}

impl Bag {
    /// Reads one file.
    ///
    /// # Errors
    /// [`Error::Format`] for a damaged file, a value that is not finite, or coordinates of another number than rows; [`Error::Io`]
    /// where it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_into(path, &Scratch::new(&std::env::temp_dir()))
    }

    fn read_into(path: &Path, scratch: &Scratch) -> Result<Self> {
        let mut tables = hdf5::read(path, None, scratch)?;
        let table = tables.pop().filter(|_| tables.is_empty());
        let table = table.ok_or_else(|| Error::format("HDF5", path, "it holds several slides, not one"))?;
        let bag = Self { width: table.width, values: table.values, corners: table.coords };
        let rows = bag.values.len() / bag.width.max(1);
        if ![0, rows].contains(&bag.corners.len()) {
            let got = bag.corners.len();
            return Err(Error::shape("features of a slide", format!("{rows} coordinates"), got));
        }
        if let Some(at) = bag.values.position(|v| !v.is_finite())? {
            let reason = format!("row {} holds a value that is not finite", at / bag.width);
            return Err(Error::format("HDF5", path, reason));
        }
        Ok(bag)
    }

    /// The mean over tiles, summed in double precision in their order.
    ///
    /// # Errors
    /// [`Error::Io`] when what was set aside of a large bag cannot be read.
    pub fn mean(&self) -> Result<Vec<f32>> {
        let mut sums = vec![0.0f64; self.width];
        for block in self.values.blocks() {
            for row in block?.chunks_exact(self.width.max(1)) {
                sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
            }
        }
        let rows = (self.values.len() / self.width.max(1)) as f64;
        Ok(sums.iter().map(|sum| (sum / rows) as f32).collect())
    }
}

/// What becomes of a slide's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooled {
    /// Every tile stays a row, named `SLIDE/X_Y`.
    Tiles,
    /// The mean over a slide's tiles is one row, named after the slide.
    Mean,
}

/// A folder of bags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bags {
    files: Vec<(String, PathBuf)>,
    backbone: Option<[u8; 32]>,
    scratch: Option<PathBuf>,
}

impl Bags {
    /// Lists a folder of `NAME.h5`, or a run's folder that holds one folder of features.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no file, or several folders of features; [`Error::Io`] where the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut features = vec![folder.to_owned()];
        for scale in entries(folder)?.into_iter().filter(|p| p.is_dir()) {
            let named = |p: &PathBuf| {
                p.is_dir() && p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("features_"))
            };
            features.extend(entries(&scale)?.into_iter().filter(named));
        }
        let bags = |folder: &PathBuf| -> Result<Vec<(String, PathBuf)>> {
            let h5 = entries(folder)?
                .into_iter()
                .filter(|p| p.extension().is_some_and(|e| e == "h5") && p.is_file());
            Ok(h5.map(|p| (p.file_stem().unwrap_or_default().to_string_lossy().into_owned(), p)).collect())
        };
        let mut found = Vec::new();
        for folder in &features {
            let files = bags(folder)?;
            if !files.is_empty() {
                found.push((folder, files));
            }
        }
        let bad = |reason: String| Error::data("opening features of slides", reason);
        match found.len() {
            0 => Err(bad(format!("{} holds no NAME.h5", folder.display()))),
            1 => {
                let (at, files) = found.remove(0);
                Ok(Self { files, backbone: backbone(at), scratch: None })
            }
            _ => {
                let folders: Vec<String> = found.iter().map(|(f, _)| f.display().to_string()).collect();
                Err(bad(format!("several folders of features: name one of {}", folders.join(", "))))
            }
        }
    }

    /// The same with a folder on a disk where rows go that do not fit into memory, such as that of the result.
    #[must_use]
    pub fn with_scratch(self, folder: &Path) -> Self {
        Self { scratch: Some(folder.to_owned()), ..self }
    }

    /// Slides.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// One matrix of all slides, with labels, cases and sites as `table` tells; slides of one case share a group, and all
    /// tiles of a slide do. Slides that the table does not name, or whose file is damaged, are set aside. `progress` hears of
    /// slides read.
    ///
    /// # Errors
    /// [`Error::Data`] when no slide is left, or slides differ in width.
    pub fn collect(
        &self,
        pooled: Pooled,
        table: Option<&SlideTable>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Features, Vec<Rejected>)> {
        let folder = self.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let scratch = Scratch::new(&folder);
        let (mut features, mut rejected, mut values) = (Features::default(), Vec::new(), Vec::new());
        let (mut slides, mut rows): (Vec<(String, SlideFacts)>, Vec<usize>) = (Vec::new(), Vec::new());
        for (i, (name, path)) in self.files.iter().enumerate() {
            let mut aside = |reason| rejected.push(Rejected { id: name.clone(), reason });
            let facts = match table.map(|t| t.facts(name)) {
                None => SlideFacts::default(),
                Some(Some(facts)) => facts.clone(),
                Some(None) => {
                    aside("the CSV does not name it".into());
                    continue;
                }
            };
            // A mean takes no room: its bag is not set aside together with others.
            let own = || Scratch::new(&folder);
            let bag =
                match Bag::read_into(path, &if pooled == Pooled::Mean { own() } else { scratch.clone() }) {
                    Ok(bag) => bag,
                    Err(e) => {
                        aside(e.to_string());
                        continue;
                    }
                };
            if !slides.is_empty() && bag.width != features.width {
                let reason =
                    format!("{name} has rows of width {}, those before of {}", bag.width, features.width);
                return Err(Error::data("collecting features of slides", reason));
            }
            features.width = bag.width;
            slides.push((name.clone(), facts));
            rows.push(append(&mut features, &mut values, name, bag, pooled)?);
            progress(i + 1);
        }
        if slides.is_empty() {
            let first = rejected.first().map_or(String::new(), |r| format!("; {}: {}", r.id, r.reason));
            return Err(Error::data("collecting features of slides", format!("no slide is left{first}")));
        }
        features.values = Values::stack(features.width, values);
        name_rows(&mut features, &slides, &rows);
        features.backbone = self.backbone.map(|digest| match pooled {
            Pooled::Tiles => digest,
            Pooled::Mean => Sha256::new()
                .chain_update(digest)
                .chain_update(b"mean over a slide's tiles")
                .finalize()
                .into(),
        });
        features.check()?;
        Ok((features, rejected))
    }
}

/// Adds a bag's rows; returns how many.
fn append(
    features: &mut Features,
    values: &mut Vec<Values>,
    name: &str,
    bag: Bag,
    pooled: Pooled,
) -> Result<usize> {
    if pooled == Pooled::Mean {
        values.push(bag.mean()?.into());
        features.ids.push(name.to_owned());
        return Ok(1);
    }
    let rows = bag.values.len() / bag.width.max(1);
    let id = |row: usize| match bag.corners.get(row) {
        Some([x, y]) => format!("{name}/{x}_{y}"),
        None => format!("{name}/{row}"),
    };
    features.ids.extend((0..rows).map(id));
    features.coords.extend(&bag.corners);
    values.push(bag.values);
    Ok(rows)
}

/// Labels, groups, patients and sites of rows from those of their slides.
fn name_rows(features: &mut Features, slides: &[(String, SlideFacts)], rows: &[usize]) {
    let mut classes: Vec<String> = slides.iter().filter_map(|(_, facts)| facts.label.clone()).collect();
    classes.sort();
    classes.dedup();
    let sample = |(name, facts): &(String, SlideFacts)| Sample {
        id: name.clone(),
        path: PathBuf::new(),
        label: 0,
        group: Some(name.clone()),
        patient: facts.case.clone(),
        site: None,
    };
    let samples = slides.iter().map(sample).collect();
    let groups = connected_groups(&Dataset { samples, ..Dataset::default() });
    for (((_, facts), count), group) in slides.iter().zip(rows).zip(groups) {
        let label = facts.label.as_ref().and_then(|label| classes.iter().position(|c| c == label));
        features.labels.extend(std::iter::repeat_n(label, *count));
        features.groups.extend(std::iter::repeat_n(group, *count));
        features.patients.extend(std::iter::repeat_n(facts.case.clone(), *count));
        features.sites.extend(std::iter::repeat_n(facts.site.clone(), *count));
    }
    features.classes = classes;
    if features.coords.len() != features.ids.len() {
        features.coords.clear();
    }
    features.drop_unknown_names();
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(Error::io("listing", folder))?;
    let mut paths = listed
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::io("listing", folder))?;
    paths.sort();
    Ok(paths)
}

/// The backbone that a run's `run.json` names, two folders above its features.
fn backbone(folder: &Path) -> Option<[u8; 32]> {
    let path = folder.parent()?.parent()?.join("run.json");
    let run: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    unhex(run.get("backbone")?.as_str()?)
}
