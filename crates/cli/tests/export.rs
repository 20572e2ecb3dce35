//! A job of a real study, as trackers of experiments get it: `MLflow`'s folder and server, `TensorBoard`'s event files.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helper functions of tests"
)]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use blindscope_node::admin::jobs;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{project, sums};
use common::processes;

const ROUNDS: u64 = 3;

fn export(study: &Processes, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
    command.args(["job", "export"]).args(arguments).arg("--kit").arg(study.kit("admin").folder());
    command.env("MLFLOW_TRACKING_TOKEN", "let-me-in").output().unwrap()
}

/// An `MLflow` server as far as a run needs one: it keeps what it is told.
fn server(asked: Arc<Mutex<Vec<(String, Value)>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            // A client that leaves ends its own connection alone.
            let _ = answer(connection.unwrap(), &asked);
        }
    });
    address
}

fn answer(connection: TcpStream, asked: &Mutex<Vec<(String, Value)>>) -> Option<()> {
    let mut out = connection.try_clone().unwrap();
    let mut input = BufReader::new(connection);
    loop {
        let mut first = String::new();
        input.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let path = first.split(' ').nth(1)?.trim_start_matches("/api/2.0/mlflow/").to_owned();
        let (mut length, mut token) = (0, false);
        loop {
            let mut line = String::new();
            input.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            length = line.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
            token |= line == "authorization: bearer let-me-in";
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut told = asked.lock().unwrap();
        let ended = told.iter().any(|(call, _)| call == "runs/update");
        let (status, reply) = match path.split('?').next()? {
            _ if !token => (401, json!({ "message": "who are you?" })),
            "experiments/get-by-name" if told.iter().all(|(call, _)| call != "experiments/create") => {
                (404, json!({ "error_code": "RESOURCE_DOES_NOT_EXIST" }))
            }
            "experiments/get-by-name" => (200, json!({ "experiment": { "experiment_id": "7" } })),
            "experiments/create" => (200, json!({ "experiment_id": "7" })),
            "runs/search" if ended => {
                (200, json!({ "runs": [{ "info": { "run_id": "r1", "status": "FINISHED" } }] }))
            }
            "runs/create" => (200, json!({ "run": { "info": { "run_id": "r1" } } })),
            _ => (200, json!({})),
        };
        told.push((path, body));
        drop(told);
        let reply = reply.to_string();
        write!(out, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{reply}", reply.len()).ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_reaches_every_tracker_with_what_the_log_says_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = processes(&folder.path().join("study"), project(3, 2, 3));
    study.start().await.unwrap();
    let admin = study.admin().unwrap();
    admin.submit(&sums("trial-job", 2000, ROUNDS)).await.unwrap();
    jobs::result(admin.study(), &admin.watch("trial-job", |_| {}).await.unwrap()).unwrap();
    let runs = folder.path().join("runs");
    let history = folder.path().join("hospital a.jsonl");
    let line = |epoch| json!({ "job": "sum", "round": 0, "epoch": epoch, "loss": 0.5, "accuracy": 0.75 });
    std::fs::write(&history, format!("{}\n{}\n", line(1), line(2))).unwrap();

    let (runs, history) = (runs.to_str().unwrap(), history.to_str().unwrap());
    let done = export(&study, &["trial-job", "--mlflow", runs, "--tensorboard", runs, "--history", history]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    check_folder(Path::new(runs));
    check_events(Path::new(runs));
    // Again: the same files, no second run.
    assert!(export(&study, &["trial-job", "--mlflow", runs, "--history", history]).status.success());
    check_folder(Path::new(runs));

    let asked = Arc::new(Mutex::new(Vec::new()));
    let address = server(asked.clone());
    let done = export(&study, &["trial-job", "--mlflow", &address]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let calls = asked.lock().unwrap().clone();
    let metrics: Vec<Value> = calls
        .iter()
        .filter(|(call, _)| call == "runs/log-batch")
        .flat_map(|(_, body)| body["metrics"].as_array().cloned().unwrap_or_default())
        .collect();
    let seconds = metrics.iter().filter(|metric| metric["key"] == "round/seconds").count();
    assert_eq!((seconds as u64, calls.last().unwrap().0.as_str()), (ROUNDS, "runs/update"));
    let again = export(&study, &["trial-job", "--mlflow", &address, "--json"]);
    let said: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(said[0]["already"], true, "{said}");

    // What is the caller's to correct exits with 3, and plain HTTP to elsewhere is refused.
    assert_eq!(export(&study, &["no-such-job", "--mlflow", runs]).status.code(), Some(5));
    assert_eq!(export(&study, &["trial-job", "--mlflow", runs, "--history", "gone"]).status.code(), Some(3));
    let plain = export(&study, &["trial-job", "--mlflow", "http://tracker.example.org"]);
    let said = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert!(!plain.status.success() && said.contains("https://") && !said.contains("let-me-in"), "{said}");
    admin.submit(&sums("waiting", 2_000_000, 50)).await.unwrap();
    let open = export(&study, &["waiting", "--mlflow", runs]);
    assert_eq!(open.status.code(), Some(3), "{}", String::from_utf8_lossy(&open.stderr));
    admin.abort("waiting").await.unwrap();
}

/// One experiment with one run, which says three rounds and two epochs.
fn check_folder(root: &Path) {
    let folders = |at: &Path| -> Vec<_> {
        let all = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.join("meta.yaml").exists()).collect()
    };
    let experiments = folders(root);
    assert_eq!(experiments.len(), 1);
    let about = std::fs::read_to_string(experiments[0].join("meta.yaml")).unwrap();
    assert!(about.contains("name: 'rehearsal'"), "{about}");
    let runs = folders(&experiments[0]);
    assert_eq!(runs.len(), 1);
    let read = |file: &str| std::fs::read_to_string(runs[0].join(file)).unwrap();
    assert!(read("meta.yaml").contains("status: 3") && read("meta.yaml").contains("run_name: 'trial-job'"));
    let contributions = read("metrics/round/contributions");
    let rows: Vec<&str> = contributions.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(rows, ["3 1", "3 2", "3 3"]);
    assert!(
        read("metrics/round/bytes")
            .lines()
            .all(|l| l.split(' ').nth(1).unwrap().parse::<f64>().unwrap() > 1e3)
    );
    let loss = read("metrics/site/hospital_a/loss");
    assert!(loss.lines().count() == 2 && loss.trim_end().ends_with(" 0.5 2"), "{loss}");
    assert_eq!(
        (read("params/values"), read("tags/mlflow.runName")),
        ("2000".to_owned(), "trial-job".to_owned())
    );
    assert!(read("artifacts/course.json").contains("\"opened_ms\""));
}

/// One file whose frames hold together to the end.
fn check_events(root: &Path) {
    let all = std::fs::read_dir(root.join("trial-job")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = all.collect();
    assert_eq!(files.len(), 1);
    let bytes = std::fs::read(&files[0]).unwrap();
    let (mut at, mut events) = (0, Vec::new());
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        events.push(&bytes[at + 12..at + 12 + length]);
        at += 16 + length;
    }
    let holding = |name: &str| {
        events.iter().filter(|event| event.windows(name.len()).any(|some| some == name.as_bytes())).count()
    };
    assert_eq!((holding("brain.Event:2"), holding("round/seconds") as u64), (1, ROUNDS));
    assert_eq!(holding("site/hospital_a/loss"), 2);
}
