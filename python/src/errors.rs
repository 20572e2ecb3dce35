//! From Rust's errors to the classes of `blindscope.errors`; the text stays Rust's.

use pyo3::{PyErr, import_exception};

use blindscope_learn::features;
use blindscope_learn::training;

import_exception!(blindscope.errors, AuditError);
import_exception!(blindscope.errors, BlindscopeError);
import_exception!(blindscope.errors, DataError);
import_exception!(blindscope.errors, HeadError);
import_exception!(blindscope.errors, InferenceError);
import_exception!(blindscope.errors, JobFailed);
import_exception!(blindscope.errors, PlanError);
import_exception!(blindscope.errors, StudyError);
import_exception!(blindscope.errors, SumError);
import_exception!(blindscope.errors, Unreachable);

/// Exit code of the command for a coordinator that cannot be reached or is not available.
const UNREACHABLE: u8 = 4;

/// An error of a lower crate on its way to Python.
pub(crate) trait IntoPython {
    fn into_python(self) -> PyErr;
}

/// `map_err` with less to read.
pub(crate) trait OrRaise<T> {
    fn or_raise(self) -> Result<T, PyErr>;
}

impl<T, E: IntoPython> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> Result<T, PyErr> {
        self.map_err(IntoPython::into_python)
    }
}

impl IntoPython for features::Error {
    fn into_python(self) -> PyErr {
        DataError::new_err(with_causes(&self))
    }
}

impl IntoPython for training::Error {
    fn into_python(self) -> PyErr {
        HeadError::new_err(with_causes(&self))
    }
}

impl IntoPython for blindscope_learn::jobs::Error {
    fn into_python(self) -> PyErr {
        HeadError::new_err(with_causes(&self))
    }
}

impl IntoPython for blindscope_classify::Error {
    fn into_python(self) -> PyErr {
        let text = with_causes(&self);
        match self {
            Self::NoPlan { .. } | Self::TooCoarse { .. } | Self::Overflow { .. } => PlanError::new_err(text),
            Self::Width { .. } | Self::NotFinite { .. } => DataError::new_err(text),
            Self::Json(_)
            | Self::SafeTensors(_)
            | Self::Tensor { .. }
            | Self::Length { .. }
            | Self::Value { .. } => HeadError::new_err(text),
            _ => InferenceError::new_err(text),
        }
    }
}

impl IntoPython for blindscope_federation::Error {
    fn into_python(self) -> PyErr {
        SumError::new_err(with_causes(&self))
    }
}

impl IntoPython for blindscope_node::Error {
    fn into_python(self) -> PyErr {
        let text = with_causes(&self);
        match self {
            Self::Features(features) => features.into_python(),
            Self::Classify(classify) => classify.into_python(),
            Self::JobFailed { .. } => JobFailed::new_err(text),
            // Trying again may help, with these alone.
            unreachable if unreachable.exit_code() == UNREACHABLE => Unreachable::new_err(text),
            _ => StudyError::new_err(text),
        }
    }
}

impl IntoPython for blindscope_app::audit::Error {
    fn into_python(self) -> PyErr {
        let text = with_causes(&self);
        match self {
            Self::Vision(_) | Self::TooFewTiles { .. } => DataError::new_err(text),
            _ => AuditError::new_err(text),
        }
    }
}

/// An error with its causes, none of them said twice.
fn with_causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(c) = cause {
        let more = c.to_string();
        if !text.contains(&more) {
            text.extend([": ", &more]);
        }
        cause = c.source();
    }
    text
}
