//! What a study is asked to do: a plain file a job.

use blindscope_wire::Hasher;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::study::is_name;
use crate::{Circuit, Error, JobId, Question, Result, Study};

/// What a job computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// The collective key.
    Ceremony,
    /// Class counts, class sums and a Gram matrix, in one round: the pooled head, exactly.
    Statistics,
    /// Rounds of local training of a head and a weighted mean.
    Fedavg,
    /// Rounds of a weighted mean of a whole model update.
    Update,
    /// The mean CLS token a class.
    ClsMean,
    /// Counts from which validation metrics follow.
    Metrics,
    /// A second collective key, for encrypted inference.
    InferenceKeys,
    /// The average of the sites' first layers under the inference key: never decrypted.
    EncryptedHead,
    /// An answer of an encrypted head, re-encrypted to who asked.
    Question,
}

impl JobKind {
    /// The kind's name, as in files and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ceremony => "ceremony",
            Self::Statistics => "statistics",
            Self::Fedavg => "fedavg",
            Self::Update => "update",
            Self::ClsMean => "cls-mean",
            Self::Metrics => "metrics",
            Self::InferenceKeys => "inference-keys",
            Self::EncryptedHead => "encrypted-head",
            Self::Question => "question",
        }
    }

    /// Whether the kind may take more than one round.
    pub fn has_rounds(self) -> bool {
        matches!(self, Self::Fedavg | Self::Update)
    }

    /// Whether the kind makes a key.
    pub fn is_ceremony(self) -> bool {
        matches!(self, Self::Ceremony | Self::InferenceKeys)
    }

    /// Whether the kind adds up integers that are opened.
    pub fn is_sum(self) -> bool {
        !self.is_ceremony() && !self.is_inference()
    }

    /// Whether the kind works under the inference key.
    pub fn is_inference(self) -> bool {
        matches!(self, Self::InferenceKeys | Self::EncryptedHead | Self::Question)
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A job's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Its name in the study, given once: the same name with another content is refused.
    pub name: String,
    /// What it computes.
    pub kind: JobKind,
    /// Rounds, 1 unless its kind has more.
    #[serde(default = "one")]
    pub rounds: u64,
    /// Integers that each site contributes a round; 0 unless its kind is a sum.
    #[serde(default)]
    pub values: u64,
    /// Largest of these integers, weight included; 0 unless its kind is a sum.
    #[serde(default)]
    pub max: u64,
    /// Seconds that contributions are waited for; the study's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_seconds: Option<u64>,
    /// What the learning code reads. Never a secret: the file goes to every site and into the log.
    #[serde(default)]
    pub settings: Value,
    /// Name of an earlier job: its result is what this one starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The inference key's parameters and elements, for kinds that make or use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Box<Circuit>>,
    /// Levels of the ciphertexts of an encrypted head, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<u32>,
    /// What a question's answer is re-encrypted from and to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Question>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn one() -> u64 {
    1
}

const FILE: &str = "job file";

/// Most rounds of a job.
const MAX_ROUNDS: u64 = 100_000;

/// Most ciphertexts of an encrypted head.
const MAX_CIPHERTEXTS: usize = 4096;

/// Most bytes of `settings` as JSON.
const MAX_SETTINGS: usize = 16 << 10;

/// Bytes that the steps of a job move, known before the first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Ciphertexts that one round opens.
    pub openings: u64,
    /// Bytes of a site's answer in phase key-share (ceremony).
    pub key_share: u64,
    /// Bytes in phase relin (inference ceremony).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub relin: u64,
    /// Bytes in phases upload and ready.
    pub upload: u64,
    /// Bytes of a sum.
    pub sum: u64,
    /// Bytes in phase share.
    pub share: u64,
}

