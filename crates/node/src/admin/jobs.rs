//! What administrators do with jobs.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::documents::{JobQuery, LogQuery, Quotas, SiteView, Submitted};
use crate::error::{Error, Result};
use crate::files;
use crate::kit::{Kit, PartySettings};
use blindscope_federation::{Blob, JobId, JobSpec, JobStatus, JobView, Sizes, Study};
use blindscope_learn::features::{Backbone, BackboneSource};
use blindscope_learn::jobs::{self, Given, Lacks};
use blindscope_transport::{Client, Command, Stream};

/// Longest job file.
const MAX: u64 = 1 << 20;
/// Longest result that is fetched to show what was clipped.
const MAX_SHOWN: u64 = 64 << 20;

/// An administrator with a connection.
pub struct Admin {
    client: Client,
    study: Study,
    kit: Kit,
    /// The study's model, where the settings name it: jobs that train it need its size.
    backbone: Option<PathBuf>,
}

impl Admin {
    /// The administrator of a kit. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Settings`] for a kit whose settings or study cannot be read; [`Error::Transport`] for
    /// certificates that cannot be used.
    pub fn of(kit: &Kit, overrides: &[String]) -> Result<Self> {
        let settings: PartySettings = kit.settings(overrides)?;
        let client = kit.client(&settings.coordinator)?;
        let backbone = settings.backbone.map(|path| kit.named(&path));
        Ok(Self { client, study: kit.study_now()?, kit: kit.clone(), backbone })
    }

    /// The study, under the newest roster that is known here.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// Learns the roster in force: names of sites that joined, and sizes that follow from how many there are.
    ///
    /// # Errors
    /// [`Error::Roster`] and [`Error::Federation`] where the coordinator's roster does not follow from the one known here;
    /// [`Error::Transport`] where the coordinator cannot be reached.
    pub async fn learn_roster(&mut self) -> Result<()> {
        (self.study, _, _) = crate::roster::catch_up(&self.client, &self.kit, self.study.clone()).await?;
        Ok(())
    }

    /// Puts a job in the queue. The same file again gives the same job.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached or refuses the job; [`Error::Document`] for an answer that
    /// is none.
    pub async fn submit(&self, spec: &JobSpec) -> Result<JobId> {
        let submitted: Submitted = self.call("submit-job", Command::SubmitJob, spec).await?;
        Ok(submitted.job)
    }

    /// Puts the job of a file in the queue, with what follows from the study, its settings and the result that it starts from
    /// filled in. What contradicts the study is refused here, before anything is sent.
    ///
    /// # Errors
    /// As [`Self::complete`]; as [`Self::submit`].
    pub async fn submit_draft(&self, draft: JobSpec) -> Result<JobId> {
        self.submit(&self.complete(draft).await?).await
    }

    /// Refuses a job of a file that contradicts the study or whose settings are out of range, as far as that shows without the coordinator.
    ///
    /// # Errors
    /// As [`Self::complete`], but that a start is not asked for.
    pub fn check_draft(&self, draft: &JobSpec) -> Result<()> {
        jobs::Terms::of(self.study.literal()).check_job(draft)?;
        match jobs::lacks(draft) {
            Lacks::Nothing => self.filled(draft.clone(), &Given::Nothing)?,
            Lacks::Start(_) => return Ok(()),
            Lacks::Backbone => self.filled(draft.clone(), &Given::Backbone(&self.model()?.model))?,
        };
        Ok(())
    }

    /// The job with what follows filled in, if the study allows it.
    fn filled(&self, draft: JobSpec, given: &Given<'_>) -> Result<JobSpec> {
        let spec = jobs::filled(draft, &self.study, given)?.checked()?;
        self.check(&spec)?;
        Ok(spec)
    }

    /// The job of a file, with what follows filled in, as it would be submitted. Nothing is submitted.
    ///
    /// # Errors
    /// [`Error::Learning`] for a job that contradicts its study or whose settings are out of range; [`Error::Unknown`] for an
    /// update without the model that it changes, or a start that is not done; [`Error::Transport`] where a start cannot be fetched.
    pub async fn complete(&self, draft: JobSpec) -> Result<JobSpec> {
        jobs::Terms::of(self.study.literal()).check_job(&draft)?;
        let (start, model);
        let given = match jobs::lacks(&draft) {
            Lacks::Nothing => Given::Nothing,
            Lacks::Start(name) => {
                (start, _) = self.download(name, Vec::new()).await?;
                Given::Start(&start)
            }
            Lacks::Backbone => {
                model = self.model()?;
                Given::Backbone(&model.model)
            }
        };
        self.filled(draft, &given)
    }

    /// The study's model, which a job that trains it needs the size of.
    fn model(&self) -> Result<Backbone> {
        let path = self.backbone.as_ref().ok_or_else(|| Error::Unknown {
            what: "model",
            name: "the study's".to_owned(),
            repair: "an update needs its size: set backbone = \"MODEL\" in the administrator's startup/settings.toml, or values in the job's settings",
        })?;
        let model = Backbone::load(&BackboneSource::new(path.display().to_string()))?;
        let terms = jobs::Terms::of(self.study.literal());
        terms.check_backbone("the model in settings.toml", Some(model.digest()))?;
        Ok(model)
    }

    /// Refuses what the sites or the coordinator would refuse for good.
    fn check(&self, spec: &JobSpec) -> Result<()> {
        jobs::check_sizes(spec)?;
        let asked = Sizes::of(&self.study, spec)?.openings.saturating_mul(spec.rounds);
        let most = self.study.literal().decryptions;
        if asked > most {
            let (job, field) = (spec.name.clone(), "a need of decryptions");
            let (found, expected) = (asked.to_string(), format!("{most} in its whole life"));
            return Err(jobs::Error::Contradiction { job, field, found, expected }.into());
        }
        Ok(())
    }

