//! One site of a crowd: it asks for tasks over a connection of its own, and does them as a site does, but for its disk.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Shared;
use crate::documents::Told;
use crate::error::{Error, Result};
use crate::plain::Plain;
use crate::system;
use blindscope_federation::sums::SumSite;
use blindscope_federation::{
    Answer, Blob, Blobs as _, IdentityKey, Mark, Order, Phase, Record, SealingKey, SignedHeader, Site,
    SiteId, SiteTools, Task, site_payload,
};
use blindscope_transport::{Class, Client, Join, Stop, Upload};
use blindscope_wire::Digest;

/// The longest that a poll stays open at the coordinator.
const POLL: Duration = Duration::from_secs(25);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// How far it is: its state machine, and what it has fetched, which a site keeps through a round.
struct Hand {
    site: Site,
    fetched: HashSet<Digest>,
}

/// Who it is.
pub(super) struct Member {
    pub(super) me: SiteId,
    pub(super) identity: IdentityKey,
    pub(super) sealing: SealingKey,
    pub(super) client: Client,
}

impl Member {
    /// Does what it is asked until `stop`.
    pub(super) async fn run(self, shared: Arc<Shared>, stop: Stop) -> Result<()> {
        let site = Site::replay(&shared.study, self.me, shared.policy.clone(), [])?;
        let mut hand = Hand { site, fetched: HashSet::new() };
        let me = Arc::new(self);
        let (study, software) = (Some(shared.study.digest()), env!("CARGO_PKG_VERSION").to_owned());
        let hello = || me.client.join(Join { software: software.clone(), study, has_study: true });
        heard(hello).await?;
        while !stop.is_stopped() {
            let told = serde_json::to_vec(&told()).unwrap_or_default();
            let polled = tokio::select! {
                polled = heard(|| me.client.next(told.clone().into(), POLL)) => polled?,
                () = stop.clone().stopped() => return Ok(()),
            };
            if let Some(errand) = polled {
                me.turn(&shared, &mut hand, Task::from_bytes(&errand.task)?, errand.blobs).await?;
            }
        }
        Ok(())
    }

    async fn turn(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        hand: &mut Hand,
        task: Task,
        given: Vec<Bytes>,
    ) -> Result<()> {
        let staged = match hand.site.take(&task)? {
            Order::Send(staged) => *staged,
            Order::Decline(objection) => {
                says(hand, &task, Answer::Declined(objection.cause()), &self.identity)?
            }
            Order::Work { before } => {
                apply(&mut hand.site, &before)?;
                for bytes in given {
                    hand.fetched.insert(shared.pool.pass(&bytes)?.digest);
                }
                self.gather(shared, hand, &task).await?;
                self.work(shared, hand, &task).await?
            }
        };
        if task.step.phase == Phase::Upload {
            shared.begins_together().await;
        }
        self.send(shared, &mut hand.site, &staged).await
    }

    /// Fetches what the task needs, also where another site of this process has it: the coordinator sends it to each.
    async fn gather(&self, shared: &Shared, hand: &mut Hand, task: &Task) -> Result<()> {
        let own = hand.site.needed_blobs();
        for blob in hand.site.inputs(task) {
            if own.contains(&blob) || !hand.fetched.insert(blob.digest) {
                continue;
            }
            if shared.pool.contains(&blob) {
                heard(|| self.client.fetch(blob.digest, blob.len, io::sink())).await?;
                continue;
            }
            let found = heard(|| self.client.fetch(blob.digest, blob.len, Vec::new())).await?;
            shared.pool.create(blob.len, &mut |out| {
                out.write_all(&found.sink).map_err(blindscope_federation::Error::io("keep blob"))
            })?;
        }
        Ok(())
    }

