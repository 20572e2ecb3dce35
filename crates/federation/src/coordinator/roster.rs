//! Changes of the roster on their way: proposed by an administrator, approved by people at the sites, signed by the sites between two
//! jobs. The coordinator decides nothing of it: every word is a site's, and the next version follows from their signatures.

use std::sync::Arc;

use super::Coordinator;
use crate::{Change, Error, Event, Proposal, Refusal, RosterView, Says, SignedChange, SiteId, Word};

/// Bytes of changes that are shown at a time.
const SHOWN: usize = 768 << 10;

fn refuse(error: &Error) -> Refusal {
    Refusal::Change { reason: error.to_string() }
}

impl Coordinator {
    /// Judges a change that is proposed: it follows from the roster in force, and none that a quorum approves is on its way.
    pub(crate) fn admit_change(&self, change: &Change) -> Result<(), Refusal> {
        let next = self.study.epoch().and_then(|old| change.next(&old));
        next.and_then(|next| self.study.check_next(&next)).map_err(|e| refuse(&e))?;
        if self.is_approved() && self.proposal.as_ref().is_some_and(|p| p.change != *change) {
            return Err(Refusal::ChangeApproved);
        }
        Ok(())
    }

    /// Judges whether the change on its way may be withdrawn.
    pub(crate) fn admit_withdrawal(&self) -> Result<(), Refusal> {
        match &self.proposal {
            None => Err(Refusal::NoChange),
            Some(_) if self.is_approved() => Err(Refusal::ChangeApproved),
            Some(_) => Ok(()),
        }
    }

    /// Judges a word on the change on its way; whether it was said before, too.
    pub(crate) fn admit_word(&self, word: &Word) -> Result<bool, Refusal> {
        let proposal = self.proposal.as_ref().ok_or(Refusal::NoChange)?;
        let old = self.study.epoch().map_err(|e| refuse(&e))?;
        let next = proposal.change.next(&old).map_err(|e| refuse(&e))?;
        let site = word.site;
        if old.member(site).is_none() {
            return Err(Refusal::ForeignSite { site, sites: self.study.members().len() as u32 });
        }
        if word.next != next.digest() {
            return Err(Refusal::OtherChange { expected: next.digest(), found: word.next });
        }
        if !word.is_of(&old, &next) {
            return Err(Refusal::Signature { site });
        }
        if word.says == Says::Sign {
            let ready = self.asks_to_sign() || proposal.has_signed(site);
            return if ready { Ok(proposal.has_signed(site)) } else { Err(Refusal::NotSigning) };
        }
        if proposal.said(site) == Some(word.says) {
            return Ok(true);
        }
        // Sites may have signed on the strength of what was approved.
        if self.is_approved() && word.says == Says::Refuse { Err(Refusal::ChangeApproved) } else { Ok(false) }
    }

    /// Whether a quorum approves the change on its way: it is carried out, and no job is taken before. Each word was held against its
    /// signature when it was folded in.
    pub fn is_approved(&self) -> bool {
        self.proposal.as_ref().is_some_and(|p| p.approvals() >= self.study.agreement())
    }

    /// Whether sites are asked to sign the change: rounds that began end under the roster that they began under.
    fn asks_to_sign(&self) -> bool {
        self.is_idle() && self.is_approved()
    }

    /// The change, if a quorum has signed it and no job stands in its way.
    pub(crate) fn changes(&self) -> Option<Event> {
        let proposal = self.proposal.as_ref().filter(|_| self.is_idle())?;
        if (proposal.signatures.len() as u32) < self.study.agreement() {
            return None;
        }
        let next = proposal.change.next(&self.study.epoch().ok()?).ok()?;
        Some(Event::Changed { version: next.literal().version, roster: next.digest() })
    }

    /// What a site, an administrator or an asker is shown of the roster, from a version on.
    pub fn roster(&self, from: u64) -> RosterView {
        let (version, roster) = (self.study.version(), self.study.epoch().map(|e| e.digest()));
        let later = usize::try_from(from).ok().and_then(|from| self.changes.get(from..));
        let mut shown = 0;
        let fits = |change: &&SignedChange| {
            let before = shown;
            shown += change.to_line().len();
            before == 0 || shown <= SHOWN
        };
        RosterView {
            version,
            roster: roster.unwrap_or_else(|_| self.study.digest()),
            changes: later.unwrap_or_default().iter().take_while(fits).cloned().collect(),
            proposal: self.proposal.as_deref().cloned(),
            signing: self.asks_to_sign(),
        }
    }

    /// Every change so far, oldest first.
    pub fn history(&self) -> &[SignedChange] {
        &self.changes
    }

    /// Whether a site has something to see to: a change that it has not said a word on, or has to sign.
    pub fn awaits_word(&self, site: SiteId) -> bool {
        let Some(proposal) = &self.proposal else { return false };
        self.study.place(site).is_some()
            && (proposal.said(site).is_none() || (self.asks_to_sign() && !proposal.has_signed(site)))
    }

    /// Folds in what happens to the roster.
    pub(super) fn fold_roster(&mut self, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::Proposed { change } => {
                self.admit_change(change)
                    .map_err(|_| "the change does not follow from the roster in force")?;
                if self.proposal.as_ref().is_none_or(|p| p.change != *change) {
                    self.proposal = Some(Arc::new(Proposal::new(change.clone())));
                }
            }
            Event::Withdrawn => {
                self.admit_withdrawal().map_err(|_| "no change is there that could be withdrawn")?;
                self.proposal = None;
            }
            Event::Said { word } => {
                let fresh = self.admit_word(word).is_ok_and(|known| !known);
                let proposal = self.proposal.as_mut().filter(|_| fresh);
                Arc::make_mut(proposal.ok_or("the word is on no change that is on its way")?)
                    .take(word.clone());
            }
            Event::Changed { version, roster } => self.change(*version, roster)?,
            _ => {}
        }
        Ok(())
    }

    /// The next version stands. What was of the one before alone goes with it: pair keys, and the inference key, of which its sites
    /// hold the shares.
    fn change(&mut self, version: u64, roster: &blindscope_wire::Digest) -> Result<(), &'static str> {
        let expected = Event::Changed { version, roster: *roster };
        let proposal = self.proposal.clone().ok_or("no change is on its way")?;
        if self.changes() != Some(expected) {
            return Err(
                "the roster's next version is not signed by a quorum of the one before, or a job stands in its way",
            );
        }
        let signed = proposal.signed();
        self.study = self.study.succeeded(&signed).map_err(|_: Error| "the change does not follow")?;
        Arc::make_mut(&mut self.changes).push(signed);
        self.proposal = None;
        self.pairs = Arc::default();
        self.inference = None;
        Ok(())
    }

    /// Refuses jobs while an approved change waits: they would be of the roster before.
    pub(super) fn refuse_while_changing(&self) -> Result<(), Refusal> {
        if self.is_approved() { Err(Refusal::RosterChanges) } else { Ok(()) }
    }
}
