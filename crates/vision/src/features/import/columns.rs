//! A CSV file of features: which column is what.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::ImportOptions;
use super::families::{families, named, runs};
use crate::data::{Role, Sheet};
use crate::error::{Error, Result};
use crate::features::table::{Names, Table};
use crate::values::{Scratch, Values};

/// What each column is.
#[derive(Debug, Default)]
struct Roles {
    known: BTreeMap<Role, usize>,
    /// In the order of a row of features.
    features: Vec<usize>,
    dropped: Vec<usize>,
    /// Of those dropped, columns that may be ids if they hold text, and whether they may be whatever they hold.
    perhaps: Vec<(usize, bool)>,
}

/// Numbers that are in memory before they are set aside.
const CHUNK: usize = 1 << 20;

/// Reads the file; `notes` hears which columns were taken for what.
pub(super) fn read(
    path: &Path,
    options: &ImportOptions,
    scratch: &Scratch,
    notes: &mut Vec<String>,
) -> Result<Table> {
    let bad = |reason: String| Error::format("CSV features", path, reason);
    let sheet = Sheet::look("CSV features", path)?;
    let header = &sheet.header;
    let roles = roles(header, options).map_err(bad)?;
    let mut reader = sheet.builder().from_path(path).map_err(|e| bad(e.to_string()))?;
    let mut table = Table { width: roles.features.len(), ..Table::default() };
    let (mut parts, mut chunk) = (Vec::new(), Vec::new());
    let mut rows = 0usize;
    for record in reader.records() {
        let record = record.map_err(|e| bad(unequal(&e).unwrap_or_else(|| e.to_string())))?;
        let line = record.position().map_or(rows as u64 + 2, csv::Position::line);
        for &at in &roles.features {
            let text = record.get(at).unwrap_or("");
            chunk.push(
                number(text).map_err(|why| bad(format!("line {line}, column `{}`: {why}", header[at])))?,
            );
        }
        if chunk.len() >= CHUNK {
            parts.push(scratch.keep(table.width, std::mem::take(&mut chunk))?);
        }
        if rows == 0 {
            table.perhaps_ids = roles.perhaps_ids(&record, header);
        }
        roles.name_row(&record, &mut table);
        rows += 1;
    }
    if rows == 0 {
        return Err(bad("it has a header and no row".into()));
    }
    parts.push(chunk.into());
    table.values = Values::stack(table.width, parts);
    table.named_by = roles.known.get(&Role::Id).map(|at| header[*at].clone());
    if table.coords.len() != rows {
        table.coords.clear();
    }
    notes.push(described(&roles, header));
    Ok(table)
}

/// Of a row with more or fewer fields than the header: which, and what it comes of.
fn unequal(error: &csv::Error) -> Option<String> {
    let csv::ErrorKind::UnequalLengths { pos, expected_len, len } = error.kind() else { return None };
    let line = pos.as_ref().map_or(0, csv::Position::line);
    Some(format!(
        "line {line} has {len} fields and the header {expected_len}; a comma in a name or number splits it: put such a field in quotes"
    ))
}

fn number(text: &str) -> std::result::Result<f32, String> {
    if text.is_empty() {
        return Err("it is empty; leave rows out whose features are not all there".to_owned());
    }
    text.parse().map_err(|_| {
        let comma = text.replacen(',', ".", 1).parse::<f32>().is_ok();
        let repair = if comma { "; write numbers with a point, not a comma" } else { "" };
        format!("`{text}` is no number{repair}")
    })
}

impl Roles {
    /// Columns that nothing was made of and that may name the rows.
    fn perhaps_ids(&self, record: &csv::StringRecord, header: &[String]) -> Vec<String> {
        let text =
            |at: usize| record.get(at).is_some_and(|cell| !cell.is_empty() && cell.parse::<f64>().is_err());
        let all = self.perhaps.iter().filter(|(at, always)| *always || text(*at));
        all.map(|(at, _)| header[*at].clone()).filter(|name| !name.is_empty()).collect()
    }

    /// Adds what a row says beside its features.
    fn name_row(&self, record: &csv::StringRecord, table: &mut Table) {
        let cell = |role: Role| {
            let text = self.known.get(&role).and_then(|at| record.get(*at));
            text.filter(|v| !v.is_empty()).map(str::to_owned)
        };
        let columns: [(&mut Names, Role); 5] = [
            (&mut table.ids, Role::Id),
            (&mut table.labels, Role::Label),
            (&mut table.groups, Role::Group),
            (&mut table.patients, Role::Patient),
            (&mut table.sites, Role::Site),
        ];
        for (column, role) in columns {
            if self.known.contains_key(&role) {
                column.push(cell(role));
            }
        }
        if let (Some(x), Some(y)) = (cell(Role::X), cell(Role::Y)) {
            let whole =
                |text: &str| text.parse::<f64>().ok().filter(|v| v.abs() < 1e15).map(|v| v.round() as i64);
            table.coords.extend(whole(&x).zip(whole(&y)).map(|(x, y)| [x, y]));
        }
    }

