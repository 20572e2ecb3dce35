//! Who may import whom. The table is the architecture; `docs/architecture.md` explains it.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

pub(crate) const PREFIX: &str = "blindscope-";

/// Everything below `app`.
const ALL_BELOW_APP: &[&str] = &[
    "wire",
    "ring",
    "ckks",
    "threshold",
    "aggregate",
    "classify",
    "pixels",
    "vision",
    "federation",
    "store",
    "transport",
    "audit",
    "report",
    "learn",
    "node",
];

/// Crate → crates of ours that it may import, both without the prefix.
const LAYERS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("pixels", &[]),
    ("vision", &["pixels", "wire"]),
    ("report", &[]),
    ("testkit", &[]),
    ("xtask", &[]),
    ("ring", &["wire"]),
    ("ckks", &["ring", "wire"]),
    ("threshold", &["ckks", "ring", "wire"]),
    ("aggregate", &["ckks", "ring", "wire"]),
    ("classify", &["ckks", "wire"]),
    ("federation", &["threshold", "aggregate", "ckks", "wire"]),
    ("store", &["federation", "wire"]),
    ("transport", &["wire"]),
    ("audit", &["vision", "classify", "aggregate", "ckks"]),
    ("learn", &["vision", "classify", "aggregate", "ckks", "federation"]),
    ("node", &["learn", "store", "transport", "federation", "classify", "threshold", "ckks", "ring", "wire"]),
    ("app", ALL_BELOW_APP),
    ("blindscope", &["aggregate", "ckks", "classify", "threshold", "wire"]),
    ("console", &["report", "learn", "node", "transport", "federation"]),
    ("cli", &["app", "console", "node", "learn"]),
];

/// Kinds of outside crates (a name, or a family written `family-*`) and the crates of ours that may import them.
const CONFINED: &[(&str, &[&str], &[&str])] = &[
    ("string errors", &["anyhow", "eyre"], &["cli", "xtask"]),
    (
        "async",
        &["tokio", "tokio-*", "tonic", "tonic-*", "axum", "hyper", "sqlx"],
        &["transport", "store", "node", "app", "console", "testkit"],
    ),
    ("queues", &["async-nats"], &["transport"]),
    ("RPC", &["tonic", "tonic-*", "prost"], &["transport"]),
    ("HTTP", &["ureq", "reqwest", "object_store"], &["learn", "app", "store"]),
    ("tensors", &["candle-*", "burn", "burn-*", "faer", "gemm", "ort", "tch", "wgpu"], &["vision", "audit"]),
];

