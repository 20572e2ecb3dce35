//! Heads that may be asked, each with its plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use blindscope_classify::{Head, Plan, Policy, Release, Server};
use blindscope_federation::{JobId, JobSpec, LearnError};

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
pub(super) struct Offered {
    pub(super) plan: Plan,
    /// The plan as an asker gets it.
    pub(super) bytes: Bytes,
    /// How its tokens are pooled, as an asker gets it.
    pub(super) pooling: Bytes,
    pub(super) server: Server,
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
    pub(super) fn make(&self, job: JobId, spec: &JobSpec, result: &[u8]) -> Result<Arc<Offered>, LearnError> {
        let Served { head, pooling } = (self.read)(spec, result)?;
        let policy = Policy { release: Release::Logits { tokens: None }, ..Policy::new(self.batch) };
        let policy = self.precision.map_or(policy, |bits| policy.precise(bits));
        let plan = Plan::new(&head, policy)?;
        let (bytes, server) = (plan.to_bytes()?.into(), Server::new(&head, &plan)?);
        let offered = Arc::new(Offered { plan, bytes, pooling: pooling.into(), server });
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.len() >= READY {
            ready.pop_first();
        }
        ready.insert(job, offered.clone());
        Ok(offered)
    }
}
