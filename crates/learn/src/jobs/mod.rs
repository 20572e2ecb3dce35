//! Where learning meets encryption: what a site contributes to a job, and what follows from a sum.
//!
//! | job | integers of a site | result |
//! | --- | --- | --- |
//! | `statistics` | class counts, class sums, Gram matrix, by fold | ridge and LDA heads, equal to the pooled ones |
//! | `auto` | the same, then counts of answers by fold | the best of a ladder of heads, with its interval |
//! | `fedavg` | first sums that fix a common scaling, then the weighted head, then counts of answers | polynomial head |
//! | `update` | the weighted change of a model | the mean change |
//! | `attention` | sums over slides that fix a common scaling, then the gradients of its slides, then counts of answers | attention, and a linear head on what it pools |
//! | `cls-mean` | class counts and class sums | mean token a class |
//! | `encrypted-head` | none: its first layer, encrypted | the average first layer, encrypted for good |
//! | `metrics` | counts by true and predicted class | their sum |
//!
//! Every job is a function of integers alone once the sites have contributed: the clear twin sums the same integers
//! without encryption and has to end in the same bytes. A new kind is a file with its learning and its row, `KIND`, and a line in
//! the match of `kind.rs`.

mod attention;
mod auto;
mod calibration;
mod choice;
mod class_mean;
mod clips;
mod confusion;
mod counted;
mod data;
mod encrypted_head;
mod error;
mod evaluate;
mod fedavg;
mod fold_sums;
mod folded_sums;
mod folds;
mod integers;
mod job;
mod judged;
mod kind;
mod labels;
mod model;
mod models;
mod noised;
mod noised_auto;
mod open;
mod privacy_units;
mod reference;
mod scaling;
mod seen;
mod settings;
mod statistics;
mod survey;
mod tally;
mod twin;
mod update;

pub use attention::{AttentionPooling, AttentionSettings, PooledSlides};
pub use calibration::{Band, Calibration};
pub use choice::{Choice, HeadFigures, TriedPenalty};
pub use clips::{Clips, clips_in, clips_in_file, says_clips};
pub use confusion::Counts;
pub(crate) use confusion::logits_of;
pub use data::{Bag, Examples, SiteData, Tiles};
pub use encrypted_head::{CommonHead, complete, encrypted_head_twin};
pub use error::{Error, Result};
pub use evaluate::EncryptedHeads;
pub(crate) use fedavg::train_on_own;
pub use folds::{GroupName, group_names};
pub use job::{CoordinatorLearner, SiteLearner, check_sizes, job, sized};
pub use judged::CountedBy;
pub use kind::{Given, Lacks, filled, lacks, leaves_a_model, served_head, served_pooling};
pub use labels::{Terms, in_classes};
pub use model::{Model, NamedHead, head_in};
pub use models::Models;
pub use open::{HistoryLine, SiteSettings, decode_all, open_site};
pub use reference::{SettingsOf, settings_of_kinds};
pub use seen::{Unseen, unseen};
pub use settings::{
    EncryptedHeadSettings, FedAvgSettings, MetricsSettings, StatisticsSettings, UpdatePart, UpdateSettings,
};
pub use twin::{clear_twin, noised_twin};
pub use update::{UpdateState, encrypted_form, update_values};

use blindscope_aggregate::privacy::NoiseKey;
use blindscope_federation::Advanced;

/// One epoch of local training. It stays at the site unless the site shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochFigures {
    /// The kind of job.
    pub job: &'static str,
    /// Its round.
    pub round: u64,
    /// Epochs done over all rounds, from 1.
    pub epoch: u64,
    /// Mean loss.
    pub loss: f32,
    /// Accuracy on the local training data.
    pub accuracy: f32,
}

/// Told about every epoch of local training.
pub type Watch<'w> = &'w (dyn Fn(&EpochFigures) + Send + Sync);

/// The integers of a site, made as they are taken.
type Integers = Box<dyn Iterator<Item = u64> + Send>;

/// One job's learning: its size, known beforehand, and its two functions.
trait Learning: Send + Sync {
    /// Rounds of the job.
    fn rounds(&self) -> u64;
    /// Integers of one site a round.
    fn values(&self) -> u64;
    /// The largest of them.
    fn max(&self) -> u64;
    /// The integers of one site.
    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], watch: Watch<'_>) -> Result<Integers>;
    /// The same with this site's share of noise, of kinds whose jobs may have some.
    fn noised(&self, data: &SiteData, round: u64, input: &[u8], noise: &NoiseKey) -> Result<Integers> {
        let _ = (data, round, input, noise);
        Err(Error::Unbounded { kind: "this one" })
    }
    /// What follows from their sum over `committed` sites.
    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced>;
}
