//! One switch that ends a service.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells everything that holds a copy of it to end. It cannot be taken back.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Not yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Now.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was said.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it was said.
    pub async fn stopped(self) {
        let mut said = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = said.wait_for(|stopped| *stopped).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
