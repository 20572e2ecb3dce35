//! Changes of the roster on their way: proposed by an administrator, approved by people at the sites, signed by the sites between two
//! jobs. The coordinator decides nothing of it: every word is a site's, and the next version follows from their signatures.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Coordinator;
use crate::sums::Epoch;
use crate::{Change, Error, Event, Proposal, Refusal, RosterView, Says, SignedChange, SiteId, Word};
use blindscope_wire::Digest;

/// Bytes of changes that are shown at a time.
const SHOWN: usize = 768 << 10;
/// Words of people that are taken of one site on one change: each is a record for good, and nobody changes their mind more often.
const MOST_WORDS: u32 = 16;

/// A change on its way, the version that it makes, and how often each site has said something of it.
#[derive(Debug, Clone)]
pub(super) struct OnItsWay {
    shown: Proposal,
    next: Epoch,
    said: BTreeMap<SiteId, u32>,
}

impl OnItsWay {
    fn new(change: &Change, old: &Epoch) -> crate::Result<Self> {
        let next = change.next(old)?;
        Ok(Self { shown: Proposal::new(change.clone()), next, said: BTreeMap::new() })
    }

    fn take(&mut self, word: &Word) {
        if word.says != Says::Sign {
            *self.said.entry(word.site).or_default() += 1;
        }
        self.shown.take(word.clone());
    }

    /// Judges a word of people, once it is known whose it is; whether it was said before, too.
    fn admit(&self, word: &Word, approved: bool) -> Result<bool, Refusal> {
        if self.shown.said(word.site) == Some(word.says) {
            return Ok(true);
        }
        // Sites may have signed on the strength of what was approved.
        if approved && word.says == Says::Refuse {
            return Err(Refusal::ChangeApproved);
        }
        let said = self.said.get(&word.site).copied().unwrap_or(0);
        if said < MOST_WORDS { Ok(false) } else { Err(Refusal::ManyWords { most: u64::from(MOST_WORDS) }) }
    }
}

fn refuse(error: &Error) -> Refusal {
    Refusal::Change { reason: error.to_string() }
}

impl Coordinator {
    /// Judges a change that is proposed: it follows from the roster in force, and none that a quorum approves is on its way.
    pub(crate) fn admit_change(&self, change: &Change) -> Result<(), Refusal> {
        let next = self.study.epoch().and_then(|old| change.next(&old));
        next.and_then(|next| self.study.check_next(&next)).map_err(|e| refuse(&e))?;
        if self.is_approved() && !self.is_on_its_way(change) {
            return Err(Refusal::ChangeApproved);
        }
        Ok(())
    }

    /// Whether it is this change that is on its way.
    pub(super) fn is_on_its_way(&self, change: &Change) -> bool {
        self.proposal.as_ref().is_some_and(|p| p.shown.change == *change)
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
        let (site, next) = (word.site, &proposal.next);
        if word.next != next.digest() {
            return Err(Refusal::OtherChange { expected: next.digest(), found: word.next });
        }
        let old = self.study.epoch().map_err(|e| refuse(&e))?;
        if old.member(site).is_none() {
            return Err(Refusal::ForeignSite { site, sites: self.study.members().len() as u32 });
        }
        if !word.is_of(&old, next) {
            return Err(Refusal::Signature { site });
        }
        if word.says == Says::Sign {
            let signed = proposal.shown.has_signed(site);
            return if signed || self.asks_to_sign() { Ok(signed) } else { Err(Refusal::NotSigning) };
        }
        proposal.admit(word, self.is_approved())
    }

    /// Whether a quorum approves the change on its way: it is carried out, and no job is taken before. Each word was held against its
    /// signature when it was folded in.
    pub fn is_approved(&self) -> bool {
        self.proposal.as_ref().is_some_and(|p| p.shown.approvals() >= self.study.agreement())
    }

    /// Whether sites are asked to sign the change: rounds that began end under the roster that they began under.
    fn asks_to_sign(&self) -> bool {
        self.is_idle() && self.is_approved()
    }

    /// The change, if a quorum has signed it and no job stands in its way.
    pub(crate) fn changes(&self) -> Option<Event> {
        let proposal = self.proposal.as_ref().filter(|_| self.is_idle())?;
        if (proposal.shown.signatures.len() as u32) < self.study.agreement() {
            return None;
        }
        let next = &proposal.next;
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
            proposal: self.proposal.as_ref().map(|p| p.shown.clone()),
            signing: self.asks_to_sign(),
        }
    }

    /// Every change so far, oldest first.
    pub fn history(&self) -> &[SignedChange] {
        &self.changes
    }

    /// Whether a site has something to see to: a change that it has not said a word on, or has to sign. `seen` is the version that it has
    /// looked at already and has nothing more to say on now.
    pub fn awaits_word(&self, site: SiteId, seen: Option<&Digest>) -> bool {
        let Some(proposal) = &self.proposal else { return false };
        if self.study.place(site).is_none() || seen == Some(&proposal.next.digest()) {
            return false;
        }
        match proposal.shown.said(site) {
            None => true,
            // Who refuses is asked for no signature.
            Some(Says::Refuse) => false,
            Some(_) => self.asks_to_sign() && !proposal.shown.has_signed(site),
        }
    }

    /// Folds in what happens to the roster.
    pub(super) fn fold_roster(&mut self, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::Proposed { change } => {
                self.admit_change(change)
                    .map_err(|_| "the change does not follow from the roster in force")?;
                if !self.is_on_its_way(change) {
                    let new = self.study.epoch().and_then(|old| OnItsWay::new(change, &old));
                    self.proposal = Some(Arc::new(new.map_err(|_: Error| "the change does not follow")?));
                }
            }
            Event::Withdrawn => {
                self.admit_withdrawal().map_err(|_| "no change is there that could be withdrawn")?;
                self.proposal = None;
            }
            Event::Said { word } => {
                let fresh = self.admit_word(word).is_ok_and(|known| !known);
                let proposal = self.proposal.as_mut().filter(|_| fresh);
                Arc::make_mut(proposal.ok_or("the word is on no change that is on its way")?).take(word);
            }
            Event::Changed { version, roster } => self.change(*version, roster)?,
            _ => {}
        }
        Ok(())
    }

    /// The next version stands. What was of the one before alone goes with it: pair keys, and the inference key, of which its sites
    /// hold the shares.
    fn change(&mut self, version: u64, roster: &Digest) -> Result<(), &'static str> {
        let expected = Event::Changed { version, roster: *roster };
        let proposal = self.proposal.clone().ok_or("no change is on its way")?;
        if self.changes() != Some(expected) {
            return Err(
                "the roster's next version is not signed by a quorum of the one before, or a job stands in its way",
            );
        }
        let signed = proposal.shown.signed();
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
