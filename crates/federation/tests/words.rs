//! Words on a change of the roster: whose they are, how many there may be, and what people and sites are shown of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Change, Input, JobKind, Member, Proposal, Refusal, Says, SiteId, Word, in_groups, request_digest,
};
use common::roster::{carry, change, entry, four, holds, joining, keys, next, propose, say, word};
use common::{Desk, job};

fn in_words(proposal: &Proposal, desk: &Desk<'_>) -> String {
    proposal.in_words(desk.coordinator.study()).unwrap().join("\n")
}

/// What a coordinator says that sites have said is shown to nobody.
#[test]
fn people_are_shown_what_is_signed_alone() {
    let fixture = four();
    let desk = Desk::new(&fixture);
    let join = joining(&fixture.study);
    let by = |says, site: u16, key: usize| word(&desk, says, site, &join, &fixture.sites[key]);
    let forged = word(&desk, Says::Approve, 1, &join, &fixture.coordinator);
    let mut other = by(Says::Approve, 2, 2);
    other.next = blindscope_wire::Digest([9; 32]);
    let words = vec![
        by(Says::Approve, 0, 0),
        forged,
        other,
        by(Says::Approve, 2, 1),
        by(Says::Sign, 3, 3),
        by(Says::Refuse, 0, 0),
        by(Says::Approve, 4, 4),
    ];
    let shown = Proposal { words, signatures: vec![by(Says::Approve, 1, 1)], ..Proposal::new(join.clone()) };
    let said = in_words(&shown, &desk);
    assert!(said.contains("site-1 has signed") && said.contains("site-2 approves"), "as it is shown: {said}");
    let verified = shown.verified(&fixture.study.epoch().unwrap()).unwrap();
    assert_eq!(verified, Proposal { words: vec![by(Says::Approve, 0, 0)], ..Proposal::new(join) });
    let said = in_words(&verified, &desk);
    for line in
        ["site-0 approves", "site-1 has said nothing", "site-2 has said nothing", "site-3 has said nothing"]
    {
        assert!(said.contains(line), "{said}");
    }
}

/// Each word is a record for good: one site that changes its mind all day fills no log.
#[test]
fn words_of_one_site_are_bounded() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let join = joining(&fixture.study);
    propose(&mut desk, &join);
    let toggle = |desk: &mut Desk<'_>, k: u32| {
        say(desk, if k.is_multiple_of(2) { Says::Approve } else { Says::Refuse }, 0, &join)
    };
    let refused = (0..1000).find_map(|k| toggle(&mut desk, k).err()).unwrap();
    assert!(matches!(refused, Refusal::ManyWords { most: 16 }), "{refused}");
    let records = desk.log.len();
    for k in 0..100 {
        let _ = toggle(&mut desk, k);
    }
    assert_eq!(desk.log.len(), records, "nothing more is written");
    // Others say theirs, and what is proposed anew is a new change to say something of.
    say(&mut desk, Says::Approve, 1, &join).unwrap();
    desk.handle(Input::Withdraw).unwrap();
    carry(&mut desk, &join, &[0, 1, 2]);
    holds(&fixture, &desk.log).unwrap();
}

/// As many as withstand a study's rules approve and never sign: no job is taken meanwhile. Who it is stands there, and any other site
/// that comes round carries the change out.
#[test]
fn who_approves_and_does_not_sign_is_named() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let join = joining(&fixture.study);
    propose(&mut desk, &join);
    say(&mut desk, Says::Refuse, 3, &join).unwrap();
    for site in 0..3 {
        say(&mut desk, Says::Approve, site, &join).unwrap();
    }
    for site in 0..2 {
        say(&mut desk, Says::Sign, site, &join).unwrap();
    }
    let late = Input::Submit { spec: job("late", JobKind::Sum, 1), sizes: common::SIZES };
    assert_eq!(desk.handle(late.clone()).unwrap_err(), Refusal::RosterChanges);
    let said = in_words(&desk.coordinator.roster(0).proposal.unwrap(), &desk);
    assert!(said.contains("site-0 has signed") && said.contains("site-3 refuses"), "{said}");
    assert!(said.contains("site-2 approves, has not signed"), "{said}");
    say(&mut desk, Says::Approve, 3, &join).unwrap();
    say(&mut desk, Says::Sign, 3, &join).unwrap();
    desk.handle(late).unwrap();
    assert_eq!(desk.coordinator.study().version(), 1);
    holds(&fixture, &desk.log).unwrap();
}

