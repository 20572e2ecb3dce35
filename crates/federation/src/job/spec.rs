//! A job's file: plain data, as it stands in files, tasks and records.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Job;
use crate::study::is_name;
use crate::words::in_words;
use crate::{Blob, Circuit, Error, JobId, JobKind, Privacy, Question, Result, SiteId, Study};
use blindscope_wire::{Digest, Hasher};

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
    /// Integers that each site contributes a round, for kinds that sum.
    #[serde(default)]
    pub values: u64,
    /// Largest of these integers, weight included, for kinds that sum.
    #[serde(default)]
    pub max: u64,
    /// Seconds that contributions are waited for; the study's unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_seconds: Option<u64>,
    /// Of sums: which data of the sites it is of, where an earlier job of the same kind and settings was of other data. It tells
    /// inputs of rounds apart: under one word values are summed over one set of sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_version: Option<String>,
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
    /// Sites that parts of an encrypted head are dealt to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<SiteId>,
    /// Of sums that learning bounds: noise that the sites add, and what it promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Box<Privacy>>,
    /// What a question's answer is re-encrypted from and to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Question>>,
}

fn one() -> u64 {
    1
}

const FILE: &str = "job file";

/// Most rounds of a job.
const MAX_ROUNDS: u64 = 100_000;

/// Most bytes of `settings` as JSON.
const MAX_SETTINGS: usize = 16 << 10;

/// The refusal of a field of a job file.
pub(super) fn refused(field: &'static str, found: String, expected: &'static str) -> Error {
    Error::Field { file: FILE, field, found, expected }
}

