//! `blindscope job export`

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::shown::print_json;
use blindscope_app::track::mlflow::{self, Server};
use blindscope_app::track::{Error, History, Run, Source, tensorboard};
use blindscope_node::JobStatus;
use blindscope_node::admin::Course;
use blindscope_node::admin::jobs::Admin;

/// Longest result that is looked into.
const MOST_RESULT: u64 = 256 << 20;

#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    /// Its name, its id, or the first digits of its id.
    job: String,
    /// A folder of `MLflow`'s runs, or the address of its server (`https://…`, or `http://` on this machine). A server's token is read from
    /// `MLFLOW_TRACKING_TOKEN`.
    #[arg(long, value_name = "DIR|URL", required_unless_present = "tensorboard")]
    mlflow: Option<String>,
    /// A folder of event files as `TensorBoard` reads them.
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// What a site wrote as its history of local training; may be repeated. The file's name stands for the site.
    #[arg(long, value_name = "FILE")]
    history: Vec<PathBuf>,
    /// The token of `MLflow`'s server.
    #[arg(long = "mlflow-token", env = "MLFLOW_TRACKING_TOKEN", hide = true, hide_env_values = true)]
    token: Option<String>,
}

/// Writes a job where its options say.
pub(crate) async fn run(admin: &Admin, options: &ExportOptions, json: bool) -> anyhow::Result<()> {
    let histories = options.history.iter().map(|path| History::read(path)).collect::<Result<Vec<_>, _>>()?;
    let run = gathered(admin, &options.job, &histories).await?;
    let mut written = Vec::new();
    if let Some(place) = &options.mlflow {
        written.push(tracked(&run, place, options.token.clone())?);
    }
    if let Some(folder) = &options.tensorboard {
        let file = tensorboard::write(&run, folder)?;
        written.push(json!({ "tracker": "tensorboard", "file": file, "series": run.series.len() }));
    }
    if json {
        return print_json(&written);
    }
    let mut out = io::stdout().lock();
    for one in written {
        let place =
            ["file", "folder", "run"].iter().find_map(|key| one.get(key)?.as_str()).unwrap_or_default();
        let tracker = one.get("tracker").and_then(Value::as_str).unwrap_or_default();
        let already = one.get("already").and_then(Value::as_bool).unwrap_or_default();
        let was = if already { ", which was there already" } else { "" };
        writeln!(out, "{tracker}: {} series of {} in {place}{was}", run.series.len(), run.name)?;
    }
    Ok(())
}

/// What a tracker is told of a job.
async fn gathered(admin: &Admin, job: &str, histories: &[History]) -> anyhow::Result<Run> {
    let view = admin.status(job).await?;
    let records = admin.records().await?;
    let course = Course::of(&records, view.id);
    let course = course.ok_or_else(|| Error::Unknown { job: job.to_owned() })?;
    let result = match view.status {
        JobStatus::Done { result } if result.len <= MOST_RESULT => {
            Some(admin.download(&view.id.to_string(), Vec::new()).await?.0)
        }
        _ => None,
    };
    let (study, result) = (admin.study(), result.as_deref());
    Ok(Run::of(&Source { study, view: &view, course: &course, result, histories })?)
}

fn tracked(run: &Run, place: &str, token: Option<String>) -> anyhow::Result<Value> {
    if place.starts_with("http://") || place.starts_with("https://") {
        let sent = Server::at(place, token)?.send(run)?;
        return Ok(json!({ "tracker": "mlflow", "run": sent.run, "already": sent.already, "server": place }));
    }
    let folder = mlflow::write(run, place.as_ref())?;
    Ok(json!({ "tracker": "mlflow", "folder": folder, "series": run.series.len() }))
}

/// Whether an export failed for something that the caller gave.
pub(crate) fn is_callers(error: &Error) -> bool {
    matches!(error, Error::NotOver { .. } | Error::Unknown { .. } | Error::History { .. })
}