/// A site is called to the roster when there is something to say or to sign, and not all the time.
#[test]
fn a_site_is_called_for_a_word_and_for_a_signature() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let join = joining(&fixture.study);
    let (me, seen) = (SiteId(3), next(&fixture.study, &join));
    assert!(!desk.coordinator.awaits_word(me, None));
    propose(&mut desk, &join);
    assert!(desk.coordinator.awaits_word(me, None));
    assert!(!desk.coordinator.awaits_word(me, Some(&seen)), "its people have not said a word yet");
    assert!(desk.coordinator.awaits_word(me, Some(&fixture.study.digest())), "it has seen another change");
    say(&mut desk, Says::Refuse, 3, &join).unwrap();
    for site in 0..3 {
        assert!(desk.coordinator.awaits_word(SiteId(site), None));
        say(&mut desk, Says::Approve, site, &join).unwrap();
    }
    assert!(desk.coordinator.roster(0).signing);
    assert!(!desk.coordinator.awaits_word(me, None), "who refuses signs nothing");
    assert!(desk.coordinator.awaits_word(SiteId(0), None), "who approves does");
    assert!(!desk.coordinator.awaits_word(SiteId(0), Some(&seen)), "once it may");
    say(&mut desk, Says::Sign, 0, &join).unwrap();
    assert!(!desk.coordinator.awaits_word(SiteId(0), None));
    assert!(!desk.coordinator.awaits_word(SiteId(9), None), "a stranger has no word");
}

/// Two sums with one site between them show what it contributes: whoever lets it in is told.
#[test]
fn a_change_says_what_it_lets_be_seen() {
    let fixture = four();
    let desk = Desk::new(&fixture);
    let said = |change: Change| in_words(&Proposal::new(change), &desk);
    let alone = said(joining(&fixture.study));
    assert!(alone.contains("what late alone contributes"), "{alone}");
    let leaves = said(Change { leaves: vec![SiteId(3)], ..change(&fixture.study) });
    assert!(leaves.contains("what site-3 alone contributes"), "{leaves}");
    let two =
        Change { joins: vec![entry("late", &keys(40)), entry("later", &keys(41))], ..change(&fixture.study) };
    let two = said(two);
    assert!(two.contains("what late and later contribute together"), "{two}");
    let replaces = vec![Member { site: SiteId(3), entry: entry("site-3", &keys(50)) }];
    let replaced = said(Change { replaces, ..change(&fixture.study) });
    assert!(!replaced.contains("contribute"), "{replaced}");
}

/// What is compared over the telephone is the same at the site that joins and at those that let it in.
#[test]
fn a_newcomers_fingerprint_is_that_of_its_request() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let new = entry("late", &keys(40));
    let request = in_groups(&request_digest("late", "site", &new.identity, Some(&new.sealing)));
    assert_eq!(request.split('-').count(), 8);
    let join = joining(&fixture.study);
    let said = in_words(&Proposal::new(join.clone()), &desk);
    assert!(said.contains(&format!("late joins with keys {request}")), "{said}");
    carry(&mut desk, &join, &[0, 1, 2]);
    let roster = desk.coordinator.study().roster_in_words().unwrap().join("\n");
    assert!(roster.contains(&request), "{roster}");
    let study = desk.coordinator.study().digests_in_words();
    let digest = in_groups(&desk.coordinator.study().epoch().unwrap().digest());
    assert!(study.contains(&digest) && roster.contains(&digest), "{study}");
}

/// A word is judged by its version first: one on nothing costs nothing.
#[test]
fn words_on_other_versions_are_refused() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    propose(&mut desk, &joining(&fixture.study));
    let leave = Change { leaves: vec![SiteId(3)], ..change(&fixture.study) };
    let other: Word = word(&desk, Says::Approve, 0, &leave, &fixture.sites[0]);
    assert!(matches!(desk.handle(Input::Word(other)).unwrap_err(), Refusal::OtherChange { .. }));
}