    /// How much the sites clipped on the way to a job's result, where its kind says so and the result is short enough to be fetched
    /// for it: `job download` says it of any.
    ///
    /// # Errors
    /// [`Error::Transport`] where the result cannot be fetched.
    pub async fn clips(&self, view: &JobView) -> Result<Option<jobs::Clips>> {
        let JobStatus::Done { result } = view.status else { return Ok(None) };
        if !jobs::says_clips(view.kind) || result.len > MAX_SHOWN {
            return Ok(None);
        }
        let found = self.client.fetch(result.digest, result.len, Vec::new()).await?;
        Ok(jobs::clips_in(view.kind, &found.sink))
    }

    /// All jobs, oldest first.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached or does not know this administrator.
    pub async fn list(&self) -> Result<Vec<JobView>> {
        self.call("list-jobs", Command::ListJobs, &JobQuery::default()).await
    }

    /// One job, by name, id, or the first digits of its id.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached, or no job is called that, or several begin so.
    pub async fn status(&self, job: &str) -> Result<JobView> {
        let mut found: Vec<JobView> =
            self.call("list-jobs", Command::ListJobs, &JobQuery { job: job.to_owned() }).await?;
        found.pop().ok_or_else(|| Error::Document { call: "list-jobs", reason: "no job in it".to_owned() })
    }

    /// How each site of the study was last heard.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached or does not know this administrator.
    pub async fn sites(&self) -> Result<Vec<SiteView>> {
        self.call("list-sites", Command::ListSites, &JobQuery::default()).await
    }

    /// What askers may do, and have done.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached or does not know this administrator.
    pub async fn quotas(&self) -> Result<Quotas> {
        self.call("quotas", Command::Quotas, &JobQuery::default()).await
    }

    /// Ends a job without a result.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached, knows no such job, or has ended it already.
    pub async fn abort(&self, job: &str) -> Result<JobView> {
        self.call("abort-job", Command::AbortJob, &JobQuery { job: job.to_owned() }).await
    }

    /// Follows a job to its end; `seen` gets each change. Returns the last.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator knows no such job, or the connection breaks: the job goes on.
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
    /// [`Error::Transport`] where the connection breaks; [`Error::File`] where `out` takes no more.
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
    /// [`Error::JobFailed`] for a job that ended without a result; [`Error::Unknown`] for one that has none yet;
    /// [`Error::Transport`] where the coordinator cannot be reached, knows no such job, or sends other bytes.
    pub async fn download<W: Write + Send + 'static>(&self, job: &str, out: W) -> Result<(W, u64)> {
        let view = self.status(job).await?;
        let (out, result) = self.result_of(&view, out).await?;
        Ok((out, result.len))
    }

    /// The result of a job that is done, into `out`.
    pub(super) async fn result_of<W: Write + Send + 'static>(
        &self,
        view: &JobView,
        out: W,
    ) -> Result<(W, Blob)> {
        let result = result(&self.study, view)?;
        let found = self.client.fetch(result.digest, result.len, out).await?;
        Ok((found.sink, result))
    }

    /// Lines of the audit log from number `from` on, as they come, those of the future too. Nothing of them is verified here.
    ///
    /// # Errors
    /// [`Error::Transport`] where the coordinator cannot be reached or does not let this caller read its log; what breaks later comes
    /// through the channel.
    pub async fn lines(
        &self,
        from: u64,
    ) -> Result<mpsc::Receiver<blindscope_transport::Result<bytes::Bytes>>> {
        self.open(Stream::Log, &LogQuery { from, follow: true }).await
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
/// [`Error::JobFailed`] for a job that ended without one, with the cause; [`Error::Unknown`] for one that has not ended.
pub fn result(study: &Study, view: &JobView) -> Result<Blob> {
    if let Some(reason) = view.reason(study) {
        return Err(Error::JobFailed { job: view.id, name: view.name.clone(), reason });
    }
    match &view.status {
        JobStatus::Done { result } => Ok(*result),
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
/// [`Error::File`] for a file that cannot be read or is too long; [`Error::Federation`] for one that is no job: a key that jobs
/// do not have, a kind that there is not.
pub fn read_spec(path: &Path) -> Result<JobSpec> {
    let text = files::read_text(path, MAX)?;
    let json = path.extension().is_some_and(|extension| extension == "json");
    Ok(if json { JobSpec::draft_from_json(&text)? } else { JobSpec::draft_from_toml(&text)? })
}

/// A job file's text, TOML, as it was written: [`Admin::complete`] fills in what follows.
///
/// # Errors
/// [`Error::Settings`] for a text longer than a job file may be; [`Error::Federation`] for one that is no job.
pub fn file_text(text: &str) -> Result<JobSpec> {
    if text.len() as u64 > MAX {
        let reason = format!("{} bytes, at most {MAX} are read", text.len());
        return Err(Error::Settings { path: PathBuf::from("job file"), reason });
    }
    Ok(JobSpec::draft_from_toml(text)?)
}

fn text(call: &'static str, document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|e| Error::Document { call, reason: e.to_string() })
}

fn parse<T: DeserializeOwned>(call: &'static str, document: &[u8]) -> Result<T> {
    serde_json::from_slice(document).map_err(|e| Error::Document { call, reason: e.to_string() })
}
