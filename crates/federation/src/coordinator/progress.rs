//! How far one job is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asked::{Closed, Open};
use crate::job::{Basis, Job, KeyUse, Kind};
use crate::{
    Blob, Event, Failure, Grounds, JobId, JobSpec, Line, Missing, NamedSet, Opening, Output, Phase, Promised,
    Record, SettledProof, SignedHeader, SiteId, Sizes, Step, common_string,
};
use blindscope_wire::Digest;

/// A job and how far it is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) id: JobId,
    /// Its file, and what that says.
    pub(super) spec: JobSpec,
    pub(super) job: Job,
    pub(super) sizes: Sizes,
    pub(super) submitted_ms: u64,
    pub(super) ended_ms: Option<u64>,
    pub(super) state: State,
    /// The version of the roster that it runs under.
    pub(super) version: u64,
    /// The round at work, and what it starts from.
    pub(super) round: u64,
    pub(super) input: Option<Blob>,
    /// The opened sum that a later round's start follows from.
    pub(super) grounds: Option<Box<Grounds>>,
    /// What this round opens, once its uploads are summed.
    pub(super) opening: Option<Opening>,
    /// Ciphertexts of the attempt at work: the sum, or the refreshed sum.
    pub(super) target: Option<Blob>,
    /// A ceremony's sealed parts, one bundle a site, in the sites' order.
    pub(super) bundles: Vec<Blob>,
    /// A ceremony's outcome.
    pub(super) output: Option<Output>,
    /// An inference ceremony's evaluation keys.
    pub(super) evaluation_keys: Option<Blob>,
    /// Whether sites were asked to upload in the round at work.
    pub(super) asked: bool,
    /// Ciphertexts that the round at work will have opened once its opening begins; nothing before its uploads and after that.
    pub(super) reserved: u64,
    /// Pair keys of sums that were here when the round at work asked for uploads: another job's may come meanwhile.
    pub(super) pairs: Arc<BTreeMap<SiteId, Blob>>,
    /// Of a sum, what stands for the values of its first round.
    pub(super) values: Option<Digest>,
    /// Of a question, the line of its asker.
    pub(super) line: Option<Line>,
    /// Failed rounds of the input at work that this job has asked its sites to declare void, once it has.
    pub(super) voiding: Option<Vec<(JobId, u64)>>,
    /// The round of a sum at work, once its uploads were read.
    pub(super) sum: Option<SumProgress>,
    /// Who was missing when, oldest first.
    pub(super) missing: Vec<(Step, Missing)>,
    /// Receipts of this round and the one before.
    pub(super) receipts: BTreeMap<(Step, SiteId), Record>,
}

/// How far a round of a sum is.
#[derive(Debug, Clone)]
pub(super) struct SumProgress {
    /// Payloads of the uploads that were read, by site.
    pub(super) uploads: Vec<(SiteId, Blob)>,
    /// Their signed headers.
    pub(super) headers: Blob,
    /// What each holder is given of them, in the holders' order.
    pub(super) bundles: Vec<Blob>,
    /// The set that is named, and its headers.
    pub(super) named: Option<(NamedSet, Blob)>,
    /// The signatures on it, and whose they are.
    pub(super) agreements: Option<Blob>,
    pub(super) signers: Vec<SiteId>,
    /// Evaluations of uploads whose sites did not sign.
    pub(super) vouches: Option<Blob>,
}

impl SumProgress {
    /// Uploads of the named set.
    pub(super) fn committed(&self) -> Vec<(SiteId, Blob)> {
        let sites = self.named.iter().flat_map(|(named, _)| &named.sites);
        // Uploads are by rising site.
        let of = |site: &SiteId| self.uploads.binary_search_by_key(site, |(of, _)| *of).ok();
        sites.filter_map(|site| self.uploads.get(of(site)?).copied()).collect()
    }

