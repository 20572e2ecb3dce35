//! Committees whose answers did not open, as an asker remembers them: whom it asks to leave out next time.
//!
//! Nothing tells which member of a committee gave a wrong share, only that one did. Where one site deviates it is in every committee that
//! failed, whatever it does in others; so committees are chosen to tell those apart who were in all of them. What an asker
//! says of sites counts for its own questions alone: one that lies leaves nobody out of another's.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::kit::Kit;
use blindscope_federation::{SiteId, Study};

/// Most committees that are remembered, the newest.
const MOST: usize = 32;
/// Longest file.
const MAX: u64 = 1 << 20;
const FILE: &str = "doubts.json";
/// Most steps of a search for who explains the failures.
const SEARCH: usize = 1 << 14;

/// Committees whose answers did not open, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Doubts {
    failed: Vec<Vec<SiteId>>,
}

impl Doubts {
    /// What the asker of a kit remembers; nothing where it never doubted.
    pub(super) fn of(kit: &Kit) -> Result<Self> {
        let path = kit.state().join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = files::read(&path, MAX)?;
        serde_json::from_slice(&text).map_err(|e| Error::Settings { path, reason: e.to_string() })
    }

    /// Remembers them.
    pub(super) fn keep(&self, kit: &Kit) -> Result<()> {
        files::folder(&kit.state())?;
        let text = serde_json::to_vec(self)
            .map_err(|e| Error::Document { call: "remember doubts", reason: e.to_string() })?;
        files::write(&kit.state().join(FILE), &text)
    }

    /// A committee's answer did not open.
    pub(super) fn failed(&mut self, committee: Vec<SiteId>) {
        if self.failed.len() >= MOST {
            self.failed.remove(0);
        }
        self.failed.push(committee);
    }

    /// Of these holders whom to leave out of a committee of `threshold`: as few as explain every failure, that is, of whom each failed
    /// committee has one. The next committee is then another than all before, so that who deviates is left out in the end.
    pub(super) fn avoided(&self, holders: &[SiteId], threshold: usize) -> Vec<SiteId> {
        let most = holders.len().saturating_sub(threshold);
        let failures = |site: &SiteId| self.failed.iter().filter(|sites| sites.contains(site)).count();
        let mut doubted: Vec<SiteId> = holders.iter().copied().filter(|site| failures(site) > 0).collect();
        doubted.sort_by_key(|site| std::cmp::Reverse(failures(site)));
        let explained = (1..=most).find_map(|size| {
            let mut chosen = Vec::with_capacity(size);
            self.explain(&doubted, size, &mut chosen, &mut { SEARCH }).then_some(chosen)
        });
        // Where nothing explains them within the search, those who were in the most.
        let mut avoided = explained.unwrap_or_else(|| doubted.into_iter().take(most).collect());
        avoided.sort_unstable();
        avoided
    }

    /// Looks for `size` more sites of whom every failed committee has one, the most doubted first.
    fn explain(&self, doubted: &[SiteId], size: usize, chosen: &mut Vec<SiteId>, search: &mut usize) -> bool {
        let open = self.failed.iter().find(|sites| !sites.iter().any(|site| chosen.contains(site)));
        let Some(open) = open else { return !chosen.is_empty() };
        if size == 0 || *search == 0 {
            return false;
        }
        *search -= 1;
        for site in doubted.iter().filter(|site| open.contains(site)) {
            chosen.push(*site);
            if self.explain(doubted, size - 1, chosen, search) {
                return true;
            }
            chosen.pop();
        }
        false
    }

    /// In words who may have given wrong shares, by the last `made` committees.
    pub(super) fn in_words(&self, study: &Study, made: usize) -> String {
        let name = |site: &SiteId| study.site(*site).map_or_else(|| site.to_string(), |e| e.name.clone());
        let names = |sites: &[SiteId]| sites.iter().map(name).collect::<Vec<_>>().join(" and ");
        let last = self.failed.get(self.failed.len().saturating_sub(made)..).unwrap_or_default();
        let committees: Vec<String> = last.iter().map(|sites| names(sites)).collect();
        let in_all: Vec<SiteId> = last.first().map_or_else(Vec::new, |first| {
            first.iter().copied().filter(|site| last.iter().all(|sites| sites.contains(site))).collect()
        });
        let verdict = match &in_all[..] {
            [] => "no site is in all of them, so more than one deviates, or the coordinator does".to_owned(),
            [one] => format!("{} is in all of them", name(one)),
            more => format!("one of {} gave a wrong share", names(more)),
        };
        format!("its shares were signed by {}: {verdict}", committees.join(", then by "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(numbers: &[u16]) -> Vec<SiteId> {
        numbers.iter().copied().map(SiteId).collect()
    }

    /// Committees of the first `threshold` holders that are not avoided, until one is without the site that deviates.
    fn tries(holders: &[u16], threshold: usize, deviates: &[u16]) -> Doubts {
        let (mut doubts, holders) = (Doubts::default(), sites(holders));
        for _ in 0..64 {
            let avoided = doubts.avoided(&holders, threshold);
            let committee: Vec<SiteId> =
                holders.iter().copied().filter(|s| !avoided.contains(s)).take(threshold).collect();
            assert_eq!(committee.len(), threshold);
            if !committee.iter().any(|site| deviates.contains(&site.0)) {
                return doubts;
            }
            doubts.failed(committee);
        }
        panic!("{deviates:?} are in every committee");
    }

    #[test]
    fn whoever_deviates_is_left_out_in_the_end() {
        for deviates in 0..3 {
            assert!(tries(&[0, 1, 2], 2, &[deviates]).failed.len() <= 2);
        }
        for deviates in 0..5 {
            assert!(tries(&[0, 1, 2, 3, 4], 3, &[deviates]).failed.len() <= 3, "{deviates}");
        }
        for (one, other) in [(0, 1), (0, 4), (1, 3), (2, 3)] {
            assert!(tries(&[0, 1, 2, 3, 4], 3, &[one, other]).failed.len() <= 8, "{one} {other}");
        }
    }

    #[test]
    fn a_site_that_was_in_none_is_never_left_out() {
        let mut doubts = Doubts::default();
        assert!(doubts.avoided(&sites(&[0, 1, 2]), 2).is_empty());
        doubts.failed(sites(&[0, 2]));
        assert!(!doubts.avoided(&sites(&[0, 1, 2]), 2).contains(&SiteId(1)));
        // Where all are needed, all are asked.
        assert!(doubts.avoided(&sites(&[0, 2]), 2).is_empty());
        for _ in 0..100 {
            doubts.failed(sites(&[0, 1]));
        }
        assert_eq!(doubts.failed.len(), MOST);
    }
}
