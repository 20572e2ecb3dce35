//! A coordinator and sites in one process.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by the test files"
)]

pub mod roster;

use std::path::Path;
use std::sync::Arc;

use blindscope_classify::Head;
use blindscope_federation::Deadlines;
use blindscope_node::Error;
use blindscope_node::coordinator::{self, HeadReader, Learning, Parts};
use blindscope_node::kit::provision::{self, Project};
use blindscope_node::kit::{InferenceSettings, Kit};
use blindscope_node::plain::Plain;
use blindscope_node::rehearsal;
use blindscope_node::site;
use blindscope_node::system;
use blindscope_transport::Limits;
use blindscope_transport::Stop;

pub const ENOUGH: u64 = 1 << 30;

pub fn found(folder: &Path, name: &str, inference: Option<InferenceSettings>) {
    let project = Project {
        name: name.to_owned(),
        classes: vec!["a".to_owned(), "b".to_owned()],
        width: 8,
        sites: vec!["one".to_owned(), "two".to_owned()],
        askers: vec!["asker".to_owned()],
        deadlines: Deadlines { ceremony_seconds: 60, upload_seconds: 60, opening_seconds: 60 },
        inference,
        ..rehearsal::project(2, 2, 2)
    };
    let project = rehearsal::on_loopback(project).unwrap();
    provision::all_local(&project, folder, system::now_ms(), &mut system::rng().unwrap()).unwrap();
}

/// A coordinator that runs until its guard is dropped, and a way to wait for its end.
pub struct Serving(Stop, tokio::task::JoinHandle<Result<(), Error>>);

pub async fn serve(folder: &Path, disk: u64, learning: Learning) -> Serving {
    let (stop, kit) = (Stop::new(), Kit::at(folder.join("coordinator")));
    let heads: HeadReader = Arc::new(|_, result| Ok(Head::new(serde_json::from_slice(result)?)?.into()));
    let parts = Parts { learning, limits: Limits::default(), disk, heads };
    let (tell, ready) = tokio::sync::oneshot::channel();
    let stopping = stop.clone();
    let serving = tokio::spawn(async move {
        coordinator::serve(&kit, &[], parts, stopping, move |address| tell.send(address).unwrap()).await
    });
    ready.await.expect("it starts");
    Serving(stop, serving)
}

impl Serving {
    pub async fn end(self) {
        self.0.stop();
        self.1.await.unwrap().unwrap();
    }
}

pub fn run_site(
    folder: &Path,
    name: &str,
    seed: u64,
    stop: &Stop,
) -> tokio::task::JoinHandle<Result<(), Error>> {
    let (kit, stop) = (Kit::at(folder.join(name)), stop.clone());
    tokio::spawn(async move { site::run(&kit, &[], Arc::new(Plain::Seed(seed)), ENOUGH, stop).await })
}
