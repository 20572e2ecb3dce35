//! One round of sums: everything that its parties agree on before it begins, and its name.

use super::{Epoch, PAIRING_LEN, SignedUpload, pairing_len};
use crate::{Blob, JobId, Result, SiteId};
use blindscope_aggregate::one_round::{Plan, RoundId, SEAL_OVERHEAD};
use blindscope_ckks::Arithmetic;
use blindscope_wire::{Digest, Hasher};

/// A round. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SumRound {
    epoch: Epoch,
    job: JobId,
    number: u64,
    plan: Plan,
    id: RoundId,
}

/// Bodies of a round that together have at most these bytes are added up by every signer.
const SMALL: u64 = 1 << 20;

impl SumRound {
    /// Round `number` of a job that adds up `values` integers of at most `max` a site, and starts from nothing. Each party computes it from its
    /// own roster.
    ///
    /// # Errors
    /// [`crate::Error::Aggregate`] with the numbers.
    pub fn new(epoch: &Epoch, job: JobId, number: u64, (values, max): (u64, u64)) -> Result<Self> {
        let plan = epoch.plan(values, max)?;
        // The roster's digest covers study, keys, holders in order, m, t, f, z and B; the plan's p and the ring.
        let context = Hasher::new("blindscope/sums/round/v1")
            .absorb(&epoch.digest().0)
            .absorb(&job.0.0)
            .absorb_u64(number)
            .finish();
        let id = plan.round(&context);
        Ok(Self { epoch: epoch.clone(), job, number, plan, id })
    }

    /// The same round, worked on with no faster path than `ceiling`: to measure paths.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(self, ceiling: Arithmetic) -> Result<Self> {
        let plan = Plan::on(ceiling, *self.plan.literal())?;
        Ok(Self { plan, ..self })
    }

    /// The same round, of a job that starts it from this: what it starts from is in its name, so that sites that were shown different
    /// starts are in different rounds, and no set has uploads of both.
    #[must_use]
    pub fn started_from(self, start: &Blob) -> Self {
        let context = Hasher::new("blindscope/sums/started-round/v1")
            .absorb(&self.id.0.0)
            .absorb(&start.digest.0)
            .finish();
        Self { id: self.plan.round(&context), ..self }
    }

    /// The roster.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Its round, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// `ρ`
    pub fn id(&self) -> RoundId {
        self.id
    }

    /// `ρ` as a digest.
    pub fn name(&self) -> Digest {
        self.id.0
    }

    /// Signatures on one set that make it the round's.
    pub fn quorum(&self) -> u32 {
        self.plan.literal().quorum()
    }

    /// Fewest uploads of its sum.
    pub fn least_cohort(&self) -> u32 {
        self.plan.literal().least_cohort().max(self.epoch.literal().minimum_cohort)
    }

    /// Whether every signer adds up all bodies; otherwise each gives its own body's value at a point that follows from set and sum.
    pub fn is_small(&self) -> bool {
        self.plan.body_len() * u64::from(self.plan.literal().sites) <= SMALL
    }

    /// Whether its sets are named by a root over their headers ([`super::SetRoot`]): large sums of a study in which some sites do not hold, which
    /// are shown the root and their own header.
    pub fn has_roots(&self) -> bool {
        let literal = self.plan.literal();
        !self.is_small() && literal.holders < literal.sites
    }

    /// Whether a holder makes its part of a dealer's key itself: the dealer, if it is a holder, and those that follow it, `t − 1` in
    /// all.
    pub fn derives(&self, dealer: SiteId, holder: u32) -> bool {
        let (m, t) = (self.plan.literal().holders, self.plan.literal().threshold);
        let from = self.epoch.holder(dealer).unwrap_or(u32::from(dealer.0) % m);
        (holder + m - from) % m < t - 1
    }

    /// The places of holders whose parts of this dealer's key travel.
    pub fn sealed_to(&self, dealer: SiteId) -> impl Iterator<Item = u32> + '_ {
        (0..self.plan.literal().holders).filter(move |&h| !self.derives(dealer, h))
    }

    /// Bytes of one sealed part.
    pub fn sealed_len(&self) -> usize {
        self.plan.part_len() + SEAL_OVERHEAD as usize
    }

    /// Bytes of the parts of an upload that travel, and of its site's pair keys.
    pub(crate) fn tail_len(&self, dealer: SiteId) -> u64 {
        let parts = u64::from(self.plan.sealed_parts()) * self.sealed_len() as u64;
        parts + pairing_len(&self.epoch, dealer) as u64
    }

    /// Most bytes that a holder is given of so many uploads.
    pub(crate) fn given_len(&self, uploads: u64) -> u64 {
        uploads * (PAIRING_LEN + self.sealed_len()) as u64
    }

    /// Bytes of an upload: body, sealed parts, header; in a site's first one of an epoch, its pair keys.
    pub fn upload_len(&self, dealer: SiteId, pairs: bool) -> u64 {
        let parts = u64::from(self.plan.sealed_parts()) * self.sealed_len() as u64;
        let pairing = if pairs { pairing_len(&self.epoch, dealer) } else { 0 };
        self.plan.body_len() + parts + SignedUpload::len(self) as u64 + pairing as u64
    }
}
