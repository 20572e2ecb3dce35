//! Documents that cross the wire beside the protocol's own messages: JSON, written by one release and read by the same.

use serde::{Deserialize, Serialize};

use blindscope_federation::{Blob, Confirmed, JobId, SiteId};

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
}

/// A site that asks for work is heard at least this often, in milliseconds.
const HEARD_WITHIN: u64 = 60_000;

impl SiteView {
    /// Why nothing is to be expected of the site, in words; nothing where it asks for work.
    pub fn absence(&self) -> Option<String> {
        let name = &self.name;
        match (self.presence, self.silent_ms) {
            (Presence::Refused, _) => Some(format!(
                "{name} has ended at its start: its data do not fit the study; its own log says why"
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

/// What a site says with its question for work when it ends at its start.
pub(crate) const REFUSED: &[u8] = b"refused";

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Submitted {
    pub(crate) job: JobId,
}

/// What a call about a head names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The job whose head is asked.
    pub(crate) job: String,
    /// Whether its head is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) encrypted: bool,
    /// Whether it is asked how the head's tokens are pooled, not how the head is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) pooling: bool,
    /// A question that was asked before: how far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<JobId>,
    /// The evaluation keys that the question is to be answered with, uploaded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<Blob>,
    /// Tokens in the question.
    #[serde(default)]
    pub(crate) tokens: usize,
    /// Of a question to an encrypted head: the sites that its shares are dealt to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) holders: Vec<SiteId>,
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
