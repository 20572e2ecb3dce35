//! Documents that cross the wire beside the protocol's own messages: JSON, written by one release and read by the same.

use serde::{Deserialize, Serialize};

use crate::kit::InferenceSettings;
use blindscope_federation::{Blob, Change, Confirmed, JobId, SiteId, Word};
use blindscope_wire::{Digest, unhex};

/// Names a job: by its name, its id, or the first digits of its id. Empty where all are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobQuery {
    #[serde(default)]
    pub(crate) job: String,
}

/// Which records of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    /// The first.
    #[serde(default)]
    pub(crate) from: u64,
    /// Whether to wait for more.
    #[serde(default)]
    pub(crate) follow: bool,
}

/// What is asked about the roster. The answer is a view of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "roster", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum RosterCall {
    /// What changed after this version, and what is on its way.
    See {
        /// The version that the caller knows.
        from: u64,
    },
    /// An administrator proposes a change.
    Propose {
        /// The change.
        change: Box<Change>,
    },
    /// An administrator withdraws the change that is on its way.
    Withdraw,
    /// A site says a word on it.
    Say {
        /// The word.
        word: Word,
    },
}

/// How a site was last heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteView {
    /// Its name.
    pub name: String,
    /// What it did then.
    pub presence: Presence,
    /// Milliseconds since then; nothing where it was not heard since the coordinator started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<u64>,
    /// What it said of itself then.
    #[serde(default)]
    pub state: Machine,
}

/// What a site says of its machine whenever it asks for work. Nothing is decided by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    /// Its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
    /// Milliseconds by which its clock was ahead of the coordinator's, the way of the message included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_ms: Option<i64>,
    /// Bytes that are free where its state lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

/// A site's message with its question for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    pub(crate) software: String,
    /// Its clock, milliseconds since 1970.
    pub(crate) now_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) free_bytes: Option<u64>,
    /// Jobs that it is not to be asked of now: it has a task of them in hand, or one of the same values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) busy: Vec<JobId>,
    /// Whether it takes another task of a job, and of a question.
    #[serde(default = "yes")]
    pub(crate) jobs: bool,
    #[serde(default = "yes")]
    pub(crate) questions: bool,
    /// The version of the roster that is on its way, by its digest, once the site has nothing more to say on it for the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<String>,
}

fn yes() -> bool {
    true
}

/// What a site may be asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    busy: Vec<JobId>,
    jobs: bool,
    questions: bool,
    seen: Option<Digest>,
}

impl Room {
    /// What a site's message says of it; everything where it is none.
    pub(crate) fn of(message: &[u8]) -> Self {
        let told = serde_json::from_slice::<Told>(message);
        told.map_or(Self { busy: Vec::new(), jobs: true, questions: true, seen: None }, |told| Self {
            busy: told.busy,
            jobs: told.jobs,
            questions: told.questions,
            seen: told.seen.as_deref().and_then(unhex).map(Digest),
        })
    }

    /// The version of the roster that the site has nothing more to say on for the moment.
    pub(crate) fn seen(&self) -> Option<&Digest> {
        self.seen.as_ref()
    }

    /// Whether there is room for a task of this job.
    pub(crate) fn has(&self, job: JobId, is_question: bool) -> bool {
        (if is_question { self.questions } else { self.jobs }) && !self.busy.contains(&job)
    }
}

/// Longest name of a release that is remembered of a site.
const RELEASE: usize = 32;

impl Machine {
    /// What a site's message says, heard at `now_ms`; nothing where it is none: a site may say nothing.
    pub(crate) fn of(message: &[u8], now_ms: u64) -> Self {
        let Ok(told) = serde_json::from_slice::<Told>(message) else { return Self::default() };
        let software = told.software.chars().filter(|c| !c.is_control()).take(RELEASE).collect();
        let ahead = i64::try_from(told.now_ms).ok().zip(i64::try_from(now_ms).ok());
        let ahead_ms = ahead.map(|(theirs, ours)| theirs - ours);
        Self { software: Some(software), ahead_ms, free_bytes: told.free_bytes }
    }
}

