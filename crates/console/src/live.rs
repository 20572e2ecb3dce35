//! What is known of the study at the moment: the log, followed and verified line by line, and how sites were heard.
//!
//! Everything that pages say of jobs is folded here from the log itself, so a coordinator that tells another story than its log shows
//! nothing. A coordinator that comes back with another log than was seen is told apart from one that was away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use blindscope_federation::{Coordinator, Event, Following, Record, SiteId, Study};
use blindscope_node::admin::jobs::Admin;
use blindscope_node::admin::log;
use blindscope_node::{SiteView, system};
use blindscope_transport::Stop;

/// Between two looks at the sites.
const LOOK: Duration = Duration::from_secs(2);
/// Between two tries at a coordinator that is away.
const AGAIN: Duration = Duration::from_millis(500);
/// The longest wait for a line of a log that has not come to the roster that is known here.
const REACHES: Duration = Duration::from_secs(10);
/// Lines taken together, so that a long log is shown in few steps.
const TOGETHER: usize = 4096;

/// How the coordinator is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// It was not heard yet.
    Waiting,
    /// Its log is followed.
    There,
    /// It does not answer, since then; why.
    Away {
        /// Milliseconds since 1970.
        since_ms: u64,
        /// What the network says.
        reason: String,
    },
    /// Its log does not hold together, or is another than the one seen before. Nothing of it is taken in any more.
    Broken {
        /// What is wrong.
        reason: String,
    },
}

/// The study as it is known.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Grows with every change.
    pub(crate) version: u64,
    /// The verified records, oldest first.
    pub(crate) records: Arc<Vec<Arc<Record>>>,
    /// The state that they fold to.
    pub(crate) coordinator: Coordinator,
    /// How sites were last heard; empty for a caller who may not know.
    pub(crate) sites: Vec<SiteView>,
    /// How the coordinator is.
    pub(crate) link: Link,
    /// Bytes that each site sent, all jobs together.
    pub(crate) sent: BTreeMap<SiteId, u64>,
}

/// The known, kept up to date by a task of its own.
pub(crate) struct Live {
    state: watch::Sender<Arc<Known>>,
}

