//! Changes of a study's roster, as a test makes them.

use super::{Desk, Fixture, fixture_for};
use blindscope_federation::{
    Change, Event, IdentityKey, Input, Record, Refusal, Result, Says, SealingKey, SiteEntry, SiteId, Study,
    Verified, Word, verify,
};

/// Keys of somebody who is not of the study.
pub(crate) fn keys(seed: u8) -> (IdentityKey, SealingKey) {
    (IdentityKey::from_bytes(&[seed; 32]), SealingKey::from_bytes(&[seed; 32]))
}

pub(crate) fn entry(name: &str, (identity, sealing): &(IdentityKey, SealingKey)) -> SiteEntry {
    SiteEntry { name: name.to_owned(), identity: identity.public(), sealing: sealing.public() }
}

/// A change that says nothing yet.
pub(crate) fn change(study: &Study) -> Change {
    let from = study.epoch().unwrap().digest();
    Change { study: study.digest(), from, joins: Vec::new(), leaves: Vec::new(), replaces: Vec::new() }
}

/// Four sites, of which any three agree; number 4 is the key of who may join.
pub(crate) fn four() -> Fixture {
    let mut fixture = fixture_for(1000, 4, 2, 3, 5);
    fixture.sites.push(keys(40).0);
    fixture
}

pub(crate) fn joining(study: &Study) -> Change {
    Change { joins: vec![entry("late", &keys(40))], ..change(study) }
}

/// A site's word with whatever key.
pub(crate) fn word(desk: &Desk<'_>, says: Says, site: u16, change: &Change, signer: &IdentityKey) -> Word {
    let old = desk.coordinator.study().epoch().unwrap();
    Word::say(says, SiteId(site), (&old, &change.next(&old).unwrap()), signer)
}

pub(crate) fn say(
    desk: &mut Desk<'_>,
    says: Says,
    site: u16,
    change: &Change,
) -> std::result::Result<(), Refusal> {
    let word = word(desk, says, site, change, &desk.fixture.sites[usize::from(site)]);
    desk.handle(Input::Word(word)).map(|_| ())
}

pub(crate) fn propose(desk: &mut Desk<'_>, change: &Change) {
    desk.handle(Input::Propose(Box::new(change.clone()))).unwrap();
}

/// The change is approved and signed by these.
pub(crate) fn carry(desk: &mut Desk<'_>, change: &Change, sites: &[u16]) {
    propose(desk, change);
    for says in [Says::Approve, Says::Sign] {
        for &site in sites {
            say(desk, says, site, change).unwrap();
        }
    }
}

/// Whether a log convinces who has the study alone.
pub(crate) fn holds(fixture: &Fixture, log: &[Record]) -> Result<Verified> {
    let lines: Vec<String> = log.iter().map(Record::to_line).collect();
    verify(&fixture.study, lines.iter().map(String::as_bytes), &[])
}

/// What would follow from this change, by its digest.
pub(crate) fn next(study: &Study, change: &Change) -> blindscope_wire::Digest {
    change.next(&study.epoch().unwrap()).unwrap().digest()
}

/// The event that a change stands.
pub(crate) fn stands(study: &Study, change: &Change) -> Event {
    Event::Changed { version: study.version() + 1, roster: next(study, change) }
}
