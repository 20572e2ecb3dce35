//! Figures of a site for its hospital's monitor. They stay on the listener that its settings name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::exposition::{self, SECONDS};
use blindscope_federation::{Answer, Cause, Phase, SignedHeader};

/// What is counted since the process began.
#[derive(Debug)]
pub(super) struct Meters {
    /// Tasks that came, by what they ask.
    tasks: Family<OfPhase, Counter>,
    /// Answers that the coordinator has.
    accepted: Family<OfPhase, Counter>,
    /// Answers without a payload, by cause.
    declined: Family<OfCause, Counter>,
    /// Answers that came too late, or that nobody wanted any more.
    stale: Counter,
    /// Bytes of payloads that the coordinator has.
    sent: Counter,
    /// Bytes of blobs that were fetched.
    fetched: Counter,
    /// Seconds of computing payloads.
    work: Family<OfPhase, Histogram>,
    /// When the coordinator was last heard, seconds since 1970.
    heard: Gauge,
    /// Ciphertexts that this site has helped to open.
    opened: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPhase {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCause {
    cause: String,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            tasks: Family::default(),
            accepted: Family::default(),
            declined: Family::default(),
            stale: Counter::default(),
            sent: Counter::default(),
            fetched: Counter::default(),
            work: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            heard: Gauge::default(),
            opened: Gauge::default(),
        }
    }
}

impl Meters {
    pub(super) fn registry(&self) -> Registry {
        let mut to = exposition::registry("site");
        to.register("tasks", "Tasks that the coordinator gave, by phase", self.tasks.clone());
        to.register("answers_accepted", "Answers that the coordinator has, by phase", self.accepted.clone());
        to.register("answers_declined", "Answers without a payload, by cause", self.declined.clone());
        to.register("answers_stale", "Answers that nobody wanted any more", self.stale.clone());
        to.register("sent_bytes", "Bytes of payloads that the coordinator has", self.sent.clone());
        to.register("fetched_bytes", "Bytes of blobs fetched from the coordinator", self.fetched.clone());
        to.register("work_seconds", "Time of computing a payload, by phase", self.work.clone());
        let help = "When the coordinator was last heard, seconds since 1970";
        to.register("heard_timestamp_seconds", help, self.heard.clone());
        let help = "Ciphertexts that this site has helped to open in its life";
        to.register("opened_ciphertexts", help, self.opened.clone());
        to
    }

    /// The coordinator was heard.
    pub(super) fn heard(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.heard.set(now as i64);
    }

    /// A task came, of a site that has helped to open so many ciphertexts.
    pub(super) fn asked(&self, phase: Phase, opened: u64) {
        self.tasks.get_or_create(&OfPhase { phase: phase.name() }).inc();
        self.opened.set(opened as i64);
    }

    /// A payload, or the reason for none, was computed.
    pub(super) fn computed(&self, phase: Phase, took: Duration) {
        self.work.get_or_create(&OfPhase { phase: phase.name() }).observe(took.as_secs_f64());
    }

    /// A blob was fetched.
    pub(super) fn fetched(&self, bytes: u64) {
        self.fetched.inc_by(bytes);
    }

    /// The coordinator has an answer.
    pub(super) fn accepted(&self, answer: &SignedHeader) {
        self.accepted.get_or_create(&OfPhase { phase: answer.header.step.phase.name() }).inc();
        match answer.header.answer {
            Answer::Payload(blob) => {
                self.sent.inc_by(blob.len);
            }
            Answer::Declined(cause) => {
                self.declined.get_or_create(&OfCause { cause: name(cause) }).inc();
            }
        }
    }

    /// An answer came too late.
    pub(super) fn stale(&self) {
        self.stale.inc();
    }
}

/// A cause's name, as in records; a policy's rule is left out.
fn name(cause: Cause) -> String {
    match serde_json::to_value(cause) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}
