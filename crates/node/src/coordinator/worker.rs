//! What happens without a call: payloads are combined, steps close at their deadline, blobs that nobody needs any more go.

use std::sync::Arc;
use std::time::Duration;

use super::desk::Desk;
use crate::system;
use blindscope_federation::{Advance, Input, JobId, Work};
use blindscope_transport::Stop;

/// Wait before work that failed is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest sleep; a clock that was set back is noticed after it.
const NAP: Duration = Duration::from_mins(1);

/// Learning at the coordinator, shared among threads.
pub type Learning = Arc<dyn Advance + Send + Sync>;

/// Works until the service stops.
pub(super) async fn run(desk: Arc<Desk>, learning: Learning, stop: Stop) {
    let mut state = desk.watch();
    let mut tidied: Option<(JobId, u64)> = None;
    // Founds the log of a study that begins, and closes what is overdue since the last stop.
    tick(&desk).await;
    while !stop.is_stopped() {
        let now = state.borrow_and_update().clone();
        if let Some(work) = now.work() {
            do_work(&desk, &learning, work).await;
            continue;
        }
        // While sites are at work on the round that begins.
        if let Some(at) = now.round_at_work()
            && tidied.replace(at) != Some(at)
        {
            tidy(&desk).await;
            continue;
        }
        let due =
            now.deadline_ms().map_or(NAP, |ms| Duration::from_millis(ms.saturating_sub(system::now_ms())));
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(due.min(NAP)) => tick(&desk).await,
            () = stop.clone().stopped() => return,
        }
    }
}

async fn tick(desk: &Arc<Desk>) {
    if let Err(refusal) = desk.handle(Input::Tick).await {
        tracing::warn!(%refusal, "a tick could not be recorded");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn do_work(desk: &Arc<Desk>, learning: &Learning, work: Work) {
    let step = work.step();
    tracing::info!(%step, "combining");
    let (study, blobs, learning) = (desk.study.clone(), desk.blobs.clone(), learning.clone());
    // Holds deletion off until what is made has its record.
    let _arrival = desk.arrivals.read().await;
    let combining = tokio::task::spawn_blocking(move || {
        blindscope_federation::combine(&study, &work, &*learning, &blobs)
    });
    let input = match combining.await {
        Ok(Ok(input)) => input,
        Ok(Err(error)) => return again(&step, &error).await,
        Err(error) => return again(&step, &error).await,
    };
    if let Err(refusal) = desk.handle(input).await {
        // The job was called off meanwhile, or the disk is full.
        tracing::warn!(%step, %refusal, "the outcome was not recorded");
        if refusal.retry.is_some() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn again(step: &blindscope_federation::Step, error: &(dyn std::fmt::Display + Sync)) {
    tracing::error!(%step, %error, "combining failed; it is tried again");
    tokio::time::sleep(PAUSE).await;
}

async fn tidy(desk: &Arc<Desk>) {
    let _alone = desk.arrivals.write().await;
    let (blobs, needed) = (desk.blobs.clone(), desk.now().needed_blobs());
    match tokio::task::spawn_blocking(move || blobs.retain(&needed)).await {
        Ok(Ok(freed)) if freed > 0 => tracing::info!(freed, "deleted blobs that are not needed any more"),
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "blobs could not be deleted"),
        Err(error) => tracing::error!(%error, "blobs could not be deleted"),
    }
}
