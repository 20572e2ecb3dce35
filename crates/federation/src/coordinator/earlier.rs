//! Rounds of sums that are over: what a site still has to hear of them before it puts the same values into another one.
//!
//! A site that uploaded in a round goes on with those values once it has seen of which set the round was, or that it is void. Nobody but
//! the site knows whether it uploaded: its upload may have come late, or never left. So it is told of every round that it was asked in
//! and did not decline, a bounded number at a time, and of each until it has said something that it stored together with it. An
//! honest site has one upload of an input at most whose end it does not know, so few rounds are enough: the one in which it was last
//! heard, then the newest and the oldest.

use std::collections::BTreeSet;

use crate::job::MOST_TOLD;
use crate::{Blob, JobId, SettledProof, SiteId};

/// The rounds of one input that are over.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// Those that somebody has to hear of, oldest first.
    rounds: Vec<Past>,
    /// Sets of rounds that everybody knows of.
    sets: BTreeSet<Vec<SiteId>>,
}

/// A round of a sum that is over.
#[derive(Debug, Clone)]
pub(super) struct Past {
    /// Its job and number.
    pub(super) at: (JobId, u64),
    /// The roster's version that it was of.
    pub(super) version: u64,
    /// The set that a quorum has signed, and their signatures.
    pub(super) settled: Option<(Vec<SiteId>, SettledProof)>,
    /// Whether the job failed in it: holders may declare it void.
    pub(super) failed: bool,
    /// The declarations, once they are enough.
    pub(super) void: Option<Blob>,
    /// Sites whose upload was accepted.
    pub(super) uploaded: BTreeSet<SiteId>,
    /// Sites that know how it ended, or never put anything into it.
    pub(super) told: BTreeSet<SiteId>,
}

impl Past {
    /// The set that it is opened over, if at all.
    fn set(&self) -> Option<&Vec<SiteId>> {
        self.settled.as_ref().map(|(sites, _)| sites).filter(|_| self.void.is_none())
    }

    /// Whether there is something to show of its end.
    fn has_ended(&self) -> bool {
        self.void.is_some() || self.settled.is_some()
    }

    /// Blobs that show how it ended.
    fn blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        self.void.into_iter().chain(self.settled.iter().flat_map(|(_, proof)| proof.blobs()))
    }
}

impl Earlier {
    /// Adds a round of a study of these sites.
    pub(super) fn add(&mut self, past: Past, sites: &[SiteId]) {
        self.rounds.push(past);
        self.forget(sites);
    }

    /// Rounds under this version that failed and are not void yet, oldest first. Those of an earlier one stay as they are: their
    /// holders may have left.
    pub(super) fn to_void(&self, version: u64) -> Vec<(JobId, u64)> {
        self.rounds
            .iter()
            .filter(|p| p.version == version && p.failed && p.void.is_none())
            .map(|p| p.at)
            .collect()
    }

    /// A round was declared void by enough holders.
    pub(super) fn voided(&mut self, at: (JobId, u64), declared: Blob) {
        if let Some(past) = self.rounds.iter_mut().find(|p| p.at == at) {
            past.void = Some(declared);
        }
    }

    /// The sets that rounds are opened over: a site of one is in no other.
    pub(super) fn sets(&self) -> Vec<Vec<SiteId>> {
        let mut sets = self.sets.clone();
        sets.extend(self.rounds.iter().filter_map(Past::set).cloned());
        sets.into_iter().collect()
    }

