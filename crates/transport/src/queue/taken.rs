//! A message that this process has taken from a queue.

use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;

use super::{LONGEST, failed, within};
use crate::Result;

/// A message that is this process's until it says so no more, or says nothing for a while.
#[derive(Debug)]
pub struct Taken(Message);

impl Taken {
    pub(super) fn of(message: Message) -> Self {
        Self(message)
    }

    /// Its bytes; none where it is longer than any of ours.
    pub fn bytes(&self) -> Option<&Bytes> {
        Some(&self.0.payload).filter(|bytes| bytes.len() <= LONGEST)
    }

    /// It is being worked on: nobody else gets it yet.
    ///
    /// # Errors
    /// [`crate::Error::Queue`] where the client has ended.
    pub async fn hold(&self) -> Result<()> {
        self.say(AckKind::Progress).await
    }

    /// It is done with.
    ///
    /// # Errors
    /// [`crate::Error::Queue`] where the client has ended: it goes to another.
    pub async fn done(self) -> Result<()> {
        within("acknowledge work", self.0.ack()).await
    }

    /// It goes to another, after a moment.
    ///
    /// # Errors
    /// [`crate::Error::Queue`] where the client has ended.
    pub async fn give_back(self) -> Result<()> {
        self.say(AckKind::Nak(Some(std::time::Duration::from_millis(200)))).await
    }

    /// It is none, and nobody gets it any more.
    ///
    /// # Errors
    /// [`crate::Error::Queue`] where the client has ended.
    pub async fn drop_for_good(self) -> Result<()> {
        self.say(AckKind::Term).await
    }

    async fn say(&self, kind: AckKind) -> Result<()> {
        self.0.ack_with(kind).await.map_err(failed("acknowledge work"))
    }
}
