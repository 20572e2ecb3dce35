//! A job as trackers see it: parameters, tags, and series of numbers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{Error, Result};
use blindscope_federation::{JobKind, JobStatus, JobView, Study};
use blindscope_learn::jobs::{Counts, HistoryLine, Model, leaves_a_model};
use blindscope_node::admin::Course;
use blindscope_vision::metrics::Confusion;

/// What a run is made of.
#[derive(Debug)]
pub struct Source<'a> {
    /// The study.
    pub study: &'a Study,
    /// The job.
    pub view: &'a JobView,
    /// How it went.
    pub course: &'a Course,
    /// Its result, where it has one that is short enough to be looked into.
    pub result: Option<&'a [u8]>,
    /// What sites measured for themselves.
    pub histories: &'a [History],
}

/// What a site wrote down of its local training.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The file's name without its ending: whose it is.
    pub name: String,
    /// Its lines.
    pub lines: Vec<HistoryLine>,
}

/// One number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Round, epoch, or 0.
    pub step: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// The number; finite.
    pub value: f64,
}

/// Numbers under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Letters, digits and `_-./`.
    pub name: String,
    /// In the order of steps.
    pub points: Vec<Point>,
}

/// A job, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The study's name.
    pub study: String,
    /// Digest of the study, hexadecimal.
    pub study_digest: String,
    /// The job's id, hexadecimal.
    pub id: String,
    /// The job's name.
    pub name: String,
    /// When it was submitted and when it ended, milliseconds since 1970.
    pub span_ms: (u64, u64),
    /// Whether it has a result.
    pub done: bool,
    /// The job's file, key by key.
    pub params: BTreeMap<String, String>,
    /// What it is.
    pub tags: BTreeMap<String, String>,
    /// The numbers.
    pub series: Vec<Series>,
    /// Its file and its course, as JSON.
    pub files: Vec<(&'static str, String)>,
}

impl History {
    /// The history of a file.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read; [`Error::History`] for a line that is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        let parsed = |(line, text): (usize, &str)| {
            serde_json::from_str(text).map_err(|e| Error::History {
                path: path.to_owned(),
                line: line + 1,
                reason: e.to_string(),
            })
        };
        let lines = text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()).map(parsed);
        let name =
            path.file_stem().map_or_else(|| "site".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, lines: lines.collect::<Result<_>>()? })
    }
}