    /// Computes the answer, a few of the crowd at a time.
    async fn work(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        hand: &mut Hand,
        task: &Task,
    ) -> Result<SignedHeader> {
        let defect = |_| Error::Defect { what: "the computation of a crowd" };
        let _turn =
            shared.turns.acquire().await.map_err(|_| Error::Defect { what: "the turns of a crowd" })?;
        let (me, with, of, sums) = (self.clone(), shared.clone(), task.clone(), hand.site.sums().clone());
        let made =
            tokio::task::spawn_blocking(move || me.compute(&with, &of, &sums)).await.map_err(defect)?;
        let (blob, marks) = made?;
        apply(&mut hand.site, &marks)?;
        says(hand, task, Answer::Payload(blob), &self.identity)
    }

    fn compute(&self, shared: &Shared, task: &Task, sums: &SumSite) -> Result<(Blob, Vec<Mark>)> {
        let learning = Plain::Seed(u64::from(self.me.0));
        let tools = SiteTools {
            study: &shared.study,
            me: self.me,
            sealing: &self.sealing,
            learning: &learning,
            blobs: &shared.pool,
            checked: false,
            sums,
            minimum_cohort: shared.policy.minimum_cohort,
            minimum_difference: 0,
            signer: &self.identity,
        };
        let mut marks = Vec::new();
        let blob = site_payload(&tools, task, None, None, &mut marks, &mut system::rng()?)?;
        Ok((blob, marks))
    }

    async fn send(&self, shared: &Shared, site: &mut Site, staged: &SignedHeader) -> Result<()> {
        let payload = staged.payload();
        let blob = payload.unwrap_or_else(|| Blob::of(&[]));
        let upload = Upload { header: staged.to_bytes().into(), len: blob.len, digest: blob.digest };
        let failed =
            |cause| blindscope_transport::Error::File { action: "read an upload of the crowd", cause };
        let submit = || async {
            let body: Box<dyn io::Read + Send> = match payload {
                Some(blob) => shared.pool.open(&blob).map_err(failed)?,
                None => Box::new(io::empty()),
            };
            self.client.submit(upload.clone(), body).await
        };
        match heard(submit).await {
            Ok(note) => {
                let mark = site.receive(&Record::from_line(&note)?)?;
                apply(site, &[mark])?;
            }
            // Enough had answered before.
            Err(Error::Transport(blindscope_transport::Error::Refused(refusal)))
                if matches!(refusal.class, Class::Conflict | Class::Missing) => {}
            Err(error) => return Err(error),
        }
        if staged.header.step.phase != Phase::Upload {
            shared.pool.drop_blob(&blob);
        }
        Ok(())
    }
}

/// The answer, signed and remembered.
fn says(hand: &mut Hand, task: &Task, answer: Answer, identity: &IdentityKey) -> Result<SignedHeader> {
    let marks = hand.site.answer(task, answer, identity);
    apply(&mut hand.site, &marks)?;
    let staged = marks.into_iter().find_map(|mark| match mark {
        Mark::Staged { answer } => Some(answer),
        _ => None,
    });
    staged.ok_or(Error::Defect { what: "the signing of an answer" })
}

fn apply(site: &mut Site, marks: &[Mark]) -> Result<()> {
    for mark in marks {
        site.apply(mark).map_err(|reason| blindscope_federation::Error::Corrupt { seq: 0, reason })?;
    }
    Ok(())
}

/// What is said with a poll.
fn told() -> Told {
    Told {
        software: env!("CARGO_PKG_VERSION").to_owned(),
        now_ms: system::now_ms(),
        free_bytes: None,
        busy: Vec::new(),
        jobs: true,
        questions: false,
        seen: None,
    }
}

/// The answer to a call, tried again while that may help.
async fn heard<T, F>(call: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = blindscope_transport::Result<T>>,
{
    loop {
        match call().await {
            Err(error) => match error.retry() {
                Some(asked) => tokio::time::sleep(asked.max(PAUSE)).await,
                None => return Err(error.into()),
            },
            Ok(answer) => return Ok(answer),
        }
    }
}
