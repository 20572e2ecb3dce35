//! Sites come and go, through the real coordinator and sites: what a quorum signs stands, and nothing else does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::sums::Former;
use blindscope_federation::{
    Answer, Blob, Body, Change, Coordinator, Event, IdentityKey, Input, JobKind, JobStatus, Mark, Member,
    Proposal, Record, Refusal, Says, Signer, Site, SiteId, Study, Word,
};
use common::roster::{carry, change, entry, four, holds, joining, keys, propose, say, stands, word};
use common::{Desk, job, willing};

/// A job to its end.
fn run(desk: &mut Desk<'_>, name: &str) -> blindscope_federation::JobView {
    let id = desk.submit(&job(name, JobKind::Statistics, 1));
    for _ in 0..20 {
        if desk.coordinator.job(id).unwrap().is_over() {
            break;
        }
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    desk.coordinator.job(id).unwrap()
}

#[test]
fn who_joins_takes_part_and_who_left_does_not() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let before = run(&mut desk, "before");
    assert!(matches!(before.status, JobStatus::Done { .. }) && before.version == 0, "{before:?}");
    carry(&mut desk, &joining(&fixture.study), &[0, 1, 2]);
    let study = desk.coordinator.study().clone();
    assert_eq!((study.version(), study.digest()), (1, fixture.study.digest()));
    assert_eq!(study.site(SiteId(4)).unwrap().name, "late");
    assert!(run(&mut desk, "five").version == 1);

    let leaving = Change { leaves: vec![SiteId(1)], ..change(&study) };
    carry(&mut desk, &leaving, &[0, 1, 2, 4]);
    let id = desk.submit(&job("after", JobKind::Sum, 1));
    assert!(desk.coordinator.task_for(SiteId(1)).is_none(), "it is asked nothing");
    let task = desk.coordinator.task_for(SiteId(4)).unwrap();
    assert_eq!(task.version, 2);
    let upload = desk.upload(9);
    let stranger = desk.sign(1, &task, Answer::Payload(upload));
    let refused = desk.handle(Input::Answer(stranger)).unwrap_err();
    assert!(matches!(refused, Refusal::ForeignSite { site: SiteId(1), .. }), "{refused}");
    // Its number goes to nobody: the next one gets the next.
    let known = desk.coordinator.study().clone();
    let (joins, next) = (vec![entry("later", &keys(41))], known.epoch().unwrap());
    let next = Change { joins, ..change(&known) }.next(&next).unwrap();
    assert!(next.member(SiteId(5)).is_some() && next.member(SiteId(1)).is_none());
    assert_eq!(known.name_of(SiteId(1)), "site-1", "old rounds name it still");
    let again = Change { joins: vec![fixture.study.site(SiteId(1)).unwrap().clone()], ..change(&known) };
    let refused = again.next(&known.epoch().unwrap()).unwrap_err().to_string();
    assert!(refused.contains("a second time"), "{refused}");

    desk.handle(Input::Abort { job: id }).unwrap();
    let verified = holds(&fixture, &desk.log).unwrap();
    assert_eq!(verified.coordinator.study().version(), 2);
    // A coordinator that starts again is where it was.
    let replayed = Coordinator::replay(&fixture.study, desk.log.clone()).unwrap();
    assert_eq!(replayed.study().epoch().unwrap().digest(), known.epoch().unwrap().digest());
    assert_eq!(replayed.history(), desk.coordinator.history());
}

#[test]
fn the_old_holder_of_a_replaced_key_is_a_stranger() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let new = keys(50);
    let replaces = vec![Member { site: SiteId(3), entry: entry("site-3", &new) }];
    carry(&mut desk, &Change { replaces, ..change(&fixture.study) }, &[0, 1, 2]);
    desk.submit(&job("sum", JobKind::Sum, 1));
    let task = desk.coordinator.task_for(SiteId(3)).unwrap();
    let upload = desk.upload(3);
    let old = desk.sign(3, &task, Answer::Payload(upload));
    assert!(matches!(desk.handle(Input::Answer(old.clone())).unwrap_err(), Refusal::Signature { .. }));
    desk.handle(Input::Answer(old.header.sign(&new.0))).unwrap();
    // Nor has it a word on the next change; its old word on the last one is of no use either.
    let study = desk.coordinator.study().clone();
    let leaving = Change { leaves: vec![SiteId(0)], ..change(&study) };
    let mut idle = Desk::new(&fixture);
    idle.coordinator = desk.coordinator.clone();
    propose(&mut idle, &leaving);
    assert!(matches!(say(&mut idle, Says::Approve, 3, &leaving).unwrap_err(), Refusal::Signature { .. }));
    let former: Vec<Former> = study.epoch().unwrap().literal().former.clone();
    assert_eq!(former, [Former::of(&fixture.study.members()[3])]);
}

