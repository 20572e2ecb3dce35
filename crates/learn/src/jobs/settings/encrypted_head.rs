//! Settings of an encrypted head and of the key that it fits.

use serde::{Deserialize, Serialize};

use super::{require, shape};
use crate::documented;
use crate::jobs::Result;
use blindscope_vision::head::HeadPlan;

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
        /// Shares that a question, and each part of a head, is dealt in, each with an encryption of its own; filled in when the job is submitted.
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
    pub(in crate::jobs) fn check(&self) -> Result<()> {
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
