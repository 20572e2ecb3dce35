//! `docs/first-study.md`, walked: its own files are written and its own commands are run, in the order in which they are printed.
//! Nothing is replaced but the port, which has to be a free one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a fenced block of the page asks for.
enum Block {
    /// A file, and what it holds.
    File(String, String),
    /// Commands, one a line.
    Commands(Vec<String>),
}

/// Every fenced block, in order. A language that the test does not know is a fault of the page.
fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        found.push(match info.split_once(' ') {
            None if info == "sh" => Block::Commands(body.into_iter().map(str::to_owned).collect()),
            Some(("toml", name)) => Block::File(name.to_owned(), body.join("\n") + "\n"),
            _ => panic!("a block of {info:?}: expected sh, or toml with a file's name"),
        });
    }
    found
}

/// Services that the page started; they end with the test.
struct Services(Vec<(String, PathBuf, Child)>);

impl Services {
    fn start(&mut self, line: &str, mut command: Command, log: PathBuf) {
        let file = std::fs::File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        self.0.push((line.to_owned(), log, child));
    }

    /// A service that has ended is a fault: its log says why.
    fn check(&mut self) {
        for (line, log, child) in &mut self.0 {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{line} ended: {}", std::fs::read_to_string(log).unwrap());
        }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for (_, _, child) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The line as a shell runs it, with the built command found under its own name.
fn shell(folder: &Path, line: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_blindscope"));
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("sh");
    // `exec`: killing a service must end the service, not a shell before it.
    let line = if is_service(line) { format!("exec {line}") } else { line.to_owned() };
    command.current_dir(folder).args(["-c", &line]);
    command.env("PATH", format!("{}:{path}", binary.parent().unwrap().display()));
    for name in
        ["RUST_BACKTRACE", "BLINDSCOPE_CACHE", "BLINDSCOPE_MODELS", "BLINDSCOPE_DATA", "BLINDSCOPE_LOG"]
    {
        command.env_remove(name);
    }
    command
}

fn is_service(line: &str) -> bool {
    line.starts_with("blindscope coordinator serve") || line.starts_with("blindscope site run")
}

/// Runs a command to its end and returns what it printed.
fn run(folder: &Path, line: &str) -> String {
    let output = shell(folder, line).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{line}: {} {printed} {said}", output.status);
    printed
}

/// A reader waits until the coordinator says that it listens.
fn await_port(port: u16) {
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_first_study_works_as_it_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let page = include_str!("../../../docs/first-study.md").replace("8443", &port.to_string());
    let mut services = Services(Vec::new());
    let mut ran = 0;
    for block in blocks(&page) {
        match block {
            Block::File(name, text) => std::fs::write(folder.path().join(name), text).unwrap(),
            Block::Commands(lines) => {
                for line in lines {
                    ran += 1;
                    if is_service(&line) {
                        let log = folder.path().join(format!("service-{ran}.log"));
                        services.start(&line, shell(folder.path(), &line), log);
                        await_port(port);
                    } else {
                        run(folder.path(), &line);
                    }
                    services.check();
                }
            }
        }
    }
    assert!(ran > 35 && services.0.len() == 4, "{ran} commands, {} services", services.0.len());
    answers(folder.path());
}

/// What the reader is promised to have in hand: a head with its classes' names, figures of it, and answers that are mostly right.
fn answers(folder: &Path) {
    let head: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("head.json")).unwrap()).unwrap();
    assert_eq!(head["classes"], serde_json::json!(["glands", "septa", "pearls"]));
    assert!(head["clipped"]["values"].as_u64().unwrap() > 0 && head["clipped"]["clipped"].is_u64());
    let counted = |rows: &serde_json::Value| -> u64 {
        rows.as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|n| n.as_u64().unwrap())
            .sum()
    };
    assert!(counted(&head["validation"]) > 0);
    let text = std::fs::read_to_string(folder.join("answers.csv")).unwrap();
    let mut rows = text.lines();
    assert_eq!(rows.next(), Some("id,file,class,glands,septa,pearls"));
    let mut right = 0;
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(',').collect()).collect();
    for row in &rows {
        let [id, file, class, logits @ ..] = row.as_slice() else { panic!("{row:?}") };
        assert!(folder.join(file).is_file() && file.ends_with(id) && logits.len() == 3, "{row:?}");
        let logits: Vec<f64> = logits.iter().map(|logit| logit.parse().unwrap()).collect();
        let best = logits.iter().copied().fold(f64::MIN, f64::max);
        let named = ["glands", "septa", "pearls"].iter().position(|name| name == class).unwrap();
        assert!(logits[named] >= best, "the class named is that of the largest logit: {row:?}");
        right += usize::from(id.starts_with(class));
    }
    assert_eq!(rows.len(), 6);
    assert!(right >= 3, "{right} of 6 right, two would be chance:\n{text}");
}