    /// Takes a column for `role`.
    fn take(&mut self, role: Role, at: usize, header: &[String]) -> std::result::Result<(), String> {
        let Some(other) = self.known.insert(role, at) else { return Ok(()) };
        let repair = match role {
            Role::Id => "name one with --id-column",
            Role::Label => "rename one, or name one with --label-column",
            _ => "rename one",
        };
        Err(format!("`{}` and `{}` both name the {}; {repair}", header[other], header[at], role.name()))
    }
}

fn roles(header: &[String], options: &ImportOptions) -> std::result::Result<Roles, String> {
    no_numbers(header)?;
    let mut roles = Roles::default();
    let place = |name: &String| {
        header.iter().position(|h| h == name).ok_or_else(|| format!("no column is called `{name}`"))
    };
    let label = options.label_column.as_ref().filter(|_| options.labels.is_none());
    for (role, column) in [(Role::Id, options.id_column.as_ref()), (Role::Label, label)] {
        if let Some(name) = column {
            roles.take(role, place(name)?, header)?;
        }
    }
    let stated: Vec<usize> = roles.known.values().copied().collect();
    roles.features = named(&options.columns, header)?;
    let mut rest = Vec::new();
    let meant = Role::of_all(header.iter().map(String::as_str));
    for (at, role) in meant.into_iter().enumerate() {
        if stated.contains(&at) || roles.features.contains(&at) {
            continue;
        }
        match role {
            Some(Role::Number | Role::Aside) => {
                roles.dropped.push(at);
                roles.perhaps.extend((role == Some(Role::Number)).then_some((at, true)));
            }
            Some(role) if stated.iter().any(|s| roles.known.get(&role) == Some(s)) => roles.dropped.push(at),
            Some(role) => roles.take(role, at, header)?,
            None => rest.push(at),
        }
    }
    if roles.known.contains_key(&Role::X) != roles.known.contains_key(&Role::Y) {
        roles.dropped.extend([Role::X, Role::Y].into_iter().filter_map(|role| roles.known.remove(&role)));
    }
    if options.columns.is_empty() {
        roles.features = only_family(header, &rest)?;
    } else {
        roles.perhaps.extend(rest.iter().map(|at| (*at, false)));
        roles.dropped.extend(rest);
    }
    Ok(roles)
}

/// Refuses a first line that is a row of numbers.
fn no_numbers(header: &[String]) -> std::result::Result<(), String> {
    let numbers = header.iter().filter(|h| h.parse::<f64>().is_ok()).count();
    let counted = header.iter().filter(|h| h.parse::<u32>().is_ok()).count();
    if numbers > counted || (numbers == header.len() && !counts_up(header)) {
        return Err(format!(
            "its first line holds numbers ({}, …), so it has no header, or a row instead of one; add a line such as \
             id,label,f0,f1,…",
            header.first().map_or("", String::as_str)
        ));
    }
    Ok(())
}

/// Whether names are the numbers from 0 or 1 on, by value or sorted as text, as tables without names for their columns are saved. In
/// another order they are taken for a row.
fn counts_up(header: &[String]) -> bool {
    let Some(mut numbers) = header.iter().map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>() else {
        return false;
    };
    if !numbers.is_sorted() && !header.is_sorted() {
        return false;
    }
    numbers.sort_unstable();
    numbers.len() > 1 && numbers[0] <= 1 && numbers.windows(2).all(|w| w[1] == w[0] + 1)
}

/// The one numbered family that the columns are which nothing else is known of.
fn only_family(header: &[String], rest: &[usize]) -> std::result::Result<Vec<usize>, String> {
    if rest.is_empty() {
        return Err(format!("none of its columns is a feature: {}", header.join(", ")));
    }
    let mut families = families(header, rest)?;
    if families.len() == 1 && families[0].len() == rest.len() {
        return Ok(families.swap_remove(0));
    }
    let all: Vec<&str> = rest.iter().map(|at| header[*at].as_str()).collect();
    let largest = families.iter().max_by_key(|family| family.len()).filter(|family| family.len() > 1);
    let star = largest.map(|family| {
        let name = &header[family[0]];
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        format!("`--columns '{stem}*'` takes {}; otherwise ", runs(header, family))
    });
    Err(format!(
        "which columns are features is not to be seen: they are no one numbered family (f0, f1, …). {}name them, in the order \
         in which every site has them, with `--columns {}` (leave out what is none)",
        star.unwrap_or_default(),
        all.join(",")
    ))
}

/// What was taken, in a sentence.
fn described(roles: &Roles, header: &[String]) -> String {
    let mut text = format!(
        "{} columns are features, in this order: {}",
        roles.features.len(),
        runs(header, &roles.features)
    );
    for (role, at) in &roles.known {
        let _ = write!(text, "; `{}` is the {}", header[*at], role.name());
    }
    if !roles.dropped.is_empty() {
        let shown = |at: &usize| match header[*at].trim() {
            "" => "a column without a name".to_owned(),
            name => format!("`{name}`"),
        };
        let names: Vec<String> = roles.dropped.iter().map(shown).collect();
        let _ = write!(text, "; not taken: {}", names.join(", "));
    }
    text
}
