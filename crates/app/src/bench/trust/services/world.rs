//! A study in one process: what its services are asked is real, what it learns from is drawn.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tokio::task::JoinHandle;

use blindscope_classify::Head;
use blindscope_federation::{Deadlines, JobKind, JobSpec, Record};
use blindscope_learn::features::Features;
use blindscope_learn::jobs::{
    CoordinatorLearner, EncryptedHeadSettings, EpochFigures, Examples, FedAvgSettings, SiteData, SiteLearner,
    served_head,
};
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::coordinator::{self, HeadReader, Parts};
use blindscope_node::kit::provision::{self, Project};
use blindscope_node::kit::{InferenceSettings, Kit, PartySettings};
use blindscope_node::{Error, Limits, Result, Stop, rehearsal, site, system};
use blindscope_transport::Client;

/// The head that can be asked in the clear, and the one that nobody holds.
pub(super) const CLEAR: &str = "start";
pub(super) const ENCRYPTED: &str = "head";
/// A job that runs beside questions.
const LONG: &str = "beside";
/// One that uses its hour up, and eight at once.
pub(super) const ASKERS: usize = 9;
pub(super) const TOKENS_AN_HOUR: u64 = 400;
pub(super) const SITES: [&str; 3] = ["one", "two", "three"];
pub(super) const WIDTH: usize = 12;
const CLASSES: usize = 3;
const HIDDEN: usize = 8;
const ENOUGH: u64 = 1 << 32;

pub(super) struct World {
    folder: PathBuf,
    admin: Admin,
    stop: Stop,
    running: Vec<JoinHandle<Result<()>>>,
}

