//! What a monitor reads of a coordinator and its sites at work, held against the log.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "helper functions of tests")]
#![allow(clippy::disallowed_methods, reason = "a monitor of its own")]

mod network;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use blindscope_federation::{Event, JobKind, JobSpec, Record};
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::kit::{Kit, PartySettings};
use blindscope_node::plain::{NoLearning, Sums};
use blindscope_transport::{Command, Stop};
use network::{ENOUGH, found, run_site};

/// A free port, set as where a party shows its figures.
fn show(folder: &Path, party: &str) -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let path = Kit::at(folder.join(party)).startup("settings.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("metrics = \"{free}\"\n{text}")).unwrap();
    free
}

async fn asked(address: &str, request: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn scraped(address: &str) -> String {
    asked(address, "GET /metrics HTTP/1.1\r\nHost: monitor\r\nConnection: close\r\n\r\n").await
}

/// The value of a line.
fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in\n{text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_those_of_the_log_and_refusals_are_counted_by_cause() {
    let folder = tempfile::tempdir().unwrap();
    found(folder.path(), "metrics", None);
    let (of_coordinator, of_site) = (show(folder.path(), "coordinator"), show(folder.path(), "one"));
    let serving = network::serve(folder.path(), ENOUGH, Arc::new(Sums { learning: NoLearning })).await;
    let admin = Admin::of(&Kit::at(folder.path().join("admin")), &[]).unwrap();
    let idle = scraped(&of_coordinator).await;
    assert!(idle.starts_with("HTTP/1.1 200 ") && idle.contains("application/openmetrics-text"), "{idle}");
    assert!((value(&idle, "blindscope_jobs{state=\"waiting\"}") - 0.0).abs() < 0.5);
    assert!(!idle.contains("blindscope_site_silent_seconds{"), "nobody was heard");

    let spec = JobSpec { values: 500, max: 9, kind: JobKind::Sum, ..JobSpec::named("total") };
    admin.submit(&spec).await.unwrap();
    let waiting = scraped(&of_coordinator).await;
    let asked_of = "blindscope_step_sites_asked{job=\"total\",phase=\"upload\"}";
    assert!((value(&waiting, asked_of) - 2.0).abs() < 0.5, "{waiting}");
    let stop = Stop::new();
    let sites = [run_site(folder.path(), "one", 1, &stop), run_site(folder.path(), "two", 2, &stop)];
    jobs::result(admin.study(), &admin.watch("total", |_| {}).await.unwrap()).unwrap();

    // A site that takes itself for an administrator, twice, and a stranger to TLS.
    let kit = Kit::at(folder.path().join("one"));
    let settings: PartySettings = kit.settings(&[]).unwrap();
    let site = kit.client(&settings.coordinator).unwrap();
    for _ in 0..2 {
        assert!(site.command(Command::ListSites, Bytes::new()).await.is_err());
    }
    asked(&settings.coordinator, "GET / HTTP/1.1\r\n\r\n").await;

    let mut log = Vec::new();
    let records = admin.log(0, false, &mut log).await.unwrap();
    let payloads: u64 = log
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .filter_map(|line| match Record::from_line(line).unwrap().body.event {
            Event::Accepted { answer } => answer.payload().map(|blob| blob.len),
            _ => None,
        })
        .sum();
    let seen = scraped(&of_coordinator).await;
    assert!(seen.trim_end().ends_with("# EOF"), "{seen}");
    let expected = [
        ("blindscope_build{version=\"0.1.0\",role=\"coordinator\"}", 1),
        ("blindscope_jobs{state=\"done\"}", 1),
        ("blindscope_rounds_total", 1),
        ("blindscope_log_records", records),
        ("blindscope_received_bytes_total{call=\"submit\"}", payloads),
        ("blindscope_records_total{event=\"founded\"}", 1),
        ("blindscope_refusals_total{call=\"list-sites\",cause=\"wrong-role\"}", 2),
        ("blindscope_refusals_total{call=\"handshake\",cause=\"handshake\"}", 1),
        ("blindscope_uploads", 0),
        ("blindscope_inputs_waiting", 0),
    ];
    for (line, number) in expected {
        assert!((value(&seen, line) - number as f64).abs() < 0.5, "{line} is not {number}\n{seen}");
    }
    assert!(payloads > 0 && !seen.contains("step_sites_asked{"), "no step is open any more");
    assert!(value(&seen, "blindscope_flush_seconds_count") >= 1.0);
    assert!(value(&seen, "blindscope_process_resident_bytes") > 1e6);

    let seen = scraped(&of_site).await;
    assert!(
        (value(&seen, "blindscope_answers_accepted_total{phase=\"upload\"}") - 1.0).abs() < 0.5,
        "{seen}"
    );
    assert!(value(&seen, "blindscope_sent_bytes_total") > 0.0);
    // Nothing but the figures is there, and nothing is taken.
    for request in ["GET / HTTP/1.1", "POST /metrics HTTP/1.1", "GET /metrics/../study HTTP/1.1"] {
        let answer = asked(&of_site, &format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{request}: {answer}");
    }
    stop.stop();
    for site in sites {
        site.await.unwrap().unwrap();
    }
    serving.end().await;
    assert!(TcpStream::connect(of_coordinator).await.is_err(), "it ends with the service");
}

/// The dashboard asks for figures that there are.
#[test]
fn the_dashboard_names_figures_that_are_shown() {
    let sources = [
        include_str!("../src/coordinator/metrics/mod.rs"),
        include_str!("../src/coordinator/metrics/state.rs"),
        include_str!("../src/coordinator/metrics/process.rs"),
        include_str!("../src/site/meters.rs"),
        include_str!("../src/worker/meters.rs"),
    ]
    .concat();
    let dashboard = include_str!("../../../packaging/grafana/blindscope.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).unwrap();
    let asked: Vec<String> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap().clone())
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect();
    assert!(asked.len() > 10);
    for expression in asked {
        let names = expression.split("blindscope_").skip(1);
        let names = names.map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
            let name = &rest[..end];
            ["_total", "_bucket", "_count", "_sum"].iter().fold(name, |name, end| name.trim_end_matches(end))
        });
        for name in names {
            assert!(sources.contains(&format!("\"{name}\"")), "{name} in {expression}");
        }
    }
}
