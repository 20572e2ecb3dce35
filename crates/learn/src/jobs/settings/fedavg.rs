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
        /// Most rounds of training. The job has one more before them for the common scaling and one to measure linear heads, and after
        /// them one to measure the last heads and one to validate. With none its result is the common scaling and the common start,
        /// drawn from the seed: what an encrypted head starts from.
        /// Unit: rounds.
        pub rounds: u64,
        /// Passes over the local data a round.
        /// Unit: passes.
        pub epochs: usize,
        /// Hidden units.
        /// Unit: units.
        pub hidden: usize,
        /// Numbers of hidden units of which the best is chosen, at most 8 settings with those of `tried_decay`.
        /// Unit: units.
        /// Default: `hidden` alone.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tried_hidden: Vec<usize>,
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
        /// Weight decays of which the best is chosen.
        /// Default: `decay` alone.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pub tried_decay: Vec<f32>,
        /// One of so many folds of whole groups is held out at every site, 2 to 20: settings and rounds are chosen by the answers to it,
        /// summed under encryption. 0 holds out nothing and takes the last head.
        /// Unit: folds.
        pub folds: usize,
        /// Rounds without better answers to what is held out after which a setting is trained no further; 0 trains all rounds.
        /// Unit: rounds.
        pub patience: u64,
        /// Whether training starts from the best linear head instead of a drawn one: one Gram matrix is summed as in `statistics`, and
        /// `hidden` is at least twice the number of classes less one. Not read where `folds` is 0.
        pub linear: bool,
        /// Seed of the common start, of the shuffles and of which groups are held out.
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
            tried_hidden: Vec::new(),
            degree: 2,
            clip: plan.clip,
            batch: plan.batch,
            rate: plan.rate,
            decay: plan.decay,
            tried_decay: Vec::new(),
            folds: 5,
            patience: 2,
            linear: true,
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

const KIND: &str = "fedavg";

/// What is tried together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::jobs) struct Setting {
    /// Hidden units.
    pub hidden: usize,
    /// Weight decay.
    pub decay: f32,
}

const TRIED: &str = "at most 8, `tried_hidden` times `tried_decay`: every one is trained in every round";
const LINEAR: &str =
    "twice the number of classes less one, since training starts from a linear head; or `linear = false`";

/// Most settings that are tried.
const SETTINGS: usize = 8;

impl FedAvgSettings {
    pub(in crate::jobs) fn check(&self) -> Result<()> {
        shape(KIND, self.width, self.classes, self.examples)?;
        names(KIND, &self.names, self.classes)?;
        require(self.rounds <= 10_000, KIND, "rounds", &self.rounds, "0 to 10000")?;
        require((1..=10_000).contains(&self.epochs), KIND, "epochs", &self.epochs, "1 to 10000")?;
        self.check_ladder()?;
        require(matches!(self.degree, 2 | 4), KIND, "degree", &self.degree, "2 or 4")?;
        require((1..=65_536).contains(&self.batch), KIND, "batch", &self.batch, "1 to 65536")?;
        for (field, value) in [("clip", self.clip), ("rate", self.rate)] {
            require(value.is_finite() && value > 0.0, KIND, field, &value, "a positive number")?;
        }
        share(KIND, self.clipped)?;
        fixed_point(KIND, self.bits, self.bound)
    }

    fn check_ladder(&self) -> Result<()> {
        let fine = self.folds == 0 || (2..=20).contains(&self.folds);
        require(fine, KIND, "folds", &self.folds, "0, or 2 to 20")?;
        let settings = self.settings();
        require(settings.len() <= SETTINGS, KIND, "the number of settings", &settings.len(), TRIED)?;
        let fine = settings.len() == 1 || self.chooses();
        require(fine, KIND, "folds", &self.folds, "2 to 20, with rounds to train, where settings are tried")?;
        for Setting { hidden, decay } in settings {
            require((1..=4096).contains(&hidden), KIND, "hidden", &hidden, "1 to 4096")?;
            let fine = decay.is_finite() && decay >= 0.0;
            require(fine, KIND, "decay", &decay, "zero or a positive number")?;
            let fine = !self.starts_linear() || hidden >= 2 * (self.classes - 1);
            require(fine, KIND, "hidden", &hidden, LINEAR)?;
        }
        Ok(())
    }

    /// Whether something is held out to choose on.
    pub(in crate::jobs) fn chooses(&self) -> bool {
        self.folds > 0 && self.rounds > 0
    }

    /// Whether training starts from a linear head.
    pub(in crate::jobs) fn starts_linear(&self) -> bool {
        self.linear && self.chooses()
    }

    /// Every setting that is tried, narrow heads first: of equals they are the cheaper ones.
    pub(in crate::jobs) fn settings(&self) -> Vec<Setting> {
        let or = |tried: &[usize], own| if tried.is_empty() { vec![own] } else { tried.to_vec() };
        let mut widths = or(&self.tried_hidden, self.hidden);
        widths.sort_unstable();
        let decays = if self.tried_decay.is_empty() { vec![self.decay] } else { self.tried_decay.clone() };
        let all = |hidden: usize| decays.iter().map(move |decay| Setting { hidden, decay: *decay });
        widths.into_iter().flat_map(all).collect()
    }

    /// How a site trains in a round of training, counted from 1.
    pub(in crate::jobs) fn plan(&self, setting: Setting, round: u64) -> HeadPlan {
        HeadPlan {
            hidden: setting.hidden,
            activation: Activation::Trained { degree: self.degree },
            clip: self.clip,
            epochs: self.epochs,
            batch: self.batch,
            rate: self.rate,
            decay: setting.decay,
            seed: self.seed ^ (round << 32),
            ..HeadPlan::default()
        }
    }
}
