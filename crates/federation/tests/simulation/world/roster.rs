//! Sites that come and go: who proposes a change, and what a site does with one.

use super::{Compute, Fixture, Message, World};
use blindscope_federation::{Change, RosterView, SiteEntry, SiteId, Study};

impl<C: Compute> World<'_, C> {
    /// Proposes a change until it stands.
    pub(super) fn propose(&mut self, k: u16) {
        let Some(study) = self.coordinator.as_ref().map(|c| c.study().clone()) else { return };
        if study.version() > u64::from(k) {
            self.pending.remove(0);
            return;
        }
        let change = change(self.fixture, &study, k);
        self.send(|| Message::Propose(Box::new(change.clone())));
    }

    /// Learns what is signed, says its word on what is on its way, and signs what a quorum approves.
    pub(super) fn receive_roster(&mut self, site: SiteId, view: &RosterView) {
        let at = usize::from(site.0);
        for change in &view.changes {
            let Some(up) = self.sites[at].up.as_ref() else { return };
            if up.study().succeeded(change).is_err() {
                continue;
            }
            let before = self.crashes();
            if !before {
                self.sites[at].history.push(change.clone());
                self.sites[at].up.as_mut().unwrap().succeed(change).unwrap();
            }
            if before || self.crashes() {
                self.sites[at].up = None;
                return;
            }
        }
        let Some(up) = self.sites[at].up.as_ref().filter(|up| up.study().version() == view.version) else {
            return;
        };
        let identity = &self.fixture.sites[at];
        let Some(proposal) = view.proposal.as_ref().filter(|_| up.is_member(&identity.public())) else {
            return;
        };
        if proposal.said(site).is_none() {
            let Ok(word) = up.word(&proposal.change, true, identity) else { return };
            self.send(|| Message::Word(Box::new(word.clone())));
        }
        if view.signing && !proposal.has_signed(site) {
            let Ok(mark) = self.sites[at].up.as_ref().unwrap().judge_change(proposal) else { return };
            if !self.mark(site, mark.as_slice()) {
                return;
            }
            let word = self.sites[at].up.as_ref().unwrap().sign(&proposal.change, identity).unwrap();
            self.send(|| Message::Word(Box::new(word.clone())));
        }
    }

    /// The version of the roster that a site knows, by its disk.
    pub(crate) fn known(&self, site: SiteId) -> usize {
        self.sites[usize::from(site.0)].history.len()
    }
}

/// In change `k` site `k` leaves and the next one joins that the fixture has keys of.
fn change(fixture: &Fixture, study: &Study, k: u16) -> Change {
    let new = fixture.study.members().len() + usize::from(k);
    let entry = SiteEntry {
        name: format!("site-{new}"),
        identity: fixture.sites[new].public(),
        sealing: fixture.sealing[new].public(),
    };
    let from = study.epoch().unwrap().digest();
    Change { study: study.digest(), from, joins: vec![entry], leaves: vec![SiteId(k)], replaces: Vec::new() }
}
