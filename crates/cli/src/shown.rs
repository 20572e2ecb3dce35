//! Summaries on stdout, for a person or as JSON.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::tiles::copies_line;
use blindscope_learn::features::{Copies, Summary};

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    near_duplicates: Option<Duplicates>,
}

#[derive(Serialize)]
struct Duplicates {
    sets: usize,
    tiles: usize,
    across_groups: usize,
    across_labels: usize,
}

/// Prints a features file's summary.
pub(crate) fn show(
    summary: &Summary,
    file: Option<&Path>,
    copies: Option<&Copies>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let near_duplicates = copies.map(|c| Duplicates {
            sets: c.sets,
            tiles: c.tiles,
            across_groups: c.across_groups,
            across_labels: c.across_labels,
        });
        return print_json(&Shown { summary, file, near_duplicates });
    }
    let mut out = io::stdout().lock();
    for tile in &summary.skipped {
        writeln!(out, "set aside {}: {}", tile.id, tile.reason)?;
    }
    writeln!(out, "{} rows of width {} in {} groups", summary.rows, summary.width, summary.groups)?;
    for class in &summary.classes {
        writeln!(out, "  {}: {} rows, {} groups", class.name, class.rows, class.groups)?;
    }
    if summary.unlabelled > 0 {
        writeln!(out, "  {} rows without a label", summary.unlabelled)?;
    }
    if !summary.sites.is_empty() {
        writeln!(out, "  {} patients at {}", summary.patients, summary.sites.join(", "))?;
    }
    writeln!(out, "backbone {}", summary.backbone.as_deref().unwrap_or("unknown"))?;
    if let (Some(cached), Some(seconds), Some(rate)) =
        (summary.cached, summary.seconds, summary.tiles_per_second)
    {
        let skipped = summary.skipped.len();
        let on = summary.graphics.as_ref().map_or(String::new(), |name| format!(" on {name}"));
        writeln!(out, "{cached} from the cache, {skipped} set aside, {seconds:.1} s, {rate:.1} tiles/s{on}")?;
    }
    if let Some(copies) = copies {
        writeln!(out, "{}", copies_line(copies))?;
    }
    for note in &summary.notes {
        writeln!(out, "note: {note}")?;
    }
    for warning in &summary.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if let Some(file) = file {
        writeln!(out, "written to {}", file.display())?;
    }
    Ok(())
}

/// One JSON document on stdout.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}
