//! A CSV file of features: which column is what.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::error::{Error, Result};
use crate::features::table::{Names, Table};
use crate::values::{Scratch, Values};

/// Names that columns of one meaning have, in small letters.
const IDS: [&str; 11] =
    ["id", "ids", "path", "file", "filename", "file_name", "image", "image_id", "tile", "tile_id", "name"];
const LABELS: [&str; 7] = ["label", "labels", "class", "class_name", "target", "diagnosis", "category"];
const GROUPS: [&str; 5] = ["group", "groups", "tile_group", "slide", "slide_id"];
const PATIENTS: [&str; 6] = ["patient", "patients", "patient_id", "case", "case_id", "case_submitter_id"];
const SITES: [&str; 5] = ["site", "sites", "hospital", "center", "centre"];
const X: [&str; 3] = ["x", "coord_x", "coords_x"];
const Y: [&str; 3] = ["y", "coord_y", "coords_y"];
/// Row numbers that tables are saved with.
const NUMBERS: [&str; 5] = ["", "index", "row", "row_id", "level_0"];

/// What each column is.
#[derive(Debug, Default)]
struct Roles {
    known: BTreeMap<&'static str, usize>,
    features: Vec<usize>,
    dropped: Vec<String>,
}

/// Numbers that are in memory before they are set aside.
const CHUNK: usize = 1 << 20;

/// Reads the file; `notes` hears which columns were taken for what.
pub(super) fn read(path: &Path, scratch: &Scratch, notes: &mut Vec<String>) -> Result<Table> {
    let bad = |reason: String| Error::format("CSV features", path, reason);
    let reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path);
    let mut reader = reader.map_err(|e| bad(e.to_string()))?;
    let header = reader.headers().map_err(|e| bad(e.to_string()))?;
    let header: Vec<String> = header.iter().map(|h| h.trim_start_matches('\u{feff}').to_owned()).collect();
    let roles = roles(&header).map_err(bad)?;
    let mut table = Table { width: roles.features.len(), ..Table::default() };
    let (mut parts, mut chunk) = (Vec::new(), Vec::new());
    let mut rows = 0usize;
    for record in reader.records() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        let line = record.position().map_or(rows as u64 + 2, csv::Position::line);
        for &at in &roles.features {
            let text = record.get(at).unwrap_or("");
            let value: f32 = text
                .parse()
                .map_err(|_| bad(format!("line {line}, column `{}`: `{text}` is no number", header[at])))?;
            chunk.push(value);
        }
        if chunk.len() >= CHUNK {
            parts.push(scratch.keep(table.width, std::mem::take(&mut chunk))?);
        }
        roles.name_row(&record, &mut table);
        rows += 1;
    }
    if rows == 0 {
        return Err(bad("it has a header and no row".into()));
    }
    parts.push(chunk.into());
    table.values = Values::stack(table.width, parts);
    if table.coords.len() != rows {
        table.coords.clear();
    }
    notes.push(described(&roles, &header));
    Ok(table)
}

impl Roles {
    /// Adds what a row says beside its features.
    fn name_row(&self, record: &csv::StringRecord, table: &mut Table) {
        let cell = |role: &str| {
            let text = self.known.get(role).and_then(|at| record.get(*at));
            text.filter(|v| !v.is_empty()).map(str::to_owned)
        };
        let columns: [(&mut Names, &str); 5] = [
            (&mut table.ids, "id"),
            (&mut table.labels, "label"),
            (&mut table.groups, "group"),
            (&mut table.patients, "patient"),
            (&mut table.sites, "site"),
        ];
        for (column, role) in columns {
            if self.known.contains_key(role) {
                column.push(cell(role));
            }
        }
        if let (Some(x), Some(y)) = (cell("x"), cell("y")) {
            let whole =
                |text: &str| text.parse::<f64>().ok().filter(|v| v.abs() < 1e15).map(|v| v.round() as i64);
            table.coords.extend(whole(&x).zip(whole(&y)).map(|(x, y)| [x, y]));
        }
    }
}

