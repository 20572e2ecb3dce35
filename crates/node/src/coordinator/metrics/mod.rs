//! Figures of a coordinator for a monitor: what it counts while it runs, and what its state says at each look.

mod counted;
mod process;
mod state;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::desk::Desk;
use crate::exposition::{self, SECONDS};
use blindscope_federation::{Event, Record};

pub(super) use counted::Counted;

/// What is counted since the process began.
#[derive(Debug)]
pub(super) struct Meters {
    /// Records written, by event.
    records: Family<OfEvent, Counter>,
    /// Rounds whose sum gave the next round's input or a result.
    rounds: Counter,
    /// Seconds from the first byte of some records to their being on the disk.
    flushes: Histogram,
    /// Calls that were answered, refused ones not among them.
    calls: Family<OfCall, Counter>,
    /// Refusals, by call and cause.
    refusals: Family<OfRefusal, Counter>,
    /// Bytes of bodies and documents.
    received: Family<OfCall, Counter>,
    sent: Family<OfCall, Counter>,
    /// Uploads whose body is being taken.
    uploads: Gauge,
    /// Pieces of work that workers did.
    pieces: Counter,
    /// Messages of the queue that were none.
    noise: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEvent {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCall {
    call: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRefusal {
    call: &'static str,
    cause: String,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            records: Family::default(),
            rounds: Counter::default(),
            flushes: Histogram::new(SECONDS),
            calls: Family::default(),
            refusals: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            uploads: Gauge::default(),
            pieces: Counter::default(),
            noise: Counter::default(),
        }
    }
}

impl Meters {
    /// Records reached the disk with one flush, which took so long.
    pub(super) fn flushed(&self, records: &[Record], took: Duration) {
        self.flushes.observe(took.as_secs_f64());
        for record in records {
            let event = super::event_name(&record.body.event);
            self.records.get_or_create(&OfEvent { event }).inc();
            if matches!(record.body.event, Event::Advanced { .. } | Event::Done { .. }) {
                self.rounds.inc();
            }
        }
    }

    /// Everything that a monitor sees of the coordinator at this desk.
    pub(super) fn registry(&self, desk: &Arc<Desk>) -> Registry {
        let mut to = exposition::registry("coordinator");
        to.register("records", "Records written to the log, by event", self.records.clone());
        to.register(
            "rounds",
            "Rounds that ended with a result or the next round's input",
            self.rounds.clone(),
        );
        let help = "Flushes of the log to the disk, each with the time it took, in seconds";
        to.register("flush_seconds", help, self.flushes.clone());
        to.register("calls", "Calls that were answered, by name", self.calls.clone());
        to.register("refusals", "Calls that were refused, by name and cause", self.refusals.clone());
        let help = "Bytes of bodies and documents that callers sent";
        to.register("received_bytes", help, self.received.clone());
        let help = "Bytes of bodies and documents that callers were sent";
        to.register("sent_bytes", help, self.sent.clone());
        to.register("uploads", "Uploads whose body is being taken", self.uploads.clone());
        to.register("pieces", "Pieces of work that workers did", self.pieces.clone());
        let help = "Messages of the queue that were refused";
        to.register("queue_refused", help, self.noise.clone());
        to.register_collector(Box::new(state::State(desk.clone())));
        to.register_collector(Box::new(process::Process));
        to
    }

    /// Workers did so many pieces, and what they came to was taken.
    #[cfg(feature = "scale")]
    pub(super) fn pieces(&self, count: u64) {
        self.pieces.inc_by(count);
    }

    /// Where refused messages of the queue are counted.
    #[cfg(feature = "scale")]
    pub(super) fn noise(&self) -> Counter {
        self.noise.clone()
    }

    fn answered(&self, call: &'static str) {
        self.calls.get_or_create(&OfCall { call }).inc();
    }

    fn refused(&self, call: &'static str, cause: &str) {
        self.refusals.get_or_create(&OfRefusal { call, cause: cause.to_owned() }).inc();
    }

    fn received(&self, call: &'static str, bytes: u64) {
        self.received.get_or_create(&OfCall { call }).inc_by(bytes);
    }

    fn sent(&self, call: &'static str, bytes: u64) {
        self.sent.get_or_create(&OfCall { call }).inc_by(bytes);
    }
}