/// A coordinator that writes whatever it likes into its own log, and signs it.
fn forged(desk: &Desk<'_>, events: Vec<Event>) -> Vec<Record> {
    let mut log = desk.log.clone();
    for event in events {
        let last = log.last().unwrap();
        let body = Body { seq: last.body.seq + 1, previous: last.digest(), at_ms: 2000, event };
        let signature = desk.fixture.coordinator.sign(&body.digest());
        log.push(Record { body, signature });
    }
    log
}

#[test]
fn the_coordinator_alone_changes_nothing() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    desk.handle(Input::Tick).unwrap();
    let change = joining(&fixture.study);
    let old = fixture.study.epoch().unwrap();
    let next = change.next(&old).unwrap();
    let (stands, proposed) = (stands(&fixture.study, &change), Event::Proposed { change: change.clone() });
    let said = |word| Event::Said { word };
    let by = |says, site: u16, key: &IdentityKey| Word::say(says, SiteId(site), (&old, &next), key);
    let own = |says, site: u16| by(says, site, &fixture.sites[usize::from(site)]);
    let (unsigned, no_word) = ("not signed by a quorum", "the word is not one on the change on its way");
    // Without signatures, with one's own, with the joiner's, with a signature for another site, before anybody approved.
    let cases = [
        (vec![stands.clone()], unsigned),
        (vec![proposed.clone(), stands.clone()], unsigned),
        (vec![proposed.clone(), said(by(Says::Approve, 0, &fixture.coordinator))], no_word),
        (vec![proposed.clone(), said(own(Says::Approve, 4))], no_word),
        (vec![proposed.clone(), said(by(Says::Approve, 1, &fixture.sites[0]))], no_word),
        (vec![proposed.clone(), said(own(Says::Sign, 0))], no_word),
        (vec![proposed.clone(), said(own(Says::Approve, 0)), said(own(Says::Approve, 0))], no_word),
    ];
    for (k, (events, reason)) in cases.into_iter().enumerate() {
        let refused = holds(&fixture, &forged(&desk, events)).unwrap_err().to_string();
        assert!(refused.contains(reason), "case {k}: {refused}");
    }
    // The same, with the words of three sites and their signatures.
    let words = [Says::Approve, Says::Sign].into_iter().flat_map(|says| (0..3).map(move |site| (says, site)));
    let events =
        std::iter::once(proposed).chain(words.map(|(says, site)| said(own(says, site)))).chain([stands]);
    let verified = holds(&fixture, &forged(&desk, events.collect())).unwrap();
    assert_eq!(verified.coordinator.study().version(), 1);
    // Too few: two of four, however often they are counted.
    carry(&mut desk, &change, &[0, 1, 2]);
    assert_eq!(desk.coordinator.study().version(), 1);
    let mut signed = desk.coordinator.history()[0].clone();
    signed.signatures.truncate(2);
    assert!(fixture.study.succeeded(&signed).is_err());
    signed.signatures.push(signed.signatures[0]);
    let few = fixture.study.succeeded(&signed).unwrap_err().to_string();
    assert!(few.contains("2 sites have signed") && few.contains("3 are needed"), "{few}");
}

