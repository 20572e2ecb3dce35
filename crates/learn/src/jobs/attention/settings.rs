//! What the file of an attention job says.

use serde::{Deserialize, Serialize};

use super::super::Result;
use super::super::settings::{CLIPPED, fixed_point, names, require, shape, share};
use super::NAME;
use super::pooling::{AttentionPooling, MOST_VALUES};
use crate::documented;

documented! {
    /// Settings of `attention`: rounds of full-batch steps of gated attention and a linear head on slides.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct AttentionSettings {
        /// Width of a feature row.
        /// Unit: values.
        /// Default: the study's.
        pub width: usize,
        /// Number of classes.
        /// Unit: classes.
        /// Default: the study's.
        pub classes: usize,
        /// Steps, each along the gradient of all slides of all sites. The job has one more round before them for the common scaling, and
        /// one after them to validate.
        /// Unit: rounds.
        pub rounds: u64,
        /// Hidden units of the attention.
        /// Unit: units.
        pub hidden: usize,
        /// Deviations to which a standardised feature is clipped.
        /// Unit: deviations.
        pub clip: f32,
        /// Size of a step (Adam).
        pub rate: f32,
        /// Weight decay.
        pub decay: f32,
        /// Seed of the common start.
        pub seed: u64,
        /// Bits of a value, 8 to 24.
        /// Unit: bits.
        pub bits: u32,
        /// Features are clipped to `±bound` before they are standardised.
        /// Unit: the values' own.
        pub bound: f64,
        /// Numbers of one slide's gradient are clipped to `±gradient_bound`.
        pub gradient_bound: f64,
        /// Largest share of one site's features that may lie beyond `bound`, 0 to 1; a site with more takes no part.
        /// Unit: share, 0 to 1.
        pub clipped: f64,
        /// Most slides of one site.
        /// Unit: slides.
        pub examples: u64,
        /// Most tiles of one site.
        /// Unit: rows.
        pub tiles: u64,
        /// Whether the sites count right and wrong answers on the slides that they held back, under encryption, in a last round.
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

impl Default for AttentionSettings {
    fn default() -> Self {
        Self {
            width: 0,
            classes: 0,
            rounds: 60,
            hidden: 128,
            clip: 4.0,
            rate: 1e-2,
            decay: 1e-2,
            seed: 0,
            bits: 22,
            bound: 16.0,
            gradient_bound: 4.0,
            clipped: CLIPPED,
            examples: 1 << 12,
            tiles: 1 << 24,
            validate: true,
            names: Vec::new(),
            backbone: String::new(),
        }
    }
}

impl AttentionSettings {
    pub(super) fn check(&self) -> Result<()> {
        shape(NAME, self.width, self.classes, self.examples)?;
        names(NAME, &self.names, self.classes)?;
        require((1..=10_000).contains(&self.rounds), NAME, "rounds", &self.rounds, "1 to 10000")?;
        require((1..=4096).contains(&self.hidden), NAME, "hidden", &self.hidden, "1 to 4096")?;
        let fits = AttentionPooling::len_of(self.width, self.hidden) <= MOST_VALUES;
        require(fits, NAME, "hidden", &self.hidden, "fewer: an attention has 2^20 numbers at most")?;
        for (field, value) in [("clip", self.clip), ("rate", self.rate)] {
            require(value.is_finite() && value > 0.0, NAME, field, &value, "a positive number")?;
        }
        let fine = self.decay.is_finite() && self.decay >= 0.0;
        require(fine, NAME, "decay", &self.decay, "zero or a positive number")?;
        share(NAME, self.clipped)?;
        let most = 1 << 24;
        require((1..=most).contains(&self.tiles), NAME, "tiles", &self.tiles, "1 to 16777216")?;
        let fine = self.gradient_bound.is_finite() && self.gradient_bound > 0.0;
        require(fine, NAME, "gradient_bound", &self.gradient_bound, "a positive number")?;
        fixed_point(NAME, self.bits, self.bound)
    }
}
