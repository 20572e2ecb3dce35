//! What long calls do while they run: hear Ctrl-C, and tell a callback how far they are.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

/// Between a long call without the interpreter and the Python that waits for it.
pub(crate) struct Watch {
    callback: Option<Py<PyAny>>,
    cancel: AtomicBool,
    raised: Mutex<Option<PyErr>>,
}

impl Watch {
    pub(crate) fn new(callback: Option<Py<PyAny>>) -> Self {
        Self { callback, cancel: AtomicBool::new(false), raised: Mutex::new(None) }
    }

    /// The flag that stops the work.
    pub(crate) fn cancel(&self) -> &AtomicBool {
        &self.cancel
    }

    /// Calls `callback(done, total)`. What it raises, or a signal, stops the work and is raised when the call ends.
    pub(crate) fn progress(&self, done: usize, total: usize) {
        let told = Python::attach(|py| {
            py.check_signals()?;
            self.callback.as_ref().map_or(Ok(()), |call| call.call1(py, (done, total)).map(drop))
        });
        if let Err(e) = told {
            self.cancel.store(true, Ordering::Relaxed);
            if let Ok(mut raised) = self.raised.lock() {
                raised.get_or_insert(e);
            }
        }
    }

    /// The callback's own exception before the error that it led to.
    pub(crate) fn finish<T>(self, outcome: Result<T, PyErr>) -> PyResult<T> {
        match self.raised.into_inner() {
            Ok(Some(raised)) => Err(raised),
            _ => outcome,
        }
    }
}
