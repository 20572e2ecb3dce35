//! Encrypted questions: the asker, who alone holds a key, and the server, which holds the head.

use numpy::PyArray2;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{InferenceError, OrRaise as _};
use crate::head::NativeHead;
use crate::plan::Plan;
use crate::rows::{Matrix, matrix, rows};
use blindscope_classify::{AskerSecret, EvaluationKeys, Head};

/// Who asks: makes keys, encrypts rows, opens answers. Its secret key never leaves it, and it cannot be pickled.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct Asker {
    inner: blindscope_classify::Asker,
    secret: AskerSecret,
    classes: usize,
}

#[pymethods]
impl Asker {
    /// An asker with a new key.
    #[new]
    fn new(py: Python<'_>, plan: &Plan) -> PyResult<Self> {
        let plan = &plan.inner;
        let secret = py.detach(|| {
            let mut rng = blindscope_node::system::rng().or_raise()?;
            AskerSecret::generate(plan, &mut rng).or_raise()
        })?;
        Ok(Self { inner: blindscope_classify::Asker::new(plan), secret, classes: plan.literal().classes })
    }

    /// The public keys with which a server evaluates: sent once.
    fn public_keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let plan = self.inner.plan();
        let bytes = py.detach(|| {
            let mut rng = blindscope_node::system::rng().or_raise()?;
            EvaluationKeys::generate(plan, &self.secret, &mut rng)
                .and_then(|keys| keys.to_bytes(plan))
                .or_raise()
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The question of rows `[n, width]`, at most the plan's batch.
    fn encrypt<'py>(&self, py: Python<'py>, x: Matrix<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let tokens = rows(&x);
        let bytes = py.detach(|| {
            let mut rng = blindscope_node::system::rng().or_raise()?;
            self.inner.encrypt(&tokens, &self.secret, &mut rng).or_raise()
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The logits `[rows, classes]` of an answer to a question of so many rows.
    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        answer: &[u8],
        rows: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let logits = py.detach(|| self.inner.open(rows, answer, &self.secret)).or_raise()?;
        matrix(py, &logits, self.classes)
    }

    #[allow(clippy::unused_self, reason = "Python calls it on an object")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "an Asker holds a secret key and cannot be pickled; make one where it is used",
        ))
    }
}

/// Who answers: holds the head, and sees questions and answers as ciphertexts only.
#[pyclass(frozen, subclass, module = "blindscope._native")]
pub(crate) struct Server {
    inner: blindscope_classify::Server,
    keys: EvaluationKeys,
}

#[pymethods]
impl Server {
    /// A server of `head` for the asker of these public keys.
    #[new]
    fn new(py: Python<'_>, plan: &Plan, head: &NativeHead, public_keys: &[u8]) -> PyResult<Self> {
        let (plan, head): (_, &Head) = (&plan.inner, &head.inner);
        py.detach(|| {
            let keys = EvaluationKeys::from_bytes(plan, public_keys).or_raise()?;
            Ok(Self { inner: blindscope_classify::Server::new(head, plan).or_raise()?, keys })
        })
    }

    /// The answer to a question.
    fn answer<'py>(&self, py: Python<'py>, question: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| {
            let mut rng = blindscope_node::system::rng().or_raise()?;
            self.inner.answer_bytes(&self.keys, question, &mut rng).or_raise()
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Rows that a question says it holds.
    fn announced(&self, question: &[u8]) -> PyResult<usize> {
        blindscope_classify::announced(self.inner.plan(), question).or_raise()
    }

    #[allow(clippy::unused_self, reason = "Python calls it on an object")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(InferenceError::new_err("a Server is made from plan, head and keys, which can be pickled"))
    }
}
