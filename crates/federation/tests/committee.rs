//! A committee's large sum at the coordinator: whom it asks, what it shows them, which work and which logs it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Ask, Blob, Body, Coordinator, Event, Inclusions, Input, JobKind, JobStatus, NamedSet, Output, Phase,
    Record, Refusal, Signer as _, SiteId, Sizes, Step, Study, StudyLiteral, Work,
};
use common::{Desk, Fixture, SIZES, blob, fixture, job};

/// Five sites of which the first three hold.
fn with_committee() -> Fixture {
    let fixture = fixture(5, 2, 3, 31);
    let holders = fixture.study.literal().sites.iter().take(3).map(|site| site.name.clone()).collect();
    let study = Study::insecure(StudyLiteral { holders, ..fixture.study.literal().clone() }).unwrap();
    Fixture { study, ..fixture }
}

fn asked(desk: &Desk<'_>, site: u16) -> Option<(Phase, Blob)> {
    desk.coordinator.task_for(SiteId(site)).map(|task| match task.ask {
        Ask::Agree { commitment, .. } | Ask::Vouch { commitment, .. } => (task.step.phase, commitment),
        other => panic!("{other:?}"),
    })
}

/// A desk whose set is about to be named: all but the last site have uploaded.
fn about_to_name(fixture: &Fixture) -> (Desk<'_>, Step) {
    let mut desk = Desk::new(fixture);
    let spec = job("sum", JobKind::Statistics, 1);
    desk.handle(Input::Submit { spec, sizes: Sizes { evaluated: true, ..SIZES } }).unwrap();
    for site in 0..4 {
        let answer = desk.answer(site, 100 + u64::from(site));
        desk.handle(Input::Answer(answer)).unwrap();
    }
    desk.now += 30_000;
    desk.handle(Input::Tick).unwrap();
    desk.work();
    assert!(desk.coordinator.task_for(SiteId(3)).is_none(), "holders look at parts");
    desk.answer_all();
    let Some(Work::Name { step, .. }) = desk.coordinator.work() else { panic!("no set is to be named") };
    (desk, step)
}

const ALL: Blob = Blob { digest: blindscope_wire::Digest([5; 32]), len: 60 };

fn named(inclusions: Option<Inclusions>) -> Output {
    let (sites, openers) = ((0..4).map(SiteId).collect(), (0..3).map(SiteId).collect());
    let named = Some(NamedSet { sum: blob(630, SIZES.sum), sites, openers, inclusions });
    Output { named, ..Output::shared(ALL) }
}

fn inclusions(sites: &[u16]) -> Inclusions {
    let each = sites.iter().map(|site| (SiteId(*site), blob(700 + u64::from(*site), 50))).collect();
    Inclusions { root: blob(699, 40), each }
}

#[test]
fn others_are_shown_the_root_and_holders_all() {
    let fixture = with_committee();
    let (mut desk, step) = about_to_name(&fixture);
    // What is not shown to exactly those who do not hold is no work of this step.
    for wrong in [None, Some(inclusions(&[])), Some(inclusions(&[3, 4])), Some(inclusions(&[2]))] {
        let refused = desk.handle(Input::Combined { step, output: named(wrong) }).unwrap_err();
        assert_eq!(refused, Refusal::NoSuchWork { step });
    }
    desk.handle(Input::Combined { step, output: named(Some(inclusions(&[3]))) }).unwrap();
    assert_eq!(asked(&desk, 0), Some((Phase::Agree, ALL)));
    let shown = inclusions(&[3]);
    assert_eq!(asked(&desk, 3), Some((Phase::Agree, shown.each[0].1)));
    assert_eq!(asked(&desk, 4), None, "who neither holds nor is in the set has nothing to say");
    assert!(desk.coordinator.may_fetch(SiteId(3), &shown.each[0].1.digest));
    assert!(!desk.coordinator.may_fetch(SiteId(3), &ALL.digest));
    let needed = desk.coordinator.needed_blobs();
    assert!([ALL, shown.root, shown.each[0].1].iter().all(|blob| needed.contains(blob)));
    // A site that is gone is evaluated by a holder, who has seen whose body is which.
    for site in 0..3 {
        let answer = desk.answer(site, 9);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    assert!(desk.coordinator.work().is_none(), "an evaluation is waited for");
    desk.now += 10_000;
    desk.handle(Input::Tick).unwrap();
    desk.work();
    assert_eq!(asked(&desk, 1), Some((Phase::Vouch, ALL)));
    assert_eq!(asked(&desk, 3), None);
    while !desk.coordinator.is_idle() {
        desk.answer_all();
        desk.work();
    }
    let status = desk.coordinator.job(step.job).unwrap().status;
    assert!(matches!(status, JobStatus::Done { .. }), "{status:?}");
    let lines: Vec<String> = desk.log.iter().map(Record::to_line).collect();
    blindscope_federation::verify(&fixture.study, lines.iter().map(String::as_bytes), &[]).unwrap();
    // What the next round of the same values shows of it is the root, to holders too.
    let again = job("again", JobKind::Statistics, 1);
    desk.handle(Input::Submit { spec: again, sizes: Sizes { evaluated: true, ..SIZES } }).unwrap();
    let told = desk.coordinator.task_for(SiteId(3)).unwrap();
    let Ask::Upload { settled, .. } = &told.ask else { panic!("{:?}", told.step) };
    assert_eq!(settled[0].proof.commitment, shown.root);
}

/// Of everybody who signs all see all, and nothing else is shown.
#[test]
fn without_a_committee_there_is_no_root() {
    let fixture = fixture(5, 2, 3, 31);
    let (mut desk, step) = {
        let mut desk = Desk::new(&fixture);
        let spec = job("sum", JobKind::Statistics, 1);
        desk.handle(Input::Submit { spec, sizes: Sizes { evaluated: true, ..SIZES } }).unwrap();
        desk.answer_all();
        desk.work();
        desk.answer_all();
        let step = desk.coordinator.work().unwrap().step();
        (desk, step)
    };
    let refused = desk.handle(Input::Combined { step, output: named(Some(inclusions(&[3]))) }).unwrap_err();
    assert_eq!(refused, Refusal::NoSuchWork { step });
    desk.handle(Input::Combined { step, output: named(None) }).unwrap();
    assert!((0..5).all(|site| asked(&desk, site) == Some((Phase::Agree, ALL))));
}

/// A log of a release in which everybody signed all headers: what to do stands in the refusal.
#[test]
fn a_log_of_sets_by_headers_is_refused_in_a_sentence() {
    let fixture = with_committee();
    let (mut desk, step) = about_to_name(&fixture);
    desk.handle(Input::Combined { step, output: named(Some(inclusions(&[3]))) }).unwrap();
    let mut log = desk.log;
    let is_named =
        |r: &Record| matches!(&r.body.event, Event::Combined { output, .. } if output.named.is_some());
    let at = log.iter().position(is_named).unwrap();
    log.truncate(at);
    let (previous, event) = (log[at - 1].digest(), Event::Combined { step, output: named(None) });
    let body = Body { seq: at as u64, previous, at_ms: desk.now, event };
    let signature = fixture.coordinator.sign(&body.digest());
    log.push(Record { body, signature });
    let said = Coordinator::replay(&fixture.study, log).unwrap_err().to_string();
    for word in ["by all headers", "verify it with the release that wrote it", "found a new study"] {
        assert!(said.contains(word), "{said}");
    }
}
