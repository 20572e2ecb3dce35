//! A study's services, from the kit of an administrator or an asker.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use numpy::PyArray2;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use serde::Serialize;

use crate::errors::{OrRaise as _, StudyError};
use crate::features::Features;
use crate::object::object;
use crate::rows::matrix;
use crate::watch::Watch;
use blindscope_federation::JobSpec;
use blindscope_node::admin::PATIENCE;
use blindscope_node::admin::jobs::{self, Admin};
use blindscope_node::admin::log;
use blindscope_node::asker;
use blindscope_node::kit::Kit;
use blindscope_node::{Error, JobStatus, JobView, Study, system};

/// A study seen from one kit. Every call dials the coordinator anew, lets other threads run and hears Ctrl-C.
#[pyclass(frozen, module = "blindscope._native")]
pub(crate) struct NativeStudy {
    kit: Kit,
    overrides: Vec<String>,
    study: Study,
}

/// A job with what its status means in words.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    view: &'a JobView,
    state: &'static str,
    reason: Option<String>,
}

fn shown<'py>(py: Python<'py>, study: &Study, view: &JobView) -> PyResult<Bound<'py, PyAny>> {
    let state = match &view.status {
        JobStatus::Waiting => "waiting",
        JobStatus::Asking(_) => "asking",
        JobStatus::Combining { .. } => "combining",
        JobStatus::Done { .. } => "done",
        JobStatus::Failed { .. } => "failed",
    };
    object(py, &Shown { view, state, reason: view.reason(study) })
}

#[pymethods]
impl NativeStudy {
    /// The study of a kit; `overrides` replace keys of its settings, `key=value` each.
    #[new]
    #[pyo3(signature = (kit, overrides=Vec::new()))]
    fn new(py: Python<'_>, kit: PathBuf, overrides: Vec<String>) -> PyResult<Self> {
        let kit = Kit::at(kit);
        let study = py.detach(|| kit.study()).or_raise()?;
        Ok(Self { kit, overrides, study })
    }

    /// The study's name.
    #[getter]
    fn name(&self) -> String {
        self.study.literal().name.clone()
    }

    /// What tells this study from any other, hexadecimal: compare it by telephone.
    #[getter]
    fn digest(&self) -> String {
        self.study.digest().to_string()
    }

