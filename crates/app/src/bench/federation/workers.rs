//! Questions a second through one worker and through two: processes of one thread each behind NATS, over PostgreSQL and an object store.
//!
//! Sites and asker are within this process, and the asker encrypts its question once: what is measured is what coordinator, queue, object store
//! and workers make of it, on the processors that all of them share.

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::{finish, wrong};
use crate::bench::{Better, Figure};
use blindscope_classify::{Asker, AskerSecret, EvaluationKeys, Plan};
use blindscope_federation::{Blob, JobKind, JobSpec};
use blindscope_learn::jobs::{EpochFigures, Examples, FedAvgSettings, SiteData, SiteLearner};
use blindscope_node::kit::InferenceSettings;
use blindscope_node::kit::provision::Project;
use blindscope_node::processes::Processes;
use blindscope_node::{Error, Result, Stop, rehearsal, site, system};
use blindscope_transport::{Client, Upload};

const AREA: &str = "scale";
const CLASSES: usize = 3;
/// A head whose answer takes a worker long against what surrounds it.
const WIDTH: usize = 768;
const HIDDEN: usize = 512;
const HEAD: &str = "asked";
/// Tokens of a question.
const TOKENS: usize = 8;
/// Questions of one measurement, and under way at a time: as many as a certificate may.
const QUESTIONS: usize = 32;
const AT_ONCE: usize = 4;
/// Measurements with each number of workers, by turns.
const RUNS: usize = 5;
/// Longest wait for a worker to be heard.
const HEARD: Duration = Duration::from_mins(1);

/// Measures in a study of [`project`] whose coordinators share a place with a queue, and which has two workers; its sites go on within this
/// process.
pub(super) async fn figures(study: &mut Processes) -> Result<Vec<Figure>> {
    let stop = Stop::new();
    learned(study, &stop).await?;
    (0..study.workers()).for_each(|worker| study.kill_worker(worker));
    let measured = measured(study).await;
    stop.stop();
    measured
}

async fn learned(study: &mut Processes, stop: &Stop) -> Result<()> {
    for number in 0..study.sites() {
        study.kill_site(number);
        let (kit, stop) = (study.kit(&format!("site-{number}")), stop.clone());
        let learner = Arc::new(SiteLearner::new(data(number as u64), |_: &EpochFigures| {}));
        tokio::spawn(async move { site::run(&kit, &[], learner, 1 << 34, stop).await });
    }
    study.ready().await?;
    let admin = study.admin()?;
    admin.submit_draft(head()?).await?;
    finish(&admin, HEAD).await
}

async fn measured(study: &mut Processes) -> Result<Vec<Figure>> {
    let question = Arc::new(Question::made(study).await?);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        study.start_worker(0)?;
        question.heard().await?;
        one.push(question.rate().await?);
        study.start_worker(1)?;
        // Until it has read head and keys, too.
        question.heard().await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        question.heard().await?;
        two.push(question.rate().await?);
        study.kill_worker(1);
    }
    let ratios: Vec<f64> = one.iter().zip(&two).map(|(one, two)| two / one.max(f64::MIN_POSITIVE)).collect();
    let rate = |name: &str, rates: &[f64]| Figure::of(AREA, name, "1/s", Better::Higher, rates);
    Ok(vec![
        rate("questions-one-worker", &one),
        rate("questions-two-workers", &two),
        Figure::of(AREA, "questions-two-workers-over-one", "x", Better::Higher, &ratios).must(1.6, 1.9),
    ])
}

/// One question that is asked again and again.
struct Question {
    client: Client,
    wish: String,
    bytes: Vec<u8>,
    /// Bytes of an answer.
    most: u64,
}

