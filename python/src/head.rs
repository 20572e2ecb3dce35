//! Heads: trained on features, read and written, evaluated in the clear.

use numpy::PyArray2;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{HeadError, OrRaise as _};
use crate::features::Features;
use crate::rows::{Matrix, matrix, rows};
use blindscope_classify::Head;
use blindscope_learn::jobs::head_in;
use blindscope_learn::training::{Activation, HeadKind, HeadRequest, train_head};

/// A classifier head as encryption evaluates it: normalisation with its clip, and the map to logits.
#[pyclass(frozen, module = "blindscope._native")]
pub(crate) struct NativeHead {
    pub(crate) inner: Head,
}

#[pymethods]
impl NativeHead {
    /// A head from the bytes of its JSON or `.safetensors`, or of the model that a study's job made, told apart by what they hold.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: head_in(bytes).or_raise()? })
    }

    /// Its JSON.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.inner.to_json().or_raise()?))
    }

    /// Its `.safetensors`.
    fn to_safetensors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.inner.to_safetensors().or_raise()?))
    }

    /// Logits `[n, classes]` of rows `[n, width]`, in the clear.
    fn logits<'py>(&self, py: Python<'py>, x: Matrix<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let tokens = rows(&x);
        let logits = py.detach(|| self.inner.logits(&tokens)).or_raise()?;
        matrix(py, &logits, self.inner.classes())
    }

    /// Features a row has.
    #[getter]
    fn width(&self) -> usize {
        self.inner.width()
    }

    /// Logits an answer has.
    #[getter]
    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let make = slf.get_type().getattr("from_bytes")?;
        Ok((make, (slf.get().to_json(slf.py())?,)))
    }
}

/// Train a head on labelled features: `kind` is `linear` or `polynomial`; `degree` is 2 or 4.
#[pyfunction]
#[pyo3(signature = (features, kind, *, hidden, degree, epochs, seed))]
pub(crate) fn train(
    py: Python<'_>,
    features: &Features,
    kind: &str,
    hidden: usize,
    degree: usize,
    epochs: usize,
    seed: u64,
) -> PyResult<NativeHead> {
    let kind = match kind {
        "linear" => HeadKind::Linear,
        "polynomial" => HeadKind::Polynomial { hidden, activation: Activation::Trained { degree } },
        _ => {
            return Err(HeadError::new_err(format!(
                "kind `{kind}` is not served; `linear` and `polynomial` are"
            )));
        }
    };
    let request = HeadRequest { kind, epochs, seed };
    let trained = py.detach(|| train_head(&features.inner, None, &request)).or_raise()?;
    Ok(NativeHead { inner: trained.head })
}