    /// What a site signs of the named set: all headers, or, if it does not hold and the set is signed by its root, the root and its own.
    pub(super) fn shown_to(&self, site: SiteId, holds: bool) -> Option<Blob> {
        let (named, headers) = self.named.as_ref()?;
        match &named.inclusions {
            Some(shown) if !holds => {
                let at = shown.each.binary_search_by_key(&site, |(of, _)| *of).ok()?;
                shown.each.get(at).map(|(_, blob)| *blob)
            }
            _ => Some(*headers),
        }
    }

    /// That a quorum has signed the named set, once it has.
    pub(super) fn proof(&self) -> Option<SettledProof> {
        let (named, headers) = self.named.as_ref()?;
        let commitment = named.inclusions.as_ref().map_or(*headers, |shown| shown.root);
        Some(SettledProof { commitment, agreements: self.agreements?, vouches: self.vouches })
    }

    /// Uploads of the named set whose sites have not signed it.
    pub(super) fn gone(&self) -> Vec<(SiteId, Blob)> {
        let mut uploads = self.committed();
        uploads.retain(|(site, _)| !self.signers.contains(site));
        uploads
    }

    fn blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        let named = self.named.iter().flat_map(|(named, headers)| {
            let shown = named.inclusions.iter();
            let shown = shown.flat_map(|s| s.each.iter().map(|(_, blob)| *blob).chain([s.root]));
            [named.sum, *headers].into_iter().chain(shown)
        });
        let own = std::iter::once(self.headers).chain(self.agreements).chain(self.vouches);
        own.chain(self.bundles.iter().copied()).chain(named)
    }
}

/// Where a job is.
#[derive(Debug, Clone)]
pub(super) enum State {
    Waiting,
    /// Started, or between two steps: the step that ended with its combination, none before the first of a round.
    Between(Option<Closed>),
    Open(Open),
    /// Closed: payloads wait to be combined.
    Closed(Closed),
    Done(Blob),
    Failed(Failure),
}

impl Progress {
    /// A job that waits for its turn.
    pub(super) fn new(id: JobId, (spec, job): (JobSpec, Job), sizes: Sizes, submitted_ms: u64) -> Self {
        let values = (job.kind().key() == KeyUse::Rounds).then(|| spec.input(None));
        Self {
            id,
            spec,
            job,
            values,
            sizes,
            submitted_ms,
            ended_ms: None,
            state: State::Waiting,
            version: 0,
            round: 0,
            input: None,
            grounds: None,
            opening: None,
            target: None,
            bundles: Vec::new(),
            output: None,
            evaluation_keys: None,
            asked: false,
            reserved: 0,
            pairs: Arc::default(),
            line: None,
            voiding: None,
            sum: None,
            missing: Vec::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// What its kind does.
    pub(super) fn kind(&self) -> &dyn Kind {
        self.job.kind()
    }

    /// Blobs of the round of a sum at work.
    pub(super) fn sum_blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        self.sum.iter().flat_map(SumProgress::blobs)
    }

    /// Whether it asks an encrypted head.
    pub(super) fn is_question(&self) -> bool {
        matches!(self.kind().basis(), Basis::Head(_))
    }

    /// Everybody's answer to a phase of the ceremony that `step` is of, in the sites' order.
    pub(super) fn answers(&self, phase: Phase, step: Step) -> Vec<SignedHeader> {
        let at = Step { phase, ..step };
        let of = |((step, _), record): (&(Step, SiteId), &Record)| match &record.body.event {
            Event::Accepted { answer } if *step == at => Some(answer.clone()),
            _ => None,
        };
        self.receipts.iter().filter_map(of).collect()
    }

    /// What everybody said before anything of an inference key was revealed.
    pub(super) fn promised(&self, step: Step) -> Promised {
        Promised { string: self.string(step), promises: self.answers(Phase::Promise, step) }
    }

    /// The common string of an inference ceremony.
    pub(super) fn string(&self, step: Step) -> Digest {
        common_string(&self.answers(Phase::Commit, step))
    }

    /// The open step, if one is.
    pub(super) fn open(&self) -> Option<&Open> {
        match &self.state {
            State::Open(open) => Some(open),
            _ => None,
        }
    }

    /// Whether the job has ended, well or not.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Done(_) | State::Failed(_))
    }
}
