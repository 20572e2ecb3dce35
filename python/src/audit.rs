//! Attacks on the study's own model and data.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;

use crate::errors::{AuditError, DataError, OrRaise as _};
use crate::object::object;
use crate::watch::Watch;
use blindscope_app::audit::{self, Attack, AuditPlan, Source};

/// An audit: attacks on what a study sends, stores and releases, on its own tiles and backbone.
///
/// Without `tiles` they are drawn, without `model` a small one with drawn weights stands in. `attacks` are names of
/// `Audit.ATTACKS`, all unless given. `out` keeps pictures of patients' tiles and finished stages: a stopped audit goes on from there.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct Audit {
    plan: AuditPlan,
}

#[pymethods]
impl Audit {
    #[new]
    #[pyo3(signature = (tiles=None, *, model=None, attacks=None, images=8, seed=1, quick=false, out=None))]
    fn new(
        tiles: Option<PathBuf>,
        model: Option<PathBuf>,
        attacks: Option<Vec<String>>,
        images: usize,
        seed: u64,
        quick: bool,
        out: Option<PathBuf>,
    ) -> PyResult<Self> {
        if images == 0 {
            return Err(DataError::new_err("images is 0; the attacks on gradients need one or more"));
        }
        let attacks = attacks.map_or_else(|| Ok(Attack::ALL.to_vec()), |names| named(&names))?;
        let source = tiles.map_or(Source::Synthetic, Source::Folder);
        Ok(Self { plan: AuditPlan { source, model, attacks, images, seed, quick, out } })
    }

    /// Names of the attacks, in the order in which they run; `search` takes longest.
    #[classattr]
    #[allow(non_snake_case, reason = "a constant of the class")]
    fn ATTACKS() -> Vec<&'static str> {
        Attack::ALL.iter().map(|attack| attack.name()).collect()
    }

    /// Run the attacks. `progress(attack, done, total)` is called after each step; what it raises stops the audit, and finished
    /// stages are kept where `out` was given.
    #[pyo3(signature = (*, progress=None))]
    fn run(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<AuditReport> {
        let watch = Watch::new(progress);
        let outcome = py.detach(|| {
            audit::audit(&self.plan, &mut |at| {
                watch.tell(|py, callback| callback.call1(py, (at.attack, at.done, at.total)).map(drop));
                if watch.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        let inner = watch.finish(outcome.or_raise())?;
        Ok(AuditReport { inner, out: self.plan.out.clone() })
    }

    fn __repr__(&self) -> String {
        let names: Vec<_> = self.plan.attacks.iter().map(|attack| attack.name()).collect();
        format!("Audit({}; seed {}, quick {})", names.join(", "), self.plan.seed, self.plan.quick)
    }
}

fn named(names: &[String]) -> PyResult<Vec<Attack>> {
    let one = |name: &String| {
        Attack::ALL.into_iter().find(|attack| attack.name() == name).ok_or_else(|| {
            let all = Attack::ALL.map(Attack::name).join(", ");
            DataError::new_err(format!("attack `{name}` is not known; {all} are"))
        })
    };
    names.iter().map(one).collect()
}

/// What an audit found. An attack that succeeds is a result, not a failure.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct AuditReport {
    inner: audit::AuditReport,
    out: Option<PathBuf>,
}

#[pymethods]
impl AuditReport {
    /// What the figures mean, in sentences.
    #[getter]
    fn conclusions(&self) -> Vec<String> {
        self.inner.conclusions.clone()
    }

    /// Remarks that belong beside the figures.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes.clone()
    }

    /// Keys of the figures whose interval lies wholly above their control's.
    #[getter]
    fn leaks(&self) -> Vec<String> {
        self.inner.cells.iter().filter(|cell| cell.leaks).map(|cell| cell.key.clone()).collect()
    }

    /// Every figure, a dictionary each: `key`, `point`, `view`, `attack`, `figure`, `unit`, `found`, `control`, `leaks`.
    #[getter]
    fn cells<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.inner.cells)
    }

    /// Everything but the pictures, as `blindscope audit --json` prints it.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.inner)
    }

    /// Write `audit.json`, `report.html` and the pictures to `folder`, or to the audit's `out`. The pictures are patients' tiles:
    /// keep the folder where the tiles are kept.
    #[pyo3(signature = (folder=None))]
    fn save(&self, py: Python<'_>, folder: Option<PathBuf>) -> PyResult<()> {
        let folder = folder
            .or_else(|| self.out.clone())
            .ok_or_else(|| AuditError::new_err("name the folder: the audit has no `out`"))?;
        py.detach(|| {
            let wrote = |path: &Path, done: std::io::Result<()>| {
                done.map_err(|e| AuditError::new_err(format!("write {}: {e}", path.display())))
            };
            wrote(&folder, std::fs::create_dir_all(&folder))?;
            let json =
                serde_json::to_vec_pretty(&self.inner).map_err(|e| AuditError::new_err(e.to_string()))?;
            let path = folder.join("audit.json");
            wrote(&path, std::fs::write(&path, json))?;
            let page = audit::page(&self.inner, &folder, "blindscope.Audit(…).run()").or_raise()?;
            let path = folder.join("report.html");
            wrote(&path, std::fs::write(&path, page))
        })
    }

    fn __repr__(&self) -> String {
        let (all, out) = (self.inner.cells.len(), self.inner.cells.iter().filter(|cell| cell.leaks).count());
        format!("AuditReport({all} figures, {out} above their control)")
    }
}
