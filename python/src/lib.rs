//! Blindscope for Python. Each class is a thin room around one type of the Rust crates: it turns arguments, lets other Python threads
//! run while it works, and turns errors. What a class promises is written in its docstring and in `_native.pyi`.

mod audit;
mod backbone;
mod command;
mod errors;
mod features;
mod head;
mod inference;
mod object;
mod plan;
mod rows;
mod study;
mod sums;
mod updates;
mod watch;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::audit::{Audit, AuditReport};
    #[pymodule_export]
    use crate::backbone::Backbone;
    #[pymodule_export]
    use crate::command::command;
    #[pymodule_export]
    use crate::features::Features;
    #[pymodule_export]
    use crate::head::{NativeHead, train};
    #[pymodule_export]
    use crate::inference::{Asker, Server};
    #[pymodule_export]
    use crate::plan::Plan;
    #[pymodule_export]
    use crate::study::NativeStudy;
    #[pymodule_export]
    use crate::sums::{Roster, SumServer, SumSite};
    #[pymodule_export]
    use crate::updates::quantise;

    use super::{Bound, PyModule, PyResult};
    use pyo3::types::PyModuleMethods as _;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
