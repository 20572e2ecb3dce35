//! An inference ceremony once everybody has committed.

use crate::{Circuit, JobId, Result, Study};
use blindscope_threshold::Transcript;
use blindscope_wire::Digest;

/// What the shares of an inference key are made under.
#[derive(Debug, Clone, Copy)]
pub struct KeySession<'a> {
    /// The ceremony's job.
    pub job: JobId,
    /// What the key is made for.
    pub circuit: &'a Circuit,
    /// The common string: see [`crate::common_string`].
    pub string: Digest,
}

impl KeySession<'_> {
    /// The session that messages and uniform polynomials belong to.
    pub(crate) fn transcript(&self, study: &Study) -> Result<Transcript> {
        study.inference_session(self.job, self.circuit, &self.string)
    }
}
