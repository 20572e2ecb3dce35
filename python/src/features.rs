//! Rows of numbers with their names, labels and groups.

use std::collections::BTreeSet;
use std::path::PathBuf;

use numpy::ndarray::ArrayView2;
use numpy::{AllowTypeChange, PyArray1, PyArray2, PyArrayLike2, PyArrayMethods as _};
use pyo3::prelude::*;

use crate::errors::{DataError, IntoPython as _, OrRaise as _};
use crate::rows::flat;
use blindscope_learn::features::{self, ImportOptions, hex, import, unhex};

/// Features of tiles or slides: rows with names, labels, groups and the backbone that they came from.
///
/// `Features.read` reads what `blindscope features extract` writes, and what other tools write; `Features.from_arrays` takes numpy.
/// Unchangeable: `select` makes another one.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct Features {
    pub(crate) inner: features::Features,
    notes: Vec<String>,
}

impl Features {
    pub(crate) fn new(inner: features::Features) -> Self {
        Self { inner, notes: Vec::new() }
    }
}

/// A digest as people write it: 64 hexadecimal digits.
fn digest(text: &str) -> PyResult<[u8; 32]> {
    let wrong =
        || DataError::new_err(format!("backbone `{text}` is no digest: 64 hexadecimal digits are expected"));
    unhex(text).ok_or_else(wrong)
}

