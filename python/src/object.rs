//! Rust's documents as Python's dictionaries and lists.

use pyo3::prelude::*;
use serde::Serialize;

use crate::errors::BlindscopeError;

/// What `json.loads` makes of a document.
pub(crate) fn object<'py>(py: Python<'py>, document: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(document).map_err(|e| BlindscopeError::new_err(e.to_string()))?;
    py.import("json")?.call_method1("loads", (text,))
}
