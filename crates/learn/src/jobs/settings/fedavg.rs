//! Settings of rounds of local training of the polynomial head.

use serde::{Deserialize, Serialize};

use super::{CLIPPED, EXAMPLES, fixed_point, names, require, shape, share};
use crate::documented;
use crate::jobs::Result;
use blindscope_vision::head::{Activation, HeadPlan};

documented! {
    /// Settings of `fedavg`: rounds of local training of the polynomial head.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct FedAvgSettings {
        /// Width of a feature row.
        /// Unit: values.
        /// Default: the study's.
        pub width: usize,
        /// Number of classes.
        /// Unit: classes.
        /// Default: the study's.
        pub classes: usize,
        /// Rounds of training. The job has one more before them for the common scaling, and one after them to validate. With none
        /// its result is the common scaling and the common start, drawn from the seed: what an encrypted head starts from.
        /// Unit: rounds.
        pub rounds: u64,
        /// Passes over the local data a round.
        /// Unit: passes.
        pub epochs: usize,
        /// Hidden units.
        /// Unit: units.
        pub hidden: usize,
        /// Degree of the polynomial: 2 or 4.
        /// Unit: degree.
        pub degree: usize,
        /// Deviations to which a standardised feature is clipped.
        /// Unit: deviations.
        pub clip: f32,
        /// Examples a step.
        /// Unit: rows.
        pub batch: usize,
        /// Peak step size.
        pub rate: f32,
        /// Weight decay.
        pub decay: f32,
        /// Seed of the common start and of the shuffles.
        pub seed: u64,
        /// Bits of a value, 8 to 24.
        /// Unit: bits.
        pub bits: u32,
        /// Values are clipped to `±bound`: weights of the head, and features before they are standardised.
        /// Unit: the values' own.
        pub bound: f64,
        /// Largest share of one site's features that may lie beyond `bound`, 0 to 1; a site with more takes no part.
        /// Unit: share, 0 to 1.
        pub clipped: f64,
        /// Most examples of one site.
        /// Unit: rows.
        pub examples: u64,
        /// Whether the sites count right and wrong answers on what they held back, under encryption, in a last round.
        pub validate: bool,
        /// Names of the classes, in order: they go into the model file. Left out where they would take more than 8 KiB.
        /// Default: the study's.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub names: Vec<String>,
        /// Digest of the backbone, hexadecimal: it goes into the model file, so that tokens of another one are not measured with it.
        /// Default: the study's.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub backbone: String,
    }
}

impl Default for FedAvgSettings {
    fn default() -> Self {
        let plan = HeadPlan::default();
        Self {
            width: 0,
            classes: 0,
            rounds: 5,
            epochs: 6,
            hidden: plan.hidden,
            degree: 2,
            clip: plan.clip,
            batch: plan.batch,
            rate: plan.rate,
            decay: plan.decay,
            seed: 0,
            bits: 20,
            bound: 16.0,
            clipped: CLIPPED,
            examples: EXAMPLES,
            validate: true,
            names: Vec::new(),
            backbone: String::new(),
        }
    }
}

impl FedAvgSettings {
    pub(in crate::jobs) fn check(&self) -> Result<()> {
        const KIND: &str = "fedavg";
        shape(KIND, self.width, self.classes, self.examples)?;
        names(KIND, &self.names, self.classes)?;
        require(self.rounds <= 10_000, KIND, "rounds", &self.rounds, "0 to 10000")?;
        require((1..=10_000).contains(&self.epochs), KIND, "epochs", &self.epochs, "1 to 10000")?;
        require((1..=4096).contains(&self.hidden), KIND, "hidden", &self.hidden, "1 to 4096")?;
        require(matches!(self.degree, 2 | 4), KIND, "degree", &self.degree, "2 or 4")?;
        require((1..=65_536).contains(&self.batch), KIND, "batch", &self.batch, "1 to 65536")?;
        for (field, value) in [("clip", self.clip), ("rate", self.rate)] {
            require(value.is_finite() && value > 0.0, KIND, field, &value, "a positive number")?;
        }
        let fine = self.decay.is_finite() && self.decay >= 0.0;
        require(fine, KIND, "decay", &self.decay, "zero or a positive number")?;
        share(KIND, self.clipped)?;
        fixed_point(KIND, self.bits, self.bound)
    }

    /// How a site trains in a round of training, counted from 1.
    pub(in crate::jobs) fn plan(&self, round: u64) -> HeadPlan {
        HeadPlan {
            hidden: self.hidden,
            activation: Activation::Trained { degree: self.degree },
            clip: self.clip,
            epochs: self.epochs,
            batch: self.batch,
            rate: self.rate,
            decay: self.decay,
            seed: self.seed ^ (round << 32),
            ..HeadPlan::default()
        }
    }
}
