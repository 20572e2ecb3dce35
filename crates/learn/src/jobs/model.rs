//! The model that a job ends in.

use serde::{Deserialize, Serialize};

use super::attention::AttentionPooling;
use super::calibration::Calibration;
use super::choice::Choice;
use super::clips::Clips;
use super::{Error, Result};
use blindscope_classify::{Head, HeadLiteral};
use blindscope_federation::Privacy;
use blindscope_vision::features::unhex;

const FORMAT: &str = "blindscope model 1";

/// Largest model file that is read.
pub(super) const MOST_BYTES: usize = 1 << 28;

/// A model file: JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The file's format and version.
    format: String,
    /// The kind of job that it comes from.
    pub kind: String,
    /// Names of the classes, in the order of the logits; empty where the job did not say them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Digest of the backbone whose tokens the heads take, hexadecimal; empty where the job did not say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub backbone: String,
    /// Heads by name, the recommended one first.
    pub heads: Vec<NamedHead>,
    /// How the tiles of a slide become the token that the heads take; none where they take tiles, or rows as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<AttentionPooling>,
    /// Examples behind it, over all sites: slides where tiles are pooled, with noise about as many units of privacy.
    pub examples: u64,
    /// Sites behind it.
    pub sites: usize,
    /// How many values the sites clipped to the job's bound, summed under encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clipped: Option<Clips>,
    /// Counts by true and predicted class, summed under encryption: on what the sites held back, or of `auto` on each fold by the
    /// recommended head without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Vec<Vec<u64>>>,
    /// What the noise in it promises; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// What was chosen by cross-validation, and from what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Choice>,
    /// How far the recommended head's probabilities can be believed, on rows that it was not made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// A head with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedHead {
    /// `ridge`, `lda`, `polynomial`, `attention`, `nearest-mean`; of rows in parts with the part: `lda:cls`.
    pub name: String,
    /// The head.
    pub head: HeadLiteral,
}

impl Model {
    /// A model of these heads.
    pub(super) fn new(kind: &str, heads: Vec<(&str, HeadLiteral)>, examples: u64, sites: usize) -> Self {
        let heads = heads.into_iter().map(|(name, head)| NamedHead { name: name.to_owned(), head }).collect();
        let (format, kind) = (FORMAT.to_owned(), kind.to_owned());
        let (classes, backbone, pooling, chosen) = (Vec::new(), String::new(), None, None);
        let (clipped, validation, privacy, calibration) = (None, None, None, None);
        Self {
            format,
            kind,
            classes,
            backbone,
            heads,
            pooling,
            examples,
            sites,
            clipped,
            validation,
            privacy,
            chosen,
            calibration,
        }
    }

    /// The same with the names of its classes.
    #[must_use]
    pub(super) fn of_classes(self, names: &[String]) -> Self {
        Self { classes: names.to_vec(), ..self }
    }

    /// The same with the digest of its backbone.
    #[must_use]
    pub(super) fn of_backbone(self, digest: &str) -> Self {
        Self { backbone: digest.to_owned(), ..self }
    }

    /// The same for tokens that this attention pools.
    #[must_use]
    pub(super) fn pooled_by(self, pooling: AttentionPooling) -> Self {
        Self { pooling: Some(pooling), ..self }
    }

    /// The same with how much the sites clipped.
    #[must_use]
    pub(super) fn clipped_by(self, clipped: Clips) -> Self {
        Self { clipped: Some(clipped), ..self }
    }

    /// The recommended head.
    ///
    /// # Errors
    /// [`Error::Bytes`] for a file without heads; [`Error::Head`] for one that cannot be evaluated.
    pub fn head(&self) -> Result<Head> {
        let first = self.heads.first();
        let first =
            first.ok_or_else(|| Error::Bytes { what: "model file", reason: "it holds no head".into() })?;
        self.checked(first)
    }

    /// The head of a name.
    ///
    /// # Errors
    /// [`Error::Bytes`] when there is none; [`Error::Head`] for one that cannot be evaluated.
    pub fn head_named(&self, name: &str) -> Result<Head> {
        let found = self.heads.iter().find(|h| h.name == name);
        let names = || self.heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = found.ok_or_else(|| Error::Bytes {
            what: "model file",
            reason: format!("no head `{name}`, there are: {}", names()),
        })?;
        self.checked(found)
    }

    /// One of its heads, with the names of the classes and the backbone where the model has them.
    fn checked(&self, named: &NamedHead) -> Result<Head> {
        let head = Head::new(named.head.clone())?;
        let head = if self.classes.is_empty() { head } else { head.of_classes(self.classes.clone())? };
        if self.backbone.is_empty() {
            return Ok(head);
        }
        let reason = || format!("its backbone is `{}`, expected 64 hexadecimal digits", self.backbone);
        let digest =
            unhex(&self.backbone).ok_or_else(|| Error::Bytes { what: "model file", reason: reason() })?;
        Ok(head.of_backbone(Some(digest)))
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::Bytes`] for bytes that are no model file of this format, or too many; [`Error::Head`] for a head whose parts do not
    /// agree, or that has another number of classes than the file names.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let bad = |reason: String| Error::Bytes { what: "model file", reason };
        if bytes.len() > MOST_BYTES {
            return Err(bad(format!("{} bytes, at most {MOST_BYTES} are read", bytes.len())));
        }
        let model: Self = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        if model.format != FORMAT {
            return Err(bad(format!("format `{}`, expected `{FORMAT}`", model.format)));
        }
        let width = model.pooling.as_ref().map(AttentionPooling::width);
        for named in &model.heads {
            let head = model.checked(named)?;
            if width.is_some_and(|width| width != head.width()) {
                return Err(bad(format!(
                    "its attention pools another width than head `{}` takes",
                    named.name
                )));
            }
        }
        let pooling = model.pooling.map(AttentionPooling::checked).transpose()?;
        Ok(Self { pooling, ..model })
    }

    /// The file's bytes: equal models give equal bytes.
    ///
    /// # Errors
    /// [`Error::Bytes`] for numbers that JSON has not.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
            .map_err(|e| Error::Bytes { what: "model file", reason: e.to_string() })
    }
}

/// The attention that a file's head has its tokens from; none in files without one.
///
/// # Errors
/// As [`head_in`].
pub(super) fn pooling_in(bytes: &[u8]) -> Result<Option<AttentionPooling>> {
    if is_model(bytes) { Ok(Model::from_json(bytes)?.pooling) } else { Ok(None) }
}

/// The head in a file: of a job's model, the recommended one; or of `train head`, JSON or `safetensors`.
///
/// # Errors
/// As [`Model::from_json`] for a file that says it is a model; otherwise [`Error::Head`] for one that is no head.
pub fn head_in(bytes: &[u8]) -> Result<Head> {
    if is_model(bytes) { Model::from_json(bytes)?.head() } else { Ok(Head::from_bytes(bytes)?) }
}

/// Whether a file says that it is a job's model.
fn is_model(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Marked {
        format: Option<serde::de::IgnoredAny>,
    }
    bytes.len() <= MOST_BYTES
        && serde_json::from_slice::<Marked>(bytes).is_ok_and(|file| file.format.is_some())
}

/// Rows of `width` values.
pub(super) fn matrix(values: &[f32], width: usize) -> Vec<Vec<f64>> {
    values.chunks(width.max(1)).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
}
