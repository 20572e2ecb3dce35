//! Three sites in one process, with a head that nobody decrypts.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "shared by the test files"
)]

#[path = "../../../learn/tests/study/mod.rs"]
pub mod study;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::network::ENOUGH;
use blindscope_federation::{Deadlines, JobKind, JobSpec};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{EncryptedHeadSettings, FedAvgSettings, SiteData, SiteLearner};
use blindscope_node::Error;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::kit::provision::{self, Project};
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::{rehearsal, site, system};
use blindscope_transport::Stop;
use study::{CLASSES, WIDTH, examples, learner};

pub const SITES: [&str; 3] = ["one", "two", "three"];

/// Kits of three sites, an administrator and an asker.
pub fn found(folder: &Path, inference: InferenceSettings) {
    let project = Project {
        name: "encrypted".to_owned(),
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        width: WIDTH as u32,
        sites: SITES.map(str::to_owned).into(),
        askers: vec!["asker".to_owned()],
        deadlines: Deadlines { ceremony_seconds: 120, upload_seconds: 120, opening_seconds: 20 },
        inference: Some(inference),
        ..rehearsal::project(SITES.len(), 2, 2)
    };
    let project = rehearsal::on_loopback(project).unwrap();
    provision::all_local(&project, folder, system::now_ms(), &mut system::rng().unwrap()).unwrap();
}

pub fn data() -> Vec<SiteData> {
    let of = |(n, seed)| SiteData { train: examples(n, seed), ..SiteData::default() };
    [(90, 1), (60, 2), (120, 3)].map(of).into()
}

pub fn draft(name: &str, kind: JobKind) -> JobSpec {
    let settings = EncryptedHeadSettings {
        width: WIDTH,
        classes: CLASSES,
        hidden: 8,
        epochs: 12,
        batch: 8,
        rate: 1e-2,
        ..EncryptedHeadSettings::default()
    };
    let (settings, start) = (serde_json::to_value(settings).unwrap(), Some("start".to_owned()));
    JobSpec { kind, settings, start, ..JobSpec::named(name) }
}

/// The result of a job, waited for.
pub async fn done(admin: &Admin, name: &str) -> Vec<u8> {
    let begun = Instant::now();
    let last = tokio::time::timeout(Duration::from_mins(4), admin.watch(name, |_| {})).await;
    jobs::result(admin.study(), &last.expect("the job ends").unwrap()).unwrap();
    let (bytes, len) = admin.download(name, Vec::new()).await.unwrap();
    println!("{name}: {len} bytes, {:.1?}", begun.elapsed());
    bytes
}

/// What a site learns from.
pub fn learning(k: usize) -> Arc<SiteLearner> {
    Arc::new(learner(data()[k].clone()))
}

/// A site's service, until `stop`.
pub fn run(folder: &Path, k: usize, stop: &Stop) -> tokio::task::JoinHandle<Result<(), Error>> {
    let (kit, stop) = (Kit::at(folder.join(SITES[k])), stop.clone());
    tokio::spawn(async move { site::run(&kit, &[], learning(k), ENOUGH, stop).await })
}

/// Makes the key and learns the head `head`; what it starts from.
pub async fn learned(admin: &Admin) -> Vec<u8> {
    let start = FedAvgSettings {
        width: WIDTH,
        classes: CLASSES,
        rounds: 0,
        hidden: 8,
        examples: 256,
        validate: false,
        ..FedAvgSettings::default()
    };
    let settings = serde_json::to_value(&start).unwrap();
    let start = JobSpec { kind: JobKind::Fedavg, settings, ..JobSpec::named("start") };
    admin.submit_draft(start).await.unwrap();
    let start = done(admin, "start").await;
    admin.submit_draft(draft("inference", JobKind::InferenceKeys)).await.unwrap();
    admin.submit_draft(draft("head", JobKind::EncryptedHead)).await.unwrap();
    done(admin, "inference").await;
    done(admin, "head").await;
    start
}

/// Tokens to ask about.
pub fn tokens(n: usize) -> Vec<Vec<f64>> {
    let rows = examples(n, 77).rows;
    rows.whole().unwrap().chunks(WIDTH).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect()
}

/// The same as rows of features.
pub fn features(tokens: &[Vec<f64>]) -> Features {
    Features {
        width: WIDTH,
        values: tokens.iter().flatten().map(|v| *v as f32).collect(),
        ids: (0..tokens.len()).map(|t| t.to_string()).collect(),
        ..Features::default()
    }
}
