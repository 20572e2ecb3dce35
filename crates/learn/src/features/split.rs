//! Splits of features that keep groups whole.

use super::{FeatureError, Features};
use blindscope_vision::data::{
    Dataset, Split, SplitPlan, check_no_leak, connected_groups, dirichlet_sites, k_fold, split_by_site,
};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
/// [`FeatureError::Vision`] for rows without labels, a class with fewer groups than parts, named sites that share a group.
pub fn split(features: &Features, request: &SplitRequest) -> Result<Split, FeatureError> {
    let SplitRequest { ways, seed } = request;
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

/// Holds out this share of the tiles, whole groups at a time: the rest, and what is held out.
///
/// # Errors
/// [`FeatureError::Vision`] for a share outside 0..1, or a class of one group.
pub fn hold_out(dataset: &Dataset, share: f64, seed: u64) -> Result<(Dataset, Dataset), FeatureError> {
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
/// the parts.
///
/// # Errors
/// [`FeatureError::Vision`] and [`FeatureError::Write`].
pub fn write_parts(features: &Features, split: &Split, folder: &Path) -> Result<Vec<PathBuf>, FeatureError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FeatureError::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut files = Vec::new();
    for (part, name) in split.names.iter().enumerate() {
        let mut path = folder.join(format!("{}.safetensors", file_name(name)));
        if files.contains(&path) {
            path = folder.join(format!("{}-{part}.safetensors", file_name(name)));
        }
        features.select(&split.members(part)).save(&path)?;
        files.push(path);
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
