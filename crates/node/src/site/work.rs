//! What a task asks: its inputs fetched, its payload computed on a thread of its own.

use bytes::Bytes;

use super::Runner;
use super::dial::{self, Dialler};
use crate::error::{Error, Result};
use crate::system;
use crate::traces;
use blindscope_federation::{Answer, Blob, Blobs as _, Cause, Mark, Phase, SiteTools, Task, site_payload};
use blindscope_store::Unfinished;

/// What became of a task's inputs.
pub(super) enum Gathered {
    /// They are here.
    All,
    /// The coordinator has one no more: the step is over.
    Gone(Cause),
    /// The service was stopped; nothing is said, and the same task comes again.
    Stopped,
}

impl Runner {
    /// Fetches what a task needs, before anything is marked as spent for it.
    pub(super) async fn gather(&self, task: &Task, dialler: &mut Dialler) -> Result<Gathered> {
        let inputs = self.memory.lock().await.site.inputs(task);
        for blob in inputs {
            // What a sum's steps need is asked for again where it is missing; what a key is made of stays.
            match self.fetch(blob, task.spec.kind.is_sum(), dialler).await {
                Ok(true) => {}
                Ok(false) => return Ok(Gathered::Stopped),
                Err(Error::Transport(error)) if dial::is_stale(&error) => {
                    tracing::warn!(step = %task.step, %error, "an input is gone");
                    return Ok(Gathered::Gone(lost(task)));
                }
                // A disk without room for what is asked is no reason to end: the step is declined, others go on.
                Err(Error::Transport(error @ blindscope_transport::Error::File { .. })) => {
                    tracing::error!(step = %task.step, %error, "an input has no room here");
                    return Ok(Gathered::Gone(Cause::Store));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Gathered::All)
    }

    /// Keeps what came with a sum's task and is needed for it, under its own name. What has no room here is asked for as the rest is.
    pub(super) fn keep_given(&self, task: &Task, given: Vec<Bytes>) {
        let inputs = if task.spec.kind.is_sum() { task.inputs() } else { Vec::new() };
        for bytes in given {
            let blob = Blob::of(&bytes);
            if inputs.contains(&blob) && !self.blobs.contains(&blob) && self.blobs.pass(&bytes).is_ok() {
                self.meters.fetched(blob.len);
            }
        }
    }

    /// The answer to a task whose inputs are here: a payload that is kept, or why there is none; and the marks that are stored with
    /// it.
    pub(super) async fn work(&self, task: &Task) -> Result<(Answer, Vec<Mark>)> {
        let mut memory = self.memory.lock().await;
        let site = &mut memory.site;
        let permit = match task.step.phase {
            Phase::Share => Some(site.permit(task)?),
            _ => None,
        };
        let (bundle, checked) = (site.bundle(task), site.has_checked(task));
        // A change of the roster that was learned meanwhile is not for a task in hand.
        let study = site.study().under(task.version)?;
        let (me, blobs) = (site.me(), self.blobs.clone());
        let (sealing, learning, task) = (self.sealing.clone(), self.learning.clone(), task.clone());
        let (sums, signer) = (site.sums().clone(), self.signer.clone());
        let (minimum_cohort, minimum_difference) = (site.minimum_cohort(), site.minimum_difference());
        drop(memory);
        let step = task.step;
        let started = std::time::Instant::now();
        let mut rng = system::rng()?;
        let computing = tokio::task::spawn_blocking(move || {
            let tools = SiteTools {
                study: &study,
                me,
                sealing: &sealing,
                learning: &*learning,
                blobs: &blobs,
                checked,
                sums: &sums,
                minimum_cohort,
                minimum_difference,
                signer: &*signer,
            };
            let _span = traces::of_step(&step, "compute").entered();
            let mut marks = Vec::new();
            let made = site_payload(&tools, &task, bundle, permit, &mut marks, &mut rng);
            (made, marks)
        });
        let defect = |_| Error::Defect { what: "the computation of a payload" };
        let (made, marks) = computing.await.map_err(defect)?;
        self.meters.computed(step.phase, started.elapsed());
        let answer = match made {
            Ok(blob) => {
                tracing::info!(%step, bytes = blob.len, took = ?started.elapsed(), "computed");
                Answer::Payload(blob)
            }
            Err(error) => {
                tracing::error!(%step, %error, "not computed");
                Answer::Declined(error.cause())
            }
        };
        Ok((answer, marks))
    }

    /// A blob of the coordinator's, unless it is here already; whether it is, which it is not after a stop.
    async fn fetch(&self, blob: Blob, passing: bool, dialler: &mut Dialler) -> Result<bool> {
        if self.blobs.contains(&blob) {
            return Ok(true);
        }
        let (client, blobs) = (self.client.clone(), self.blobs.clone());
        let Blob { digest, len } = blob;
        let fetching = || {
            let (client, blobs) = (client.clone(), blobs.clone());
            async move {
                let sink = Sink(blobs.begin(len).map_err(|e| full(&e))?);
                client.fetch(digest, len, sink).await
            }
        };
        let Some(found) = dialler.until_heard(&self.stop, fetching).await? else { return Ok(false) };
        let keeping = tokio::task::spawn_blocking(move || {
            let unfinished = found.sink.0;
            if passing { unfinished.finish_passing(&blob) } else { unfinished.finish_as(&blob) }
        });
        keeping.await.map_err(|_| Error::Defect { what: "the keeping of a blob" })??;
        self.meters.fetched(len);
        Ok(true)
    }
}

/// What to answer where an input is gone.
fn lost(task: &Task) -> Cause {
    if task.step.phase == Phase::Share { Cause::Spent } else { Cause::Task }
}

/// A blob on its way in.
struct Sink(Unfinished);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.push(bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn full(error: &blindscope_store::Error) -> blindscope_transport::Error {
    blindscope_transport::Error::File {
        action: "keep a blob of the coordinator",
        cause: std::io::Error::other(error.to_string()),
    }
}
