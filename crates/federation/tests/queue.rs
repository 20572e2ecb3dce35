//! Which jobs and questions are at work beside each other, and which never are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Blob, Body, Change, Error, Event, Failure, Input, JobId, JobKind, JobSpec, JobStatus, Line, Phase,
    Question, Record, Refusal, Says, SiteId, Sizes, Step, Word, verify,
};
use blindscope_federation::{Signer as _, StudyLiteral};
use blindscope_wire::Digest;
use common::{Desk, Fixture, SIZES, blob, circuit, encrypted_head, fixture, inference_keys, job};

fn desk(fixture: &Fixture, jobs: u32, questions: u32) -> Desk<'_> {
    let mut desk = Desk::new(fixture);
    desk.coordinator = desk.coordinator.side_by_side(jobs, questions);
    desk
}

fn at_work(desk: &Desk<'_>) -> Vec<JobId> {
    desk.coordinator.rounds_at_work().into_iter().map(|(job, _)| job).collect()
}

/// Everybody answers and all work is done, once.
fn turn(desk: &mut Desk<'_>) {
    desk.answer_all();
    if desk.coordinator.work().is_some() {
        desk.work();
    }
}

fn finish(desk: &mut Desk<'_>, id: JobId) -> JobStatus {
    while !desk.coordinator.job(id).unwrap().is_over() {
        turn(desk);
    }
    desk.coordinator.job(id).unwrap().status
}

/// A head that can be asked.
fn head(desk: &mut Desk<'_>) {
    for spec in
        [job("start", JobKind::Statistics, 1), inference_keys("inference"), encrypted_head("head", "start")]
    {
        let id = desk.submit(&spec);
        assert!(matches!(finish(desk, id), JobStatus::Done { .. }), "{}", spec.name);
    }
}

fn ask(desk: &mut Desk<'_>, name: &str, line: u8) -> JobId {
    let spec = question(desk, name);
    let id = spec.id(&desk.fixture.study);
    desk.handle(Input::Ask { spec, sizes: SIZES, line: Line(Digest([line; 32])) }).unwrap();
    id
}

fn question(desk: &Desk<'_>, name: &str) -> JobSpec {
    let question = Question {
        head: desk.coordinator.job_named("head").unwrap(),
        asker: blob(900, 77),
        remainder: Blob { len: 78, ..Blob::of(name.as_bytes()) },
        dealt: blob(902, 79),
        holders: vec![SiteId(0), SiteId(1), SiteId(2)],
        tokens: 1,
        pieces: 1,
        ciphertexts: 2,
        masks: Digest([3; 32]),
        avoided: Vec::new(),
    };
    let (kind, circuit) = (JobKind::Question, Some(circuit().into()));
    let spec = JobSpec { kind, circuit, question: Some(question.into()), ..JobSpec::named(name) };
    spec.checked().unwrap()
}

fn convinces(desk: &Desk<'_>) {
    let lines: Vec<String> = desk.log.iter().map(Record::to_line).collect();
    let verified = verify(&desk.fixture.study, lines.iter().map(String::as_bytes), &[]).unwrap();
    assert_eq!(verified.coordinator.jobs(), desk.coordinator.jobs());
}

#[test]
fn a_question_is_answered_while_a_job_is_at_work() {
    let fixture = fixture(3, 2, 2, 80);
    let mut desk = desk(&fixture, 1, 1);
    head(&mut desk);
    let long = desk.submit(&job("long", JobKind::Fedavg, 50));
    let behind = desk.submit(&job("behind", JobKind::Metrics, 1));
    let question = ask(&mut desk, "question", 1);
    assert_eq!(at_work(&desk), [long, question]);
    // The site is asked what it is asked first; of either kind where it has room for that alone.
    let task = |question: bool| {
        let wanted = |_: JobId, spec: &JobSpec| (spec.kind == JobKind::Question) == question;
        desk.coordinator.task_among(SiteId(0), wanted).unwrap().step.job
    };
    assert_eq!((task(false), task(true)), (long, question));
    assert!(matches!(finish(&mut desk, question), JobStatus::Done { .. }));
    assert_eq!(at_work(&desk), [long], "another job waits its turn");
    assert_eq!(desk.coordinator.job(behind).unwrap().status, JobStatus::Waiting);
    convinces(&desk);
}

/// One asker has brought three questions before another brings one: that one is the second to be answered.
#[test]
fn askers_take_turns() {
    let fixture = fixture(3, 2, 2, 81);
    let mut desk = desk(&fixture, 1, 1);
    head(&mut desk);
    let many: Vec<JobId> = (0..3).map(|k| ask(&mut desk, &format!("many-{k}"), 1)).collect();
    let one = ask(&mut desk, "one", 2);
    for expected in [many[0], one, many[1], many[2]] {
        assert_eq!(at_work(&desk), [expected]);
        finish(&mut desk, expected);
    }
    convinces(&desk);
}

