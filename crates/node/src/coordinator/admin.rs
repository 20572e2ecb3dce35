//! The administrators' calls.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::desk::Desk;
use super::refusal;
use crate::documents::{JobQuery, LogQuery, Submitted};
use blindscope_federation::{Coordinator, Input, JobId, JobSpec, JobView, Sizes};
use blindscope_transport::{Answer, Class, Command, Documents, Refusal, Stream};

/// A call with one answer.
pub(super) async fn command(desk: &Arc<Desk>, command: Command, document: &Bytes) -> Answer<Bytes> {
    match command {
        Command::SubmitJob => submit(desk, document).await,
        Command::ListJobs => {
            let JobQuery { job } = read(document)?;
            let now = desk.now();
            let jobs = if job.is_empty() { now.jobs() } else { vec![view(&now, &job)?] };
            write(&jobs)
        }
        Command::AbortJob => {
            let JobQuery { job } = read(document)?;
            let id = view(&desk.now(), &job)?.id;
            desk.handle(Input::Abort { job: id }).await?;
            write(&view(&desk.now(), &job)?)
        }
        Command::ListSites => write(&desk.presences.views(desk.now().study())),
        // The handler itself answers these: the desk knows nothing of callers.
        Command::Quotas | Command::Roster => Err(refusal::internal(&"the desk was asked for a caller's own")),
    }
}

async fn submit(desk: &Arc<Desk>, document: &Bytes) -> Answer<Bytes> {
    let wrong = |e: blindscope_federation::Error| Refusal::new(Class::Invalid, "job-file", e.to_string());
    let text =
        std::str::from_utf8(document).map_err(|e| Refusal::new(Class::Invalid, "job-file", e.to_string()))?;
    let spec = JobSpec::from_json(text).map_err(wrong)?;
    let study = desk.now().study().clone();
    let for_sizes = spec.clone();
    let sizes = tokio::task::spawn_blocking(move || Sizes::of(&study, &for_sizes)).await;
    let sizes = sizes.map_err(|e| refusal::internal(&e))?.map_err(wrong)?;
    let done = desk.handle(Input::Submit { spec, sizes }).await?;
    let job = done.job.ok_or_else(|| refusal::internal(&"a submission without a job"))?;
    write(&Submitted { job })
}

/// A call with a row of answers.
pub(super) fn stream(desk: &Arc<Desk>, stream: Stream, document: &Bytes) -> Answer<Documents> {
    let (out, documents) = mpsc::channel(16);
    match stream {
        Stream::WatchJob => {
            let JobQuery { job } = read(document)?;
            let id = view(&desk.now(), &job)?.id;
            tokio::spawn(watch(desk.clone(), id, out));
        }
        Stream::Log => {
            let query = read(document)?;
            tokio::spawn(log(desk.clone(), query, out));
        }
    }
    Ok(documents)
}

/// A job at every change, until it is over.
async fn watch(desk: Arc<Desk>, id: JobId, out: mpsc::Sender<Answer<Bytes>>) {
    let mut state = desk.watch();
    let mut last: Option<JobView> = None;
    loop {
        let Some(view) = state.borrow_and_update().job(id) else { return };
        let over = view.is_over();
        if last.as_ref() != Some(&view) {
            if out.send(write(&view)).await.is_err() {
                return;
            }
            last = Some(view);
        }
        // A job that is over does not change any more.
        if over {
            return;
        }
        let gone = tokio::select! {
            changed = state.changed() => changed.is_err(),
            () = out.closed() => true,
        };
        if gone {
            return;
        }
    }
}

async fn log(desk: Arc<Desk>, query: LogQuery, out: mpsc::Sender<Answer<Bytes>>) {
    let mut state = desk.watch();
    let mut from = query.from;
    loop {
        state.mark_unchanged();
        let lines = match desk.records.lines(from).await {
            Ok(lines) => lines,
            Err(error) => {
                // The reader is gone when this fails.
                let _ = out.send(Err(refusal::store(&error))).await;
                return;
            }
        };
        from += lines.len() as u64;
        for line in lines {
            if out.send(Ok(line.into_bytes().into())).await.is_err() {
                return;
            }
        }
        if !query.follow {
            return;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            () = out.closed() => return,
        }
    }
}

fn view(now: &Coordinator, job: &str) -> Answer<JobView> {
    let by_digits = || {
        let mut found = now.jobs().into_iter().filter(|view| view.id.to_string().starts_with(job));
        // Digits that two jobs share name neither.
        found.next().filter(|_| job.len() >= 6 && found.next().is_none())
    };
    let found = now.job_named(job).and_then(|id| now.job(id)).or_else(by_digits);
    found.ok_or_else(|| {
        let message = format!(
            "no job is named {job}, nor has it as the first 6 or more digits of its id; list the jobs"
        );
        Refusal::new(Class::Missing, "unknown-job", message)
    })
}

fn read<T: for<'de> Deserialize<'de> + Default>(document: &Bytes) -> Answer<T> {
    if document.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(document).map_err(|e| Refusal::new(Class::Invalid, "document", e.to_string()))
}

fn write(value: &impl Serialize) -> Answer<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|e| refusal::internal(&e))
}
