//! The tiles that are attacked: the study's own, or synthetic ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use super::Error;
use blindscope_vision::data::{
    CsvColumns, Dataset, Limits, Preprocess, Rgb, Sample, decode, read_csv, read_folder, read_image,
};
use blindscope_vision::synth::{CLASSES, SyntheticPlan, TileIndex};

/// Where tiles come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder with `manifest.csv` or `tiles.csv`, or with one sub-folder a class.
    Folder(PathBuf),
    /// Drawn from a seed.
    Synthetic,
}

/// One tile with what the audit needs to know of it.
#[derive(Clone, Debug)]
pub struct Tile {
    /// The pixels.
    pub image: Rgb,
    /// Class label.
    pub label: usize,
    /// Tiles of one number are copies or neighbours of each other.
    pub group: usize,
}

/// Tiles in an order that the seed decides; classes take turns, and a group's later tiles come after every group's
/// first.
#[derive(Clone, Debug)]
pub struct Tiles {
    /// Class names.
    pub classes: Vec<String>,
    /// Name of the source, for the report.
    pub source: String,
    entries: Vec<Entry>,
    plan: SyntheticPlan,
}

#[derive(Clone, Debug)]
struct Entry {
    from: Origin,
    label: usize,
    group: usize,
    /// Number within its group, from 0.
    turn: usize,
}

#[derive(Clone, Debug)]
enum Origin {
    File(PathBuf),
    Drawn(TileIndex),
}

impl Tiles {
    /// Lists the tiles of a source; none is opened yet.
    ///
    /// # Errors
    /// [`Error::Vision`] when a folder holds no tile list and no tiles.
    pub fn list(source: &Source, seed: u64) -> Result<Self, Error> {
        let plan = SyntheticPlan { side: 224, patients: 40, tiles: 4, sites: 3, seed };
        let (classes, entries, name) = match source {
            Source::Folder(folder) => {
                let dataset = listing(folder)?;
                (dataset.classes.clone(), of_dataset(&dataset), folder.display().to_string())
            }
            Source::Synthetic => {
                let name = "synthetic tiles".to_owned();
                (CLASSES.map(str::to_owned).to_vec(), of_plan(&plan), name)
            }
        };
        Ok(Self { classes, source: name, entries: ordered(entries, seed), plan })
    }

    /// Tiles there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first `count` readable tiles that each come from another group, after passing over `skip` groups.
    ///
    /// # Errors
    /// [`Error::TooFewTiles`] where fewer groups than that have a readable tile behind the skipped ones.
    pub fn of_different_groups(&self, skip: usize, count: usize) -> Result<Vec<Tile>, Error> {
        let firsts = self.entries.iter().filter(|e| e.turn == 0).skip(skip);
        let tiles: Vec<Tile> = firsts.filter_map(|e| self.open(e)).take(count).collect();
        self.enough(tiles, count)
    }

    /// Up to `each` tiles of the first `groups` groups, whole groups together, after passing over `skip` groups.
    ///
    /// # Errors
    /// [`Error::TooFewTiles`] when there are fewer groups.
    pub fn of_groups(&self, skip: usize, groups: usize, each: usize) -> Result<Vec<Tile>, Error> {
        let chosen: Vec<usize> =
            self.entries.iter().filter(|e| e.turn == 0).skip(skip).take(groups).map(|e| e.group).collect();
        let mut tiles = Vec::new();
        for group in &chosen {
            let members = self.entries.iter().filter(|e| e.group == *group);
            tiles.extend(members.take(each).filter_map(|e| self.open(e)));
        }
        if chosen.len() < groups { self.enough(tiles, groups * each) } else { Ok(tiles) }
    }

    /// Groups there are.
    pub fn groups(&self) -> usize {
        self.entries.iter().filter(|e| e.turn == 0).count()
    }

    fn enough(&self, tiles: Vec<Tile>, needed: usize) -> Result<Vec<Tile>, Error> {
        if tiles.len() == needed {
            return Ok(tiles);
        }
        Err(Error::TooFewTiles { needed, found: tiles.len(), source_name: self.source.clone() })
    }

    /// The tile's pixels; nothing for a file that is no image.
    fn open(&self, entry: &Entry) -> Option<Tile> {
        let image = match &entry.from {
            Origin::File(path) => {
                let limits = Limits::default();
                read_image(path, limits).and_then(|bytes| decode(&bytes, limits)).ok()?
            }
            Origin::Drawn(index) => self.plan.draw(*index),
        };
        Some(Tile { image, label: entry.label, group: entry.group })
    }
}

impl Tile {
    /// The tile cut to `side`, as eight-bit pixels: what a model's preprocessing sees.
    pub fn fitted(&self, side: usize) -> Rgb {
        let preprocess = Preprocess::imagenet(side);
        preprocess.to_rgb(&preprocess.pixels(&self.image))
    }
}

fn listing(folder: &Path) -> Result<Dataset, Error> {
    for name in ["manifest.csv", "tiles.csv"] {
        let list = folder.join(name);
        if list.is_file() {
            let text = std::fs::read_to_string(&list).map_err(|source| Error::Io {
                operation: "reading",
                path: list.clone(),
                source,
            })?;
            let grouped = text.lines().next().is_some_and(|header| header.contains("tile_group"));
            let group = if grouped { "tile_group" } else { "group" }.to_owned();
            let columns = CsvColumns { group, groups_within_label: grouped, ..CsvColumns::default() };
            return Ok(read_csv(&list, &columns)?);
        }
    }
    Ok(read_folder(folder)?)
}

fn of_dataset(dataset: &Dataset) -> Vec<Entry> {
    let name = |s: &Sample| s.group.clone().or_else(|| s.patient.clone()).unwrap_or_else(|| s.id.clone());
    let mut numbers: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut entries = Vec::new();
    for sample in &dataset.samples {
        let next = numbers.len();
        let (group, members) = numbers.entry(name(sample)).or_insert((next, 0));
        let from = Origin::File(sample.path.clone());
        entries.push(Entry { from, label: sample.label, group: *group, turn: *members });
        *members += 1;
    }
    entries
}

fn of_plan(plan: &SyntheticPlan) -> Vec<Entry> {
    let group = |i: TileIndex| (i.class * plan.sites + i.site) * plan.patients + i.patient;
    let entry = |i| Entry { from: Origin::Drawn(i), label: i.class, group: group(i), turn: i.tile };
    plan.tiles().map(entry).collect()
}

/// Groups shuffled by the seed, classes in turn; all first tiles, then all second ones, and so on.
fn ordered(entries: Vec<Entry>, seed: u64) -> Vec<Entry> {
    let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.turn == 0) {
        by_class.entry(entry.label).or_default().push(entry.group);
    }
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut rank: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (class, groups) in &mut by_class {
        groups.shuffle(&mut rng);
        rank.extend(groups.iter().enumerate().map(|(place, group)| (*group, (place, *class))));
    }
    let mut sorted = entries;
    sorted.sort_by_key(|e| (e.turn, rank.get(&e.group).copied()));
    sorted
}
