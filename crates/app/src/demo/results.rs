//! Everything that a demo measured: `results.json`.

use serde::{Deserialize, Serialize};

use blindscope_learn::jobs::HistoryLine;

/// The results of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DemoResults {
    /// The command as it was typed.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// When it ended, UTC.
    pub time: String,
    /// Seed of tiles, splits and training.
    pub seed: u64,
    /// Whether it was the small run.
    pub quick: bool,
    /// Whether the tiles are synthetic.
    pub synthetic: bool,
    /// The machine.
    pub machine: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Tiles of each party's lists.
    pub data: Vec<DataFigures>,
    /// The shared backbone.
    pub backbone: BackboneFigures,
    /// The steps of the run and their seconds, in order.
    pub steps: Vec<StepFigures>,
    /// What each phase of each job moved, from the coordinator's log.
    pub traffic: Vec<TrafficFigures>,
    /// Epochs of local training at each site, of `fedavg` and `update`.
    pub clients: Vec<ClientCurve>,
    /// The four configurations of the paper's figure 4.
    pub configurations: Vec<Evaluation>,
    /// Other heads on the same tokens.
    pub others: Vec<Evaluation>,
    /// Counts of right and wrong answers at the sites, summed under encryption.
    pub validation: Option<Vec<Vec<u64>>>,
    /// Whether encrypted jobs ended in the bytes of their clear twins.
    pub exact: Vec<Exactness>,
    /// Encrypted inference against the same head in the clear.
    pub agreement: Vec<SameClasses>,
    /// The audit log.
    pub log: LogFigures,
}

/// Tiles of one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFigures {
    /// Whose and what for.
    pub list: String,
    /// Tiles of each class.
    pub tiles: Vec<usize>,
    /// Groups: patients, or original tiles with their copies.
    pub groups: usize,
}

/// The shared backbone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackboneFigures {
    /// Side of the input, side of a patch, width, blocks.
    pub shape: [usize; 4],
    /// Number of weights.
    pub parameters: usize,
    /// Its digest, hexadecimal.
    pub digest: String,
}

/// A step of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFigures {
    /// What was done.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
}

/// One phase of one job's rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrafficFigures {
    /// The job.
    pub job: String,
    /// `key-share`, `parts`, `upload`, `ready` or `share`.
    pub phase: String,
    /// Rounds.
    pub rounds: u64,
    /// Messages accepted, all sites and rounds.
    pub messages: u64,
    /// Bytes of one message.
    pub bytes_each: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Seconds from the opening of the step to its last message, all rounds. Local training is in it.
    pub seconds: f64,
    /// Integers in one message, for uploads.
    pub values: u64,
}

/// A site's epochs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClientCurve {
    /// The site.
    pub site: String,
    /// The epochs, in order.
    pub epochs: Vec<HistoryLine>,
}

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// 2.5th percentile of a bootstrap over whole groups.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// How one configuration does on the held-out tiles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What was evaluated.
    pub name: String,
    /// Share of right answers.
    pub accuracy: Estimate,
    /// Mean F1 over classes.
    pub f1: Estimate,
    /// Mean precision over classes.
    pub precision: Estimate,
    /// Mean recall over classes.
    pub recall: Estimate,
    /// Counts by true and predicted class.
    pub confusion: Vec<Vec<u64>>,
    /// The paper's accuracy for this configuration, where it gives one.
    pub paper_accuracy: Option<f64>,
}

/// Whether an encrypted job equals its clear twin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exactness {
    /// The job.
    pub job: String,
    /// What it was compared with.
    pub twin: String,
    /// SHA-256 of the encrypted job's result.
    pub encrypted: String,
    /// SHA-256 of the twin's.
    pub clear: String,
    /// Whether they are equal.
    pub equal: bool,
}

/// Encrypted inference beside the same head in the clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SameClasses {
    /// The head.
    pub head: String,
    /// Tokens asked.
    pub tokens: usize,
    /// Tokens whose class is the same.
    pub same_class: usize,
    /// Largest difference of a logit.
    pub worst_error: f64,
    /// The plan's bound on it.
    pub error_bound: f64,
    /// Smallest lead of the clear class over the next one: an error of half of it can name another class.
    pub smallest_lead: f64,
    /// Bytes of the evaluation keys, sent once.
    pub key_bytes: usize,
    /// Bytes of the questions.
    pub question_bytes: usize,
    /// Bytes of the answers.
    pub answer_bytes: usize,
    /// Seconds of encryption, evaluation, transport and opening together.
    pub seconds: f64,
    /// Bytes of a question of one token.
    pub lone_token_bytes: usize,
    /// Milliseconds of one encrypted inference of one token, seen by the asker; the median of several.
    pub lone_ms: f64,
    /// The same in processor time of asker and server together, which other work on the machine does not change.
    pub lone_cpu_ms: f64,
}

/// The audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFigures {
    /// Records in it.
    pub records: usize,
    /// Whether every hash and signature held.
    pub verified: bool,
}