impl World {
    /// Everything started, both heads learned.
    pub(super) async fn start() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("blindscope-bench-trust-{}", std::process::id()));
        provision::all_local(&project()?, &folder, system::now_ms(), &mut system::rng()?)?;
        let stop = Stop::new();
        let mut running = vec![serve(&folder, &stop).await?];
        for (k, name) in SITES.iter().enumerate() {
            let (kit, stop) = (Kit::at(folder.join(name)), stop.clone());
            let learner = Arc::new(SiteLearner::new(data(k as u64), |_: &EpochFigures| {}));
            running.push(tokio::spawn(async move { site::run(&kit, &[], learner, ENOUGH, stop).await }));
        }
        let admin = Admin::of(&Kit::at(folder.join("admin")), &[])?;
        let world = Self { folder, admin, stop, running };
        world.learn(fedavg(CLEAR, 0)?).await?;
        world.learn(collective("inference", JobKind::InferenceKeys)?).await?;
        world.learn(collective(ENCRYPTED, JobKind::EncryptedHead)?).await?;
        Ok(world)
    }

    async fn learn(&self, draft: JobSpec) -> Result<()> {
        let name = draft.name.clone();
        self.admin.submit_draft(draft).await?;
        jobs::result(self.admin.study(), &self.admin.watch(&name, |_| {}).await?)?;
        Ok(())
    }

    /// The head that is asked in the clear, as only the study has it.
    pub(super) async fn clear_head(&self) -> Result<Head> {
        let (bytes, _) = self.admin.download(CLEAR, Vec::new()).await?;
        let spec = fedavg(CLEAR, 0)?;
        Ok(served_head(&spec, &bytes)?)
    }

    pub(super) fn asker(&self, number: usize) -> Kit {
        Kit::at(self.folder.join(format!("asker-{number}")))
    }

    /// A job of more rounds than anybody waits for.
    pub(super) async fn submit_long(&self) -> Result<()> {
        self.admin.submit_draft(fedavg(LONG, 500)?).await?;
        // Until its first round is under way.
        while !self.long_runs().await? {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(super) async fn long_runs(&self) -> Result<bool> {
        let view = self.admin.status(LONG).await?;
        Ok(!view.is_over() && view.round > 0)
    }

    pub(super) async fn abort_long(&self) -> Result<()> {
        self.admin.abort(LONG).await?;
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The log so far.
    pub(super) async fn records(&self) -> Result<Vec<Record>> {
        self.admin.records().await
    }

    /// Stops all services; what they wrote stays.
    pub(super) async fn stop(&mut self) -> Result<()> {
        self.stop.stop();
        for service in self.running.drain(..) {
            service.await.map_err(|_| Error::Defect { what: "a service of the bench" })??;
        }
        Ok(())
    }

    pub(super) async fn end(mut self) -> Result<()> {
        self.stop().await?;
        // What cannot be removed stays in the folder for temporary files, which the system empties.
        let _ = std::fs::remove_dir_all(&self.folder);
        Ok(())
    }
}

/// Tokens of the first class.
pub(super) fn tokens(count: u64) -> Vec<Vec<f64>> {
    (0..count).map(|k| row(0, &mut ChaCha20Rng::seed_from_u64(k)).map(f64::from).collect()).collect()
}

/// The same tokens as rows of features.
pub(super) fn features(count: u64) -> Features {
    let rows = (0..count).map(|k| row(0, &mut ChaCha20Rng::seed_from_u64(k)).collect::<Vec<f32>>());
    let (values, ids): (Vec<_>, Vec<_>) = rows.enumerate().map(|(k, row)| (row, format!("row {k}"))).unzip();
    let width = values.first().map_or(0, Vec::len);
    Features { width, values: values.into_iter().flatten().collect(), ids, ..Features::default() }
}

/// The connection of an asker to the coordinator.
pub(super) fn client(kit: &Kit) -> Result<Client> {
    kit.client(&kit.settings::<PartySettings>(&[])?.coordinator)
}

pub(super) fn parsed(bytes: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(bytes).map_err(|e| Error::Document { call: "infer", reason: e.to_string() })
}

async fn serve(folder: &Path, stop: &Stop) -> Result<JoinHandle<Result<()>>> {
    let (kit, stop) = (Kit::at(folder.join("coordinator")), stop.clone());
    let heads: HeadReader = Arc::new(|spec, result| Ok(served_head(spec, result)?.into()));
    let learning = Arc::new(CoordinatorLearner::default());
    let parts = Parts { learning, limits: Limits::default(), disk: ENOUGH, heads };
    let (tell, ready) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(async move {
        let told = move |address| {
            // Nobody waits any more where the other end is gone.
            let _ = tell.send(address);
        };
        coordinator::serve(&kit, &[], parts, stop, told).await
    });
    match ready.await {
        Ok(_) => Ok(serving),
        Err(_) => Err(serving.await.map_or(Error::Defect { what: "a service of the bench" }, |ended| {
            ended.err().unwrap_or(Error::Defect { what: "the bench's coordinator: it ended at once" })
        })),
    }
}

fn project() -> Result<Project> {
    let project = Project {
        name: "trust".to_owned(),
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        width: WIDTH as u32,
        sites: SITES.map(str::to_owned).into(),
        askers: (0..ASKERS).map(|k| format!("asker-{k}")).collect(),
        deadlines: Deadlines { ceremony_seconds: 600, upload_seconds: 600, opening_seconds: 120 },
        inference: Some(InferenceSettings {
            jobs: [CLEAR, ENCRYPTED].map(str::to_owned).into(),
            batch: 8,
            tokens_an_hour: TOKENS_AN_HOUR,
            ..InferenceSettings::default()
        }),
        ..rehearsal::project(SITES.len(), 2, 2)
    };
    rehearsal::on_loopback(project)
}

fn fedavg(name: &str, rounds: u64) -> Result<JobSpec> {
    let settings = FedAvgSettings {
        width: WIDTH,
        classes: CLASSES,
        rounds,
        // The long job is to be long.
        folds: 0,
        hidden: HIDDEN,
        examples: 256,
        validate: false,
        ..FedAvgSettings::default()
    };
    Ok(JobSpec { kind: JobKind::Fedavg, settings: json(&settings)?, ..JobSpec::named(name) })
}

fn collective(name: &str, kind: JobKind) -> Result<JobSpec> {
    let settings = EncryptedHeadSettings {
        width: WIDTH,
        classes: CLASSES,
        hidden: HIDDEN,
        epochs: 12,
        batch: 8,
        rate: 1e-2,
        ..EncryptedHeadSettings::default()
    };
    let start = Some(CLEAR.to_owned());
    Ok(JobSpec { kind, settings: json(&settings)?, start, ..JobSpec::named(name) })
}

fn json(settings: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(settings).map_err(|e| Error::Document { call: "submit", reason: e.to_string() })
}

/// CLS tokens around three centres.
fn data(site: u64) -> SiteData {
    let mut rng = ChaCha20Rng::seed_from_u64(100 + site);
    let mut train = Examples::default();
    for i in 0..60 + 30 * site as usize {
        train.labels.push(i % CLASSES);
        train.rows.extend(row(i % CLASSES, &mut rng));
    }
    SiteData { train, ..SiteData::default() }
}

fn row(label: usize, rng: &mut ChaCha20Rng) -> impl Iterator<Item = f32> {
    (0..WIDTH).map(move |j| {
        let centre = if j % CLASSES == label { 1.2 } else { -0.4 };
        centre + rng.next_u32() as f32 / u32::MAX as f32 * 1.4 - 0.7
    })
}
