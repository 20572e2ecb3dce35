//! Each party's own tiles: who gets which, with whole groups kept together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::{Error, Result, make_folder, write};
use super::options::{DemoOptions, OwnData, SITES, Size};
use blindscope_vision::data::{Dataset, SplitPlan, check_no_leak, connected_groups};
use blindscope_vision::synth::{CLASSES, SyntheticPlan, TileIndex, save_png};

/// Lists of tiles.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    /// Of each site: to learn from, and to validate on.
    pub(super) sites: Vec<SiteLists>,
    /// Of the asker: held out from everybody.
    pub(super) test: PathBuf,
}

/// A site's lists.
#[derive(Debug, Clone)]
pub(super) struct SiteLists {
    pub(super) train: PathBuf,
    pub(super) validation: PathBuf,
}

/// The party that asks for predictions on the tiles that were held out.
pub(super) const ASKER: &str = "asker";

impl Lists {
    /// Where the lists are, in the parties' kits.
    pub(super) fn at(folder: &Path) -> Self {
        let data = |name: &str, list: &str| folder.join(name).join("data").join(list);
        let site = |name: &&str| SiteLists {
            train: data(name, "train.csv"),
            validation: data(name, "validation.csv"),
        };
        Self { sites: SITES.iter().map(site).collect(), test: data(ASKER, "test.csv") }
    }

    fn all(&self) -> Vec<&PathBuf> {
        let sites = self.sites.iter().flat_map(|s| [&s.train, &s.validation]);
        sites.chain([&self.test]).collect()
    }
}

/// Draws or shares out the tiles.
pub(super) fn prepare(options: &DemoOptions, size: &Size, kits: &Path) -> Result<Lists> {
    let lists = Lists::at(kits);
    for list in lists.all() {
        make_folder(list.parent().unwrap_or(kits))?;
    }
    match &options.own {
        None => draw(options.seed, size, &lists)?,
        Some(own) => share_out(own, options.seed, &lists)?,
    }
    Ok(lists)
}

/// Draws synthetic tiles, each site with a stain of its own; patients are never shared between lists.
fn draw(seed: u64, size: &Size, lists: &Lists) -> Result<()> {
    let patients = size.patients.iter().sum();
    let plan = SyntheticPlan { side: size.side, patients, tiles: size.tiles, sites: SITES.len(), seed };
    let mut rows: HashMap<&PathBuf, String> = HashMap::new();
    for index in plan.tiles() {
        let list = list_of(index, size, lists);
        let TileIndex { class, site, patient, tile } = index;
        let class = CLASSES[class];
        let group = format!("{class}-{}-{patient}", SITES[site]);
        let name = format!("{}/{class}/{group}-{tile}.png", stem(list));
        let path = list.with_file_name(&name);
        make_folder(path.parent().unwrap_or(list))?;
        save_png(&plan.draw(index), &path)?;
        let rows = rows.entry(list).or_insert_with(|| HEADER.to_owned());
        rows.extend([&name, ",", class, ",", &group, "\n"]);
    }
    rows.into_iter().try_for_each(|(list, rows)| write(list, rows.as_bytes()))
}

fn list_of<'l>(index: TileIndex, size: &Size, lists: &'l Lists) -> &'l PathBuf {
    let [train, validation, _] = size.patients;
    let site = &lists.sites[index.site];
    match index.patient {
        p if p < train => &site.train,
        p if p < train + validation => &site.validation,
        _ => &lists.test,
    }
}

const HEADER: &str = "path,label,group\n";

fn stem(list: &Path) -> String {
    list.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A quarter of the groups is held out; each site gets a third of the rest and validates on a sixth of that.
fn share_out(own: &OwnData, seed: u64, lists: &Lists) -> Result<()> {
    let mut dataset = own.tiles.open()?;
    let groups = thin_out(&mut dataset, own.per_group);
    let share = |name: String, share: f64| (name, share);
    let sites = SITES.iter().flat_map(|s| {
        [
            share(format!("{s} train"), 0.75 / 3.0 * 5.0 / 6.0),
            share(format!("{s} validation"), 0.75 / 3.0 / 6.0),
        ]
    });
    let plan = SplitPlan { parts: sites.chain([share("test".into(), 0.25)]).collect(), seed };
    let split = plan.apply(&dataset.labels(), &groups)?;
    check_no_leak(&split, &groups)?;
    for (part, list) in lists.all().into_iter().enumerate() {
        let mut rows = HEADER.to_owned();
        for i in split.members(part) {
            let sample = &dataset.samples[i];
            let path = std::path::absolute(&sample.path).map_err(Error::file("finding", &sample.path))?;
            let path = path.display().to_string();
            if path.contains([',', '"', '\n']) {
                let reason = format!("`{path}` holds a comma, a quote or a newline; rename it");
                return Err(Error::Split { reason });
            }
            rows.extend([&path, ",", &dataset.classes[sample.label], ",", &format!("g{}", groups[i]), "\n"]);
        }
        write(list, rows.as_bytes())?;
    }
    Ok(())
}

/// Keeps at most `per_group` tiles of each group, and returns the groups of what is left.
fn thin_out(dataset: &mut Dataset, per_group: usize) -> Vec<usize> {
    let groups = connected_groups(dataset);
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let mut kept = Vec::new();
    let samples = std::mem::take(&mut dataset.samples);
    for (sample, group) in samples.into_iter().zip(groups) {
        let n = taken.entry(group).or_insert(0);
        *n += 1;
        if per_group == 0 || *n <= per_group {
            dataset.samples.push(sample);
            kept.push(group);
        }
    }
    kept
}
