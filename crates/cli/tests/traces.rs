//! Spans of a real study, as a collector of OpenTelemetry gets them: one trace a round, of the coordinator and of every site.
#![cfg(feature = "traces")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helper functions of tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{learning, project, sums};

const ROUNDS: u64 = 2;
/// What a round's trace holds: sites fetch, compute and send; the coordinator combines.
const ALL: [&str; 4] = ["combine", "compute", "fetch", "send"];

/// A collector that keeps the bodies it gets.
fn collector(bodies: Arc<Mutex<Vec<Vec<u8>>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let bodies = bodies.clone();
            // A client that leaves ends its own connection alone.
            std::thread::spawn(move || answer(connection.unwrap(), &bodies));
        }
    });
    address
}

fn answer(connection: TcpStream, bodies: &Mutex<Vec<Vec<u8>>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut connection = connection;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        if first.is_empty() {
            return Ok(());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        assert!(first.starts_with("POST /v1/traces "), "{first}");
        bodies.lock().unwrap().push(body);
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}

/// The names of spans by their trace: in OTLP's protobuf a span begins with a trace's number of 16 bytes, its own of 8, its parent's of 8,
/// and its name (fields 1, 2, 4, 5).
fn by_trace(bodies: &[Vec<u8>]) -> BTreeMap<[u8; 16], BTreeSet<String>> {
    let mut found: BTreeMap<[u8; 16], BTreeSet<String>> = BTreeMap::new();
    for at in bodies.iter().flat_map(|body| (0..body.len()).map(move |at| &body[at..])) {
        let named = at
            .strip_prefix(&[0x0a, 16])
            .and_then(|rest| rest.split_first_chunk::<16>())
            .and_then(|(trace, rest)| Some((trace, rest.strip_prefix(&[0x12, 8])?.get(8..)?)))
            .and_then(|(trace, rest)| Some((trace, rest.strip_prefix(&[0x22, 8])?.get(8..)?)))
            .and_then(|(trace, rest)| Some((trace, rest.strip_prefix(&[0x2a])?.split_first()?)));
        if let Some((trace, (length, rest))) = named {
            let name = String::from_utf8_lossy(&rest[..usize::from(*length)]).into_owned();
            found.entry(*trace).or_default().insert(name);
        }
    }
    found
}

/// The command with a collector in its environment.
fn traced(folder: &Path, collector: &str) -> PathBuf {
    let path = folder.join("blindscope");
    let script = format!(
        "#!/bin/sh\nexport OTEL_EXPORTER_OTLP_ENDPOINT={collector} OTEL_BSP_SCHEDULE_DELAY=50\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_blindscope")
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_is_one_trace_of_everybody_who_works_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = Arc::default();
    let binary = traced(folder.path(), &collector(Arc::clone(&bodies)));
    let project = project(3, 2, 3);
    let mut study =
        Processes::provision(&binary, &folder.path().join("study"), project, &learning(3)).unwrap();
    study.start().await.unwrap();
    let admin = study.admin().unwrap();
    admin.submit(&sums("traced", 100, ROUNDS)).await.unwrap();
    admin.watch("traced", |_| {}).await.unwrap();
    let (begun, mut found) = (Instant::now(), BTreeMap::new());
    let whole = |names: &BTreeSet<String>| ALL.iter().all(|name| names.contains(*name));
    while begun.elapsed() < Duration::from_secs(30) {
        found = by_trace(&bodies.lock().unwrap());
        if found.values().filter(|names| whole(names)).count() as u64 >= ROUNDS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(found.len() as u64, ROUNDS, "a trace a round: {found:?}");
    assert!(found.values().all(whole), "{found:?}");
}

#[test]
fn a_collector_that_is_no_address_is_refused_with_what_to_write() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_blindscope"));
    let said = command.args(["settings"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", "a collector").output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("http://127.0.0.1:4318"), "{text}");
}
