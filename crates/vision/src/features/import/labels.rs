//! A list of labels beside features: joined by id where the features have ids, by order where they have none.

use std::collections::HashMap;
use std::path::Path;

use crate::data::{CsvColumns, Dataset, Sample, read_csv};
use crate::error::{Error, Result};
use crate::features::table::Table;

const OPERATION: &str = "importing labels";

/// Gives each row the label, group, patient and site that the list at `path` has for it.
pub(super) fn join(table: &mut Table, path: &Path, notes: &mut Vec<String>) -> Result<()> {
    let listed = read_csv(path, &CsvColumns::default())?;
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
        _ if named => by_id(table, &listed, notes)?,
        Some(_) => by_slide(table, &listed)?,
        None => by_order(table, &listed, path)?,
    };
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
        notes.push(format!("the labels of {} stand in place of the file's own", path.display()));
    }
    Ok(())
}

/// The listed sample of each row by its id.
fn by_id(table: &Table, listed: &Dataset, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let place: HashMap<&str, usize> =
        listed.samples.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect();
    let ids: Vec<&str> = table.ids.iter().flatten().map(String::as_str).collect();
    let missing: Vec<&str> = ids.iter().copied().filter(|id| !place.contains_key(id)).collect();
    if let Some(first) = missing.first() {
        let example = listed.samples.first().map_or("", |s| s.id.as_str());
        return Err(Error::data(
            OPERATION,
            format!(
                "{} of {} rows are not in the list, the first is `{first}` (the list has ids like `{example}`); rows are \
                 joined by id, so write the file's own ids into the column `path`",
                missing.len(),
                ids.len()
            ),
        ));
    }
    let used: std::collections::HashSet<usize> = ids.iter().map(|id| place[id]).collect();
    let unused = listed.samples.len() - used.len();
    if unused > 0 {
        notes.push(format!("{unused} listed rows have no features"));
    }
    Ok(ids.iter().map(|id| place[id]).collect())
}

/// The sample that a bag's slide is, for each of its rows.
fn by_slide(table: &Table, listed: &Dataset) -> Result<Vec<usize>> {
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
            format!("no row of the list is slide `{slide}`; write slides' names into the column `path`");
        Error::data(OPERATION, reason)
    })?;
    Ok(vec![found; table.rows()])
}

/// The listed samples in the order of their lines: for files whose rows have no names.
fn by_order(table: &Table, listed: &Dataset, path: &Path) -> Result<Vec<usize>> {
    if listed.samples.len() != table.rows() {
        let expected =
            format!("{} rows, as many as there are features (they have no ids to join by)", table.rows());
        return Err(Error::shape(
            OPERATION,
            expected,
            format!("{} in {}", listed.samples.len(), path.display()),
        ));
    }
    // A listing is sorted by id; the features are in the order of the file's lines.
    let bad = |e: csv::Error| Error::format("CSV", path, e);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(path).map_err(bad)?;
    let at = reader.headers().map_err(bad)?.iter().position(|h| h.trim_start_matches('\u{feff}') == "path");
    let place: HashMap<&str, usize> =
        listed.samples.iter().enumerate().map(|(i, s)| (s.id.as_str(), i)).collect();
    let mut order = Vec::with_capacity(listed.samples.len());
    for record in reader.records() {
        let record = record.map_err(bad)?;
        order.extend(place.get(record.get(at.unwrap_or(0)).unwrap_or("")));
    }
    Ok(order)
}
