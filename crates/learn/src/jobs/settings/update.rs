//! Settings of rounds of local training of the model itself.

use serde::{Deserialize, Serialize};

use super::{fixed_point, require, shape};
use crate::documented;
use crate::jobs::Result;
use blindscope_vision::train::{FitPlan, Tuning};

/// The part of the backbone that an `update` trains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case", deny_unknown_fields)]
pub enum UpdatePart {
    /// The head alone.
    Head,
    /// The last blocks and the final normalisation.
    LastBlocks {
        /// How many.
        blocks: usize,
    },
    /// Low-rank adapters.
    Lora {
        /// Rank of each.
        rank: usize,
        /// Factor of each.
        scale: f32,
    },
    /// Every weight.
    Whole,
}

impl UpdatePart {
    pub(in crate::jobs) fn tuning(self) -> Tuning {
        match self {
            Self::Head => Tuning::Head,
            Self::LastBlocks { blocks } => Tuning::LastBlocks(blocks),
            Self::Lora { rank, scale } => Tuning::Lora { rank, scale },
            Self::Whole => Tuning::Whole,
        }
    }
}

documented! {
    /// Settings of `update`: rounds of local training of the model, and the mean of what changed.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct UpdateSettings {
        /// The trained part of the backbone.
        pub part: UpdatePart,
        /// Number of classes.
        /// Unit: classes.
        /// Default: the study's.
        pub classes: usize,
        /// Width of a CLS token.
        /// Unit: values.
        /// Default: the study's.
        pub width: usize,
        /// Hidden units of the polynomial head, 0 for a linear one.
        /// Unit: units.
        pub hidden: usize,
        /// Values of the update, the head's included: `update_values` of the backbone.
        /// Unit: values.
        /// Default: that of the model that `backbone` of the administrator's settings.toml names.
        pub values: u64,
        /// Rounds.
        /// Unit: rounds.
        pub rounds: u64,
        /// Passes over the local tiles a round.
        /// Unit: passes.
        pub epochs: usize,
        /// Tiles a step.
        /// Unit: rows.
        pub batch: usize,
        /// Peak step size of the backbone.
        pub rate: f32,
        /// Peak step size of the head.
        pub head_rate: f32,
        /// Whether tiles are turned and their stain varied.
        pub augment: bool,
        /// Seed of the common start, of shuffles and augmentation.
        pub seed: u64,
        /// Bits of a value, 8 to 24.
        /// Unit: bits.
        pub bits: u32,
        /// Changes are clipped to `±bound` a round.
        /// Unit: the values' own.
        pub bound: f64,
        /// CLS tokens are clipped to `±token_bound` before the head.
        /// Unit: the token's own.
        pub token_bound: f32,
        /// Most tiles of one site.
        /// Unit: rows.
        pub examples: u64,
    }
}

impl Default for UpdateSettings {
    fn default() -> Self {
        let plan = FitPlan::default();
        Self {
            part: UpdatePart::LastBlocks { blocks: 1 },
            classes: 0,
            width: 0,
            hidden: 32,
            values: 0,
            rounds: 3,
            epochs: 2,
            batch: plan.batch,
            rate: plan.rate,
            head_rate: plan.head_rate,
            augment: true,
            seed: 0,
            bits: 16,
            bound: 0.5,
            token_bound: 8.0,
            examples: 4096,
        }
    }
}

impl UpdateSettings {
    pub(in crate::jobs) fn check(&self) -> Result<()> {
        const KIND: &str = "update";
        shape(KIND, self.width, self.classes, self.examples)?;
        require((1..=1 << 32).contains(&self.values), KIND, "values", &self.values, "1 to 4294967296")?;
        require((1..=10_000).contains(&self.rounds), KIND, "rounds", &self.rounds, "1 to 10000")?;
        require((1..=10_000).contains(&self.epochs), KIND, "epochs", &self.epochs, "1 to 10000")?;
        require(self.hidden <= 4096, KIND, "hidden", &self.hidden, "0 to 4096")?;
        require((1..=65_536).contains(&self.batch), KIND, "batch", &self.batch, "1 to 65536")?;
        for (field, value) in
            [("rate", self.rate), ("head_rate", self.head_rate), ("token_bound", self.token_bound)]
        {
            require(value.is_finite() && value > 0.0, KIND, field, &value, "a positive number")?;
        }
        fixed_point(KIND, self.bits, self.bound)
    }

    /// How a site trains in a round.
    pub(in crate::jobs) fn plan(&self, round: u64) -> FitPlan {
        FitPlan {
            tuning: self.part.tuning(),
            epochs: self.epochs,
            batch: self.batch,
            rate: self.rate,
            head_rate: self.head_rate,
            augment: self.augment,
            seed: self.seed ^ (round << 32),
            ..FitPlan::default()
        }
    }
}
