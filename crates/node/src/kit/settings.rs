//! `startup/settings.toml`, of each kind of kit.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use blindscope_learn::documented;

documented! {
    /// `startup/settings.toml` of everybody but the coordinator.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct PartySettings {
        /// Its own name.
        pub name: String,
        /// Where the coordinator is, `HOST:PORT`; several with commas between them, where coordinators wait for one another.
        pub coordinator: String,
        /// The backbone's weights, whose digest the study names; checked by `preflight`.
        /// Default: not checked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub backbone: Option<PathBuf>,
        /// Of a site, where figures for a monitor are shown, `ADDRESS:PORT`, as text at `/metrics`: no TLS, whoever reaches it reads it.
        /// Default: they are not shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub metrics: Option<String>,
        /// Of a site, most tasks of jobs that it does at a time, each with the memory that its learning takes.
        /// Unit: tasks.
        /// Default: 8, as many as a coordinator asks for at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub max_jobs: Option<u32>,
        /// What the site's learning code reads: where features and labels are.
        /// Default: none.
        #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
        pub learning: toml::Table,
    }
}

documented! {
    /// `startup/settings.toml` of the coordinator.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct CoordinatorSettings {
        /// Where it listens, `ADDRESS:PORT`.
        pub listen: String,
        /// Where figures for a monitor are shown, `ADDRESS:PORT`, as text at `/metrics`: no TLS, whoever reaches it reads it.
        /// Default: they are not shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub metrics: Option<String>,
        /// Most jobs at work at a time, up to 8; questions are beside them. Their training shares each site's processors and memory.
        /// Unit: jobs.
        /// Default: 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub max_jobs: Option<u32>,
        /// Where its records are, `postgres://USER@HOST/DATABASE`, for several coordinators of which one leads; `blobs` belongs to it. A password
        /// goes into the file that `PGPASSFILE` names.
        /// Default: SQLite in `state/`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub store: Option<String>,
        /// Where its blobs are, `s3://BUCKET/PREFIX`; endpoint and keys are in the environment, as S3 clients read them (`AWS_ENDPOINT_URL`,
        /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`).
        /// Default: a folder in `state/`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub blobs: Option<String>,
        /// With `store` and `blobs`, where work waits for workers, `nats://HOST:PORT` or `tls://HOST:PORT`, several with commas between them;
        /// user and password are in the environment (`NATS_USER`, `NATS_PASSWORD`, or `NATS_TOKEN`).
        /// Default: threads of the coordinator do it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub queue: Option<String>,
        /// With `store`, how long after the leader was heard last another coordinator takes over, 1 to 600.
        /// Unit: seconds.
        /// Default: 10.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub lease_seconds: Option<u32>,
        /// What askers may do; nothing unless given.
        /// Default: no head is released.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub inference: Option<InferenceSettings>,
        /// What the coordinator's learning code reads.
        /// Default: none.
        #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
        pub learning: toml::Table,
    }
}

impl CoordinatorSettings {
    /// Most jobs, and most questions to encrypted heads, at work at a time.
    pub(crate) fn side_by_side(&self) -> (u32, u32) {
        let default = InferenceSettings::default();
        let questions = self.inference.as_ref().unwrap_or(&default).questions_at_once;
        (self.max_jobs.unwrap_or(1), questions)
    }
}

documented! {
    /// Limits of encrypted predictions.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct InferenceSettings {
        /// Jobs whose heads may be asked, by name.
        pub jobs: Vec<String>,
        /// Most tokens of one question.
        /// Unit: tokens.
        pub batch: usize,
        /// Bits right of the point that every logit shall have; the planner's choice without.
        /// Unit: bits.
        /// Default: the planner's choice.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub precision: Option<u32>,
        /// Key sets kept of one asker; one more drops its oldest.
        /// Unit: key sets.
        pub keys_each: u32,
        /// Tokens that one asker may ask for in an hour: many chosen questions give a head away.
        /// Unit: tokens an hour.
        pub tokens_an_hour: u64,
        /// Tokens that one asker may ask for in all.
        /// Unit: tokens.
        pub tokens_in_all: u64,
        /// Tokens that all askers together may ask for in an hour.
        /// Unit: tokens an hour.
        pub study_tokens_an_hour: u64,
        /// Tokens that all askers together may ask for in all.
        /// Unit: tokens.
        pub study_tokens_in_all: u64,
        /// Questions of one asker to encrypted heads that wait or are at work at a time: askers take turns.
        /// Unit: questions.
        pub questions_each: u32,
        /// Questions to encrypted heads that are at work at a time, of all askers together.
        /// Unit: questions.
        pub questions_at_once: u32,
    }
}

impl Default for InferenceSettings {
    /// No head is released.
    fn default() -> Self {
        Self {
            jobs: Vec::new(),
            batch: 8,
            precision: None,
            keys_each: 4,
            tokens_an_hour: 10_000,
            tokens_in_all: 1_000_000,
            study_tokens_an_hour: 1_000_000,
            study_tokens_in_all: 100_000_000,
            questions_each: 4,
            questions_at_once: 2,
        }
    }
}

impl InferenceSettings {
    /// Refuses limits under which nobody could ask anything.
    ///
    /// # Errors
    /// [`Error::Project`] names the key.
    pub fn check(&self) -> Result<()> {
        let limits = [
            ("inference.batch", self.batch as u64),
            ("inference.keys_each", u64::from(self.keys_each)),
            ("inference.tokens_an_hour", self.tokens_an_hour),
            ("inference.tokens_in_all", self.tokens_in_all),
            ("inference.study_tokens_an_hour", self.study_tokens_an_hour),
            ("inference.study_tokens_in_all", self.study_tokens_in_all),
            ("inference.questions_each", u64::from(self.questions_each)),
            ("inference.questions_at_once", u64::from(self.questions_at_once)),
        ];
        match limits.into_iter().find(|(_, limit)| *limit == 0) {
            None => Ok(()),
            Some((key, _)) => {
                let (found, expected) =
                    ("0".to_owned(), "1 or more; leave [inference] out to release nothing");
                Err(Error::Project { key, found, expected: expected.to_owned() })
            }
        }
    }
}
