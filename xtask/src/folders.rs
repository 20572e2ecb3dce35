//! Circles between the folders of a crate.
//!
//! A folder imports another when a path of one of its files (`crate::..`, `super::..`) leads there. Both ends are taken
//! up to the two folders that lie beside each other; a folder and one inside it are one house, and make no circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::Source;

/// Files that lie beside the folder of their own module: a module with a folder is its `mod.rs`, everywhere.
pub(crate) fn beside_their_folder(sources: &[Source]) -> Vec<String> {
    let folders: BTreeSet<String> = sources.iter().filter_map(|s| folder(&s.path)).collect();
    let of = |s: &Source| s.path.strip_suffix(".rs").filter(|own| folders.contains(*own)).map(str::to_owned);
    sources.iter().filter_map(of).map(|own| format!("git mv {own}.rs {own}/mod.rs")).collect()
}

/// Edges between folders: who imports whom, with the file that does.
type Edges<'a> = BTreeMap<(String, String), &'a str>;

/// Each circle as one line: two folders that lead to each other, with a file each way.
pub(crate) fn circles(sources: &[Source]) -> Vec<String> {
    let folders: BTreeSet<String> = sources.iter().filter_map(|s| folder(&s.path)).collect();
    let edges = edges(sources, &folders);
    let reach = closure(&edges);
    let back = |a: &String, b: &String| reach.contains(&(b.clone(), a.clone()));
    let found = edges
        .iter()
        .filter(|((a, b), _)| back(a, b) && (a < b || !edges.contains_key(&(b.clone(), a.clone()))));
    found.map(|((a, b), file)| format!("{a} -> {b} ({file}), and back")).collect()
}

fn edges<'a>(sources: &'a [Source], folders: &BTreeSet<String>) -> Edges<'a> {
    let mut edges = Edges::new();
    for source in sources {
        let Some(root) = root(&source.path) else { continue };
        let here = module(&source.path, root);
        for path in paths(&source.code, &here) {
            let (from, to) = (owner(root, &here, folders), owner(root, &path, folders));
            if let Some(edge) = beside(&from, &to) {
                edges.entry(edge).or_insert(&source.path);
            }
        }
    }
    edges
}

/// `crates/x/src`, or `None` outside a crate's sources.
fn root(path: &str) -> Option<&str> {
    path.find("/src/").map(|at| &path[..at + 4])
}

fn folder(path: &str) -> Option<String> {
    root(path)?;
    path.rfind('/').map(|at| path[..at].to_owned())
}

/// Names from the crate's root to a file's module.
fn module(path: &str, root: &str) -> Vec<String> {
    let inner = path[root.len() + 1..].trim_end_matches(".rs");
    let mut names: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        names.pop();
    }
    names
}

/// The deepest folder that a module's path enters.
fn owner(root: &str, module: &[String], folders: &BTreeSet<String>) -> String {
    let mut found = root.to_owned();
    for name in module {
        let inner = format!("{found}/{name}");
        if !folders.contains(&inner) {
            break;
        }
        found = inner;
    }
    found
}

/// Absolute module paths that the code names.
fn paths(code: &str, here: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = &code[..at];
            if before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
                continue;
            }
            let mut base = if start == "crate::" { Vec::new() } else { here.to_vec() };
            let mut rest = &code[at..];
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            while let Some(up) = rest.strip_prefix("super::") {
                base.pop();
                rest = up;
            }
            found.extend(ends(rest, &base));
        }
    }
    found
}

/// Where a path leads: one place, or one for each name of its first group.
fn ends(rest: &str, base: &[String]) -> Vec<Vec<String>> {
    let mut path = base.to_vec();
    let mut rest = rest;
    loop {
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            break;
        }
        rest = &rest[name.len()..];
        path.push(name);
        let Some(next) = rest.strip_prefix("::") else { return vec![path] };
        rest = next;
    }
    let Some(group) = rest.strip_prefix('{') else { return vec![path] };
    let close = group.find(';').unwrap_or(group.len());
    let (mut depth, mut found) = (0i32, Vec::new());
    for part in group[..close].split(',') {
        if depth == 0 {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push([path.clone(), vec![name]].concat());
        }
        depth += part.matches('{').count() as i32 - part.matches('}').count() as i32;
    }
    found
}

/// The two folders below the last common one; `None` where one holds the other.
fn beside(from: &str, to: &str) -> Option<(String, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let common = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    (common < a.len() && common < b.len()).then(|| (a[..=common].join("/"), b[..=common].join("/")))
}

/// Every pair of which the first leads to the second.
fn closure(edges: &Edges<'_>) -> BTreeSet<(String, String)> {
    let mut reach: BTreeSet<(String, String)> = edges.keys().cloned().collect();
    loop {
        let further: Vec<_> = reach
            .iter()
            .flat_map(|(a, b)| {
                edges.keys().filter(move |(c, _)| b == c).map(move |(_, d)| (a.clone(), d.clone()))
            })
            .filter(|pair| !reach.contains(pair))
            .collect();
        if further.is_empty() {
            return reach;
        }
        reach.extend(further);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> =
            files.iter().map(|(path, text)| Source::new(&format!("crates/x/src/{path}"), text)).collect();
        circles(&sources)
    }

    #[test]
    fn a_circle_is_found() {
        let there = ("a/one.rs", "use crate::b::Thing;");
        assert!(house(&[there, ("b/mod.rs", "")]).is_empty());
        assert_eq!(
            house(&[there, ("b/mod.rs", ""), ("b/two.rs", "use super::super::a::one::Other;")]).len(),
            1
        );
        assert_eq!(house(&[there, ("b/mod.rs", "use crate::{c, a::one};"), ("c.rs", "")]).len(), 1);
    }

    #[test]
    fn a_module_lies_in_its_folder() {
        let of = |paths: [&str; 2]| beside_their_folder(&paths.map(|path| Source::new(path, ""))).len();
        assert_eq!(of(["crates/x/src/a.rs", "crates/x/src/a/b.rs"]), 1);
        assert_eq!(of(["crates/x/src/a/mod.rs", "crates/x/src/a/b.rs"]), 0);
        assert_eq!(of(["crates/x/src/a.rs", "crates/x/src/ab/c.rs"]), 0);
    }

    #[test]
    fn a_long_circle_is_found() {
        let files =
            [("a/m.rs", "use crate::b::X;"), ("b/m.rs", "use crate::c::X;"), ("c/m.rs", "use crate::a::X;")];
        assert!(!house(&files).is_empty());
        assert!(house(&files[..2]).is_empty());
    }

    /// A room and its own cupboard; a file of the root that everyone uses.
    #[test]
    fn a_folder_and_its_inside_are_no_circle() {
        let files = [
            ("a.rs", "use a::b::X;"),
            ("a/b/m.rs", "use crate::a::Y; use crate::error::E;"),
            ("error.rs", "use crate::a::Y;"),
        ];
        assert!(house(&files).is_empty());
    }
}