/// What askers may do, and have done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// What the coordinator's settings release, and within which limits; nothing where they release nothing.
    pub limits: Option<InferenceSettings>,
    /// What the study was answered.
    pub study: Answered,
    /// What each asker was answered, by name, or by key where no member has it any more.
    pub askers: Vec<(String, Answered)>,
}

/// Tokens that were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// In this hour.
    pub hour: u64,
    /// In all.
    pub life: u64,
}

/// A site that asks for work is heard at least this often, in milliseconds.
const HEARD_WITHIN: u64 = 60_000;

impl SiteView {
    /// Why nothing is to be expected of the site, in words; nothing where it asks for work.
    pub fn absence(&self) -> Option<String> {
        let name = &self.name;
        match (self.presence, self.silent_ms) {
            (Presence::Refused, _) => Some(format!(
                "{name} has ended at its start: what it was given does not fit the study; its own log says why"
            )),
            (Presence::Unheard, _) | (_, None) => {
                Some(format!("{name} has not been heard since the coordinator started"))
            }
            (Presence::Asks, Some(ms)) if ms > HEARD_WITHIN => {
                let seconds = ms / 1000;
                Some(format!(
                    "{name} has not been heard for {seconds} seconds: it is at work on a task, or away"
                ))
            }
            (Presence::Asks, _) => None,
        }
    }
}

/// What a site did when it was last heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It was not heard.
    #[default]
    Unheard,
    /// It asked for something to do.
    Asks,
    /// It ended at its start, since what it was given does not fit the study. Its own log says what.
    Refused,
}

/// What a site says instead of asking for a task when it ends at its start.
pub(crate) const REFUSED: &[u8] = b"refused";

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submitted {
    pub(crate) job: JobId,
}

/// What a call about a head is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Wish {
    /// The plan of a job's head in the clear; with an upload, keys for it.
    Head {
        /// The job.
        job: String,
    },
    /// How such a head wants the tiles of a slide pooled.
    Pooling {
        /// The job.
        job: String,
    },
    /// Answers of such a head.
    Answers {
        /// The job.
        job: String,
        /// The evaluation keys that the question is to be answered with, uploaded before.
        keys: Blob,
        /// Tokens in the question.
        tokens: usize,
    },
    /// How a job's encrypted head is asked.
    EncryptedHead {
        /// The job.
        job: String,
    },
    /// A job that answers a question to such a head.
    EncryptedAnswers {
        /// The head's job.
        job: String,
        /// Tokens in the question.
        tokens: usize,
        /// The sites that its shares are dealt to.
        holders: Vec<SiteId>,
        /// Of these, sites that the answer is to be re-encrypted without, while enough others can.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        avoided: Vec<SiteId>,
    },
    /// How far a question is that was asked before.
    Progress {
        /// The question's job.
        question: JobId,
    },
}

impl Wish {
    /// What it is for, in a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Head { .. } => "head",
            Self::Pooling { .. } => "pooling",
            Self::Answers { .. } => "answers",
            Self::EncryptedHead { .. } => "encrypted-head",
            Self::EncryptedAnswers { .. } => "encrypted-answers",
            Self::Progress { .. } => "progress",
        }
    }
}

/// How an encrypted head is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptedOffer {
    /// The plan, JSON.
    pub(crate) plan: String,
    /// The collective public key that tokens are encrypted under.
    pub(crate) public_key: Blob,
    /// The ceremony that made it.
    pub(crate) ceremony: JobId,
    /// Every site's signed word for it.
    pub(crate) confirmed: Vec<Confirmed>,
    /// The head's job.
    pub(crate) head: JobId,
    /// The sites that a question's shares are dealt to.
    pub(crate) holders: Vec<SiteId>,
}

/// The receipt of a question to an encrypted head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Its job.
    pub(crate) question: JobId,
}
