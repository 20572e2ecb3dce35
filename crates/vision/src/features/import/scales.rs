//! Whether bags of patches were cut at one scale: features of two are not of one kind, and nothing in them says so.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::features::table::Table;

/// What TRIDENT, CLAM and their like write of the scale at which a model saw its patches.
const TARGET: &str = "target_magnification";
/// What tells where that is not written.
const SIGNS: [&str; 9] = [
    "level0_magnification",
    "magnification",
    "mpp",
    "level0_mpp",
    "target_mpp",
    "patch_size_level0",
    "patch_level",
    "downsample",
    "patch_size",
];

/// Refuses slides whose attributes say different scales, or notes it where `allowed`.
pub(super) fn check(tables: &[Table], allowed: bool, notes: &mut Vec<String>) -> Result<()> {
    let slides: Vec<&Table> = tables.iter().filter(|t| t.slide.is_some()).collect();
    let aimed = slides.iter().all(|t| t.attributes.contains_key(TARGET));
    let signs: Vec<&str> = if aimed { vec![TARGET, "patch_size"] } else { [&[TARGET][..], &SIGNS].concat() };
    let mut mixed = Vec::new();
    for sign in signs {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for table in &slides {
            let (value, slide) = (table.attributes.get(sign), table.slide.as_deref().unwrap_or_default());
            if let Some(value) = value {
                values.entry(value).or_default().push(slide);
            }
        }
        if values.len() > 1 {
            let each = values.iter().map(|(value, slides)| match slides.as_slice() {
                [only] => format!("{value} in `{only}`"),
                several => format!("{value} in {} slides (`{}`, …)", several.len(), several[0]),
            });
            mixed.push(format!("`{sign}` is {}", each.collect::<Vec<_>>().join(", ")));
        }
    }
    if mixed.is_empty() {
        return Ok(());
    }
    let what = format!("slides are of different scales: {}", mixed.join("; "));
    if allowed {
        notes.push(what);
        return Ok(());
    }
    let repair = "make features of one scale, or allow it with --mixed-scales";
    Err(Error::data(super::OPERATION, format!("{what}; {repair}")))
}