#[test]
fn a_change_is_of_one_study_and_one_version() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    carry(&mut desk, &joining(&fixture.study), &[0, 1, 3]);
    let first = desk.coordinator.history()[0].clone();
    let now = desk.coordinator.study().clone();
    // Said again, or from an old version on: a party that knows version 1 takes neither.
    assert!(now.succeeded(&first).is_err());
    let replayed = desk.handle(Input::Propose(Box::new(first.change.clone()))).unwrap_err();
    assert!(matches!(replayed, Refusal::Change { .. }), "{replayed}");
    // The same sites in another study.
    let mut literal = fixture.study.literal().clone();
    literal.name = "other".to_owned();
    let other = Study::new(literal).unwrap();
    assert!(other.succeeded(&first).is_err());
    let foreign = Change { study: other.digest(), ..change(&now) };
    assert!(desk.handle(Input::Propose(Box::new(foreign))).is_err());
    // Words on the first change are none on the second.
    let second = Change { leaves: vec![SiteId(3)], ..change(&now) };
    propose(&mut desk, &second);
    let (old, next) = (fixture.study.epoch().unwrap(), now.epoch().unwrap());
    let stale = Word::say(Says::Approve, SiteId(0), (&old, &next), &fixture.sites[0]);
    assert!(matches!(desk.handle(Input::Word(stale)).unwrap_err(), Refusal::OtherChange { .. }));
}

#[test]
fn rules_hold_over_changes() {
    let fixture = four();
    let epoch = fixture.study.epoch().unwrap();
    let leaves = |sites: &[u16]| {
        let leaves = sites.iter().copied().map(SiteId).collect();
        Change { leaves, ..change(&fixture.study) }.next(&epoch).map(|e| e.literal().members.len())
    };
    assert_eq!(leaves(&[3]).unwrap(), 3);
    let few = leaves(&[2, 3]).unwrap_err().to_string();
    assert!(few.contains("minimum cohort is 3"), "{few}");
    assert!(leaves(&[]).unwrap_err().to_string().contains("says nothing"));
    assert!(leaves(&[1, 1]).unwrap_err().to_string().contains("twice"));
    assert!(leaves(&[9]).unwrap_err().to_string().contains("not of this version"));
    let same = Member { site: SiteId(3), entry: fixture.study.site(SiteId(3)).unwrap().clone() };
    let nothing =
        Change { replaces: vec![same], ..change(&fixture.study) }.next(&epoch).unwrap_err().to_string();
    assert!(nothing.contains("keys that it has already"), "{nothing}");
    let mut own = entry("spy", &keys(9));
    own.identity = fixture.coordinator.public();
    let spy = Change { joins: vec![own], ..change(&fixture.study) };
    let mut desk = Desk::new(&fixture);
    let refused = desk.handle(Input::Propose(Box::new(spy))).unwrap_err().to_string();
    assert!(refused.contains("coordinator's key"), "{refused}");
}

#[test]
fn what_began_under_a_roster_ends_under_it() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    desk.submit(&job("running", JobKind::Sum, 1));
    desk.submit(&job("queued", JobKind::Sum, 1));
    let change = joining(&fixture.study);
    propose(&mut desk, &change);
    for site in [0, 1, 2] {
        say(&mut desk, Says::Approve, site, &change).unwrap();
    }
    // Approved: no new job, no other change, and nobody signs while a job stands in the way.
    let more = job("more", JobKind::Sum, 1);
    let late = Input::Submit { spec: more.clone(), sizes: common::SIZES };
    assert_eq!(desk.handle(late.clone()).unwrap_err(), Refusal::RosterChanges);
    assert_eq!(say(&mut desk, Says::Sign, 0, &change).unwrap_err(), Refusal::NotSigning);
    assert_eq!(desk.handle(Input::Withdraw).unwrap_err(), Refusal::ChangeApproved);
    let other = Change { leaves: vec![SiteId(3)], ..self::change(&fixture.study) };
    assert_eq!(desk.handle(Input::Propose(Box::new(other))).unwrap_err(), Refusal::ChangeApproved);
    assert!(!desk.coordinator.roster(0).signing);
    while !desk.coordinator.is_idle() {
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    assert!(
        desk.coordinator.jobs().iter().all(|j| j.version == 0 && matches!(j.status, JobStatus::Done { .. }))
    );
    for site in [0, 1, 3] {
        say(&mut desk, Says::Sign, site, &change).unwrap();
    }
    desk.handle(late).unwrap();
    assert_eq!(desk.coordinator.task_for(SiteId(4)).unwrap().version, 1);
    holds(&fixture, &desk.log).unwrap();
}

