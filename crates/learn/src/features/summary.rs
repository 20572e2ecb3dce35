//! What a features file holds, for a person or a program.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Extracted, Features};
use blindscope_vision::data::Rejected;
use blindscope_vision::features::hex;

/// Rows of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassRows {
    /// Its name.
    pub name: String,
    /// Rows that carry it.
    pub rows: usize,
    /// Independent groups among them.
    pub groups: usize,
}

/// A tile that was listed and could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file or row as listed.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// A features file in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Rows.
    pub rows: usize,
    /// Width of a row.
    pub width: usize,
    /// Classes in label order.
    pub classes: Vec<ClassRows>,
    /// Rows without a label.
    pub unlabelled: usize,
    /// Independent groups.
    pub groups: usize,
    /// Patients, when rows name them.
    pub patients: usize,
    /// Hospitals, when rows name them.
    pub sites: Vec<String>,
    /// Digest of backbone and preprocessing, in hexadecimal; none when unknown.
    pub backbone: Option<String>,
    /// Rows that the cache knew; none for features that were not extracted just now.
    pub cached: Option<usize>,
    /// Seconds taken, likewise.
    pub seconds: Option<f64>,
    /// Tiles a second, likewise.
    pub tiles_per_second: Option<f64>,
    /// The graphics processor they were made on; none for the processor.
    pub graphics: Option<String>,
    /// Tiles set aside.
    pub skipped: Vec<Skipped>,
    /// What was made of an imported file.
    pub notes: Vec<String>,
    /// What will trouble training or splitting.
    pub warnings: Vec<String>,
}

impl Summary {
    /// Of features.
    pub fn new(features: &Features) -> Self {
        let classes = features.classes.iter().enumerate().map(|(label, name)| {
            let rows = || (0..features.len()).filter(|i| features.labels[*i] == Some(label));
            let groups: BTreeSet<usize> = rows().map(|i| features.groups[i]).collect();
            ClassRows { name: name.clone(), rows: rows().count(), groups: groups.len() }
        });
        let classes: Vec<ClassRows> = classes.collect();
        let groups: BTreeSet<usize> = features.groups.iter().copied().collect();
        let patients: BTreeSet<&String> = features.patients.iter().flatten().collect();
        let sites: BTreeSet<&String> = features.sites.iter().flatten().collect();
        Self {
            rows: features.len(),
            width: features.width,
            warnings: warnings(&classes, groups.len() == features.len()),
            classes,
            unlabelled: features.labels.iter().filter(|label| label.is_none()).count(),
            groups: groups.len(),
            patients: patients.len(),
            sites: sites.into_iter().cloned().collect(),
            backbone: features.backbone.map(|digest| hex(&digest)),
            cached: None,
            seconds: None,
            tiles_per_second: None,
            graphics: None,
            skipped: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Of an extraction.
    pub fn of_extraction(extracted: &Extracted) -> Self {
        let seconds = extracted.elapsed.as_secs_f64();
        let skipped = |tile: &Rejected| Skipped { id: tile.id.clone(), reason: tile.reason.clone() };
        Self {
            cached: Some(extracted.cached),
            seconds: Some(seconds),
            tiles_per_second: Some(extracted.features.len() as f64 / seconds.max(1e-9)),
            graphics: extracted.graphics.clone(),
            skipped: extracted.rejected.iter().map(skipped).collect(),
            ..Self::new(&extracted.features)
        }
    }
}

fn warnings(classes: &[ClassRows], ungrouped: bool) -> Vec<String> {
    let mut out = Vec::new();
    for class in classes.iter().filter(|class| class.groups < 2) {
        let (name, rows) = (&class.name, class.rows);
        out.push(format!(
            "class `{name}` has {rows} tile(s) of {} independent group(s): it cannot be both trained and tested on",
            class.groups
        ));
    }
    out.extend(look_alikes(classes));
    if ungrouped {
        out.push(
            "no two rows share a group or a patient: if the data has copies or neighbours, name them or use \
             --group-duplicates, or a split will leak"
                .into(),
        );
    }
    out
}

/// What programs write where a value is missing.
const MISSING: [&str; 7] = ["na", "n/a", "nan", "null", "none", "-", "?"];

/// Classes that are probably one, spelt in two ways, and one that is probably none.
fn look_alikes(classes: &[ClassRows]) -> Vec<String> {
    let mut out = Vec::new();
    for (at, class) in classes.iter().enumerate() {
        let name = &class.name;
        if let Some(other) = classes[..at].iter().find(|other| plain(&other.name) == plain(name)) {
            let other = &other.name;
            out.push(format!(
                "classes `{other}` and `{name}` are two here and may be one, spelt in two ways: spell it in one"
            ));
        }
        if MISSING.contains(&plain(name).as_str()) {
            out.push(format!(
                "class `{name}` is a class like any other here: leave the label empty where a row has none"
            ));
        }
    }
    out
}

/// A name without what people vary: capital letters, spaces, hyphens and underscores, and the point of a whole number.
fn plain(name: &str) -> String {
    if let Some(number) = name.parse::<f64>().ok().filter(|number| number.is_finite()) {
        return number.to_string();
    }
    let bare: String = name.chars().filter(|c| !c.is_whitespace() && !"-_".contains(*c)).collect();
    if bare.is_empty() { name.to_owned() } else { bare.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_may_be_one_and_labels_that_may_be_none_are_said() {
        let of = |names: &[&str]| {
            let class = |name: &&str| ClassRows { name: (*name).to_owned(), rows: 4, groups: 2 };
            look_alikes(&names.iter().map(class).collect::<Vec<_>>())
        };
        for pair in [["SCC", "scc"], ["1", "1.0"], ["True", "true"], ["in situ", "In-Situ"], ["a_b", "ab"]] {
            let said = of(&[pair[0], "other", pair[1]]);
            assert!(said.len() == 1 && said[0].contains(pair[0]) && said[0].contains(pair[1]), "{said:?}");
        }
        for missing in ["NA", "nan", "None", "-"] {
            assert!(of(&["x", missing])[0].contains("leave the label empty"), "{missing}");
        }
        assert!(of(&["aca", "scc", "normal", "0", "1", "10"]).is_empty());
    }
}
