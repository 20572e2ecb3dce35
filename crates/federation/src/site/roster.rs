//! A site and changes of its roster: it believes no version that a quorum of the one before has not signed, and signs one successor of
//! a version, ever.

use super::{Mark, Site};
use crate::sums::SumRefusal;
use crate::{Change, Proposal, PublicIdentity, Result, Says, SignedChange, Signer, Word};

impl Site {
    /// Goes on under the next version. What was signed is on the site's disk before.
    ///
    /// # Errors
    /// As [`crate::Study::succeeded`]; nothing has changed then.
    pub fn succeed(&mut self, signed: &SignedChange) -> Result<()> {
        self.study = self.study.succeeded(signed)?;
        Ok(())
    }

    /// Whether this site is of the version in force: one that has left, or whose key was replaced, is not.
    pub fn is_member(&self, identity: &PublicIdentity) -> bool {
        self.study.site(self.me).is_some_and(|entry| entry.identity == *identity)
    }

    /// What people here say of a change: a word that binds nobody.
    ///
    /// # Errors
    /// As [`Change::next`].
    pub fn word(&self, change: &Change, approve: bool, signer: &dyn Signer) -> Result<Word> {
        let old = self.study.epoch()?;
        let says = if approve { Says::Approve } else { Says::Refuse };
        Ok(Word::say(says, self.me, (&old, &change.next(&old)?), signer))
    }

    /// Judges whether this site signs a change: a quorum has approved it, and it has signed no other. The mark is on the disk before
    /// the signature exists ([`Self::sign`]); nothing where it is there already.
    ///
    /// Ask with no task in hand, and begin none before the mark is applied: what was judged before it knows nothing of it.
    ///
    /// # Errors
    /// [`SumRefusal::Successor`] where too few approve; as [`Change::next`] and [`crate::sums::SumSite::judge_successor`].
    pub fn judge_change(&self, proposal: &Proposal) -> Result<Option<Mark>> {
        let old = self.study.epoch()?;
        let next = proposal.change.next(&old)?;
        self.study.check_next(&next)?;
        if !proposal.is_approved(&old)? {
            let reason =
                "too few sites approve the change for this one to bind itself to it; wait for their words";
            return Err(SumRefusal::Successor { reason }.into());
        }
        let mark = self.in_sums.judge_successor(&old, &next)?;
        let known = self.in_sums.successor_of(old.literal().version).is_some();
        Ok((!known).then_some(Mark::Sum { mark, openings: 0 }))
    }

    /// The signature on a change whose mark is stored.
    ///
    /// # Errors
    /// [`SumRefusal::Successor`] where the mark is not there; as [`Change::next`].
    pub fn sign(&self, change: &Change, signer: &dyn Signer) -> Result<Word> {
        let old = self.study.epoch()?;
        let next = change.next(&old)?;
        if self.in_sums.successor_of(old.literal().version) != Some(next.digest()) {
            let reason = "the mark of this signature is not stored";
            return Err(SumRefusal::Successor { reason }.into());
        }
        Ok(Word::say(Says::Sign, self.me, (&old, &next), signer))
    }
}
