//! What a ciphertext has to be in its place in a plan.

use crate::{Error, Plan, Result};
use blindscope_ckks::{Ciphertext, Level, Scale};

/// The form of a ciphertext of two components.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) level: Level,
    pub(crate) scale: Scale,
}

impl Form {
    /// Refuses a ciphertext of another form, or under other parameters than the plan's. Scales are exact: they are said exactly.
    pub(crate) fn require(self, op: &'static str, plan: &Plan, c: &Ciphertext) -> Result<()> {
        let params = plan.params();
        let same = c.params() == params
            && c.level() == self.level
            && c.scale() == self.scale
            && c.components().len() == 2;
        if same {
            return Ok(());
        }
        let text = |components: usize, form: Self, params| {
            format!(
                "{components} components, level {}, scale {}, parameters {params}",
                form.level, form.scale
            )
        };
        let given = Self { level: c.level(), scale: c.scale() };
        Err(Error::Form {
            op,
            found: text(c.components().len(), given, c.params().fingerprint()),
            expected: text(2, self, params.fingerprint()),
        })
    }
}
