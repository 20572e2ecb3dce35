//! Settings of jobs that sum Gram matrices or class sums.

use serde::{Deserialize, Serialize};

use super::{CLIPPED, EXAMPLES, names, require, shape, share};
use crate::documented;
use crate::jobs::Result;

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
    pub(in crate::jobs) fn check(&self) -> Result<()> {
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