impl Run {
    /// A job that has ended, as a run.
    ///
    /// # Errors
    /// [`Error::NotOver`] for a job that has not.
    pub fn of(source: &Source<'_>) -> Result<Self> {
        let Source { study, view, course, .. } = source;
        let ended = course.ended_ms.ok_or_else(|| Error::NotOver { job: view.name.clone() })?;
        let mut series = rounds(course);
        series.extend(result(source, ended));
        series.extend(source.histories.iter().flat_map(|history| local(history, view.kind, ended)));
        let done = matches!(view.status, JobStatus::Done { .. });
        let mut tags = BTreeMap::from([
            ("blindscope.job".to_owned(), view.id.to_string()),
            ("blindscope.study".to_owned(), study.digest().to_string()),
            ("blindscope.kind".to_owned(), view.kind.name().to_owned()),
        ]);
        if let JobStatus::Failed { failure } = &view.status {
            tags.insert("blindscope.failure".to_owned(), failure.explain(study));
        }
        let files = vec![("job.json", json(&course.spec)), ("course.json", json(course))];
        Ok(Self {
            study: study.literal().name.clone(),
            study_digest: study.digest().to_string(),
            id: view.id.to_string(),
            name: view.name.clone(),
            span_ms: (course.submitted_ms, ended),
            done,
            params: params(course),
            tags,
            series,
            files,
        })
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What the log says of each round.
fn rounds(course: &Course) -> Vec<Series> {
    let rounds = course.rounds();
    let series = |name: &str, value: &dyn Fn(&blindscope_node::admin::RoundCourse) -> f64| Series {
        name: name.to_owned(),
        points: rounds
            .iter()
            .map(|round| Point { step: round.round + 1, at_ms: round.ended_ms, value: value(round) })
            .collect(),
    };
    vec![
        series("round/seconds", &|round| round.seconds()),
        series("round/bytes", &|round| round.bytes as f64),
        series("round/contributions", &|round| round.contributions as f64),
        series("round/missing_sites", &|round| round.missing as f64),
        series("round/attempts", &|round| f64::from(round.attempts)),
    ]
}

/// What the result says of itself.
fn result(source: &Source<'_>, at_ms: u64) -> Vec<Series> {
    let mut found: Vec<(String, f64)> = Vec::new();
    let Some(bytes) = source.result else { return Vec::new() };
    match source.view.kind {
        JobKind::Metrics => {
            if let Ok(Counts { counts, classes, sites, figures, .. }) = serde_json::from_slice(bytes) {
                found.push(("result/sites".to_owned(), sites as f64));
                if let Some(figures) = figures {
                    let [low, high] = figures.interval;
                    found.push(("result/accuracy_low".to_owned(), low));
                    found.push(("result/accuracy_high".to_owned(), high));
                }
                answers("result", &classes, counts, &mut found);
            }
        }
        kind if leaves_a_model(kind) => {
            if let Ok(model) = Model::from_json(bytes) {
                found.push(("result/examples".to_owned(), model.examples as f64));
                found.push(("result/sites".to_owned(), model.sites as f64));
                found.extend(
                    model.privacy.map(|privacy| ("result/epsilon".to_owned(), privacy.epsilon.value())),
                );
                found.extend(model.privacy.map(|privacy| ("result/delta".to_owned(), privacy.delta.value())));
                found.extend(model.clipped.map(|clips| ("result/clipped_share".to_owned(), clips.share())));
                if let Some(counts) = model.validation {
                    answers("validation", &model.classes, counts, &mut found);
                }
            }
        }
        _ => {}
    }
    let one = |(name, value): (String, f64)| Series { name, points: vec![Point { step: 0, at_ms, value }] };
    found.into_iter().map(one).filter(|series| series.points.iter().all(|p| p.value.is_finite())).collect()
}

/// Figures of counted answers.
fn answers(head: &str, names: &[String], counts: Vec<Vec<u64>>, to: &mut Vec<(String, f64)>) {
    let square = counts.iter().all(|row| row.len() == counts.len());
    if !square || counts.is_empty() {
        return;
    }
    let confusion = Confusion { counts };
    to.push((format!("{head}/accuracy"), confusion.accuracy()));
    to.push((format!("{head}/balanced_accuracy"), confusion.balanced_accuracy()));
    to.push((format!("{head}/macro_f1"), confusion.macro_f1()));
    for class in 0..confusion.counts.len() {
        let name = names.get(class).map_or_else(|| format!("class_{class}"), |name| plain(name));
        to.push((format!("{head}/recall/{name}"), confusion.recall(class)));
        to.push((format!("{head}/precision/{name}"), confusion.precision(class)));
    }
}

/// What a site measured epoch by epoch, in jobs of this kind.
fn local(history: &History, kind: JobKind, at_ms: u64) -> Vec<Series> {
    let lines: Vec<&HistoryLine> = history.lines.iter().filter(|line| line.job == kind.name()).collect();
    let name = plain(&history.name);
    let series = |what: &str, value: fn(&HistoryLine) -> f32| Series {
        name: format!("site/{name}/{what}"),
        points: lines
            .iter()
            .map(|line| Point { step: line.epoch, at_ms, value: f64::from(value(line)) })
            .filter(|point| point.value.is_finite())
            .collect(),
    };
    if lines.is_empty() {
        return Vec::new();
    }
    vec![series("loss", |line| line.loss), series("accuracy", |line| line.accuracy)]
}

/// The job's file, key by key; what is empty is left out.
fn params(course: &Course) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    let Ok(Value::Object(spec)) = serde_json::to_value(&course.spec) else { return params };
    for (key, value) in spec {
        match value {
            Value::Object(inner) if key == "settings" => {
                params.extend(inner.into_iter().map(|(key, value)| (plain(&key), text(&value))));
            }
            // Parameters of keys and questions: long, and in the file beside this.
            Value::Null | Value::Array(_) | Value::Object(_) => {}
            value => {
                params.insert(key, text(&value));
            }
        }
    }
    params
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A name that every tracker takes, and every file system.
fn plain(name: &str) -> String {
    let taken = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = name.chars().map(taken).take(64).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}