/// With room for two, the second place is not the first asker's either.
#[test]
fn one_asker_does_not_fill_every_place() {
    let fixture = fixture(3, 2, 2, 82);
    let mut desk = desk(&fixture, 1, 2);
    head(&mut desk);
    let many: Vec<JobId> = (0..4).map(|k| ask(&mut desk, &format!("many-{k}"), 1)).collect();
    assert_eq!(at_work(&desk), many[..2], "nobody else asks");
    let one = ask(&mut desk, "one", 2);
    desk.handle(Input::Abort { job: many[0] }).unwrap();
    assert_eq!(at_work(&desk), [many[1], one]);
    convinces(&desk);
}

#[test]
fn jobs_are_begun_beside_each_other_up_to_the_limit() {
    let fixture = fixture(3, 2, 2, 83);
    let mut desk = desk(&fixture, 3, 1);
    let kinds = [JobKind::Fedavg, JobKind::Metrics, JobKind::ClsMean, JobKind::Statistics];
    let ids = kinds.map(|kind| desk.submit(&job(kind.name(), kind, 1)));
    assert_eq!(at_work(&desk), ids[..3]);
    // The step that was opened first is asked first: a site that does one task at a time starves no job.
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(desk.coordinator.task_for(SiteId(0)).unwrap().step.job);
        let answer = desk.answer(0, 1);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    assert_eq!(asked, ids[..3]);
    for id in ids {
        assert!(matches!(finish(&mut desk, id), JobStatus::Done { .. }));
    }
    convinces(&desk);
}

/// What binds values to one set of sites is known at the end of a round: another job of the same values waits, and so does a job for
/// what it starts from.
#[test]
fn the_same_values_and_what_follows_from_them_wait() {
    let fixture = fixture(3, 2, 2, 84);
    let mut desk = desk(&fixture, 8, 1);
    let first = desk.submit(&job("start", JobKind::Statistics, 1));
    let same = desk.submit(&job("again", JobKind::Statistics, 1));
    let keys = desk.submit(&inference_keys("inference"));
    let head = desk.submit(&encrypted_head("head", "start"));
    let newer = JobSpec { data_version: Some("2026-12".into()), ..job("newer", JobKind::Statistics, 1) };
    let newer = desk.submit(&newer);
    assert_eq!(at_work(&desk), [first, keys, newer]);
    // A coordinator that begins it all the same is found out.
    let forged = forged(&desk, same);
    let said = verify(&fixture.study, forged.iter().map(String::as_bytes), &[]).unwrap_err();
    assert!(matches!(said, Error::Corrupt { .. }), "{said}");
    finish(&mut desk, first);
    assert!(at_work(&desk).contains(&same));
    for id in [same, keys, head, newer] {
        assert!(matches!(finish(&mut desk, id), JobStatus::Done { .. }));
    }
    convinces(&desk);
}

/// The log so far, and a first step of a job that has to wait.
fn forged(desk: &Desk<'_>, job: JobId) -> Vec<String> {
    let step = Step { job, round: 0, attempt: 0, phase: Phase::Upload };
    let expected = desk.fixture.study.sites().collect();
    signed(desk, Event::Opened { step, key: job, expected, deadline_ms: desk.now + 30_000 })
}

/// The log so far, and one record more with the coordinator's signature.
fn signed(desk: &Desk<'_>, event: Event) -> Vec<String> {
    let (seq, previous) = desk.coordinator.head();
    let body = Body { seq, previous, at_ms: desk.now, event };
    let signature = desk.fixture.coordinator.sign(&body.digest());
    let lines = desk.log.iter().cloned().chain([Record { body, signature }]);
    lines.map(|record| record.to_line()).collect()
}

/// A ceremony ends with another key in use: it waits for who works under the one that is there, and who comes after it waits for it.
#[test]
fn a_ceremony_and_questions_take_turns() {
    let fixture = fixture(3, 2, 2, 85);
    let mut desk = desk(&fixture, 2, 2);
    head(&mut desk);
    let long = desk.submit(&job("long", JobKind::Fedavg, 50));
    let asked = ask(&mut desk, "asked", 1);
    let keys = desk.submit(&inference_keys("more"));
    let later = ask(&mut desk, "later", 2);
    assert_eq!(at_work(&desk), [long, asked], "the later question does not keep the ceremony waiting");
    finish(&mut desk, asked);
    assert_eq!(at_work(&desk), [long, keys]);
    finish(&mut desk, keys);
    // Its head is one of the former key.
    let JobStatus::Failed { failure } = desk.coordinator.job(later).unwrap().status else { panic!("asked") };
    assert_eq!(failure, Failure::NoStart);
    convinces(&desk);
}