impl Question {
    async fn made(study: &Processes) -> Result<Self> {
        // All of them: the asker's own settings name the first.
        let client = study.kit("asker").client(&study.address()?)?;
        let mut rng = system::rng()?;
        let head = format!(r#"{{"wish":"head","job":"{HEAD}"}}"#);
        let plan = Plan::from_bytes(&client.offer(head.clone().into()).await?)?;
        let secret = AskerSecret::generate(&plan, &mut rng)?;
        let keys = EvaluationKeys::generate(&plan, &secret, &mut rng)?.to_bytes(&plan)?;
        let Blob { digest, len } = Blob::of(&keys);
        let upload = Upload { header: head.into(), len, digest };
        client.put_keys(upload, Box::new(Cursor::new(keys))).await?;
        let mut drawn = ChaCha20Rng::seed_from_u64(77);
        let token = |_| row(0, &mut drawn).map(f64::from).collect();
        let tokens: Vec<Vec<f64>> = (0..TOKENS).map(token).collect();
        let bytes = Asker::new(&plan).encrypt(&tokens, &secret, &mut rng)?;
        let keys = format!(r#"{{"digest":"{digest}","len":{len}}}"#);
        let wish = format!(r#"{{"wish":"answers","job":"{HEAD}","keys":{keys},"tokens":{TOKENS}}}"#);
        Ok(Self { client, wish, bytes, most: plan.answer_len(TOKENS) as u64 })
    }

    async fn ask(&self) -> Result<()> {
        let blob = Blob::of(&self.bytes);
        let upload = Upload { header: self.wish.clone().into(), len: blob.len, digest: blob.digest };
        let bytes = Box::new(Cursor::new(self.bytes.clone()));
        self.client.infer(upload, bytes, self.most).await?;
        Ok(())
    }

    /// Asks a few questions and waits until the workers that run are heard and warm.
    async fn heard(&self) -> Result<()> {
        let begun = Instant::now();
        for _ in 0..4 {
            self.ask().await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if begun.elapsed() > HEARD { Err(wrong("the wait for a worker")) } else { Ok(()) }
    }

    /// Questions a second.
    async fn rate(self: &Arc<Self>) -> Result<f64> {
        let begun = Instant::now();
        let mut asking = tokio::task::JoinSet::new();
        for asker in 0..AT_ONCE {
            let (question, share) = (self.clone(), (asker..QUESTIONS).step_by(AT_ONCE).count());
            asking.spawn(async move {
                for _ in 0..share {
                    question.ask().await?;
                }
                Ok::<_, Error>(())
            });
        }
        while let Some(asked) = asking.join_next().await {
            asked.map_err(|_| wrong("the asking of questions"))??;
        }
        Ok(QUESTIONS as f64 / begun.elapsed().as_secs_f64())
    }
}

/// A study of so many sites whose head may be asked.
pub(super) fn project(sites: usize) -> Project {
    let inference = InferenceSettings {
        jobs: vec![HEAD.to_owned()],
        batch: TOKENS,
        tokens_an_hour: 1 << 40,
        tokens_in_all: 1 << 40,
        ..InferenceSettings::default()
    };
    Project {
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        width: WIDTH as u32,
        askers: vec!["asker".to_owned()],
        inference: Some(inference),
        ..rehearsal::project(sites, 2, sites as u32)
    }
}

fn head() -> Result<JobSpec> {
    let settings = FedAvgSettings {
        width: WIDTH,
        classes: CLASSES,
        // The common start is a head like any other, as fast.
        rounds: 0,
        folds: 0,
        hidden: HIDDEN,
        examples: 256,
        validate: false,
        ..FedAvgSettings::default()
    };
    let settings = serde_json::to_value(settings)
        .map_err(|e| Error::Document { call: "submit", reason: e.to_string() })?;
    Ok(JobSpec { kind: JobKind::Fedavg, settings, ..JobSpec::named(HEAD) })
}

fn data(site: u64) -> SiteData {
    let mut rng = ChaCha20Rng::seed_from_u64(500 + site);
    let mut train = Examples::default();
    for k in 0..60 {
        train.labels.push(k % CLASSES);
        train.rows.extend(row(k % CLASSES, &mut rng));
    }
    SiteData { train, ..SiteData::default() }
}

fn row(label: usize, rng: &mut ChaCha20Rng) -> impl Iterator<Item = f32> {
    (0..WIDTH).map(move |j| {
        let centre = if j % CLASSES == label { 1.0 } else { -0.5 };
        centre + rng.next_u32() as f32 / u32::MAX as f32
    })
}
