//! Settings of counts on what the sites held back.

use serde::{Deserialize, Serialize};

use super::{EXAMPLES, names, require, shape};
use crate::documented;
use crate::jobs::{CountedBy, Result};

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
        /// What one answer is of: "row", "slide" (the mean probability over a slide's tiles) or "patient" (over a patient's slides). Of slides
        /// and patients an interval is given, with patients as the units that were drawn.
        /// Default: row.
        #[serde(skip_serializing_if = "CountedBy::is_rows")]
        pub by: CountedBy,
        /// Names of the classes, in order: they go into the model file. Left out where they would take more than 8 KiB.
        /// Default: the study's.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub names: Vec<String>,
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { model: String::new(), classes: 0, examples: EXAMPLES, by: CountedBy::Row, names: Vec::new() }
    }
}

impl MetricsSettings {
    pub(in crate::jobs) fn check(&self) -> Result<()> {
        shape("metrics", 1, self.classes, self.examples)?;
        names("metrics", &self.names, self.classes)?;
        let hexadecimal = self.model.len() == 64 && self.model.bytes().all(|b| b.is_ascii_hexdigit());
        require(hexadecimal, "metrics", "model", &self.model, "64 hexadecimal digits")
    }
}
