//! `blindscope demo` as a newcomer runs it: killed half-way, run again, repeated from its seed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for something that takes a second or two.
const PATIENCE: Duration = Duration::from_mins(2);

fn demo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
    command.args(["demo", "--quick", "--json", "--seed", "7", "--folder"]).arg(folder);
    command
}

/// The results that a demo prints.
fn results(mut demo: Command) -> Value {
    let output = demo.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Digests of the encrypted jobs' results and of their clear twins.
fn digests(results: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let exact = results["exact"].as_array().unwrap();
    exact.iter().map(|e| (text(&e["encrypted"]), text(&e["clear"]))).collect()
}

/// Everything that the demo promises of its own results.
fn holds(folder: &Path, results: &Value) {
    for (encrypted, clear) in digests(results) {
        assert_eq!(encrypted, clear);
    }
    let agreement = results["agreement"].as_array().unwrap();
    assert!(!agreement.is_empty());
    for a in agreement {
        assert!(a["tokens"].as_u64().unwrap() > 0);
        let figure = |name: &str| a[name].as_f64().unwrap();
        assert!(figure("worst_error") <= figure("error_bound"));
        // Two logits that are as good as equal may change places within the stated error, and only they.
        assert!(
            a["same_class"] == a["tokens"] || figure("smallest_lead") <= 2.0 * figure("worst_error"),
            "{a}"
        );
    }
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.ends_with("</html>\n") || page.ends_with("</html>"));
    for outside in ["src=\"http", "<script src", "<link", "@import"] {
        assert!(!page.contains(outside), "the page fetches something: {outside}");
    }
}

#[test]
fn a_killed_demo_takes_its_services_with_it_and_goes_on_to_the_same_models() {
    let folder = tempfile::tempdir().unwrap();
    let (killed, whole) = (folder.path().join("killed"), folder.path().join("whole"));

    let mut running = demo(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = |party: &str| {
        let path = killed.join("study/logs").join(format!("{party}.log"));
        std::fs::read_to_string(path).unwrap_or_default()
    };
    until("a study at work", || log("coordinator").contains("joined"));
    running.kill().unwrap();
    running.wait().unwrap();
    for party in ["coordinator", "north", "south", "west"] {
        until("its services' end", || log(party).contains("standard input ended"));
    }
    let settings = std::fs::read_to_string(killed.join("study/admin/startup/settings.toml")).unwrap();
    let address = settings.lines().find_map(|l| l.strip_prefix("coordinator = ")).unwrap().trim_matches('"');
    until("a free port", || TcpStream::connect(address).is_err());

    let resumed = results(demo(&killed));
    holds(&killed, &resumed);
    let uninterrupted = results(demo(&whole));
    holds(&whole, &uninterrupted);
    assert_eq!(digests(&resumed), digests(&uninterrupted), "the seed decides the models");

    let again = results(demo(&killed));
    assert_eq!(digests(&again), digests(&resumed));
    let refused = demo(&killed).args(["--seed", "8"]).output().unwrap();
    assert!(!refused.status.success());
}

/// Writes a list of the tiles of `each` tile groups a class, and returns how many groups it holds.
fn some_groups(tiles: &Path, each: usize, list: &Path) -> usize {
    let manifest = std::fs::read_to_string(tiles.join("manifest.csv")).unwrap();
    let mut taken: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut rows = "path,label,group\n".to_owned();
    for row in manifest.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let (path, label, group) = (cells[0], cells[1], cells[2]);
        let groups = taken.entry(label.to_owned()).or_default();
        if groups.contains(group) || groups.len() < each {
            groups.insert(group.to_owned());
            let path = tiles.join(path);
            writeln!(rows, "{},{label},{label}-{group}", path.display()).unwrap();
        }
    }
    std::fs::write(list, rows).unwrap();
    taken.values().map(BTreeSet::len).sum()
}

#[test]
fn a_demo_on_real_tiles() {
    let Some(data) = std::env::var_os("BLINDSCOPE_DATA").map(std::path::PathBuf::from) else {
        println!("skipped: BLINDSCOPE_DATA names no folder of real tiles");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("tiles.csv");
    let groups = some_groups(&data.join("lung-histology"), 24, &list);
    assert!(groups >= 60, "{groups} groups");
    let run = folder.path().join("run");
    let mut command = demo(&run);
    command
        .arg("--data")
        .arg(&list)
        .arg("--model")
        .arg(data.join("vit/deit-tiny-patch16-224/deit_tiny_patch16_224.safetensors"));
    let results = results(command);
    holds(&run, &results);
    // Twenty-four groups a class are few; chance is a third.
    let accuracy = results["configurations"][1]["accuracy"]["value"].as_f64().unwrap();
    assert!(accuracy > 0.7, "encrypted CLS tokens of real tiles: {accuracy}");
}
