//! Splits of features that keep groups whole.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Error, Features};
use blindscope_vision::data::{
    Dataset, Split, SplitPlan, check_no_leak, connected_groups, dirichlet_sites, k_fold, split_by_site,
};

/// Into what features are split.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitWays {
    /// Train, validation and test in these shares; a share of zero leaves a part out.
    Shares([f64; 3]),
    /// Folds of cross-validation.
    Folds(usize),
    /// Equal hospitals.
    Sites(usize),
    /// Hospitals whose class mixtures are drawn from Dirichlet(α).
    Dirichlet {
        /// How many.
        sites: usize,
        /// Small for hospitals of nearly one class, large for equal ones.
        alpha: f64,
    },
    /// The hospitals that the rows name.
    NamedSites,
}

/// A split to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitRequest {
    /// Into what.
    pub ways: SplitWays,
    /// Seed of the shuffle.
    pub seed: u64,
}

/// Gives every row a part; rows of one group share one.
///
/// # Errors
/// [`Error::Range`] for shares or numbers that make no split; [`Error::Vision`] for rows without labels, a class
/// with fewer groups than parts, named sites that share a group.
pub fn split(features: &Features, request: &SplitRequest) -> Result<Split, Error> {
    let SplitRequest { ways, seed } = request;
    check_range(ways)?;
    let groups = &features.groups;
    let labels = features.known_labels()?;
    let split = match ways {
        SplitWays::Shares([train, validation, test]) => {
            SplitPlan::train_validation_test(*train, *validation, *test, *seed).apply(&labels, groups)?
        }
        SplitWays::Folds(k) => k_fold(&labels, groups, *k, *seed)?,
        SplitWays::Sites(sites) => SplitPlan::sites(*sites, *seed).apply(&labels, groups)?,
        SplitWays::Dirichlet { sites, alpha } => dirichlet_sites(&labels, groups, *sites, *alpha, *seed)?,
        SplitWays::NamedSites => split_by_site(&features.sites)?,
    };
    check_no_leak(&split, groups)?;
    Ok(split)
}

/// Refuses shares that are no shares and numbers of parts that are none.
fn check_range(ways: &SplitWays) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::Range { reason });
    match ways {
        SplitWays::Shares(shares) => {
            let sum: f64 = shares.iter().sum();
            if shares.iter().any(|s| !(0.0..=1.0).contains(s)) || (sum - 1.0).abs() > 1e-6 {
                return refuse(format!(
                    "shares {shares:?} sum to {sum}; each lies in 0..1 and together they make 1"
                ));
            }
            if shares.iter().filter(|s| **s > 0.0).count() < 2 {
                return refuse(format!(
                    "shares {shares:?} make one part of everything; two parts at least are a split"
                ));
            }
        }
        SplitWays::Folds(n) | SplitWays::Sites(n) | SplitWays::Dirichlet { sites: n, .. } => {
            if !(2..=10_000).contains(n) {
                return refuse(format!("{n} parts; 2 to 10000 are made"));
            }
            if let SplitWays::Dirichlet { alpha, .. } = ways
                && !(alpha.is_finite() && *alpha > 0.0)
            {
                return refuse(format!("a Dirichlet distribution of α = {alpha}; it is a positive number"));
            }
        }
        SplitWays::NamedSites => {}
    }
    Ok(())
}

/// Holds out this share of the tiles, whole groups at a time: the rest, and what is held out.
///
/// # Errors
/// [`Error::Range`] for a share outside 0..1, [`Error::Vision`] for a class of one group.
pub fn hold_out(dataset: &Dataset, share: f64, seed: u64) -> Result<(Dataset, Dataset), Error> {
    if !(share > 0.0 && share < 1.0) {
        return Err(Error::Range { reason: format!("a share of {share} held out; it lies between 0 and 1") });
    }
    let groups = connected_groups(dataset);
    let split = SplitPlan::train_validation_test(1.0 - share, 0.0, share, seed);
    let split = split.apply(&dataset.labels(), &groups)?;
    check_no_leak(&split, &groups)?;
    let part = |wanted: usize| {
        let chosen = dataset.samples.iter().zip(&split.part).filter(|(_, part)| **part == wanted);
        let samples = chosen.map(|(sample, _)| sample.clone()).collect();
        Dataset { classes: dataset.classes.clone(), samples, rejected: Vec::new() }
    };
    Ok((part(0), part(1)))
}

/// Writes `folder/PART.safetensors` for every part and `folder/split.csv` (`id,label,group,part`), and returns the files of
/// the parts. The same split again replaces its files.
///
/// # Errors
/// [`Error::OtherSplit`] for a folder with parts of another split, which would pass for parts of this one; [`Error::Vision`] for
/// features that cannot be read; [`Error::Write`] for parts that cannot be written.
pub fn write_parts(features: &Features, split: &Split, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let files = part_files(split, folder);
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.extension().is_some_and(|e| e == "safetensors") && !files.contains(&path) {
            return Err(Error::OtherSplit { path });
        }
    }
    for (part, path) in files.iter().enumerate() {
        features.select(&split.members(part)).save(path)?;
    }
    let mut text = String::from("id,label,group,part\n");
    for (i, part) in split.part.iter().enumerate() {
        let label = features.labels[i].map_or("", |label| features.classes[label].as_str());
        let cells = [&features.ids[i], label, &features.groups[i].to_string(), &split.names[*part]];
        let _ = writeln!(text, "{}", cells.map(quoted).join(","));
    }
    let list = folder.join("split.csv");
    std::fs::write(&list, text).map_err(failed(&list))?;
    Ok(files)
}

/// Where the parts of a split are written.
pub fn part_files(split: &Split, folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (part, name) in split.names.iter().enumerate() {
        let mut path = folder.join(format!("{}.safetensors", file_name(name)));
        if files.contains(&path) {
            path = folder.join(format!("{}-{part}.safetensors", file_name(name)));
        }
        files.push(path);
    }
    files
}

/// A site's name may hold anything; a file's may not.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(safe).collect();
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// One cell of a CSV file (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
