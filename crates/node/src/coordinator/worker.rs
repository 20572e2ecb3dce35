//! What happens without a call: payloads are combined, steps close at their deadline, blobs that nobody needs any more go.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::desk::Desk;
use super::hands::Hands;
use crate::kit::Kit;
use crate::system;
use crate::traces;
use blindscope_federation::{Advance, Coordinator, Input, JobId, Step, Study, Work};
use blindscope_store::BlobStore;
use blindscope_transport::Stop;

/// Wait before work that failed is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest sleep; a clock that was set back is noticed after it.
const NAP: Duration = Duration::from_mins(1);

/// Learning at the coordinator, shared among threads.
pub type Learning = Arc<dyn Advance + Send + Sync>;

/// Works until the service stops. The works of jobs that are side by side are done side by side.
pub(super) async fn run(desk: Arc<Desk>, kit: Kit, (learning, hands): (Learning, Hands), stop: Stop) {
    let mut state = desk.watch();
    let mut tidied: Vec<(JobId, u64)> = Vec::new();
    let (mut at_work, mut steps) = (JoinSet::new(), BTreeSet::new());
    let mut version = state.borrow().study().version();
    // Founds the log of a study that begins, and closes what is overdue since the last stop.
    tick(&desk).await;
    while !stop.is_stopped() {
        let now = state.borrow_and_update().clone();
        if now.study().version() != version {
            version = now.study().version();
            keep_history(&now, &kit);
        }
        for work in now.works() {
            if steps.insert(work.step()) {
                at_work.spawn(do_work(desk.clone(), now.clone(), (learning.clone(), hands.clone()), work));
            }
        }
        // While sites are at work on the round that begins.
        let rounds = now.rounds_at_work();
        if rounds.iter().any(|round| !tidied.contains(round)) {
            tidied = rounds;
            tidy(&desk).await;
            continue;
        }
        let due =
            now.deadline_ms().map_or(NAP, |ms| Duration::from_millis(ms.saturating_sub(system::now_ms())));
        tokio::select! {
            Some(done) = at_work.join_next() => match done {
                Ok(step) => drop(steps.remove(&step)),
                Err(error) => {
                    tracing::error!(%error, "a piece of work came to no end; all that is at hand is done again");
                    (at_work, steps) = (JoinSet::new(), BTreeSet::new());
                }
            },
            changed = state.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(due.min(NAP)) => tick(&desk).await,
            () = stop.clone().stopped() => break,
        }
    }
    // What was begun is brought to its end, and stored.
    while at_work.join_next().await.is_some() {}
}

async fn tick(desk: &Arc<Desk>) {
    if let Err(refusal) = desk.handle(Input::Tick).await {
        tracing::warn!(%refusal, "a tick could not be recorded");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Combines under the study that the work is of: where its job is called off meanwhile, the roster may change.
async fn do_work(
    desk: Arc<Desk>,
    of: Arc<Coordinator>,
    (learning, hands): (Learning, Hands),
    work: Work,
) -> Step {
    let step = work.step();
    tracing::info!(%step, "combining");
    // Holds deletion off until what is made has its record.
    let _hold = desk.blobs.hold(&[]);
    let combined = match hands.combined(&desk, &of, &work).await {
        Some(input) => Ok(input),
        None => combine_here(desk.blobs.clone(), of.study().clone(), learning, work).await,
    };
    match combined {
        Ok(input) => {
            if let Err(refusal) = desk.handle(input).await {
                // The job was called off meanwhile, or the disk is full.
                tracing::warn!(%step, %refusal, "the outcome was not recorded");
                if refusal.retry.is_some() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(error) if desk.now().works().any(|work| work.step() == step) => {
            tracing::error!(%step, %error, "combining failed; it is tried again");
            tokio::time::sleep(PAUSE).await;
        }
        // Its payloads went with the job.
        Err(error) => tracing::info!(%step, %error, "what was combined is not wanted any more"),
    }
    step
}

/// Combines on a thread of this process.
async fn combine_here(
    blobs: BlobStore,
    study: Study,
    learning: Learning,
    work: Work,
) -> Result<Input, String> {
    let span = traces::of_step(&work.step(), "combine");
    let combining = tokio::task::spawn_blocking(move || {
        let _span = span.entered();
        blindscope_federation::combine(&study, &work, &*learning, &blobs)
    });
    match combining.await {
        Ok(combined) => combined.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn keep_history(now: &Coordinator, kit: &Kit) {
    if let Err(error) = super::roster::keep(now, kit) {
        tracing::error!(%error, "the roster's history is not in the kit; the log has it, and the next start writes it");
    }
}

async fn tidy(desk: &Arc<Desk>) {
    let desk = desk.clone();
    let tidying = tokio::task::spawn_blocking(move || desk.blobs.tidy(|| desk.now().needed_blobs()));
    match tidying.await {
        Ok(Ok(freed)) if freed > 0 => tracing::info!(freed, "deleted blobs that are not needed any more"),
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "blobs could not be deleted"),
        Err(error) => tracing::error!(%error, "blobs could not be deleted"),
    }
}