fn roles(header: &[String]) -> std::result::Result<Roles, String> {
    let mut seen = HashSet::new();
    if let Some(twice) = header.iter().find(|h| !h.is_empty() && !seen.insert(h.as_str())) {
        return Err(format!("two columns are called `{twice}`"));
    }
    let numbers = header.iter().filter(|h| h.parse::<f64>().is_ok()).count();
    let counted = header.iter().filter(|h| h.parse::<u32>().is_ok()).count();
    if numbers > counted || (numbers == header.len() && !counts_up(header.iter().map(String::as_str))) {
        return Err(format!(
            "its first line holds numbers ({}, …), so it has no header, or a row instead of one; add a line such as \
             id,label,f0,f1,…",
            header.first().map_or("", String::as_str)
        ));
    }
    let mut roles = Roles::default();
    let mut rest = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let small = name.to_ascii_lowercase().replace([' ', '-', '.'], "_");
        let meant = [
            ("id", &IDS[..]),
            ("label", &LABELS),
            ("group", &GROUPS),
            ("patient", &PATIENTS),
            ("site", &SITES),
            ("x", &X),
            ("y", &Y),
        ];
        let role = meant.into_iter().find(|(_, names)| names.contains(&small.as_str())).map(|(role, _)| role);
        match role {
            Some(role) => {
                if let Some(other) = roles.known.insert(role, at) {
                    return Err(format!("`{}` and `{name}` both name the {role}; rename one", header[other]));
                }
            }
            None if NUMBERS.contains(&small.as_str()) || small.starts_with("unnamed") => {
                roles.dropped.push(name.clone());
            }
            None => rest.push(at),
        }
    }
    // Features are called alike and numbered; beside such a family other columns are something else.
    let family = largest_family(header, &rest);
    if family.len() >= 2 {
        roles.dropped.extend(rest.iter().filter(|at| !family.contains(at)).map(|at| header[*at].clone()));
        roles.features = family;
    } else {
        roles.features = rest;
    }
    if roles.features.is_empty() {
        return Err(format!("none of its columns is a feature: {}", header.join(", ")));
    }
    Ok(roles)
}

/// Whether names are 0, 1, 2, … or 1, 2, 3, …, as tables without names for their columns are saved.
fn counts_up<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let numbers: Option<Vec<u32>> = names.map(|n| n.parse().ok()).collect();
    numbers.is_some_and(|n| n.len() > 1 && n[0] <= 1 && n.windows(2).all(|w| w[1] == w[0] + 1))
}

/// The columns of the longest list that share a beginning and end in different numbers.
fn largest_family(header: &[String], rest: &[usize]) -> Vec<usize> {
    let mut families: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &at in rest {
        let stem = header[at].trim_end_matches(|c: char| c.is_ascii_digit());
        if stem.len() < header[at].len() {
            families.entry(stem).or_default().push(at);
        }
    }
    families.into_values().max_by_key(Vec::len).unwrap_or_default()
}

/// A column's name as people see it.
fn shown(name: &str) -> String {
    if name.trim().is_empty() { "a column without a name".to_owned() } else { format!("`{name}`") }
}

/// What was taken, in a sentence.
fn described(roles: &Roles, header: &[String]) -> String {
    let (first, last) = (roles.features[0], roles.features[roles.features.len() - 1]);
    let mut text =
        format!("{} columns are features, `{}` to `{}`", roles.features.len(), header[first], header[last]);
    for (role, at) in &roles.known {
        let _ = write!(text, "; `{}` is the {role}", header[*at]);
    }
    if !roles.dropped.is_empty() {
        let names: Vec<String> = roles.dropped.iter().take(12).map(|n| shown(n)).collect();
        let _ = write!(text, "; not taken: {}", names.join(", "));
        if roles.dropped.len() > names.len() {
            let _ = write!(text, " and {} more", roles.dropped.len() - names.len());
        }
    }
    text
}
