//! `metrics`: counts by true and predicted class, summed under encryption, so that nobody learns how well one site does.

use serde::{Deserialize, Serialize};

use super::choice::HeadFigures;
use super::data::Examples;
use super::integers::padded;
use super::job::settings;
use super::judged::{self, CountedBy, Judged};
use super::kind::Learned;
use super::model::{head_in, pooling_in};
use super::settings::MetricsSettings;
use super::{Advanced, Error, Integers, Learning, Result, SiteData, Watch};
use blindscope_classify::Head;
use blindscope_vision::metrics::{Confusion, argmax};
use blindscope_vision::values::Values;

/// The result of `metrics`: JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// SHA-256 of the model file.
    pub model: String,
    /// Names of the classes, in order; empty where the job did not say them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Counts by true class (rows) and predicted class (columns), over all sites.
    pub counts: Vec<Vec<u64>>,
    /// Sites that counted.
    pub sites: usize,
    /// What one answer is of.
    #[serde(default, skip_serializing_if = "CountedBy::is_rows")]
    pub by: CountedBy,
    /// How the model did, with groups (patients) as the units that were drawn; none where rows are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<HeadFigures>,
}

/// The kind.
pub(super) static KIND: Learned = Learned {
    required: &["model"],
    ..Learned::of::<MetricsSettings>("How well a model does on what the sites held back.", |spec| {
        Ok(Box::new(Metrics::new(settings(spec)?)?))
    })
};

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Metrics(MetricsSettings);

impl Metrics {
    pub(super) fn new(settings: MetricsSettings) -> Result<Self> {
        settings.check()?;
        Ok(Self(settings))
    }
}

impl Learning for Metrics {
    fn rounds(&self) -> u64 {
        1
    }

    fn values(&self) -> u64 {
        let spread = if self.0.by.is_rows() { 0 } else { judged::SPREAD };
        (self.0.classes * self.0.classes + spread) as u64
    }

    fn max(&self) -> u64 {
        if self.0.by.is_rows() { self.0.examples } else { self.0.examples * judged::MOST_OF_A_GROUP }
    }

    fn contribute(&self, data: &SiteData, _: u64, _: &[u8], _: Watch<'_>) -> Result<Integers> {
        const OP: &str = "metrics";
        let file = data.models.get(OP, &self.0.model)?;
        let head = head_in(&file)?;
        if let Some(terms) = &data.terms {
            terms.check_backbone("the model that is measured", head.backbone())?;
        }
        data.validation.check(OP, head.width(), self.0.classes)?;
        let pooled = match pooling_in(&file)? {
            Some(pooling) => Some(pooling.examples(OP, &data.validation)?),
            None => None,
        };
        let rows = pooled.as_ref().unwrap_or(&data.validation);
        let numbers = {
            let classes = data.terms.as_ref().map_or(&[][..], |terms| &terms.classes);
            numbers_of(&self.0.model, &head, classes, self.0.classes)?
        };
        let logits = logits_of(&head, &rows.rows)?;
        let (counted, spread) = self.counted(rows, &logits, &numbers)?;
        let mut counts = encode_counts(&counted, self.0.examples)?;
        counts.extend(spread);
        Ok(Box::new(padded(counts, self.values()).into_iter()))
    }

    fn advance(&self, _: u64, _: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        let (counts, by) = (split_counts(sums, self.0.classes)?, self.0.by);
        let spread = sums.get(self.0.classes * self.0.classes..).and_then(<[u64]>::first_chunk);
        let figures =
            spread.filter(|_| !by.is_rows()).map(|spread| judged::figures("model", &counts, *spread));
        let (model, classes) = (self.0.model.clone(), self.0.names.clone());
        let result = Counts { model, classes, counts, sites: committed, by, figures };
        let json = serde_json::to_vec_pretty(&result);
        json.map(Advanced::Final).map_err(|e| Error::Bytes { what: "counts", reason: e.to_string() })
    }
}

