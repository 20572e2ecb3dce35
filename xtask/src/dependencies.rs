//! Outside crates: each has a row in `docs/dependencies.md` that names who takes it.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::layers::{self, PREFIX, Package};

const PAGE: &str = "docs/dependencies.md";

/// One row of the page: the crates it is about, and the text of who takes them.
struct Row<'a> {
    crates: Vec<&'a str>,
    taken_by: Vec<&'a str>,
    tests: bool,
}

/// Fails on a crate of the workspace that takes one without a row, or that its row does not name, and on a row that names one which does not.
pub(crate) fn run() -> Result<()> {
    let page = fs::read_to_string(PAGE).with_context(|| format!("read {PAGE}"))?;
    let packages = layers::packages()?;
    let wrong = wrong(&rows(&page), &packages);
    if !wrong.is_empty() {
        bail!("dependencies: {} not as {PAGE} says\n  {}", wrong.len(), wrong.join("\n  "));
    }
    println!("dependencies: each has a row that names who takes it");
    Ok(())
}

fn rows(page: &str) -> Vec<Row<'_>> {
    page.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut cells = line.split(" | ");
    let (crates, taken_by) = (cells.next()?, cells.next()?);
    Some(Row { crates: quoted(crates), taken_by: quoted(taken_by), tests: taken_by.contains("tests") })
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn wrong(rows: &[Row<'_>], packages: &[Package]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for package in packages {
        let room = layers::room(&package.name);
        for dependency in package.dependencies.iter().filter(|d| !d.name.starts_with(PREFIX)) {
            let name = dependency.name.as_str();
            let Some(row) = rows.iter().find(|row| row.crates.contains(&name)) else {
                found.insert(format!("{name}, taken by {room}, has no row: say why this one"));
                continue;
            };
            if !dependency.is_for_tests() && !row.taken_by.contains(&room) {
                found.insert(format!("{name}: its row does not name {room}"));
            }
        }
    }
    let members = || packages.iter().map(|package| layers::room(&package.name));
    for row in rows.iter().filter(|row| !row.tests) {
        for room in row.taken_by.iter().filter(|room| members().any(|member| member == **room)) {
            let takes = |package: &&Package| layers::room(&package.name) == *room;
            let named =
                |name: &&str| packages.iter().find(takes).is_some_and(|package| package.takes_to_ship(name));
            let gone = row.crates.iter().filter(|name| !named(name));
            found.extend(gone.map(|name| format!("{name}: its row names {room}, which does not take it")));
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| crate | taken by |\n| --- | --- |\n| `sha2` | `wire`, `node` | why | MIT |\n| `proptest` | tests | why | MIT |\n";

    fn found(packages: &[Package]) -> Vec<String> {
        wrong(&rows(PAGE), packages)
    }

    #[test]
    fn each_pair_is_named() {
        let wire = Package::of("blindscope-wire", &[("sha2", None), ("proptest", Some("dev"))]);
        assert!(found(std::slice::from_ref(&wire)).is_empty());
        let ring = Package::of("blindscope-ring", &[("sha2", None), ("rand", Some("dev"))]);
        assert_eq!(
            found(&[wire, ring]),
            ["rand, taken by ring, has no row: say why this one", "sha2: its row does not name ring"]
        );
    }

    #[test]
    fn a_row_that_outlives_its_use_is_named() {
        let wire = Package::of("blindscope-wire", &[("sha2", None)]);
        let node = Package::of("blindscope-node", &[]);
        assert_eq!(found(&[wire, node]), ["sha2: its row names node, which does not take it"]);
    }
}