fn say(desk: &mut Desk<'_>, says: Says, site: u16, change: &Change) -> Result<(), Refusal> {
    let old = desk.coordinator.study().epoch().unwrap();
    let next = change.next(&old).unwrap();
    let word = Word::say(says, SiteId(site), (&old, &next), &desk.fixture.sites[usize::from(site)]);
    desk.handle(Input::Word(word)).map(drop)
}

/// Whatever is at work or waits, jobs or questions, ends under the roster that is there; nothing is taken before the change stands.
#[test]
fn a_change_of_the_roster_waits_for_all_that_is_at_work() {
    let fixture = fixture(4, 2, 2, 87);
    let mut desk = desk(&fixture, 2, 1);
    head(&mut desk);
    let ids = [
        desk.submit(&job("long", JobKind::Fedavg, 9)),
        desk.submit(&job("short", JobKind::Metrics, 1)),
        desk.submit(&job("waits", JobKind::ClsMean, 1)),
        ask(&mut desk, "asked", 1),
        ask(&mut desk, "asks-later", 2),
    ];
    assert_eq!(at_work(&desk), [ids[0], ids[1], ids[3]]);
    let (study, from) = (fixture.study.digest(), fixture.study.epoch().unwrap().digest());
    let leaves = vec![SiteId(3)];
    let change = Change { study, from, joins: Vec::new(), leaves, replaces: Vec::new() };
    desk.handle(Input::Propose(Box::new(change.clone()))).unwrap();
    for site in 0..3 {
        say(&mut desk, Says::Approve, site, &change).unwrap();
    }
    let late = Input::Submit { spec: job("late", JobKind::Sum, 1), sizes: SIZES };
    assert_eq!(desk.handle(late.clone()).unwrap_err(), Refusal::RosterChanges);
    let (spec, line) = (question(&desk, "late-question"), Line(Digest([3; 32])));
    let asked = desk.handle(Input::Ask { spec, sizes: SIZES, line }).unwrap_err();
    assert_eq!(asked, Refusal::RosterChanges);
    while !desk.coordinator.is_idle() {
        assert_eq!(say(&mut desk, Says::Sign, 0, &change).unwrap_err(), Refusal::NotSigning);
        assert_eq!(desk.coordinator.study().version(), 0);
        turn(&mut desk);
    }
    assert!(ids.iter().all(|id| matches!(finish(&mut desk, *id), JobStatus::Done { .. })));
    // A coordinator that lets it stand before a quorum has signed is found out.
    let next = change.next(&fixture.study.epoch().unwrap()).unwrap();
    let event = Event::Changed { version: 1, roster: next.digest() };
    let said = verify(&fixture.study, signed(&desk, event).iter().map(String::as_bytes), &[]).unwrap_err();
    assert!(said.to_string().contains("not signed by a quorum"), "{said}");
    for site in 0..3 {
        say(&mut desk, Says::Sign, site, &change).unwrap();
    }
    assert_eq!(desk.coordinator.study().version(), 1);
    assert!(desk.coordinator.jobs().iter().all(|job| job.version == 0));
    desk.handle(late).unwrap();
    let late = desk.coordinator.job_named("late").unwrap();
    assert_eq!((at_work(&desk), desk.coordinator.job(late).unwrap().version), (vec![late], 1));
    convinces(&desk);
}

/// What is left of the budget is not promised twice.
#[test]
fn jobs_at_work_do_not_spend_one_budget_twice() {
    let decided = fixture(3, 2, 2, 86);
    let literal = StudyLiteral { decryptions: 3, ..decided.study.literal().clone() };
    let study = blindscope_federation::Study::insecure(literal).unwrap();
    let fixture = Fixture { study, ..decided };
    let mut desk = desk(&fixture, 2, 1);
    let one = desk.submit(&job("one", JobKind::Metrics, 1));
    let other = desk.submit(&job("other", JobKind::ClsMean, 1));
    let JobStatus::Failed { failure } = desk.coordinator.job(other).unwrap().status else { panic!("begun") };
    assert_eq!(failure, Failure::Budget { used: 2, asked: 2, most: 3 });
    assert!(matches!(finish(&mut desk, one), JobStatus::Done { .. }));
    assert_eq!(desk.coordinator.opened(), 2);
    let sizes: Sizes = SIZES;
    let refused = desk.handle(Input::Submit { spec: job("more", JobKind::Fedavg, 1), sizes }).unwrap_err();
    assert!(matches!(refused, Refusal::Budget { .. }));
    convinces(&desk);
}