#[pymethods]
impl Features {
    /// Read features from `path`: our own file, another `.safetensors`, `.npy`, `.h5`, `.csv`, or a folder with a bag a slide.
    ///
    /// `labels` is a CSV `path,label[,group][,patient][,site]` joined by name; `dataset` names the matrix of an HDF5 file that holds
    /// several; `backbone` is the digest of the model that made them, where its owner knows. `columns` are the features of a CSV file in
    /// their order (`f*` for f0, f1, …); `id_column`, `path_column` and `label_column` name columns that have no usual name: the ids of
    /// the file, those of the list, the labels. `by_order` joins labels by the order of lines although the file holds what may be ids;
    /// `mixed_scales` takes slides together whose patches were cut at different scales. What can mean nothing for the file is refused.
    /// `notes` says what was made of the file.
    #[staticmethod]
    #[pyo3(signature = (path, *, labels=None, dataset=None, backbone=None, columns=Vec::new(), id_column=None, path_column=None,
        label_column=None, by_order=false, mixed_scales=false))]
    #[allow(clippy::too_many_arguments, reason = "Python's keywords, each an option of the command")]
    fn read(
        py: Python<'_>,
        path: PathBuf,
        labels: Option<PathBuf>,
        dataset: Option<String>,
        backbone: Option<&str>,
        columns: Vec<String>,
        id_column: Option<String>,
        path_column: Option<String>,
        label_column: Option<String>,
        by_order: bool,
        mixed_scales: bool,
    ) -> PyResult<Self> {
        let backbone = backbone.map(digest).transpose()?;
        let options = ImportOptions {
            labels,
            dataset,
            backbone,
            scratch: None,
            columns,
            id_column,
            path_column,
            label_column,
            by_order,
            mixed_scales,
        };
        // `x` is a view of memory.
        let whole = || -> Result<_, features::Error> {
            let read = import(&path, &options)?;
            Ok((read.features.into_memory()?, read.notes))
        };
        let (inner, notes) = py.detach(whole).or_raise()?;
        Ok(Self { inner, notes })
    }

    /// Features from a matrix `[n, width]`, one copied to float32.
    ///
    /// `labels` holds a class name or None a row; `classes` their order (alphabetical unless given); rows that must stay together,
    /// such as tiles of one patient, share a number in `groups`.
    #[staticmethod]
    #[pyo3(signature = (x, *, labels=None, classes=None, ids=None, groups=None, patients=None, backbone=None))]
    fn from_arrays(
        x: PyArrayLike2<'_, f32, AllowTypeChange>,
        labels: Option<Vec<Option<String>>>,
        classes: Option<Vec<String>>,
        ids: Option<Vec<String>>,
        groups: Option<Vec<usize>>,
        patients: Option<Vec<Option<String>>>,
        backbone: Option<&str>,
    ) -> PyResult<Self> {
        let (values, width) = flat(&x);
        let n = values.len() / width.max(1);
        let labels = labels.unwrap_or_else(|| vec![None; n]);
        let classes = classes.unwrap_or_else(|| {
            labels.iter().flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect()
        });
        let numbers = labels.iter().map(|name| name.as_ref().map(|name| number(name, &classes)).transpose());
        let inner = features::Features {
            width,
            values: values.into(),
            ids: ids.unwrap_or_else(|| (0..n).map(|i| i.to_string()).collect()),
            labels: numbers.collect::<PyResult<_>>()?,
            groups: groups.unwrap_or_else(|| (0..n).collect()),
            patients: patients.unwrap_or_default(),
            classes,
            backbone: backbone.map(digest).transpose()?,
            ..features::Features::default()
        };
        inner.check().map_err(|e| features::Error::from(e).into_python())?;
        Ok(Self::new(inner))
    }

    /// The rows of some indices as features of their own; groups and classes stay.
    fn select(&self, indices: Vec<usize>) -> PyResult<Self> {
        let n = self.inner.len();
        if let Some(i) = indices.iter().find(|i| **i >= n) {
            return Err(DataError::new_err(format!(
                "there is no row {i}: rows are 0 to {}",
                n.saturating_sub(1)
            )));
        }
        Ok(Self::new(self.inner.select(&indices)))
    }

    /// Write `path` (.safetensors), from which `read` gives the same again; the same features make the same bytes.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.inner.save(&path).map_err(features::Error::from)).or_raise()
    }

    /// The matrix `[n, width]`, float32: a view of Rust's memory, which cannot be written to.
    #[getter]
    #[allow(unsafe_code, reason = "numpy's arrays over foreign memory have no safe constructor")]
    fn x<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let inner = &slf.get().inner;
        let values = inner.values.in_memory().unwrap_or_default();
        let view = ArrayView2::from_shape((inner.len(), inner.width), values)
            .map_err(|e| DataError::new_err(e.to_string()))?;
        // SAFETY: the array keeps `slf` alive, a frozen class whose rows nobody moves or changes, and is made read-only at once.
        let array = unsafe { PyArray2::borrow_from_array(&view, slf.clone().into_any()) };
        array.try_readwrite().map_err(|e| DataError::new_err(e.to_string()))?.make_nonwriteable();
        Ok(array)
    }

    /// The class index of each row, int64; -1 where a row has none.
    #[getter]
    fn y<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        let labels = self.inner.labels.iter().map(|label| label.map_or(-1, |i| i as i64));
        PyArray1::from_iter(py, labels)
    }

    /// Group number of each row, int64.
    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.inner.groups.iter().map(|g| *g as i64))
    }

    /// Name of each row.
    #[getter]
    fn ids(&self) -> Vec<String> {
        self.inner.ids.clone()
    }

    /// Class names, in the order of `y`.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.inner.classes.clone()
    }

    /// Patient of each row, or an empty list where none is known.
    #[getter]
    fn patients(&self) -> Vec<Option<String>> {
        self.inner.patients.clone()
    }

    /// Digest of the backbone with its preprocessing, hexadecimal; None where nobody said.
    #[getter]
    fn backbone(&self) -> Option<String> {
        self.inner.backbone.map(|d| hex(&d))
    }

    /// Numbers a row has.
    #[getter]
    fn width(&self) -> usize {
        self.inner.width
    }

    /// What `read` made of the file, in sentences.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        let Self { inner, .. } = self;
        format!("Features({} rows, width {}, classes {:?})", inner.len(), inner.width, inner.classes)
    }
}

fn number(name: &str, classes: &[String]) -> PyResult<usize> {
    let unknown = || DataError::new_err(format!("label `{name}` is not among the classes {classes:?}"));
    classes.iter().position(|class| class == name).ok_or_else(unknown)
}