/// May be a development dependency of any crate.
const TEST_ONLY: &str = "testkit";

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A crate of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a crate takes.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None`: normal; otherwise `dev` or `build`.
    kind: Option<String>,
}

impl Package {
    /// Whether what the crate ships, or its build, takes this one.
    pub(crate) fn takes_to_ship(&self, name: &str) -> bool {
        self.dependencies.iter().any(|d| d.name == name && !d.is_for_tests())
    }
}

impl Dependency {
    /// Whether only tests, examples and benchmarks take it.
    pub(crate) fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// Checks the workspace and prints what was checked.
pub(crate) fn run() -> Result<()> {
    let packages = packages()?;
    let violations: Vec<String> = packages.iter().flat_map(violations).collect();
    if !violations.is_empty() {
        bail!("layers: {} forbidden\n  {}", violations.len(), violations.join("\n  "));
    }
    println!("layers: {} crates, every import allowed", packages.len());
    Ok(())
}

/// Every import of the workspace that the table does not allow.
pub(crate) fn forbidden() -> Result<Vec<String>> {
    Ok(packages()?.iter().flat_map(violations).collect())
}

/// The crates of the workspace, as cargo tells them.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("parse cargo metadata")?;
    Ok(metadata.packages)
}

fn violations(package: &Package) -> Vec<String> {
    let from = room(&package.name);
    let Some(allowed) = LAYERS.iter().find_map(|(name, allowed)| (*name == from).then_some(*allowed)) else {
        return vec![format!("{from}: not in the table of xtask/src/layers.rs; give it a row")];
    };
    package.dependencies.iter().filter_map(|dependency| violation(from, allowed, dependency)).collect()
}

fn violation(from: &str, allowed: &[&str], dependency: &Dependency) -> Option<String> {
    let dev = dependency.is_for_tests();
    let Some(to) = dependency.name.strip_prefix(PREFIX) else {
        return if dev { None } else { confined(from, &dependency.name) };
    };
    let fine = allowed.contains(&to) || (dev && (to == TEST_ONLY || to == from || below(from).contains(&to)));
    let as_dev = if dev { " (development)" } else { "" };
    (!fine).then(|| format!("{from} -> {to}{as_dev}: {from} may import {}", list(allowed)))
}

/// Everything that a crate stands on, directly or not: what its tests may look at.
fn below(from: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> = Vec::new();
    let mut left: Vec<&str> = vec![from];
    while let Some(name) = left.pop() {
        let direct = LAYERS.iter().find_map(|(room, allowed)| (*room == name).then_some(*allowed));
        for one in direct.unwrap_or_default().iter().filter(|one| !found.contains(one)).collect::<Vec<_>>() {
            found.push(one);
            left.push(one);
        }
    }
    found
}

fn confined(from: &str, outside: &str) -> Option<String> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(family) => outside.starts_with(family),
        None => outside == pattern,
    };
    CONFINED.iter().find_map(|(what, patterns, rooms)| {
        let caught = patterns.iter().any(|p| matches(p)) && !rooms.contains(&from);
        caught.then(|| format!("{from} -> {outside}: {what} only in {}", list(rooms)))
    })
}

/// The folder of a crate.
pub(crate) fn room(package: &str) -> &str {
    package.strip_prefix(PREFIX).unwrap_or(package)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "nothing of ours".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
impl Package {
    /// A crate that takes these, each with its kind.
    pub(crate) fn of(name: &str, dependencies: &[(&str, Option<&str>)]) -> Self {
        let one = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        Self { name: name.to_owned(), dependencies: dependencies.iter().map(one).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upward_import_is_named() {
        let ring = Package::of("blindscope-ring", &[("blindscope-wire", None), ("blindscope-ckks", None)]);
        assert_eq!(violations(&ring), ["ring -> ckks: ring may import wire"]);
        let wire = Package::of("blindscope-wire", &[("blindscope-ring", Some("dev"))]);
        assert_eq!(violations(&wire), ["wire -> ring (development): wire may import nothing of ours"]);
    }

    #[test]
    fn testkit_is_for_development_only() {
        assert!(
            violations(&Package::of("blindscope-ckks", &[("blindscope-testkit", Some("dev"))])).is_empty()
        );
        assert_eq!(violations(&Package::of("blindscope-app", &[("blindscope-testkit", None)])).len(), 1);
    }

    /// A test may look at what its crate stands on; it may not look up.
    #[test]
    fn tests_look_down() {
        assert!(
            violations(&Package::of("blindscope-learn", &[("blindscope-threshold", Some("dev"))])).is_empty()
        );
        assert_eq!(violations(&Package::of("blindscope-learn", &[("blindscope-threshold", None)])).len(), 1);
        assert_eq!(
            violations(&Package::of("blindscope-learn", &[("blindscope-store", Some("dev"))])).len(),
            1
        );
    }

    /// Learning keeps no store, is not asynchronous, and only it speaks HTTP.
    #[test]
    fn learning_is_walled() {
        let found = |name| violations(&Package::of("blindscope-learn", &[(name, None)])).len();
        assert_eq!(
            ["tokio", "tonic", "blindscope-store", "blindscope-transport", "ureq"].map(found),
            [1, 1, 1, 1, 0]
        );
        assert_eq!(violations(&Package::of("blindscope-node", &[("ureq", None)])).len(), 1);
    }

    #[test]
    fn an_unknown_room_needs_a_row() {
        assert_eq!(violations(&Package::of("blindscope-attic", &[])).len(), 1);
    }

    #[test]
    fn outside_crates_stay_in_their_rooms() {
        let ckks = Package::of(
            "blindscope-ckks",
            &[("anyhow", None), ("candle-core", None), ("tokio", Some("dev"))],
        );
        assert_eq!(
            violations(&ckks),
            [
                "ckks -> anyhow: string errors only in cli, xtask",
                "ckks -> candle-core: tensors only in vision, audit"
            ]
        );
    }

    /// An arrow may only point to a crate of the table, and never back: the table has no cycle.
    #[test]
    fn the_table_is_acyclic() {
        let mut placed: Vec<&str> = Vec::new();
        while placed.len() < LAYERS.len() {
            let next = LAYERS
                .iter()
                .find(|(name, below)| !placed.contains(name) && below.iter().all(|b| placed.contains(b)));
            placed.push(next.expect("a cycle or an unknown name in LAYERS").0);
        }
    }
}
