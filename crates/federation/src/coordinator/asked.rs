//! A step that sites are asked in, and what came of it once it takes no answers any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Answer, Blob, Cause, JobId, Missing, SignedHeader, SiteId, Step};

/// An open step.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) step: Step,
    pub(super) key: JobId,
    pub(super) expected: Vec<SiteId>,
    pub(super) deadline_ms: u64,
    /// The record that opened it.
    pub(super) since: u64,
    /// Answers in the order of their arrival.
    pub(super) answers: Vec<SignedHeader>,
    /// Who is asked: each of many sites that wait looks for itself, over and over.
    asked: Arc<BTreeSet<SiteId>>,
    /// Whose answer is where.
    places: BTreeMap<SiteId, usize>,
}

/// A step that takes no answers any more.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) step: Step,
    pub(super) key: JobId,
    /// Payloads that go on, in the order of their arrival.
    pub(super) committed: Vec<SignedHeader>,
    pub(super) missing: Vec<Missing>,
}

impl Open {
    /// A step that nobody has answered.
    pub(super) fn new((step, key): (Step, JobId), expected: &[SiteId], deadline_ms: u64, since: u64) -> Self {
        let (expected, asked) = (expected.to_vec(), Arc::new(expected.iter().copied().collect()));
        let (answers, places) = (Vec::new(), BTreeMap::new());
        Self { step, key, expected, deadline_ms, since, answers, asked, places }
    }

    /// Whether a site is asked.
    pub(super) fn asks(&self, site: SiteId) -> bool {
        self.asked.contains(&site)
    }

    /// Takes a site's answer.
    pub(super) fn take(&mut self, answer: SignedHeader) {
        self.places.insert(answer.header.site, self.answers.len());
        self.answers.push(answer);
    }

    /// The answer of a site.
    pub(super) fn answer(&self, site: SiteId) -> Option<&SignedHeader> {
        self.places.get(&site).and_then(|at| self.answers.get(*at))
    }

    /// Answers with a payload, in the order of their arrival.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &SignedHeader> {
        self.answers.iter().filter(|a| a.payload().is_some())
    }

    /// Expected sites without a payload, and why.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let cause = |&site: &SiteId| match self.answer(site).map(|a| a.header.answer) {
            Some(Answer::Payload(_)) => None,
            Some(Answer::Declined(cause)) => Some(Missing { site, cause }),
            None => Some(Missing { site, cause: Cause::Silent }),
        };
        self.expected.iter().filter_map(cause).collect()
    }
}

impl Closed {
    /// Committed payloads in the sites' order.
    pub(super) fn in_order(&self) -> Vec<SignedHeader> {
        let mut headers = self.committed.clone();
        headers.sort_by_key(|h| h.header.site);
        headers
    }

    /// The same as names of blobs.
    pub(super) fn blobs(&self) -> Vec<(SiteId, Blob)> {
        self.in_order().iter().filter_map(|h| h.payload().map(|b| (h.header.site, b))).collect()
    }

    /// The committed sites in order.
    pub(super) fn sites(&self) -> Vec<SiteId> {
        self.in_order().iter().map(|h| h.header.site).collect()
    }
}
