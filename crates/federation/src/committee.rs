//! Who holds parts of the keys of sums: all sites, or some that the study names.
//!
//! With many sites it is some: what a site uploads, what a holder is given and what is signed grow with the holders. Only holders' signatures
//! settle a set then, `⌊(m + f)/2⌋ + 1` of them; sites that do not hold upload, and of large sums sign the value of their own upload.

use crate::study::require;
use crate::sums::Member;
use crate::{Result, SiteId, Study, StudyLiteral};

impl StudyLiteral {
    /// Holders by rising number.
    pub(crate) fn holding(&self, members: &[Member]) -> Vec<SiteId> {
        let holds = |m: &&Member| self.holders.is_empty() || self.holders.contains(&m.entry.name);
        members.iter().filter(holds).map(|m| m.site).collect()
    }

    /// Refuses holders that are no sites, or fewer than open.
    pub(crate) fn check_holders(&self) -> Result<()> {
        for (at, name) in self.holders.iter().enumerate() {
            let known = self.sites.iter().any(|site| site.name == *name);
            let fine = known && !self.holders.iter().take(at).any(|other| other == name);
            require(fine, "holders", name, "names of sites, each once")?;
        }
        let (found, least) = (self.holders.len(), self.threshold.max(2) as usize);
        require(found == 0 || found >= least, "holders", found, "as many as the threshold, and two at least")
    }
}

impl Study {
    /// The sites that hold parts of the keys of sums, by rising number.
    pub fn holders(&self) -> Vec<SiteId> {
        self.epoch().map_or_else(|_| self.sites().collect(), |epoch| epoch.literal().holders.clone())
    }

    /// A site's place among the holders, from 0; none of a site that does not hold.
    pub(crate) fn holding_place(&self, site: SiteId) -> Option<usize> {
        self.epoch().map_or_else(|_| self.place(site), |epoch| epoch.holder(site).map(|place| place as usize))
    }

    /// Whether only some sites hold.
    pub fn has_committee(&self) -> bool {
        self.holders().len() < self.members().len()
    }

    /// Whether a site's signature counts for the set of a sum.
    pub(crate) fn signs(&self, site: SiteId) -> bool {
        self.holding_place(site).is_some()
    }

    /// Signatures that settle the set of a sum.
    pub(crate) fn set_quorum(&self) -> u32 {
        if self.has_committee() {
            (self.holders().len() as u32).midpoint(self.literal().colluders()) + 1
        } else {
            self.agreement()
        }
    }

    /// Declarations that make a round of sums void: `m − t + f + 1`.
    pub(crate) fn void_quorum(&self) -> u32 {
        let literal = self.literal();
        self.holders().len() as u32 - literal.threshold + literal.colluders() + 1
    }
}
