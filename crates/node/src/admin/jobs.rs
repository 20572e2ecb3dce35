//! What administrators do with jobs.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::documents::{JobQuery, LogQuery, Submitted};
use crate::error::{Error, Result};
use crate::files;
use crate::kit::{Kit, PartySettings};
use blindscope_federation::{JobId, JobKind, JobSpec, JobStatus, JobView, Study};
use blindscope_learn::jobs;
use blindscope_transport::{Client, Command, Stream};

/// Longest job file.
const MAX: u64 = 1 << 20;

/// An administrator with a connection.
pub struct Admin {
    client: Client,
    study: Study,
}

impl Admin {
    /// The administrator of a kit. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error`]
    pub fn of(kit: &Kit, overrides: &[String]) -> Result<Self> {
        let settings: PartySettings = kit.settings(overrides)?;
        Ok(Self { client: kit.client(&settings.coordinator)?, study: kit.study()? })
    }

    /// The study.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// Puts a job in the queue. The same file again gives the same job.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn submit(&self, spec: &JobSpec) -> Result<JobId> {
        let submitted: Submitted = self.call("submit-job", Command::SubmitJob, spec).await?;
        Ok(submitted.job)
    }

    /// Puts the job of a file in the queue, with what follows from its settings and the result that it starts from filled in.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unknown`] where the job that it starts from is not done.
    pub async fn submit_draft(&self, draft: JobSpec) -> Result<JobId> {
        let spec = match &draft.start {
            Some(start) if draft.kind.is_inference() && draft.circuit.is_none() => {
                let (bytes, _) = self.download(start, Vec::new()).await?;
                jobs::complete(draft, &self.study, &bytes)?
            }
            _ if draft.kind.is_sum() && draft.kind != JobKind::Sum && draft.values == 0 => {
                jobs::sized(draft)?
            }
            _ => draft,
        };
        jobs::Terms::of(self.study.literal()).check_job(&spec)?;
        self.submit(&spec.checked()?).await
    }

    /// All jobs, oldest first.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn list(&self) -> Result<Vec<JobView>> {
        self.call("list-jobs", Command::ListJobs, &JobQuery::default()).await
    }

    /// One job, by name, id, or the first digits of its id.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn status(&self, job: &str) -> Result<JobView> {
        let mut found: Vec<JobView> =
            self.call("list-jobs", Command::ListJobs, &JobQuery { job: job.to_owned() }).await?;
        found.pop().ok_or_else(|| Error::Document { call: "list-jobs", reason: "no job in it".to_owned() })
    }

    /// Ends a job without a result.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn abort(&self, job: &str) -> Result<JobView> {
        self.call("abort-job", Command::AbortJob, &JobQuery { job: job.to_owned() }).await
    }

    /// Follows a job to its end; `seen` gets each change. Returns the last.
    ///
    /// # Errors
    /// [`Error`]; a connection that breaks is an error, the job goes on.
    pub async fn watch(&self, job: &str, mut seen: impl FnMut(&JobView) + Send) -> Result<JobView> {
        let mut row = self.open(Stream::WatchJob, &JobQuery { job: job.to_owned() }).await?;
        let mut last = None;
        while let Some(document) = row.recv().await {
            let view: JobView = parse("watch-job", &document?)?;
            seen(&view);
            last = Some(view);
        }
        last.ok_or_else(|| Error::Document { call: "watch-job", reason: "no job in it".to_owned() })
    }

    /// Records of the audit log from number `from` on, one line each into `out`; how many.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn log(&self, from: u64, follow: bool, out: &mut (dyn Write + Send)) -> Result<u64> {
        let mut row = self.open(Stream::Log, &LogQuery { from, follow }).await?;
        let mut count = 0;
        while let Some(line) = row.recv().await {
            let mut line = line?.to_vec();
            line.push(b'\n');
            out.write_all(&line).map_err(files::failed("write", Path::new("the log")))?;
            count += 1;
        }
        Ok(count)
    }

    /// The result of a job that is done, into `out`; its bytes. The digest is checked before this returns.
    ///
    /// # Errors
    /// [`Error::JobFailed`], [`Error::Unknown`] for a job without a result yet.
    pub async fn download<W: Write + Send + 'static>(&self, job: &str, out: W) -> Result<(W, u64)> {
        let view = self.status(job).await?;
        let result = result(&self.study, &view)?;
        let found = self.client.fetch(result.digest, result.len, out).await?;
        Ok((found.sink, found.len))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        call: &'static str,
        command: Command,
        document: &impl Serialize,
    ) -> Result<T> {
        parse(call, &self.client.command(command, text(call, document)?.into()).await?)
    }

    async fn open(
        &self,
        stream: Stream,
        document: &impl Serialize,
    ) -> Result<mpsc::Receiver<blindscope_transport::Result<bytes::Bytes>>> {
        Ok(self.client.stream(stream, text("stream", document)?.into()).await?)
    }
}

/// The result of a finished job.
///
/// # Errors
/// [`Error::JobFailed`], [`Error::Unknown`].
pub fn result(study: &Study, view: &JobView) -> Result<blindscope_federation::Blob> {
    match &view.status {
        JobStatus::Done { result } => Ok(*result),
        JobStatus::Failed { failure } => {
            let (name, reason) = (view.name.clone(), failure.explain(study));
            Err(Error::JobFailed { job: view.id, name, reason })
        }
        _ => Err(Error::Unknown {
            what: "result of the job",
            name: view.name.clone(),
            repair: "wait for it: `blindscope job watch`",
        }),
    }
}

/// A job file, TOML or JSON, as it was written: [`Admin::submit_draft`] fills in what follows.
///
/// # Errors
/// [`Error::File`] where the file cannot be read or written; [`Error::Federation`] for a study or policy that is
/// refused, see there.
pub fn read_spec(path: &Path) -> Result<JobSpec> {
    let text = files::read_text(path, MAX)?;
    let json = path.extension().is_some_and(|extension| extension == "json");
    Ok(if json { JobSpec::draft_from_json(&text)? } else { JobSpec::draft_from_toml(&text)? })
}

fn text(call: &'static str, document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|e| Error::Document { call, reason: e.to_string() })
}

fn parse<T: DeserializeOwned>(call: &'static str, document: &[u8]) -> Result<T> {
    serde_json::from_slice(document).map_err(|e| Error::Document { call, reason: e.to_string() })
}