impl JobSpec {
    /// A sum's file that says nothing but its name yet.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: JobKind::Sum,
            rounds: 1,
            values: 0,
            max: 0,
            upload_seconds: None,
            data_version: None,
            settings: Value::Null,
            start: None,
            circuit: None,
            levels: Vec::new(),
            holders: Vec::new(),
            privacy: None,
            question: None,
        }
    }

    /// The job of this TOML text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format; [`Error::Field`] for a field
    /// out of its range.
    pub fn from_toml(text: &str) -> Result<Self> {
        Self::draft_from_toml(text)?.checked()
    }

    /// The job of this TOML text, which may lack what the application derives from the rest.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format.
    pub fn draft_from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| Error::File { file: FILE, reason: in_words(&e.to_string()) })
    }

    /// The job of this JSON text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format; [`Error::Field`] for a field
    /// out of its range.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::draft_from_json(text)?.checked()
    }

    /// As [`Self::draft_from_toml`], of JSON text.
    ///
    /// # Errors
    /// [`Error::File`] for text that is not the file's format.
    pub fn draft_from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::File { file: FILE, reason: in_words(&e.to_string()) })
    }

    /// The same job with its settings in their one form, if everything is in range.
    ///
    /// # Errors
    /// [`Error::Field`] for a field out of range, one that its kind needs and lacks, and one that belongs to other kinds.
    pub fn checked(self) -> Result<Self> {
        let spec = Self { settings: sorted(self.settings), ..self };
        let require = |fine: bool, field, found: String, expected| {
            if fine { Ok(()) } else { Err(refused(field, found, expected)) }
        };
        require(is_name(&spec.name), "name", spec.name.clone(), "1 to 64 of a-z, 0-9, -, _ and .")?;
        let (most, expected) = if spec.kind.has_rounds() {
            (MAX_ROUNDS, "1 to 100000")
        } else {
            (1, "1: jobs of this kind have one round")
        };
        require((1..=most).contains(&spec.rounds), "rounds", spec.rounds.to_string(), expected)?;
        let version = spec.data_version.as_deref();
        let found = version.unwrap_or_default().to_owned();
        require(version.is_none_or(is_name), "data_version", found, "1 to 64 of a-z, 0-9, -, _ and .")?;
        Job::of(&spec)?;
        let wait = spec.upload_seconds.unwrap_or(1);
        require((1..=604_800).contains(&wait), "upload_seconds", wait.to_string(), "1 to 604800")?;
        let len = spec.settings.to_string().len();
        require(len <= MAX_SETTINGS, "settings", format!("{len} bytes"), "at most 16384 bytes of JSON")?;
        Ok(spec)
    }

    /// The kind that is run.
    ///
    /// Sums of integers that sites bring themselves were filed as other kinds once, with `plain = true` in their settings. Such
    /// a file in an old log is what it was: a [`JobKind::Sum`]. It is not taken anew, see [`Self::is_former`].
    pub fn runs(&self) -> JobKind {
        if self.is_former() { JobKind::Sum } else { self.kind }
    }

    /// What stands for the values of a round that starts from `start`: rounds of jobs of one kind, settings and version of the data that
    /// start from the same sum the same values, whatever their digits. Coordinator and sites go by the same name.
    pub(crate) fn input(&self, start: Option<&Blob>) -> Digest {
        let mut h = Hasher::new("blindscope/federation/sum-input/v1");
        h.absorb(self.runs().name().as_bytes()).absorb(self.settings.to_string().as_bytes());
        h.absorb(self.data_version.as_deref().unwrap_or_default().as_bytes());
        h.absorb(&start.map_or_else(|| Blob::of(&[]).digest, |blob| blob.digest).0);
        h.finish()
    }

    /// What kind of sum a round is that starts from `start`, whatever its settings: two of these over nearly the same sites may tell what
    /// the others contributed, even where no integer is the same.
    pub fn about(&self, start: Option<&Blob>) -> Digest {
        let mut h = Hasher::new("blindscope/federation/sum-about/v1");
        h.absorb(self.runs().name().as_bytes());
        h.absorb(&start.map_or_else(|| Blob::of(&[]).digest, |blob| blob.digest).0);
        h.finish()
    }

    /// Whether it is a file of plain sums in the form before [`JobKind::Sum`] was a kind.
    pub fn is_former(&self) -> bool {
        let plain = self.settings.get("plain").and_then(Value::as_bool) == Some(true);
        plain && self.kind.is_sum() && self.kind != JobKind::Sum
    }

    /// Refuses fields of other kinds: all but `allowed` are to be left out.
    pub(super) fn has_only(&self, allowed: &[&str]) -> Result<()> {
        let numbers = [("values", self.values), ("max", self.max), ("rounds", self.rounds.saturating_sub(1))];
        let others = [
            ("start", self.start.is_some()),
            ("data_version", self.data_version.is_some()),
            ("circuit", self.circuit.is_some()),
            ("levels", !self.levels.is_empty()),
            ("holders", !self.holders.is_empty()),
            ("privacy", self.privacy.is_some()),
            ("question", self.question.is_some()),
        ];
        let numbers = numbers.into_iter().map(|(field, n)| (field, n > 0));
        let foreign = numbers.chain(others).find(|(field, there)| *there && !allowed.contains(field));
        foreign.map_or(Ok(()), |(field, _)| {
            Err(refused(field, format!("there for kind {}", self.kind), "left out: other kinds have it"))
        })
    }

    /// Whether it is a head in the form before parts were dealt: each site handed in a ciphertext of its own making, so one of them, with an
    /// asker, may read the key in its answers. Old logs have such heads; none is learned anew, and no site helps to ask one.
    pub fn is_former_head(&self) -> bool {
        self.kind == JobKind::EncryptedHead && self.holders.is_empty()
    }

    /// The circuit of a kind that has one, in range.
    pub(super) fn needed_circuit(&self) -> Result<&Circuit> {
        let expected = "there for inference-keys, encrypted-head and question";
        let missing = || refused("circuit", "missing".to_owned(), expected);
        let circuit = self.circuit.as_deref().ok_or_else(missing)?;
        circuit.check()?;
        Ok(circuit)
    }

    /// The name of the job that this one starts from, if it names one.
    pub(super) fn named_start(&self) -> Result<Option<&str>> {
        let name = self.start.as_deref();
        match name.filter(|name| !is_name(name)) {
            Some(wrong) => Err(refused("start", wrong.to_owned(), "an earlier job's name")),
            None => Ok(name),
        }
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
