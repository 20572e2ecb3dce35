//! Slides to features as a shell runs it: killed at random moments, in shards, with bad slides among good ones.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "../../vision/tests/common/slides.rs"]
mod made;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use made::{Picture, put, tiff};

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("blindscope-cli-slides-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(path.join("slides")).unwrap();
    path
}

fn blindscope(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
    command
        .current_dir(folder)
        .args(line.split(' '))
        .env_remove("RUST_BACKTRACE")
        .env_remove("BLINDSCOPE_CACHE");
    command
}

fn json(folder: &Path, line: &str) -> serde_json::Value {
    let output = blindscope(folder, line).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            out.extend(contents(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if path.extension().is_none_or(|end| end != "part") {
            out.insert(name, std::fs::read(&path).unwrap());
        }
    }
    out
}

fn stained(column: u64, row: u64) -> [u8; 3] {
    [200 - column as u8, 90 + 2 * row as u8, 160]
}

fn slides(folder: &Path) {
    for name in ["a", "b", "c"] {
        put(&folder.join(format!("slides/{name}.tif")), &tiff(&[Picture::of(1024, 768, 64, stained)], false));
    }
    put(&folder.join("slides/d.tif"), b"not a slide");
    put(&folder.join("cases.csv"), b"slide_id,case_id,label\na,p1,x\nb,p1,x\nc,p2,y\n");
}

/// `kill -9` at random moments, then the same command: the bytes of a run that nobody killed.
#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let folder = folder("kills");
    slides(&folder);
    let run =
        |out: &str| format!("features extract --slides slides {out} --small --tile 64 --batch 4 --json");
    let whole = json(&folder, &run("whole"));
    assert_eq!((&whole["done"], &whole["set_aside"], &whole["tiles"]), (&3.into(), &1.into(), &576.into()));
    assert_eq!(whole["slides"][3]["status"], "unknown-format");
    // Moments spread over a run: the clock of a loaded machine does not matter, since every kill is followed by another try.
    let mut kills = 0;
    for moment in 1..=12u64 {
        let mut child =
            blindscope(&folder, &run("killed")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment * 37 % 211));
        if child.try_wait().unwrap().is_none() {
            kills += 1;
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
    json(&folder, &run("killed"));
    println!("{kills} of 12 runs were killed");
    assert_eq!(contents(&folder.join("killed")), contents(&folder.join("whole")));
}

#[test]
fn shards_pool_into_slides() {
    let folder = folder("shards");
    slides(&folder);
    for shard in ["1/2", "2/2"] {
        json(
            &folder,
            &format!("features extract --slides slides run --small --tile 64 --shard {shard} --json"),
        );
    }
    let merged = json(&folder, "features merge run --json");
    assert_eq!((&merged["done"], &merged["set_aside"]), (&3.into(), &1.into()));
    let pooled = json(&folder, "features pool run slides.safetensors --slides-csv cases.csv --json");
    assert_eq!((&pooled["rows"], &pooled["groups"], &pooled["patients"]), (&3.into(), &2.into(), &2.into()));
    let tiles = json(&folder, "features import run tiles.safetensors --slides-csv cases.csv --json");
    assert_eq!((&tiles["rows"], &tiles["groups"]), (&576.into(), &2.into()));
    assert_ne!(pooled["backbone"], tiles["backbone"], "a row a slide is no row a tile");
    let refused =
        blindscope(&folder, "features extract --slides slides run --small --tile 32").output().unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && message.contains("begun with other settings"), "{message}");
}