    /// What a site is told of next, oldest first: at most [`MOST_TOLD`] rounds.
    pub(super) fn untold(&self, site: SiteId) -> Vec<&Past> {
        let concerns = |p: &&Past| p.has_ended() && !p.told.contains(&site);
        let all: Vec<(usize, &Past)> = self.rounds.iter().enumerate().filter(|(_, p)| concerns(p)).collect();
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, p)| p.uploaded.contains(&site));
        let mut chosen: Vec<_> = own.into_iter().rev().take(MOST_TOLD).collect();
        let newest = others.len().saturating_sub((MOST_TOLD - chosen.len()) / 2);
        let (old, new) = others.split_at(newest);
        chosen.extend_from_slice(new);
        chosen.extend(old.iter().take(MOST_TOLD - chosen.len()));
        chosen.sort_unstable_by_key(|(place, _)| *place);
        chosen.into_iter().map(|(_, past)| past).collect()
    }

    /// A site has stored what it was told in a task.
    pub(super) fn tell(&mut self, site: SiteId, sites: &[SiteId]) {
        let told: Vec<_> = self.untold(site).iter().map(|p| p.at).collect();
        for past in self.rounds.iter_mut().filter(|p| told.contains(&p.at)) {
            past.told.insert(site);
        }
        self.forget(sites);
    }

    /// Blobs that somebody still has to be shown.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Blob> + '_ {
        self.rounds.iter().flat_map(Past::blobs)
    }

    /// Lets go of what everybody knows, but for the sets.
    fn forget(&mut self, sites: &[SiteId]) {
        let sets = &mut self.sets;
        self.rounds.retain(|past| {
            let known = sites.iter().all(|site| past.told.contains(site));
            if known {
                sets.extend(past.set().cloned());
            }
            !known
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscope_wire::Digest;

    const ALL: [SiteId; 3] = [SiteId(0), SiteId(1), SiteId(2)];

    fn past(number: u64, told: &[u16], uploaded: &[u16]) -> Past {
        let blob = |k: u64| Blob::of(&(2 * number + k).to_le_bytes());
        let proof = SettledProof { commitment: blob(0), agreements: blob(1), vouches: None };
        let of = |sites: &[u16]| sites.iter().copied().map(SiteId).collect();
        Past {
            at: (JobId(Digest([1; 32])), number),
            version: 0,
            settled: Some((vec![SiteId(0), SiteId(1)], proof)),
            failed: false,
            void: None,
            uploaded: of(uploaded),
            told: of(told),
        }
    }

    fn numbers(earlier: &Earlier, site: u16) -> Vec<u64> {
        earlier.untold(SiteId(site)).iter().map(|p| p.at.1).collect()
    }

    #[test]
    fn a_site_is_told_of_a_bounded_number_and_of_all_in_the_end() {
        let mut earlier = Earlier::default();
        for number in 0..1000 {
            earlier.add(past(number, &[0, 1], if number == 500 { &[0, 1, 2] } else { &[0, 1] }), &ALL);
        }
        let first = numbers(&earlier, 2);
        assert_eq!(first.len(), MOST_TOLD);
        assert!([0, 500, 999].iter().all(|k| first.contains(k)), "{first:?}");
        let (mut seen, mut tasks) = (BTreeSet::new(), 0);
        while !numbers(&earlier, 2).is_empty() {
            seen.extend(numbers(&earlier, 2));
            earlier.tell(SiteId(2), &ALL);
            tasks += 1;
        }
        assert_eq!((seen.len(), tasks), (1000, 1000_usize.div_ceil(MOST_TOLD)));
        assert_eq!(earlier.blobs().count(), 0, "nothing is kept that everybody knows");
        assert_eq!(earlier.sets(), [vec![SiteId(0), SiteId(1)]], "but for the set");
    }

    #[test]
    fn a_round_that_is_neither_settled_nor_void_tells_nothing() {
        let mut earlier = Earlier::default();
        earlier.add(Past { settled: None, failed: true, ..past(0, &[2], &[]) }, &ALL);
        assert!(numbers(&earlier, 0).is_empty());
        assert_eq!(earlier.to_void(0), [(JobId(Digest([1; 32])), 0)]);
        assert!(earlier.to_void(1).is_empty(), "under another roster nobody is asked");
        earlier.voided((JobId(Digest([1; 32])), 0), Blob::of(b"declared"));
        assert_eq!((numbers(&earlier, 0), numbers(&earlier, 2)), (vec![0], vec![]));
        assert!(earlier.to_void(0).is_empty() && earlier.sets().is_empty());
    }
}
