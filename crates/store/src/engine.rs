//! Threads of the store's own for what its callers wait for: the lease is renewed whatever they do, and code that is not async waits for
//! answers without holding up theirs.

use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::{Error, Result};

/// The threads. They end with it.
#[derive(Debug)]
pub(crate) struct Engine(Option<Runtime>);

impl Engine {
    pub(crate) fn start() -> Result<Self> {
        let built = Builder::new_multi_thread().worker_threads(2).thread_name("store").enable_all().build();
        built.map(|runtime| Self(Some(runtime))).map_err(|e| Error::Threads { source: e })
    }

    /// Lets something run beside everything else, until it ends or the store does.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(work);
        }
    }

    /// Waits for an answer, on whatever thread this is.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Threads`] where it came to no end.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = sync_channel(1);
        self.spawn(async move {
            // Nobody goes away meanwhile.
            let _ = tell.send(work.await);
        });
        let ended = |_| Error::Threads { source: std::io::ErrorKind::BrokenPipe.into() };
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| told.recv()),
            _ => told.recv(),
        }
        .map_err(ended)?
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The last user may be a task of another runtime, where nothing may be waited for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