impl Metrics {
    /// Answers by true and predicted class, and what their interval follows from where slides or patients are counted.
    fn counted(&self, rows: &Examples, logits: &[f32], numbers: &[usize]) -> Result<(Confusion, Vec<u64>)> {
        let classes = self.0.classes;
        if self.0.by.is_rows() {
            let predicted: Vec<usize> =
                logits.chunks_exact(numbers.len().max(1)).map(|logits| numbers[argmax(logits)]).collect();
            return Ok((Confusion::new(&rows.labels, &predicted, classes), Vec::new()));
        }
        let judged = Judged::of(self.0.by, rows, logits, numbers)?;
        Ok((Confusion::new(&judged.labels, &judged.predicted, classes), judged.spread("metrics")?.to_vec()))
    }
}

/// Rows whose logits are made at a time.
const AT_ONCE: usize = 1024;

/// Logits of rows in the clear, one row's after another's. Range: rows have the head's width.
///
/// # Errors
/// [`blindscope_classify::Error`] for a row that the head does not take, as [`Error::Head`]; [`Error::Vision`] when the file of rows
/// cannot be read any more.
pub(crate) fn logits_of(head: &Head, rows: &Values) -> Result<Vec<f32>> {
    let width = head.width();
    let mut logits = Vec::with_capacity(rows.len() / width.max(1) * head.classes());
    for block in rows.blocks() {
        for some in block?.chunks(AT_ONCE * width) {
            let tokens: Vec<Vec<f64>> =
                some.chunks_exact(width).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect();
            logits.extend(head.logits(&tokens)?.iter().flatten().map(|v| *v as f32));
        }
    }
    Ok(logits)
}

/// The study's number of each class of a head, joined by name where both sides have names: a model of another study, or one that a
/// site trained, may order its classes otherwise or lack some.
fn numbers_of(model: &str, head: &Head, study: &[String], classes: usize) -> Result<Vec<usize>> {
    const WHAT: &str = "the model's classes";
    let (operation, names) = ("metrics", head.class_names());
    if names.is_empty() || study.is_empty() {
        let (found, expected) = (head.classes().to_string(), format!("{classes}, as many as the job has"));
        return if head.classes() == classes {
            tracing::warn!(
                model,
                "classes are taken in the job's order: the model file, or the site's data, does not name them"
            );
            Ok((0..classes).collect())
        } else {
            Err(Error::Data { operation, what: WHAT, found, expected })
        };
    }
    let numbers =
        names.iter().map(|name| study.iter().take(classes).position(|c| c == name)).collect::<Option<_>>();
    numbers.ok_or_else(|| {
        let (found, expected) = (names.join(", "), format!("some of the study's: {}", study.join(", ")));
        Error::Data { operation, what: WHAT, found, expected }
    })
}

/// Counts of the answers `argmax(logits)`.
pub(super) fn confusion_of(logits: &[f32], labels: &[usize], classes: usize) -> Confusion {
    let predicted: Vec<usize> = logits.chunks_exact(classes).map(argmax).collect();
    Confusion::new(labels, &predicted, classes)
}

/// Counts row by row.
pub(super) fn encode_counts(confusion: &Confusion, most: u64) -> Result<Vec<u64>> {
    let counts: Vec<u64> = confusion.counts.iter().flatten().copied().collect();
    match counts.iter().find(|n| **n > most) {
        None => Ok(counts),
        Some(n) => Err(Error::Data {
            operation: "metrics",
            what: "number of examples",
            found: n.to_string(),
            expected: format!("at most {most}"),
        }),
    }
}

/// The reverse, of a sum.
pub(super) fn split_counts(sums: &[u64], classes: usize) -> Result<Vec<Vec<u64>>> {
    let counts = sums.get(..classes * classes).ok_or_else(|| Error::Sums {
        operation: "metrics",
        reason: format!("{} sums, {} are needed", sums.len(), classes * classes),
    })?;
    Ok(counts.chunks_exact(classes).map(<[u64]>::to_vec).collect())
}