impl Live {
    /// Follows the coordinator until `stop`. `me` is the caller where it is a site.
    pub(crate) fn follow(admin: Arc<Admin>, me: Option<SiteId>, stop: Stop) -> Arc<Self> {
        let study = admin.study().clone();
        let (coordinator, sent) = (Coordinator::new(&study), BTreeMap::new());
        let (version, records, sites, link) = (0, Arc::default(), Vec::new(), Link::Waiting);
        let first = Known { version, records, coordinator, sites, link, sent };
        let live = Arc::new(Self { state: watch::Sender::new(Arc::new(first)) });
        let (following, told) = (live.clone(), stop.clone());
        let asker = admin.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = following.log(&asker, &study) => {}
                () = told.stopped() => {}
            }
        });
        if me.is_none() {
            let looking = live.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = looking.look(&admin) => {}
                    () = stop.stopped() => {}
                }
            });
        }
        live
    }

    /// The known now.
    pub(crate) fn now(&self) -> Arc<Known> {
        self.state.borrow().clone()
    }

    /// The known as soon as it is another than number `seen`, or after `most`.
    pub(crate) async fn after(&self, seen: u64, most: Duration) -> Arc<Known> {
        let mut state = self.state.subscribe();
        let changed = state.wait_for(|known| known.version != seen);
        // The sender lives in `self`.
        let _ = tokio::time::timeout(most, changed).await;
        self.now()
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        self.state.send_modify(|state| {
            let mut next = Known::clone(state);
            change(&mut next);
            next.version += 1;
            *state = Arc::new(next);
        });
    }

    /// Follows the log for as long as it holds together. It has to come to the roster that is known here to be signed.
    async fn log(&self, admin: &Admin, study: &Study) {
        let mut following = Following::new(study);
        loop {
            match self.rows(admin, &mut following, study).await {
                Ok(reason) => self.away(reason),
                Err(reason) => {
                    tracing::error!(%reason, "the log does not hold together");
                    return self.change(|known| known.link = Link::Broken { reason });
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Takes lines in until the connection breaks, for which reason.
    ///
    /// # Errors
    /// What does not hold together.
    async fn rows(&self, admin: &Admin, following: &mut Following, floor: &Study) -> Result<String, String> {
        let from = following.coordinator().head().0;
        // One record is asked for twice, so that another log is noticed before anything of it is new.
        let seen = from.checked_sub(1).and_then(|last| self.now().records.get(last as usize).cloned());
        let mut lines = match admin.lines(from.saturating_sub(1)).await {
            Ok(lines) => lines,
            Err(error) => return Ok(error.to_string()),
        };
        if let Some(seen) = seen {
            match tokio::time::timeout(Duration::from_secs(10), lines.recv()).await {
                Ok(Some(Ok(line))) if line == seen.to_line().as_bytes() => {}
                Ok(Some(Err(error))) => return Ok(error.to_string()),
                _ => {
                    return Err(format!(
                        "the coordinator's log does not go on from record {} as it was seen",
                        from - 1
                    ));
                }
            }
        }
        self.change(|known| known.link = Link::There);
        let mut some = Vec::new();
        while more(&mut lines, &mut some, (following, floor)).await? > 0 {
            let mut fresh = Vec::new();
            for line in some.drain(..) {
                let line = match line {
                    Ok(line) => line,
                    Err(error) => {
                        self.taken(following, fresh);
                        return Ok(error.to_string());
                    }
                };
                fresh.push(following.push(&line).map_err(|e| e.to_string())?);
            }
            self.taken(following, fresh);
        }
        Ok("the connection ended".to_owned())
    }

    /// Shows what follows from new records.
    fn taken(&self, following: &Following, fresh: Vec<Record>) {
        if fresh.is_empty() {
            return;
        }
        self.change(|known| {
            for record in &fresh {
                if let Event::Accepted { answer } = &record.body.event {
                    let bytes = answer.payload().map_or(0, |blob| blob.len);
                    *known.sent.entry(answer.header.site).or_default() += bytes;
                }
            }
            Arc::make_mut(&mut known.records).extend(fresh.into_iter().map(Arc::new));
            known.coordinator = following.coordinator().clone();
        });
    }

    fn away(&self, reason: String) {
        tracing::warn!(%reason, "the coordinator does not answer");
        self.change(|known| {
            let since_ms = match known.link {
                Link::Away { since_ms, .. } => since_ms,
                _ => system::now_ms(),
            };
            known.link = Link::Away { since_ms, reason };
        });
    }

    /// Asks how sites are, for as long as this caller is told.
    async fn look(&self, admin: &Admin) {
        loop {
            if let Ok(sites) = admin.sites().await {
                // The time since a site was heard always differs; a page is made anew for what matters.
                let matters = |all: &[SiteView]| -> Vec<_> {
                    all.iter()
                        .map(|site| {
                            (
                                site.name.clone(),
                                site.absence().is_some(),
                                site.presence,
                                site.state.software.clone(),
                            )
                        })
                        .collect()
                };
                if matters(&sites) == matters(&self.now().sites) {
                    self.state.send_if_modified(|state| {
                        Arc::make_mut(state).sites = sites;
                        false
                    });
                } else {
                    self.change(|known| known.sites = sites);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// More lines of the log; how many.
///
/// # Errors
/// For a log that stands still before the roster that is known here to be signed: it was cut.
async fn more<T>(
    lines: &mut mpsc::Receiver<T>,
    some: &mut Vec<T>,
    (following, floor): (&Following, &Study),
) -> Result<usize, String> {
    let more = lines.recv_many(some, TOGETHER);
    match log::reaches(following.coordinator().study(), floor) {
        Ok(()) => Ok(more.await),
        Err(short) => tokio::time::timeout(REACHES, more).await.map_err(|_| short.to_string()),
    }
}
