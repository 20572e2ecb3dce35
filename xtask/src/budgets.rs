//! The figures of the house, each with its bar; a bar that is passed fails.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::sources::{self, Source};
use crate::{documented, folders, functions, layers, promises};

/// Files over this are listed for a reader, over [`REFUSED`] they must be split.
const LISTED: usize = 600;
const REFUSED: usize = 800;

/// One figure: what, how much, and the most that is allowed.
#[derive(Serialize)]
struct Figure {
    #[serde(rename = "figure")]
    what: &'static str,
    value: f64,
    bar: f64,
    /// Where it is, or what passes it.
    r#where: Vec<String>,
}

/// Measures the sources, prints every figure, and fails where one passes its bar.
pub(crate) fn run(json: bool) -> Result<()> {
    let sources = sources::read()?;
    let figures = figures(&sources, layers::forbidden()?);
    if json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        print(&figures, &sources);
    }
    let passed: Vec<String> = figures.iter().filter(|f| f.value > f.bar).map(said).collect();
    if !passed.is_empty() {
        bail!("budgets: {} bars passed\n{}", passed.len(), passed.join("\n"));
    }
    Ok(())
}

fn print(figures: &[Figure], sources: &[Source]) {
    for source in sources.iter().filter(|s| s.lines() > LISTED) {
        println!("{:6}  {}", source.lines(), source.path);
    }
    for figure in figures {
        println!("{:38} {:>7} (at most {})", figure.what, figure.value, figure.bar);
    }
    println!("budgets: {} files, every bar held unless said", sources.len());
}

fn said(figure: &Figure) -> String {
    let places: Vec<String> = figure.r#where.iter().take(20).map(|place| format!("\n    {place}")).collect();
    format!("  {}: {}, at most {}{}", figure.what, figure.value, figure.bar, places.concat())
}

fn figures(sources: &[Source], arrows: Vec<String>) -> Vec<Figure> {
    let circles = folders::circles(sources);
    let bare: Vec<String> = sources.iter().flat_map(documented::bare_items).collect();
    let silent = sources.iter().filter(|s| !documented::has_module_documentation(s));
    let silent: Vec<String> = silent.map(|s| s.path.clone()).collect();
    let mut found = vec![share(sources)];
    found.push(counted("circles between folders", circles));
    found.push(counted("arrows up", arrows));
    found.push(counted("modules beside their folder", folders::beside_their_folder(sources)));
    found.extend(lengths_of_files(sources));
    found.extend(lengths_of_functions(sources));
    found.push(counted("public items without a sentence", bare));
    found.push(counted("files without module documentation", silent));
    let errors = sources.iter().flat_map(promises::silent_errors).collect();
    found.push(counted("`# Errors` that do not say when", errors));
    let untimed = sources.iter().flat_map(promises::untimed).collect();
    found.push(counted("functions on secrets without `# Timing`", untimed));
    found
}

fn counted(what: &'static str, r#where: Vec<String>) -> Figure {
    Figure { what, value: r#where.len() as f64, bar: 0.0, r#where }
}

/// The largest crate's share of all lines, in per cent with one digit.
fn share(sources: &[Source]) -> Figure {
    let mut rooms: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources {
        *rooms.entry(source.room()).or_default() += source.lines();
    }
    let total: usize = rooms.values().sum();
    let (room, lines) = rooms.into_iter().max_by_key(|(_, lines)| *lines).unwrap_or(("none", 0));
    let value = (1000.0 * lines as f64 / total.max(1) as f64).round() / 10.0;
    let place = format!("{room}: {lines} of {total} lines");
    Figure { what: "largest crate's share of lines, %", value, bar: 18.0, r#where: vec![place] }
}

fn lengths_of_files(sources: &[Source]) -> [Figure; 2] {
    let all = sources.iter().map(|s| (s.lines(), s.path.clone())).collect();
    ranked(["lines a file, p95", "lines a file, most"], [300, REFUSED], all)
}

fn lengths_of_functions(sources: &[Source]) -> [Figure; 2] {
    let of = |s: &Source| {
        let named = |f: functions::Function| (f.lines, format!("{}:{} {}", s.path, f.line, f.name));
        functions::of(s).into_iter().map(named).collect::<Vec<_>>()
    };
    ranked(
        ["lines a function, p95", "lines a function, most"],
        [30, 80],
        sources.iter().flat_map(of).collect(),
    )
}

/// The 95th of a hundred (nearest rank) and the last, with the longest of all.
fn ranked(names: [&'static str; 2], bars: [usize; 2], mut all: Vec<(usize, String)>) -> [Figure; 2] {
    all.sort_unstable();
    let p95 = all.get((all.len() * 95).div_ceil(100).saturating_sub(1)).map_or(0, |(lines, _)| *lines);
    let most = all.last().map_or(0, |(lines, _)| *lines);
    let longest: Vec<String> =
        all.iter().rev().take(5).map(|(lines, place)| format!("{lines}: {place}")).collect();
    let figure = |at: usize, value: usize| Figure {
        what: names[at],
        value: value as f64,
        bar: bars[at] as f64,
        r#where: longest.clone(),
    };
    [figure(0, p95), figure(1, most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_nearest() {
        let all = (1..=100).map(|lines| (lines, String::new())).collect();
        let [p95, most] = ranked(["a", "b"], [94, 100], all);
        assert_eq!((p95.value, most.value), (95.0, 100.0));
        assert!(p95.value > p95.bar);
    }

    #[test]
    fn the_largest_room_is_named() {
        let sources =
            [Source::new("crates/a/src/lib.rs", "x\nx\nx"), Source::new("crates/b/src/lib.rs", "x")];
        let share = share(&sources);
        assert_eq!((share.value, share.r#where[0].as_str()), (75.0, "a: 3 of 4 lines"));
    }
}
