//! What both ends of encrypted questions agree on.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{OrRaise as _, PlanError};
use crate::head::NativeHead;
use crate::object::object;
use blindscope_ckks::Security;
use blindscope_classify::{Packing, Policy};

/// Packing, parameters, lengths and the promised error of encrypted questions to one head. Public: it holds no weights.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct Plan {
    pub(crate) inner: blindscope_classify::Plan,
}

#[pymethods]
impl Plan {
    /// Plan questions of up to `batch` rows whose logits are right to `precision` bits right of the point (the most exact that is
    /// cheap, unless given), at 128 bits of security against classical or, by default, quantum computers.
    #[staticmethod]
    #[pyo3(signature = (head, *, batch=1, precision=None, security="quantum128", packing=None))]
    fn of(
        py: Python<'_>,
        head: &NativeHead,
        batch: usize,
        precision: Option<u32>,
        security: &str,
        packing: Option<&str>,
    ) -> PyResult<Self> {
        let security = match security {
            "quantum128" => Security::Quantum128,
            "classical128" => Security::Classical128,
            _ => return Err(other("security", security, "quantum128 and classical128")),
        };
        let packing = match packing {
            None => None,
            Some("token") => Some(Packing::Token),
            Some("feature") => Some(Packing::Feature),
            Some(name) => return Err(other("packing", name, "token and feature")),
        };
        let policy = Policy { security, packing, ..Policy::new(batch) };
        let policy = precision.map_or(policy, |bits| policy.precise(bits));
        Ok(Self { inner: py.detach(|| blindscope_classify::Plan::new(&head.inner, policy)).or_raise()? })
    }

    /// A plan from the bytes that `to_bytes` gives.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: blindscope_classify::Plan::from_bytes(bytes).or_raise()? })
    }

    /// The plan as published.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.inner.to_bytes().or_raise()?))
    }

    /// Bytes of a question of so many rows.
    fn upload_bytes(&self, rows: usize) -> usize {
        self.inner.upload_len(rows)
    }

    /// Bytes of its answer.
    fn answer_bytes(&self, rows: usize) -> usize {
        self.inner.answer_len(rows)
    }

    /// Bytes of an asker's public keys, sent once.
    #[getter]
    fn key_bytes(&self) -> usize {
        self.inner.keys_len()
    }

    /// What no logit's error exceeds.
    #[getter]
    fn error_bound(&self) -> f64 {
        self.inner.literal().error_bound
    }

    /// Most rows of one question.
    #[getter]
    fn batch(&self) -> usize {
        self.inner.literal().batch
    }

    /// Everything `blindscope plan` prints, as a dictionary.
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.inner.report())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let make = slf.get_type().getattr("from_bytes")?;
        Ok((make, (slf.get().to_bytes(slf.py())?,)))
    }

    fn __repr__(&self) -> String {
        let r = self.inner.report();
        let (up, down) = (r.upload_bytes, r.answer_bytes);
        format!(
            "Plan({:?}, N = 2^{}, question {up} bytes, answer {down} bytes, error at most {:.1e})",
            r.packing, r.log_n, r.error_bound
        )
    }
}

fn other(what: &str, found: &str, served: &str) -> PyErr {
    PlanError::new_err(format!("{what} `{found}` is not served; {served} are"))
}
