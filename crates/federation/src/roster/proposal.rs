//! A change on its way, with the words on it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Change, Says, SignedChange, Word};
use crate::sums::Epoch;
use crate::{Result, SiteId};
use blindscope_wire::Digest;

/// A change that was proposed, and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// What would change.
    pub change: Change,
    /// Words of people at the sites, the last of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
    /// Signatures of sites on the next version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Word>,
}

impl Proposal {
    /// A change of which nothing was said.
    pub fn new(change: Change) -> Self {
        Self { change, words: Vec::new(), signatures: Vec::new() }
    }

    /// What a site has said, but for its signature.
    pub fn said(&self, site: SiteId) -> Option<Says> {
        self.words.iter().find(|w| w.site == site).map(|w| w.says)
    }

    /// Whether a site has signed.
    pub fn has_signed(&self, site: SiteId) -> bool {
        self.signatures.iter().any(|w| w.site == site)
    }

    /// Takes a word in, in place of an earlier one of the same site.
    pub(crate) fn take(&mut self, word: Word) {
        let all = if word.says == Says::Sign { &mut self.signatures } else { &mut self.words };
        all.retain(|w| w.site != word.site);
        all.push(word);
        all.sort_by_key(|w| w.site);
    }

    /// The same with those words alone that members of the old version have said of this change, and of each the first that is shown:
    /// what a coordinator shows may be anything.
    ///
    /// # Errors
    /// As [`Change::next`].
    pub fn verified(&self, old: &Epoch) -> Result<Self> {
        let next = self.change.next(old)?;
        let mut verified = Self::new(self.change.clone());
        let (words, signatures) = (&mut verified.words, &mut verified.signatures);
        for (shown, kept, signs) in [(&self.words, words, false), (&self.signatures, signatures, true)] {
            for word in shown.iter().filter(|w| (w.says == Says::Sign) == signs) {
                if kept.iter().all(|k| k.site != word.site) && word.is_of(old, &next) {
                    kept.push(word.clone());
                }
            }
        }
        Ok(verified)
    }

    /// Whether a quorum of the old version's sites approves, by words that are theirs: each site counts once.
    ///
    /// # Errors
    /// As [`Change::next`].
    pub fn is_approved(&self, old: &Epoch) -> Result<bool> {
        let next = self.change.next(old)?;
        let approves = |w: &&Word| w.says == Says::Approve && w.is_of(old, &next);
        let sites: BTreeSet<SiteId> = self.words.iter().filter(approves).map(|w| w.site).collect();
        Ok(sites.len() as u32 >= old.succession_quorum())
    }

    /// Sites that approve, by words that were held against their signatures before.
    pub(crate) fn approvals(&self) -> u32 {
        self.words.iter().filter(|w| w.says == Says::Approve).count() as u32
    }

    /// The change with its signatures.
    pub fn signed(&self) -> SignedChange {
        let signatures = self.signatures.iter().map(|w| (w.site, w.signature)).collect();
        SignedChange { change: self.change.clone(), signatures }
    }
}

/// What the coordinator shows of the roster. Whoever reads it believes nothing of it but what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterView {
    /// The version in force.
    pub version: u64,
    /// Its digest.
    #[serde(with = "crate::text")]
    pub roster: Digest,
    /// Changes after the version that was asked from, oldest first.
    pub changes: Vec<SignedChange>,
    /// A change on its way.
    pub proposal: Option<Proposal>,
    /// Whether sites are asked to sign it: a quorum approves, and no job or question runs or waits.
    pub signing: bool,
}
