//! The model that turns tiles into CLS tokens.

use std::path::PathBuf;

use pyo3::prelude::*;

use crate::errors::OrRaise as _;
use crate::features::Features;
use crate::watch::Watch;
use blindscope_learn::features::{self, BackboneSource, ExtractOptions, TileList, hex};

/// A Vision Transformer with the preprocessing that it was trained on.
#[pyclass(frozen, module = "blindscope")]
pub(crate) struct Backbone {
    inner: features::Backbone,
}

#[pymethods]
impl Backbone {
    /// Load a `.safetensors` file or a folder as Hugging Face or timm write it. Fields of its configuration are carried out, or the
    /// model is refused with the field's name.
    #[staticmethod]
    fn load(py: Python<'_>, model: String) -> PyResult<Self> {
        let inner = py.detach(|| features::Backbone::load(&BackboneSource::new(model))).or_raise()?;
        Ok(Self { inner })
    }

    /// A small transformer with random weights (64 pixels, width 48), for trials on machines without a checkpoint.
    #[staticmethod]
    #[pyo3(signature = (seed=0))]
    fn small(seed: u64) -> PyResult<Self> {
        Ok(Self { inner: features::Backbone::small(seed).or_raise()? })
    }

    /// CLS tokens of every readable tile under `tiles`: a folder with a sub-folder a class, or a CSV `path,label[,group][,patient]`.
    ///
    /// With a `cache` folder a stopped run goes on where it was. `progress(done, total)` is called after each batch; what it raises
    /// stops the run. Tiles that cannot be read are listed in the second value, as (id, reason).
    #[pyo3(signature = (tiles, *, cache=None, batch=8, progress=None))]
    fn extract(
        &self,
        py: Python<'_>,
        tiles: PathBuf,
        cache: Option<PathBuf>,
        batch: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(Features, Vec<(String, String)>)> {
        let watch = Watch::new(progress);
        let outcome = py.detach(|| {
            let dataset = TileList::new(tiles).open()?;
            let options = ExtractOptions { cache, batch: batch.max(1), ..ExtractOptions::default() };
            let mut tell = |now: &features::Progress| watch.progress(now.done, now.total);
            features::extract(&dataset, &self.inner, &options, &mut tell, watch.cancel())
        });
        let extracted = watch.finish(outcome.or_raise())?;
        let rejected = extracted.rejected.into_iter().map(|tile| (tile.id, tile.reason)).collect();
        Ok((Features::new(extracted.features), rejected))
    }

    /// Write the weights to `path` (.safetensors), with configuration and preprocessing beside them.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.inner.save(&path)).or_raise()
    }

    /// Digest of weights, shape, pooling and preprocessing: what a feature depends on beside the image.
    #[getter]
    fn digest(&self) -> String {
        hex(&self.inner.digest())
    }

    /// Numbers of one CLS token.
    #[getter]
    fn width(&self) -> usize {
        self.inner.model.config().width
    }

    /// Parameters of the transformer.
    #[getter]
    fn parameters(&self) -> usize {
        self.inner.parameters()
    }

    fn __repr__(&self) -> String {
        format!("Backbone(width {}, {} parameters)", self.width(), self.parameters())
    }
}
