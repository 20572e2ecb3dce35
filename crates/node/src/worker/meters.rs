//! Figures of a worker for a monitor: what became of its pieces, what it is at, and whether the queue answers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Worker;
use crate::exposition::{self, SECONDS, single};
use crate::work::{Piece, Refused};

/// A piece of which nobody could say what it is.
pub(super) const UNREAD: &str = "unread";

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was done, and the leader told where its outcome is.
    Done,
    /// The leader was told that it has to do it: everybody else would refuse it as well.
    Left,
    /// Another worker gets it: it is this one, or what it reaches, that cannot do it.
    GivenBack,
    /// Its parcel is gone: nobody waits for it any more.
    Unwanted,
    /// The queue could not be told what became of it. It comes again, to whomever.
    Untold,
}

impl End {
    const ALL: [Self; 5] = [Self::Done, Self::Left, Self::GivenBack, Self::Unwanted, Self::Untold];

    /// What a worker does with a piece that it could not do.
    pub(super) fn of(refused: &Refused) -> Self {
        if refused.is_absent() {
            Self::Unwanted
        } else if refused.is_for_good() {
            Self::Left
        } else {
            Self::GivenBack
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Left => "left",
            Self::GivenBack => "given-back",
            Self::Unwanted => "unwanted",
            Self::Untold => "untold",
        }
    }
}

/// What is counted since the process began.
#[derive(Debug)]
pub(super) struct Meters {
    /// Pieces, by what they are and what became of them.
    pieces: Family<OfPiece, Counter>,
    /// Seconds of those that were done, by what they are.
    seconds: Family<OfKind, Histogram>,
    /// Messages of the queue that were none.
    noise: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPiece {
    piece: &'static str,
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    piece: &'static str,
}

impl Default for Meters {
    fn default() -> Self {
        let pieces = Family::default();
        // A line from the start for each, so that a monitor sees the first one as a rise.
        for piece in Piece::NAMES.into_iter().chain([UNREAD]) {
            for end in End::ALL {
                drop(pieces.get_or_create(&OfPiece { piece, end: end.name() }));
            }
        }
        Self {
            pieces,
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            noise: Counter::default(),
        }
    }
}

impl Meters {
    /// A piece is this worker's no more, after so long.
    pub(super) fn ended(&self, piece: &'static str, end: End, took: Duration) {
        self.pieces.get_or_create(&OfPiece { piece, end: end.name() }).inc();
        if end == End::Done {
            self.seconds.get_or_create(&OfKind { piece }).observe(took.as_secs_f64());
        }
    }

    /// A message was refused: how many by now.
    pub(super) fn refused(&self) -> u64 {
        self.noise.inc() + 1
    }

    fn register(&self, to: &mut Registry) {
        let help = "Pieces of work, by what they are and what became of them: done, left to the leader, given back, waited for by nobody, or untold";
        to.register("worker_pieces", help, self.pieces.clone());
        let help = "Time of a piece that was done, by what it is, from its message until the leader was told, in seconds";
        to.register("worker_piece_seconds", help, self.seconds.clone());
        to.register("queue_refused", "Messages of the queue that were refused", self.noise.clone());
    }
}

/// Everything that a monitor sees of a worker.
pub(super) fn registry(of: &Arc<Worker>) -> Registry {
    let mut to = exposition::registry("worker");
    of.meters.register(&mut to);
    to.register_collector(Box::new(State(of.clone())));
    to
}

/// What is read at each look.
struct State(Arc<Worker>);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl Collector for State {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let worker = &self.0;
        single(&mut to, "worker_pieces_at_work", "Pieces that are at work", worker.at().len() as u64)?;
        // Connected to a server that has no JetStream, or does not let us in, no work comes either.
        let answers = worker.answers.load(Ordering::Relaxed) && worker.queue.is_connected();
        let help = "1 where the queue answers, 0 where no work can be had of it";
        single(&mut to, "queue_answers", help, u64::from(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text;
    use std::io;

    fn shown(meters: &Meters) -> Vec<String> {
        let (mut registry, mut text) = (exposition::registry("worker"), String::new());
        meters.register(&mut registry);
        text::encode(&mut text, &registry).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn store(kind: io::ErrorKind) -> Refused {
        blindscope_store::Error::Io { op: "read", path: "work/x".into(), source: kind.into() }.into()
    }

    #[test]
    fn each_refusal_has_its_end() {
        assert_eq!(End::of(&store(io::ErrorKind::NotFound)), End::Unwanted);
        assert_eq!(End::of(&store(io::ErrorKind::TimedOut)), End::GivenBack);
        assert_eq!(End::of(&Refused::Machine("a task ended".to_owned())), End::GivenBack);
        assert_eq!(End::of(&Refused::Outcome("nothing follows")), End::Left);
    }

    #[test]
    fn pieces_are_counted_by_their_ends_and_timed_where_they_were_done() {
        let meters = Meters::default();
        for end in End::ALL {
            let line =
                format!("blindscope_worker_pieces_total{{piece=\"go-over\",end=\"{}\"}} 0", end.name());
            assert!(shown(&meters).contains(&line), "{line} is not there before the first piece");
        }
        let took = Duration::from_millis(1500);
        let ends = [End::Done, End::Left, End::Done, End::GivenBack, End::Unwanted, End::Untold];
        for end in ends {
            meters.ended("answer", end, took);
        }
        assert_eq!((meters.refused(), meters.refused()), (1, 2));
        let lines = shown(&meters);
        for line in [
            "blindscope_build{version=\"0.1.0\",role=\"worker\"} 1",
            "blindscope_worker_pieces_total{piece=\"answer\",end=\"done\"} 2",
            "blindscope_worker_pieces_total{piece=\"answer\",end=\"left\"} 1",
            "blindscope_worker_pieces_total{piece=\"answer\",end=\"given-back\"} 1",
            "blindscope_worker_pieces_total{piece=\"answer\",end=\"unwanted\"} 1",
            "blindscope_worker_pieces_total{piece=\"answer\",end=\"untold\"} 1",
            "blindscope_worker_piece_seconds_sum{piece=\"answer\"} 3.0",
            "blindscope_worker_piece_seconds_count{piece=\"answer\"} 2",
            "blindscope_queue_refused_total 2",
        ] {
            assert!(lines.iter().any(|found| found == line), "no {line} in {lines:#?}");
        }
    }
}