impl JobSpec {
    /// The key ceremony's job.
    pub fn ceremony(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: JobKind::Ceremony,
            rounds: 1,
            values: 0,
            max: 0,
            upload_seconds: None,
            settings: Value::Null,
            start: None,
            circuit: None,
            levels: Vec::new(),
            question: None,
        }
    }

    /// The job of this TOML text.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Field`].
    pub fn from_toml(text: &str) -> Result<Self> {
        Self::draft_from_toml(text)?.checked()
    }

    /// The job of this TOML text, which may lack what the application derives from the rest.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn draft_from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::File { file: FILE, reason: e.to_string() })
    }

    /// The job of this JSON text.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Field`].
    pub fn from_json(text: &str) -> Result<Self> {
        Self::draft_from_json(text)?.checked()
    }

    /// As [`Self::draft_from_toml`], of JSON text.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn draft_from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::File { file: FILE, reason: e.to_string() })
    }

    /// The same job with its settings in their one form, if everything is in range.
    ///
    /// # Errors
    /// [`Error::Field`].
    pub fn checked(self) -> Result<Self> {
        let spec = Self { settings: sorted(self.settings), ..self };
        let require = |fine: bool, field, found: String, expected| {
            if fine { Ok(()) } else { Err(Error::Field { file: FILE, field, found, expected }) }
        };
        require(is_name(&spec.name), "name", spec.name.clone(), "1 to 64 of a-z, 0-9, -, _ and .")?;
        let most = if spec.kind.has_rounds() { MAX_ROUNDS } else { 1 };
        require(
            (1..=most).contains(&spec.rounds),
            "rounds",
            spec.rounds.to_string(),
            "1 to 100000 for fedavg and update, otherwise 1",
        )?;
        let sums = spec.kind.is_sum();
        let range = if sums { 1..=1 << 32 } else { 0..=0 };
        let expected = "1 to 4294967296 for a sum, otherwise 0";
        require(range.contains(&spec.values), "values", spec.values.to_string(), expected)?;
        require((spec.max > 0) == sums, "max", spec.max.to_string(), "at least 1 for a sum, otherwise 0")?;
        spec.check_inference()?;
        let wait = spec.upload_seconds.unwrap_or(1);
        require((1..=604_800).contains(&wait), "upload_seconds", wait.to_string(), "1 to 604800")?;
        let len = spec.settings.to_string().len();
        require(len <= MAX_SETTINGS, "settings", format!("{len} bytes"), "at most 16384 bytes of JSON")?;
        Ok(spec)
    }

    /// Whether it has what its kind needs for encrypted inference, in range, and nothing else.
    fn check_inference(&self) -> Result<()> {
        let require = |fine: bool, field, found: String, expected| {
            if fine { Ok(()) } else { Err(Error::Field { file: FILE, field, found, expected }) }
        };
        let there = |is: bool| (if is { "there" } else { "missing" }).to_owned();
        let kind = self.kind;
        let fits = self.circuit.is_some() == kind.is_inference();
        let expected = "there for inference-keys, encrypted-head and question, and for no other kind";
        require(fits, "circuit", there(self.circuit.is_some()), expected)?;
        let fits = self.question.is_some() == (kind == JobKind::Question);
        require(fits, "question", there(self.question.is_some()), "there for a question alone")?;
        let name = self.start.as_deref();
        let starts = matches!(kind, JobKind::InferenceKeys | JobKind::EncryptedHead);
        let fits = name.map_or(kind != JobKind::EncryptedHead, |n| is_name(n) && starts);
        let expected = "an earlier job's name, for inference-keys and encrypted-head";
        require(fits, "start", name.unwrap_or_default().to_owned(), expected)?;
        let primes = self.circuit.as_ref().map_or(0, |c| c.ciphertext.len());
        let head = kind == JobKind::EncryptedHead;
        let count = if head { 1..=MAX_CIPHERTEXTS } else { 0..=0 };
        let fits = count.contains(&self.levels.len()) && self.levels.iter().all(|l| (*l as usize) < primes);
        let expected = "1 to 4096 levels of the circuit for an encrypted head, otherwise none";
        require(fits, "levels", format!("{} levels", self.levels.len()), expected)?;
        self.circuit.as_deref().map_or(Ok(()), Circuit::check)?;
        self.question.as_deref().map_or(Ok(()), Question::check)
    }

    /// The job's name for machines: study and content.
    pub fn id(&self, study: &Study) -> JobId {
        let json = serde_json::to_vec(self).unwrap_or_default(); // maps with text keys always print
        JobId(Hasher::new("blindscope/federation/job/v1").absorb(&study.digest().0).absorb(&json).finish())
    }
}

/// The same value with every object's keys in order, whatever feature the JSON crate was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
