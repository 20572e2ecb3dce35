//! Heads that may be asked, each with its plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use blindscope_classify::{Head, Plan, Policy, Release, Server};
use blindscope_federation::{Blob, JobId, JobSpec, LearnError};

/// What a job's result offers to askers.
pub struct Served {
    /// The head, which stays here.
    pub head: Head,
    /// How tiles become the tokens that the head takes, in the bytes that askers get; empty where it takes tiles as they are.
    pub pooling: Vec<u8>,
}

impl From<Head> for Served {
    fn from(head: Head) -> Self {
        Self { head, pooling: Vec::new() }
    }
}

/// Reads what a job's result offers.
pub type HeadReader = Arc<dyn Fn(&JobSpec, &[u8]) -> Result<Served, LearnError> + Send + Sync>;

/// Heads that are kept ready.
const READY: usize = 4;

/// A head that is ready to be asked.
pub(crate) struct Offered {
    /// The job's file and result, which it was read from.
    #[cfg_attr(not(feature = "scale"), allow(dead_code, reason = "workers are told of it"))]
    pub(crate) from: (JobSpec, Blob),
    pub(crate) plan: Plan,
    /// The plan as an asker gets it.
    pub(crate) bytes: Bytes,
    /// How its tokens are pooled, as an asker gets it.
    pub(crate) pooling: Bytes,
    pub(crate) server: Server,
}

impl Offered {
    /// The head in a job's result of this name, planned for questions of so many tokens and bits right of the point. Takes a while.
    ///
    /// # Errors
    /// A result that holds no head, or a head that no plan fits.
    pub(crate) fn make(
        read: &HeadReader,
        (batch, precision): (usize, Option<u32>),
        (spec, result): (&JobSpec, Blob),
        bytes: &[u8],
    ) -> Result<Self, LearnError> {
        let Served { head, pooling } = read(spec, bytes)?;
        let policy = Policy { release: Release::Logits { tokens: None }, ..Policy::new(batch) };
        let policy = precision.map_or(policy, |bits| policy.precise(bits));
        let plan = Plan::new(&head, policy)?;
        let (told, server) = (plan.to_bytes()?.into(), Server::new(&head, &plan)?);
        Ok(Self { from: (spec.clone(), result), plan, bytes: told, pooling: pooling.into(), server })
    }
}

/// Heads by the job that made them.
pub(super) struct Heads {
    read: HeadReader,
    batch: usize,
    /// Bits right of the point that are asked for.
    precision: Option<u32>,
    ready: Mutex<BTreeMap<JobId, Arc<Offered>>>,
}

impl Heads {
    pub(super) fn new(read: HeadReader, batch: usize, precision: Option<u32>) -> Self {
        Self { read, batch, precision, ready: Mutex::default() }
    }

    /// The head of a job that is ready.
    pub(super) fn ready(&self, job: JobId) -> Option<Arc<Offered>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(&job).cloned()
    }

    /// The head of a job, from its result. Takes a while.
    ///
    /// # Errors
    /// A result that holds no head, or a head that no plan fits.
    pub(super) fn make(
        &self,
        job: JobId,
        from: (&JobSpec, Blob),
        bytes: &[u8],
    ) -> Result<Arc<Offered>, LearnError> {
        let offered = Arc::new(Offered::make(&self.read, (self.batch, self.precision), from, bytes)?);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= READY {
            ready.pop_first();
        }
        ready.insert(job, offered.clone());
        Ok(offered)
    }
}