#[test]
fn words_bind_nobody_and_another_change_may_follow() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    assert_eq!(desk.handle(Input::Withdraw).unwrap_err(), Refusal::NoChange);
    let (join, leave) =
        (joining(&fixture.study), Change { leaves: vec![SiteId(3)], ..change(&fixture.study) });
    propose(&mut desk, &join);
    say(&mut desk, Says::Approve, 0, &join).unwrap();
    say(&mut desk, Says::Refuse, 1, &join).unwrap();
    say(&mut desk, Says::Approve, 1, &join).unwrap();
    desk.handle(Input::Withdraw).unwrap();
    propose(&mut desk, &join);
    propose(&mut desk, &leave);
    let said = desk.coordinator.roster(0).proposal.unwrap();
    assert!(said.change == leave && said.words.is_empty());
    carry(&mut desk, &leave, &[0, 1, 2]);
    assert_eq!(desk.coordinator.study().members().len(), 3);
    holds(&fixture, &desk.log).unwrap();
}

/// A site believes what is signed, and nothing older than what it knows.
#[test]
fn a_site_signs_one_successor_and_works_under_no_former_roster() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    desk.submit(&job("sum", JobKind::Sum, 1));
    let old_task = desk.coordinator.task_for(SiteId(0)).unwrap();
    let mut site = Site::replay(&fixture.study, SiteId(0), willing(), []).unwrap();
    let (join, leave) =
        (joining(&fixture.study), Change { leaves: vec![SiteId(3)], ..change(&fixture.study) });
    // Too few approve, or one that approves twice: it does not bind itself.
    let mut shown = Proposal::new(join.clone());
    shown.words = vec![word(&desk, Says::Approve, 0, &join, &fixture.sites[0]); 4];
    shown.words.push(word(&desk, Says::Approve, 1, &join, &fixture.sites[1]));
    shown.words.push(word(&desk, Says::Approve, 2, &join, &fixture.coordinator));
    assert!(site.judge_change(&shown).unwrap_err().to_string().contains("too few"));
    assert!(site.sign(&join, &fixture.sites[0]).is_err(), "no signature without its mark");
    shown.words.push(word(&desk, Says::Approve, 3, &join, &fixture.sites[3]));
    let mark = site.judge_change(&shown).unwrap().unwrap();
    site.apply(&mark).unwrap();
    assert_eq!(site.judge_change(&shown).unwrap(), None, "no mark a second time");
    let signed = site.sign(&join, &fixture.sites[0]).unwrap();
    assert_eq!(signed.says, Says::Sign);
    // Killed and started again, it signs the same, and no other.
    let mut site = Site::replay(&fixture.study, SiteId(0), willing(), [mark]).unwrap();
    assert_eq!(site.sign(&join, &fixture.sites[0]).unwrap(), signed);
    let mut other = Proposal::new(leave.clone());
    other.words =
        (0..4).map(|k| word(&desk, Says::Approve, k, &leave, &fixture.sites[usize::from(k)])).collect();
    assert!(site.judge_change(&other).unwrap_err().to_string().contains("another successor"));

    let mut changed = Desk::new(&fixture);
    carry(&mut changed, &join, &[0, 1, 2]);
    let history = changed.coordinator.history()[0].clone();
    site.succeed(&history).unwrap();
    assert!(site.succeed(&history).is_err(), "a change is made once");
    // A coordinator that runs from an old copy asks under the old roster.
    match site.take(&old_task).unwrap() {
        blindscope_federation::Order::Decline(objection) => {
            assert!(objection.to_string().contains("version 0 of the roster"), "{objection}");
        }
        order => panic!("{order:?}"),
    }
    changed.submit(&job("sum", JobKind::Sum, 1));
    let task = changed.coordinator.task_for(SiteId(0)).unwrap();
    assert!(matches!(site.take(&task).unwrap(), blindscope_federation::Order::Work { .. }));
    let behind = Site::replay(&fixture.study, SiteId(0), willing(), []).unwrap();
    assert!(behind.take(&task).unwrap_err().to_string().contains("later version"));
}

