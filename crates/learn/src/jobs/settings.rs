//! What a job file says to the learning code.

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::documented;
use blindscope_vision::head::{Activation, HeadPlan};
use blindscope_vision::train::{FitPlan, Tuning};

/// Share of clipped values that a job puts up with unless it says otherwise: outliers, not another unit.
pub(super) const CLIPPED: f64 = 0.001;

/// Most examples of one site unless the job says otherwise: a hundred slides' tiles.
const EXAMPLES: u64 = 1 << 17;

documented! {
    /// Settings of `statistics`, `auto` and `cls-mean`.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct StatisticsSettings {
        /// Width of a feature row.
        /// Unit: values.
        /// Default: the study's.
        pub width: usize,
        /// Number of classes.
        /// Unit: classes.
        /// Default: the study's.
        pub classes: usize,
        /// Features are clipped to `±bound`. A constant of the study, not of anybody's data.
        /// Unit: the values' own.
        pub bound: f64,
        /// Largest share of one site's values that may lie beyond `bound`, 0 to 1; a site with more takes no part.
        /// Unit: share, 0 to 1.
        pub clipped: f64,
        /// Bits of a feature, 2 to 20.
        /// Unit: bits.
        pub bits: u32,
        /// Most examples of one site.
        /// Unit: rows.
        pub examples: u64,
        /// Folds of whole groups by whose sums the penalty is chosen, 2 to 20; 0 chooses nothing and takes `lambda`. `cls-mean` has none.
        /// Unit: folds.
        pub folds: usize,
        /// Which groups make a fold.
        pub seed: u64,
        /// Whether a row is a CLS token and the mean of the patch tokens behind it (`--pool cls+mean`): each half is then tried alone
        /// as well.
        pub halves: bool,
        /// Ridge penalty, relative to the number of examples, where none is chosen.
        pub lambda: f64,
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

impl Default for StatisticsSettings {
    fn default() -> Self {
        Self {
            width: 0,
            classes: 0,
            bound: 16.0,
            clipped: CLIPPED,
            bits: 14,
            examples: EXAMPLES,
            folds: 5,
            seed: 0,
            halves: false,
            lambda: 0.01,
            names: Vec::new(),
            backbone: String::new(),
        }
    }
}

impl StatisticsSettings {
    pub(super) fn check(&self) -> Result<()> {
        shape("statistics", self.width, self.classes, self.examples)?;
        names("statistics", &self.names, self.classes)?;
        let fine = self.bound.is_finite() && self.bound > 0.0;
        require(fine, "statistics", "bound", &self.bound, "a positive number")?;
        share("statistics", self.clipped)?;
        require((2..=20).contains(&self.bits), "statistics", "bits", &self.bits, "2 to 20")?;
        let fine = self.folds == 0 || (2..=20).contains(&self.folds);
        require(fine, "statistics", "folds", &self.folds, "0, or 2 to 20")?;
        let fine = !self.halves || self.width.is_multiple_of(2);
        require(fine, "statistics", "halves", &self.halves, "false for rows of an odd width")?;
        let fine = self.lambda.is_finite() && self.lambda > 0.0;
        require(fine, "statistics", "lambda", &self.lambda, "a positive number")
    }
}

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
    pub(super) fn check(&self) -> Result<()> {
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
    pub(super) fn plan(&self, round: u64) -> HeadPlan {
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
    pub(super) fn tuning(self) -> Tuning {
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
    pub(super) fn check(&self) -> Result<()> {
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
    pub(super) fn plan(&self, round: u64) -> FitPlan {
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

documented! {
    /// Settings of `inference-keys` and `encrypted-head`. A head fits a key whose job has the same shape, bounds and numbers.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct EncryptedHeadSettings {
        /// Width of a feature row.
        /// Unit: values.
        /// Default: the study's.
        pub width: usize,
        /// Number of classes.
        /// Unit: classes.
        /// Default: the study's.
        pub classes: usize,
        /// Hidden units, as many as the start has.
        /// Unit: units.
        pub hidden: usize,
        /// Passes over the local data.
        /// Unit: passes.
        pub epochs: usize,
        /// Examples a step.
        /// Unit: rows.
        pub batch: usize,
        /// Peak step size.
        pub rate: f32,
        /// Weight decay.
        pub decay: f32,
        /// Seed of the shuffles.
        pub seed: u64,
        /// Largest norm of a row of the first layer; a site shortens longer ones.
        pub norm: f64,
        /// Size that no unit of the average head exceeds on the tokens to be asked; a token that breaks it may be answered wrongly.
        pub range: f64,
        /// Most tokens of one question.
        /// Unit: tokens.
        pub tokens: usize,
        /// Ciphertexts of answers in the key's life, every attempt counted.
        /// Unit: ciphertexts.
        pub answers: u64,
        /// Largest error of a logit, masks included, that is put up with.
        /// Unit: of a logit.
        pub max_error: f64,
        /// Sites of the study; filled in when the job is submitted.
        /// Unit: sites.
        /// Default: the study's.
        pub sites: u32,
        /// The study's minimum cohort; filled in when the job is submitted.
        /// Unit: sites.
        /// Default: the study's.
        pub cohort: u32,
        /// Shares that a question is dealt in, each with an encryption of its own; filled in when the job is submitted.
        /// Unit: encryptions.
        /// Default: follows from the study.
        pub encryptions: u32,
    }
}

impl Default for EncryptedHeadSettings {
    fn default() -> Self {
        let plan = HeadPlan::default();
        Self {
            width: 0,
            classes: 0,
            hidden: plan.hidden,
            epochs: plan.epochs,
            batch: plan.batch,
            rate: plan.rate,
            decay: plan.decay,
            seed: 0,
            norm: 4.0,
            range: 8.0,
            tokens: 8,
            answers: 4096,
            max_error: 0.25,
            sites: 0,
            cohort: 0,
            encryptions: 0,
        }
    }
}

impl EncryptedHeadSettings {
    pub(super) fn check(&self) -> Result<()> {
        const KIND: &str = "encrypted-head";
        shape(KIND, self.width, self.classes, 1)?;
        require((1..=4096).contains(&self.hidden), KIND, "hidden", &self.hidden, "1 to 4096")?;
        require((1..=10_000).contains(&self.epochs), KIND, "epochs", &self.epochs, "1 to 10000")?;
        require((1..=65_536).contains(&self.batch), KIND, "batch", &self.batch, "1 to 65536")?;
        let fine = self.rate.is_finite() && self.rate > 0.0;
        require(fine, KIND, "rate", &self.rate, "a positive number")?;
        let fine = self.decay.is_finite() && self.decay >= 0.0;
        require(fine, KIND, "decay", &self.decay, "zero or a positive number")?;
        for (field, value) in [("norm", self.norm), ("range", self.range), ("max_error", self.max_error)] {
            let fine = value.is_finite() && value > 0.0;
            require(fine, KIND, field, &value, "a positive number")?;
        }
        require((1..=4096).contains(&self.tokens), KIND, "tokens", &self.tokens, "1 to 4096")?;
        require((1..=1 << 40).contains(&self.answers), KIND, "answers", &self.answers, "1 to 2^40")?;
        let fine = (1..=self.sites).contains(&self.cohort);
        require(fine, KIND, "sites", &self.sites, "the study's sites, as many as its minimum cohort or more")
    }
}

documented! {
    /// Settings of `metrics`: counts of right and wrong answers on what the sites held back.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct MetricsSettings {
        /// SHA-256 of the model file in hexadecimal; every site must have it. Required.
        pub model: String,
        /// Number of classes.
        /// Unit: classes.
        /// Default: the study's.
        pub classes: usize,
        /// Most examples of one site.
        /// Unit: rows.
        pub examples: u64,
        /// Names of the classes, in order: they go into the model file. Left out where they would take more than 8 KiB.
        /// Default: the study's.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub names: Vec<String>,
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { model: String::new(), classes: 0, examples: EXAMPLES, names: Vec::new() }
    }
}

impl MetricsSettings {
    pub(super) fn check(&self) -> Result<()> {
        shape("metrics", 1, self.classes, self.examples)?;
        names("metrics", &self.names, self.classes)?;
        let hexadecimal = self.model.len() == 64 && self.model.bytes().all(|b| b.is_ascii_hexdigit());
        require(hexadecimal, "metrics", "model", &self.model, "64 hexadecimal digits")
    }
}

pub(super) fn require(
    fine: bool,
    kind: &'static str,
    field: &'static str,
    found: &impl ToString,
    expected: &'static str,
) -> Result<()> {
    if fine { Ok(()) } else { Err(Error::Setting { kind, field, found: found.to_string(), expected }) }
}

pub(super) fn shape(kind: &'static str, width: usize, classes: usize, examples: u64) -> Result<()> {
    require((1..=4096).contains(&width), kind, "width", &width, "1 to 4096")?;
    require((2..=4096).contains(&classes), kind, "classes", &classes, "2 to 4096")?;
    require((1..=1 << 24).contains(&examples), kind, "examples", &examples, "1 to 16777216")
}

/// A name a class, or none at all.
pub(super) fn names(kind: &'static str, names: &[String], classes: usize) -> Result<()> {
    let fine = names.is_empty() || names.len() == classes;
    require(fine, kind, "names", &names.len(), "a name for each class, or none")
}

pub(super) fn share(kind: &'static str, clipped: f64) -> Result<()> {
    require((0.0..=1.0).contains(&clipped), kind, "clipped", &clipped, "a share from 0 to 1")
}

pub(super) fn fixed_point(kind: &'static str, bits: u32, bound: f64) -> Result<()> {
    require((8..=24).contains(&bits), kind, "bits", &bits, "8 to 24")?;
    require(bound.is_finite() && bound > 0.0, kind, "bound", &bound, "a positive number")
}
