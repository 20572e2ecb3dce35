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

    /// Calls `callback(done, total)`.
    pub(crate) fn progress(&self, done: usize, total: usize) {
        self.tell(|py, callback| callback.call1(py, (done, total)).map(drop));
    }

    /// Hands the callback to `call`, if there is one. What it raises, or a signal, stops the work and is raised when the call ends.
    pub(crate) fn tell(&self, call: impl FnOnce(Python<'_>, &Py<PyAny>) -> PyResult<()>) {
        let told = Python::attach(|py| {
            py.check_signals()?;
            self.callback.as_ref().map_or(Ok(()), |callback| call(py, callback))
        });
        if let Err(e) = told {
            self.cancel.store(true, Ordering::Relaxed);
            if let Ok(mut raised) = self.raised.lock() {
                raised.get_or_insert(e);
            }
        }
    }

    /// Whether the work is to end: a callback has raised, or a signal has come.
    pub(crate) fn stopped(&self) -> bool {
        self.tell(|_, _| Ok(()));
        self.cancel.load(Ordering::Relaxed)
    }

    /// The callback's own exception before the error that it led to.
    pub(crate) fn finish<T>(self, outcome: Result<T, PyErr>) -> PyResult<T> {
        match self.raised.into_inner() {
            Ok(Some(raised)) => Err(raised),
            _ => outcome,
        }
    }
}