/// An inference key is of the sites that made it: after a change a new one is made, and old heads are asked nothing.
#[test]
fn an_inference_key_ends_with_its_roster() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    desk.submit(&common::inference_keys("keys"));
    while !desk.coordinator.is_idle() {
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    assert!(desk.coordinator.inference_key().is_some());
    carry(&mut desk, &Change { leaves: vec![SiteId(0)], ..change(&fixture.study) }, &[0, 1, 2]);
    assert!(desk.coordinator.inference_key().is_none());
    let pooled = run(&mut desk, "pooled");
    assert!(matches!(pooled.status, JobStatus::Done { .. }), "{pooled:?}");
    let head = desk.submit(&common::encrypted_head("head", "pooled"));
    let JobStatus::Failed { failure } = desk.coordinator.job(head).unwrap().status else {
        panic!("it has no key")
    };
    assert!(
        failure.explain(&fixture.study).contains("change of the roster"),
        "{}",
        failure.explain(&fixture.study)
    );
    // The sites that are left make a key of their own, whatever their numbers.
    desk.submit(&common::inference_keys("keys-again"));
    while !desk.coordinator.is_idle() {
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    assert!(desk.coordinator.inference_key().is_some());
    assert_eq!(desk.coordinator.confirmed().len(), 3);
    // A site does not share of the old one: it was made under another roster.
    let ceremony = desk.coordinator.inference_key().unwrap().ceremony;
    let held = Mark::Key {
        ceremony,
        public_key: Blob::of(b"key"),
        bundle: Blob::of(b"parts"),
        inference: true,
        evaluation_keys: None,
        version: 0,
    };
    let site = Site::replay(desk.coordinator.study(), SiteId(1), willing(), [held]).unwrap();
    desk.submit(&common::encrypted_head("head-again", "pooled"));
    let mut task = desk.coordinator.task_for(SiteId(1)).unwrap();
    if let blindscope_federation::Ask::Upload { public_key, .. } = &mut task.ask {
        *public_key = Some(Blob::of(b"key"));
    }
    match site.take(&task).unwrap() {
        blindscope_federation::Order::Decline(objection) => {
            assert!(objection.to_string().contains("no share"));
        }
        order => panic!("{order:?}"),
    }
}

/// A sum of the old roster and one of the new never meet: values that were summed without the newcomer are not summed with it.
#[test]
fn values_are_summed_over_one_set_whatever_the_roster() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    run(&mut desk, "first");
    carry(&mut desk, &joining(&fixture.study), &[0, 1, 2]);
    let id = desk.submit(&job("second", JobKind::Statistics, 1));
    let task = desk.coordinator.task_for(SiteId(4)).unwrap();
    let blindscope_federation::Ask::Upload { settled, pairs, .. } = &task.ask else { panic!("{task:?}") };
    assert!(*pairs && matches!(&settled[..], [one] if one.version == 0), "{settled:?}");
    desk.answer_all();
    for _ in 0..20 {
        if desk.coordinator.job(id).unwrap().is_over() {
            break;
        }
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    let view = desk.coordinator.job(id).unwrap();
    assert!(matches!(view.status, JobStatus::Done { .. }), "{view:?}");
    assert_eq!(
        view.missing.iter().map(|(_, m)| m.site).collect::<Vec<_>>(),
        [SiteId(4)],
        "the newcomer is left out"
    );
    holds(&fixture, &desk.log).unwrap();
}

/// A round that was declared void before a change is shown after it to who has not heard of it: its values go on.
#[test]
fn a_void_round_is_told_after_a_change() {
    let fixture = four();
    let mut desk = Desk::new(&fixture);
    let failed = desk.submit(&job("failed", JobKind::Statistics, 1));
    let answer = desk.answer(0, 1);
    desk.handle(Input::Answer(answer)).unwrap();
    desk.handle(Input::Abort { job: failed }).unwrap();
    let again = desk.submit(&job("again", JobKind::Statistics, 1));
    desk.answer_all();
    desk.work();
    let voids = |desk: &Desk<'_>| {
        let task = desk.coordinator.task_for(SiteId(0)).unwrap();
        let blindscope_federation::Ask::Upload { voids, .. } = task.ask else { panic!("{:?}", task.step) };
        voids
    };
    let before = voids(&desk);
    assert!(matches!(&before[..], [one] if one.version == 0), "{before:?}");
    desk.handle(Input::Abort { job: again }).unwrap();
    carry(&mut desk, &joining(&fixture.study), &[0, 1, 2]);
    desk.submit(&job("after", JobKind::Statistics, 1));
    assert_eq!(voids(&desk), before);
}
