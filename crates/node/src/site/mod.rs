//! `site run`: asks the coordinator for something to do, judges it, does it, and sends the answer.
//!
//! Before anything leaves the site, what it says of itself is on its disk: the opening that it helps with, the attempt that
//! it spends, the answer that it signed. A site that was killed anywhere goes on from its marks: an answer that was
//! signed is sent again as it was, a share that was spent but not kept is never made again.
//!
//! Tasks of jobs and of questions are done side by side (`hands`), each by itself (`turn`), over one memory (`memory`).

mod decline;
mod dial;
mod hands;
mod memory;
mod meters;
mod roster;
mod start;
mod turn;
mod work;

pub use decline::decline;
pub use start::run;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::kit::Kit;
use blindscope_federation::{Contribution, IdentityKey, SealingKey, Study};
use blindscope_store::BlobStore;
use blindscope_transport::{Client, Join, Stop};
use dial::Dialler;
use memory::Memory;
use meters::Meters;

/// Learning at the site, shared among threads.
pub type Learning = Arc<dyn Contribution + Send + Sync>;

/// A running site.
struct Runner {
    /// What it remembers, and the disk that it remembers it on.
    memory: Mutex<Memory>,
    /// Held from the judgement of an opening to its answer: each is judged by what the one before has opened.
    opening: Mutex<()>,
    blobs: BlobStore,
    signer: Arc<IdentityKey>,
    sealing: Arc<SealingKey>,
    learning: Learning,
    client: Client,
    meters: Meters,
    /// Most tasks of jobs at a time.
    jobs: usize,
    /// Its own folder, for what people here say of jobs and for room on the disk.
    kit: Kit,
    stop: Stop,
}

impl Runner {
    /// Says hello, however long it takes to be heard.
    async fn join(&self, study: &Study) -> Result<()> {
        let digest = study.digest();
        let software = env!("CARGO_PKG_VERSION").to_owned();
        let hello = || {
            let (client, software) = (self.client.clone(), software.clone());
            async move { client.join(Join { software, study: Some(digest), has_study: true }).await }
        };
        let Some(joined) = Dialler::new()?.until_heard(&self.stop, hello).await? else { return Ok(()) };
        // Another study's coordinator would have refused. Those of earlier releases show theirs.
        if joined.study.is_empty() {
            return Ok(());
        }
        let literal =
            blindscope_federation::StudyLiteral::from_toml(&String::from_utf8_lossy(&joined.study))?;
        if literal != *study.literal() {
            let expected = digest.to_string();
            return Err(Error::OtherStudy { expected, found: literal.name });
        }
        Ok(())
    }

    /// Deletes what no answer needs any more.
    async fn tidy(&self) -> Result<()> {
        let memory = self.memory.lock().await;
        self.blobs.tidy(|| memory.needed())?;
        Ok(())
    }
}
