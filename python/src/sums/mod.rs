//! Sums of sites for engines that bring their own transport: a site with its folder, a server without secrets, and the roster that
//! both agree on. They are thin: what may be said when is decided by `blindscope_federation::sums`.

mod disk;
mod roster;
mod server;
mod site;

use pyo3::prelude::*;

use blindscope_federation::sums::{Epoch, SumRound};
use blindscope_federation::{Blob, JobId};

pub(crate) use roster::Roster;
pub(crate) use server::SumServer;
pub(crate) use site::SumSite;

use crate::errors::OrRaise as _;

/// A round as every party names it: the job's own name, its number, and how many integers of at most which size a site adds.
#[derive(Debug, Clone, FromPyObject)]
pub(crate) struct RoundSpec {
    /// Name of the job, such as an engine's run.
    #[pyo3(item)]
    job: String,
    /// Its round.
    #[pyo3(item)]
    number: u64,
    /// Integers of one upload.
    #[pyo3(item)]
    values: u64,
    /// The largest of them.
    #[pyo3(item)]
    max: u64,
}

impl RoundSpec {
    pub(crate) fn of(&self, epoch: &Epoch) -> PyResult<SumRound> {
        let job = JobId(Blob::of(self.job.as_bytes()).digest);
        SumRound::new(epoch, job, self.number, (self.values, self.max)).or_raise()
    }
}
