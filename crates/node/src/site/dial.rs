//! Calls that are made until they are heard.

use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng as _;

use crate::error::Result;
use crate::system;
use blindscope_transport::{Backoff, Class, Stop};

/// The shortest and the longest span of a wait.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(15);

/// Waits between tries.
pub(super) struct Dialler {
    backoff: Backoff,
    rng: ChaCha20Rng,
}

impl Dialler {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { backoff: Backoff::new(FIRST, LONGEST), rng: system::rng()? })
    }

    /// The answer to a call, tried again while that may help; `None` when the site is to stop.
    ///
    /// # Errors
    /// A refusal that stays one.
    pub(super) async fn until_heard<T, F>(&mut self, stop: &Stop, call: impl Fn() -> F) -> Result<Option<T>>
    where
        F: Future<Output = blindscope_transport::Result<T>>,
    {
        loop {
            let answer = tokio::select! {
                answer = call() => answer,
                () = stop.clone().stopped() => return Ok(None),
            };
            let error = match answer {
                Ok(answer) => {
                    self.backoff.reset();
                    return Ok(Some(answer));
                }
                Err(error) => error,
            };
            let Some(asked) = error.retry() else { return Err(error.into()) };
            let wait = self.backoff.wait(asked, self.rng.next_u32());
            tracing::warn!(%error, ?wait, "not heard; trying again");
            if !self.sleep(stop, wait).await {
                return Ok(None);
            }
        }
    }

    /// A short wait, longer each time that nothing was heard between.
    pub(super) async fn pause(&mut self, stop: &Stop) {
        let wait = self.backoff.wait(Duration::ZERO, self.rng.next_u32());
        self.sleep(stop, wait).await;
    }

    /// Whether the time passed without a stop.
    async fn sleep(&self, stop: &Stop, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = stop.clone().stopped() => false,
        }
    }
}

/// Whether the coordinator refused because its state has moved on.
pub(super) fn is_stale(error: &blindscope_transport::Error) -> bool {
    match error {
        blindscope_transport::Error::Refused(refusal) => {
            matches!(refusal.class, Class::Conflict | Class::Missing)
        }
        _ => false,
    }
}

/// A blob of ours that is not there or damaged.
pub(super) fn unreadable(error: &blindscope_store::Error) -> blindscope_transport::Error {
    blindscope_transport::Error::File {
        action: "read a payload of this site",
        cause: std::io::Error::other(error.to_string()),
    }
}
