//! A list of labels beside features: joined by id where the features have ids, by order where they have none.

use std::collections::HashMap;
use std::path::Path;

use super::ImportOptions;
use crate::data::{CsvColumns, Dataset, Listing, Sample, listed};
use crate::error::{Error, Result};
use crate::features::table::Table;

const OPERATION: &str = "importing labels";

/// Gives each row the label, group, patient and site that the list at `path` has for it; `notes` hears by what.
pub(super) fn join(
    table: &mut Table,
    path: &Path,
    options: &ImportOptions,
    notes: &mut Vec<String>,
) -> Result<()> {
    let usual = CsvColumns::default();
    let columns = CsvColumns {
        path: options.path_column.clone().unwrap_or(usual.path),
        label: options.label_column.clone().unwrap_or(usual.label),
        ..CsvColumns::default()
    };
    let Listing { dataset: listed, lines, named_by } = listed(path, &columns, true)?;
    if let Some(rejected) = listed.rejected.first() {
        let reason = format!(
            "{} rows of {} cannot be used, the first: {}: {}",
            listed.rejected.len(),
            path.display(),
            rejected.id,
            rejected.reason
        );
        return Err(Error::data(OPERATION, reason));
    }
    let own = !table.labels.is_empty();
    let named = !table.ids.is_empty() && table.ids.iter().all(Option::is_some);
    let order = match &table.slide {
        _ if named => by_id(table, &listed, &named_by, notes)?,
        Some(_) if !options.by_order => by_slide(table, &listed, &named_by)?,
        _ => by_order(table, lines.clone(), options.by_order, path)?,
    };
    let from = table.named_by.as_deref().unwrap_or("ids");
    if options.by_order && order != lines {
        let reason = format!(
            "labels are to be joined by the order of lines (--by-order), but the features have ids (`{from}`), by which the list has \
             another order; leave --by-order out, and they are joined by id"
        );
        return Err(Error::data(OPERATION, reason));
    }
    let how = match &table.slide {
        _ if named => format!("labels are joined by id: `{from}` of the features, `{named_by}` of the list"),
        Some(_) if !options.by_order => {
            format!("labels are joined by the slide's name, `{named_by}` of the list")
        }
        _ if options.by_order => "labels are joined by the order of lines, as stated".to_owned(),
        _ => "labels are joined by the order of lines, since the features have no ids".to_owned(),
    };
    note(notes, how);
    let chosen: Vec<&Sample> = order.iter().map(|at| &listed.samples[*at]).collect();
    table.labels = chosen.iter().map(|s| Some(listed.classes[s.label].clone())).collect();
    let column = |column: &mut Vec<Option<String>>, of: fn(&Sample) -> &Option<String>| {
        if chosen.iter().any(|s| of(s).is_some()) {
            *column = chosen.iter().map(|s| of(s).clone()).collect();
        }
    };
    column(&mut table.groups, |s| &s.group);
    column(&mut table.patients, |s| &s.patient);
    column(&mut table.sites, |s| &s.site);
    if table.ids.is_empty() && table.slide.is_none() {
        table.ids = chosen.iter().map(|s| Some(s.id.clone())).collect();
    }
    if own {
        note(notes, format!("the labels of {} stand in place of the file's own", path.display()));
    }
    Ok(())
}

/// The listed sample of each row by its id.
fn by_id(table: &Table, listed: &Dataset, named_by: &str, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let place: HashMap<&str, usize> =
        listed.samples.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect();
    let from = table.named_by.as_deref().unwrap_or("ids");
    let ids: Vec<&str> = table.ids.iter().flatten().map(String::as_str).collect();
    let missing: Vec<&str> = ids.iter().copied().filter(|id| !place.contains_key(id)).collect();
    if let Some(first) = missing.first() {
        let example = listed.samples.first().map_or("", |s| s.id.as_str());
        return Err(Error::data(
            OPERATION,
            format!(
                "{} of {} rows are not in the list, the first is `{first}` (the list has ids like `{example}`); rows are \
                 joined by id, `{from}` of the features and `{named_by}` of the list; name others with --id-column and --path-column",
                missing.len(),
                ids.len()
            ),
        ));
    }
    let used: std::collections::HashSet<usize> = ids.iter().map(|id| place[id]).collect();
    let unused = listed.samples.len() - used.len();
    if unused > 0 {
        note(notes, format!("{unused} listed rows have no features"));
    }
    Ok(ids.iter().map(|id| place[id]).collect())
}

/// The sample that a bag's slide is, for each of its rows.
fn by_slide(table: &Table, listed: &Dataset, named_by: &str) -> Result<Vec<usize>> {
    let slide = table.slide.as_deref().unwrap_or_default();
    let stem = |id: &str| Path::new(id).file_stem().map(|s| s.to_string_lossy().into_owned());
    let exact = listed.samples.iter().position(|s| s.id == slide);
    let found = exact.or_else(|| {
        let mut named =
            listed.samples.iter().enumerate().filter(|(_, s)| stem(&s.id).as_deref() == Some(slide));
        named.next().filter(|_| named.next().is_none()).map(|(at, _)| at)
    });
    let found = found.ok_or_else(|| {
        let reason =
            format!("no row of the list is slide `{slide}` by its column `{named_by}`; name another with --path-column");
        Error::data(OPERATION, reason)
    })?;
    Ok(vec![found; table.rows()])
}

/// The listed samples in the order of their lines: for files whose rows have no names.
fn by_order(table: &Table, lines: Vec<usize>, stated: bool, path: &Path) -> Result<Vec<usize>> {
    if let Some(first) = table.perhaps_ids.first().filter(|_| !stated) {
        let all: Vec<String> = table.perhaps_ids.iter().map(|name| format!("`{name}`")).collect();
        return Err(Error::data(
            OPERATION,
            format!(
                "no ids are known to which the list could be joined, but {} may name the rows: say so with --id-column {first}, \
                 or, where the lines of the list have the order of the features, join them by it with --by-order",
                all.join(", ")
            ),
        ));
    }
    if lines.len() != table.rows() {
        let expected =
            format!("{} rows, as many as there are features (they have no ids to join by)", table.rows());
        return Err(Error::shape(OPERATION, expected, format!("{} in {}", lines.len(), path.display())));
    }
    Ok(lines)
}

/// Adds a sentence once: bags of one folder say the same.
fn note(notes: &mut Vec<String>, sentence: String) {
    if !notes.contains(&sentence) {
        notes.push(sentence);
    }
}