    /// Names of the classes, in the order of logits.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.study.literal().classes.clone()
    }

    /// Put a job in the queue: a file, or the text of its JSON. Returns its id.
    fn submit(&self, py: Python<'_>, job: Bound<'_, PyAny>) -> PyResult<String> {
        let text = job.cast::<PyString>().ok().map(|text| text.to_string());
        let path = if text.is_none() { Some(job.extract::<PathBuf>()?) } else { None };
        self.admin(py, Watch::new(None), async |admin, _| {
            let draft = match (&path, &text) {
                (Some(path), _) => jobs::read_spec(path)?,
                (None, text) => JobSpec::draft_from_json(text.as_deref().unwrap_or_default())?,
            };
            Ok(admin.submit_draft(draft).await?.to_string())
        })
    }

    /// All jobs, oldest first.
    fn jobs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let all = self.admin(py, Watch::new(None), async |admin, _| admin.list().await)?;
        all.iter().map(|view| shown(py, &self.study, view)).collect()
    }

    /// One job, by name, id, or the first digits of its id.
    fn status<'py>(&self, py: Python<'py>, job: &str) -> PyResult<Bound<'py, PyAny>> {
        let view = self.admin(py, Watch::new(None), async |admin, _| admin.status(job).await)?;
        shown(py, &self.study, &view)
    }

    /// End a job without a result.
    fn abort<'py>(&self, py: Python<'py>, job: &str) -> PyResult<Bound<'py, PyAny>> {
        let view = self.admin(py, Watch::new(None), async |admin, _| admin.abort(job).await)?;
        shown(py, &self.study, &view)
    }

    /// How each site was last heard: `name`, `presence`, `silent_ms`.
    fn sites<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let all = self.admin(py, Watch::new(None), async |admin, _| admin.sites().await)?;
        object(py, &all)
    }

    /// Follow a job to its end. `progress` gets each change; what it raises stops the watching, not the job. `absent` gets a sentence
    /// for each site of which nothing is to be expected, and from time to time one that says whom the job waits for. The wait is given up
    /// where too few sites were heard for `patience` seconds.
    #[pyo3(signature = (job, progress=None, absent=None, patience=PATIENCE.as_secs_f64()))]
    fn watch<'py>(
        &self,
        py: Python<'py>,
        job: &str,
        progress: Option<Py<PyAny>>,
        absent: Option<Py<PyAny>>,
        patience: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let patience = Duration::try_from_secs_f64(patience).map_err(|_| {
            StudyError::new_err(format!("patience is {patience}, expected seconds from 0 on"))
        })?;
        let view = self.admin(py, Watch::new(progress), async |admin, watch| {
            let seen = |view: &JobView| self.seen(watch, view);
            let gone = |words: &str| {
                watch.tell(|py, _| absent.as_ref().map_or(Ok(()), |a| a.call1(py, (words,)).map(drop)));
            };
            let last = admin.watch_with_sites(job, seen, gone, patience).await?;
            jobs::result(admin.study(), &last).map(|_| last)
        })?;
        shown(py, &self.study, &view)
    }

    /// Fetch the result of a job that is done into a file: there in whole, its digest checked, or not at all. Returns its length.
    fn download(&self, py: Python<'_>, job: &str, path: PathBuf) -> PyResult<u64> {
        let found = self.admin(py, Watch::new(None), async |admin, _| admin.download_to(job, &path).await)?;
        Ok(found.result.len)
    }

    /// The result of a job that is done, as bytes.
    fn result<'py>(&self, py: Python<'py>, job: &str) -> PyResult<Bound<'py, PyBytes>> {
        let (bytes, _) =
            self.admin(py, Watch::new(None), async |admin, _| admin.download(job, Vec::new()).await)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Write the signed log to a file, one record a line, and verify it: chain, signatures and rules. Returns what it says.
    fn log<'py>(&self, py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
        let on_disk = |e: std::io::Error| StudyError::new_err(format!("log {}: {e}", path.display()));
        let mut file = File::create(&path).map_err(on_disk)?;
        self.admin(py, Watch::new(None), async |admin, _| admin.log(0, false, &mut file).await)?;
        file.sync_all().map_err(on_disk)?;
        let written = File::open(&path).map_err(on_disk)?;
        let check = || log::check(&self.kit.study_now()?, &mut std::io::BufReader::new(written), &[]);
        let verdict = py.detach(check).or_raise()?;
        object(py, &verdict)
    }

    /// Logits `[n, classes]` of features under encryption: from the released head of a job, or from its encrypted head, which takes
    /// the sites' help. `progress` gets each change of a question to an encrypted head.
    #[pyo3(signature = (job, features, encrypted=false, progress=None))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        job: &str,
        features: &Features,
        encrypted: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (kit, overrides) = (&self.kit, &self.overrides);
        let answers = self.wait(py, Watch::new(progress), async |watch| {
            asker::check(kit, &features.inner)?;
            let mut rng = system::rng()?;
            if encrypted {
                let seen = |view: &JobView| self.seen(watch, view);
                return asker::predict_encrypted(kit, overrides, job, &features.inner, &mut rng, seen).await;
            }
            // A head of slides is asked about one row a slide, pooled here in the clear.
            let pooled = match asker::pooling(kit, overrides, job).await? {
                Some(pooling) => Some(pooling.pool(&features.inner)?.features),
                None => None,
            };
            asker::predict(kit, overrides, job, pooled.as_ref().unwrap_or(&features.inner), &mut rng).await
        })?;
        let logits: Vec<Vec<f64>> = answers.into_iter().map(|answer| answer.logits).collect();
        matrix(py, &logits, self.study.literal().classes.len())
    }

    fn __repr__(&self) -> String {
        format!("Study({}, kit {})", self.study.literal().name, self.kit.folder().display())
    }
}

impl NativeStudy {
    fn seen(&self, watch: &Watch, view: &JobView) {
        watch.tell(|py, callback| callback.call1(py, (shown(py, &self.study, view)?,)).map(drop));
    }

    /// What an administrator does, with a connection.
    fn admin<T: Send>(
        &self,
        py: Python<'_>,
        watch: Watch,
        work: impl AsyncFnOnce(&Admin, &Watch) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.wait(py, watch, async |watch| work(&Admin::of(&self.kit, &self.overrides)?, watch).await)
    }

    /// Waits for `work` without the interpreter, until it ends, a callback raises or a signal comes.
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        watch: Watch,
        work: impl AsyncFnOnce(&Watch) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let outcome = py.detach(|| {
            let runtime = system::runtime()?;
            runtime.block_on(system::unless(|| watch.stopped(), work(&watch)))
        });
        match outcome.or_raise() {
            Ok(Some(done)) => watch.finish(Ok(done)),
            Ok(None) => watch.finish(Err(StudyError::new_err("the call was interrupted"))),
            Err(e) => watch.finish(Err(e)),
        }
    }
}
