//! A worker's figures, as a monitor reads them of its process, while a study sums under one roster and the next.
#![cfg(feature = "scale")]
#![allow(
    clippy::disallowed_methods,
    clippy::duration_suboptimal_units,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helper functions of tests"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use blindscope_node::kit::{Approvals, Consent};
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal::{expected, project, sums};
use blindscope_node::roster::{Office, change};
use blindscope_node::system;
use common::ends::ends_well;
use common::places::Place;

/// Values of a sum whose uploads are beside the log.
const LARGE: u64 = 600_000;

/// A worker's process and where it shows its figures.
struct Watched {
    child: Child,
    address: String,
}

impl Watched {
    fn start(place: &Place, study: &Processes) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_blindscope"));
        command.args(["worker", "--pieces", "1", "--until-input-ends", "--metrics", &free]);
        command.arg("--kit").arg(study.kit("worker-0").folder());
        command.envs(place.services.as_ref().unwrap().environment());
        let log = std::fs::File::create(place.folder().join("worker.log")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        Self { child: command.spawn().unwrap(), address: free }
    }

    /// All figures; nothing before they are shown.
    fn scraped(&self) -> Option<String> {
        let mut tcp = TcpStream::connect(&self.address).ok()?;
        tcp.write_all(b"GET /metrics HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        Some(answer)
    }

    fn figure(&self, name: &str) -> Option<u64> {
        let (shown, line) = (self.scraped()?, format!("blindscope_{name} "));
        shown.lines().find_map(|shown| shown.strip_prefix(&line)?.parse().ok())
    }

    async fn until(&self, name: &str, is: impl Fn(u64) -> bool) -> u64 {
        let begun = Instant::now();
        loop {
            match self.figure(name).filter(|value| is(*value)) {
                Some(value) => return value,
                None => assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", self.figure(name)),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Site 2 leaves, as the others sign.
async fn one_leaves(study: &Processes) {
    let mut office = Office::of(&study.kit("admin"), &[]).unwrap();
    office.look().await.unwrap();
    let leave = change(office.study(), &[], &["site-2".to_owned()], &[]).unwrap();
    office.propose(&leave).await.unwrap();
    let next = leave.next(&office.study().epoch().unwrap()).unwrap().digest();
    for site in ["site-0", "site-1"] {
        let kit = study.kit(site);
        let mut approvals = Approvals::of(&kit).unwrap();
        approvals.say_of_change(&next, Consent::Approved, system::now_ms());
        approvals.keep(&kit).unwrap();
    }
    let begun = Instant::now();
    while office.study().version() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the change does not come to stand");
        tokio::time::sleep(Duration::from_millis(100)).await;
        office.look().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_sees_a_worker_at_work_under_one_roster_and_the_next() {
    let Some((place, mut server)) = Place::with_queue().await else { return };
    let mut study = place.processes(project(3, 2, 2));
    study.found_workers(1).unwrap();
    let watched = Watched::start(&place, &study);
    watched.until("queue_answers", |answers| answers == 1).await;
    assert_eq!(watched.figure("worker_pieces_total{piece=\"combine\",end=\"done\"}"), Some(0));
    study.start().await.unwrap();
    let mut admin = study.admin().unwrap();
    let mut done = 0;
    for (name, sites) in [("before", 0..3), ("after", 0..2)] {
        if name == "after" {
            one_leaves(&study).await;
            admin.learn_roster().await.unwrap();
        }
        // The leader does by itself what comes before it has heard the worker.
        let before = done;
        for number in 0.. {
            let spec = sums(&format!("{name}-{number}"), LARGE, 1);
            admin.submit(&spec).await.unwrap();
            let found = ends_well(&admin, &spec.name).await;
            assert!(found == expected(&spec, sites.clone()), "{}: another sum", spec.name);
            done = watched.until("worker_pieces_total{piece=\"combine\",end=\"done\"}", |_| true).await;
            if done > before {
                break;
            }
            assert!(number < 20, "the worker does nothing");
        }
        println!("{name} the change: {} pieces", done - before);
    }
    let said = std::fs::read_to_string(place.folder().join("worker.log")).unwrap();
    for end in ["left", "given-back", "untold"] {
        let name = format!("worker_pieces_total{{piece=\"combine\",end=\"{end}\"}}");
        assert_eq!(watched.figure(&name), Some(0), "{end}: {said}");
    }
    // The leader goes on before the last one is counted.
    watched.until("worker_piece_seconds_count{piece=\"combine\"}", |count| count >= done).await;
    assert_eq!(watched.figure("queue_refused_total"), Some(0));
    watched.until("worker_pieces_at_work", |at| at == 0).await;
    server.kill();
    watched.until("queue_answers", |answers| answers == 0).await;
}
