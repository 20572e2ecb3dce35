//! Each message that is not taken has a typed refusal and leaves the state as it was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Answer, Blob, Cause, Failure, Input, JobId, JobKind, JobSpec, JobStatus, Phase, Refusal, SiteId, Step,
};
use blindscope_wire::Digest;
use common::{Desk, Fixture, SIZES, blob, fixture, job};

/// A desk whose second job is open for uploads.
fn open(fixture: &Fixture) -> (Desk<'_>, JobId) {
    let mut desk = Desk::new(fixture);
    let job = desk.submit(&job("sum", JobKind::Fedavg, 3));
    (desk, job)
}

fn refuse(desk: &mut Desk<'_>, input: Input) -> Refusal {
    let (before, records) = (desk.coordinator.head(), desk.log.len());
    let refusal = desk.handle(input).unwrap_err();
    assert_eq!((desk.coordinator.head(), desk.log.len()), (before, records));
    assert!(refusal.to_string().contains(';'), "no repair in: {refusal}");
    refusal
}

#[test]
fn answers_of_strangers_and_forgers() {
    let (fixture, other) = (fixture(3, 2, 2, 10), fixture(3, 2, 2, 11));
    let (mut desk, _) = open(&fixture);
    let good = desk.answer(0, 1);

    let mut foreign = good.header.clone();
    foreign.site = SiteId(9);
    let refusal = refuse(&mut desk, Input::Answer(foreign.sign(&fixture.sites[0])));
    assert_eq!(refusal, Refusal::ForeignSite { site: SiteId(9), sites: 3 });

    // Unsigned by its site: signed by a stranger, by another site, or altered after signing.
    let mut altered = good.clone();
    altered.header.answer = Answer::Payload(blob(2, SIZES.upload));
    let forged =
        [good.header.clone().sign(&other.sites[0]), good.header.clone().sign(&fixture.sites[1]), altered];
    for answer in forged {
        assert_eq!(refuse(&mut desk, Input::Answer(answer)), Refusal::Signature { site: SiteId(0) });
    }

    let mut elsewhere = good.header.clone();
    elsewhere.study = other.study.digest();
    let refusal = refuse(&mut desk, Input::Answer(elsewhere.sign(&fixture.sites[0])));
    assert_eq!(refusal, Refusal::Study { expected: fixture.study.digest(), found: other.study.digest() });
    assert!(desk.handle(Input::Answer(good)).unwrap().is_some());
}

#[test]
fn answers_to_other_steps_and_keys() {
    let fixture = fixture(3, 2, 2, 12);
    let (mut desk, job) = open(&fixture);
    let good = desk.answer(0, 1);
    let resign = |change: &dyn Fn(&mut blindscope_federation::Header)| {
        let mut header = good.header.clone();
        change(&mut header);
        Input::Answer(header.sign(&fixture.sites[0]))
    };

    let unknown = JobId(Digest([1; 32]));
    let refusal = refuse(&mut desk, resign(&|h| h.step.job = unknown));
    assert_eq!(refusal, Refusal::UnknownJob { job: unknown });
    let steps = [
        Step { round: 1, ..good.header.step },
        Step { attempt: 1, ..good.header.step },
        Step { phase: Phase::Share, ..good.header.step },
        Step { phase: Phase::Parts, ..good.header.step },
    ];
    for asked in steps {
        let refusal = refuse(&mut desk, resign(&|h| h.step = asked));
        assert_eq!(refusal, Refusal::NotOpen { asked, open: Some(good.header.step) });
    }
    let other = JobId(Digest([5; 32]));
    let refusal = refuse(&mut desk, resign(&|h| h.key = other));
    assert_eq!(refusal, Refusal::KeyEpoch { expected: job, found: other });
    let expected = desk.upload(1).len;
    for len in [0, expected - 1, expected + 1, SIZES.upload, u64::MAX] {
        let refusal = refuse(&mut desk, resign(&|h| h.answer = Answer::Payload(blob(1, len))));
        assert_eq!(refusal, Refusal::Length { step: good.header.step, expected, found: len });
    }
}

#[test]
fn a_repeated_answer_has_the_same_receipt_and_another_is_refused() {
    let fixture = fixture(3, 2, 2, 13);
    let (mut desk, _) = open(&fixture);
    let (first, other) = (desk.answer(0, 1), desk.answer(0, 2));
    let receipt = desk.handle(Input::Answer(first.clone())).unwrap().unwrap();
    let records = desk.log.len();
    assert_eq!(desk.handle(Input::Answer(first.clone())).unwrap().unwrap(), receipt);
    assert_eq!(desk.log.len(), records);

    let refusal = refuse(&mut desk, Input::Answer(other));
    let Refusal::Answered { step, site, accepted } = refusal else { panic!("{refusal}") };
    assert_eq!((step, site, accepted), (first.header.step, SiteId(0), first.header.answer));
    // A site that said it will not contribute cannot do so later, and the other way round.
    let task = desk.coordinator.task_for(SiteId(1)).unwrap();
    let declined = desk.sign(1, &task, Answer::Declined(Cause::Contribution));
    let payload = desk.answer(1, 1);
    desk.handle(Input::Answer(declined)).unwrap();
    assert!(matches!(refuse(&mut desk, Input::Answer(payload)), Refusal::Answered { .. }));

    // The receipt is there after the step has closed, too.
    let last = desk.answer(2, 3);
    desk.handle(Input::Answer(last)).unwrap();
    desk.work();
    assert_eq!(desk.handle(Input::Answer(first)).unwrap().unwrap(), receipt);
}

#[test]
fn late_and_uninvited_answers() {
    let fixture = fixture(3, 2, 2, 14);
    let (mut desk, job) = open(&fixture);
    let late = desk.answer(2, 1);
    for site in 0..2 {
        let answer = desk.answer(site, 1);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    desk.now += 30_000;
    desk.handle(Input::Tick).unwrap();
    let refusal = refuse(&mut desk, Input::Answer(late.clone()));
    assert_eq!(refusal, Refusal::NotOpen { asked: late.header.step, open: None });
    // Everybody is asked what it finds and whether it agrees; of those who found something out, whoever can opens.
    desk.work();
    for site in 0..2 {
        let answer = desk.answer(site, 1);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    desk.work();
    for site in 1..3 {
        let answer = desk.answer(site, 1);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    desk.work();
    assert!(desk.coordinator.task_for(SiteId(2)).is_none());
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    assert_eq!(task.step.phase, Phase::Open);
    let uninvited = desk.sign(2, &task, Answer::Payload(blob(1, SIZES.share)));
    assert_eq!(
        refuse(&mut desk, Input::Answer(uninvited)),
        Refusal::NotAsked { step: task.step, site: SiteId(2) }
    );

    desk.handle(Input::Abort { job }).unwrap();
    assert_eq!(desk.coordinator.job(job).unwrap().status, JobStatus::Failed { failure: Failure::Aborted });
    let answer = desk.sign(0, &task, Answer::Payload(blob(1, SIZES.share)));
    assert_eq!(refuse(&mut desk, Input::Answer(answer)), Refusal::JobOver { job });
    // Aborting again changes nothing.
    let records = desk.log.len();
    desk.handle(Input::Abort { job }).unwrap();
    assert_eq!(desk.log.len(), records);
}

#[test]
fn a_confirmation_of_other_parts() {
    let fixture = fixture(3, 2, 2, 15);
    let mut desk = Desk::new(&fixture);
    desk.submit(&common::inference_keys("key"));
    while desk.coordinator.task_for(SiteId(1)).unwrap().step.phase != Phase::Parts {
        desk.answer_all();
        if desk.coordinator.work().is_some() {
            desk.work();
        }
    }
    let task = desk.coordinator.task_for(SiteId(1)).unwrap();
    let wrong = desk.sign(1, &task, Answer::Payload(Blob::of(&[0; 120])));
    assert_eq!(refuse(&mut desk, Input::Answer(wrong)), Refusal::OtherParts { site: SiteId(1) });
}

#[test]
fn job_files() {
    let fixture = fixture(3, 2, 2, 16);
    let (mut desk, id) = open(&fixture);
    let spec = job("sum", JobKind::Fedavg, 3);
    // The same file is the same job.
    assert_eq!(desk.submit(&spec), id);
    let submit = |spec: &JobSpec| Input::Submit { spec: spec.clone(), sizes: SIZES };
    let other = job("sum", JobKind::Fedavg, 4);
    assert_eq!(refuse(&mut desk, submit(&other)), Refusal::NameTaken { name: "sum".to_owned(), job: id });
    let bad = [
        JobSpec { name: "../up".to_owned(), ..spec.clone() },
        JobSpec { name: "bad".to_owned(), rounds: 0, ..spec.clone() },
        JobSpec { name: "bad".to_owned(), values: 0, ..spec.clone() },
        JobSpec { name: "bad".to_owned(), kind: JobKind::Statistics, ..spec.clone() },
        JobSpec { name: "bad".to_owned(), settings: "x".repeat(20_000).into(), ..spec.clone() },
    ];
    for spec in bad {
        assert!(matches!(refuse(&mut desk, submit(&spec)), Refusal::JobFile { .. }), "{spec:?}");
    }
    let large = job("large", JobKind::Fedavg, 501);
    assert_eq!(refuse(&mut desk, submit(&large)), Refusal::Budget { used: 0, asked: 1002, most: 1000 });
    assert!(matches!(
        refuse(&mut desk, Input::Abort { job: JobId(Digest([9; 32])) }),
        Refusal::UnknownJob { .. }
    ));
}

#[test]
fn work_that_nobody_asked_for() {
    let fixture = fixture(3, 2, 2, 17);
    let (mut desk, _) = open(&fixture);
    let step = desk.coordinator.task_for(SiteId(0)).unwrap().step;
    let output = blindscope_federation::Output::shared(blob(1, SIZES.sum));
    let early = Input::Combined { step, output: output.clone() };
    assert_eq!(refuse(&mut desk, early), Refusal::NoSuchWork { step });
    desk.answer_all();
    for input in [
        Input::Combined { step: Step { round: 1, ..step }, output: output.clone() },
        Input::Stuck { step },
        Input::Unusable { step, sites: vec![SiteId(7)] },
        Input::Opened { step, outcome: blindscope_federation::Outcome::Final(blob(1, 1)) },
    ] {
        assert!(matches!(refuse(&mut desk, input), Refusal::NoSuchWork { .. }));
    }
    // A sum's uploads are laid together for each site.
    assert!(matches!(refuse(&mut desk, Input::Combined { step, output }), Refusal::NoSuchWork { .. }));
    desk.work();
    assert_eq!(desk.coordinator.task_for(SiteId(0)).unwrap().step.phase, Phase::Findings);
}

#[test]
fn too_few_fail_the_round_with_causes() {
    let fixture = fixture(4, 2, 3, 18);
    let (mut desk, id) = open(&fixture);
    let answer = desk.answer(0, 1);
    desk.handle(Input::Answer(answer)).unwrap();
    let task = desk.coordinator.task_for(SiteId(1)).unwrap();
    let declined = desk.sign(1, &task, Answer::Declined(Cause::Store));
    desk.handle(Input::Answer(declined)).unwrap();
    desk.now += 30_000;
    desk.handle(Input::Tick).unwrap();
    let status = desk.coordinator.job(id).unwrap().status;
    let JobStatus::Failed { failure: Failure::TooFew { step, needed, found, missing } } = status else {
        panic!("{status:?}")
    };
    assert_eq!((step.phase, needed, found), (Phase::Upload, 3, 1));
    let causes: Vec<_> = missing.iter().map(|m| (m.site.0, m.cause)).collect();
    assert_eq!(causes, [(1, Cause::Store), (2, Cause::Silent), (3, Cause::Silent)]);
    // Nothing was opened.
    assert_eq!(desk.coordinator.opened(), 0);
}

/// A sum needs no ceremony; an encrypted head needs its key.
#[test]
fn a_sum_needs_no_ceremony_and_a_head_its_key() {
    let fixture = fixture(3, 2, 2, 19);
    let mut desk = Desk::new(&fixture);
    let id = desk.submit(&job("sum", JobKind::Statistics, 1));
    while !desk.coordinator.job(id).unwrap().is_over() {
        desk.answer_all();
        desk.work();
    }
    assert!(matches!(desk.coordinator.job(id).unwrap().status, JobStatus::Done { .. }));
    let id = desk.submit(&common::encrypted_head("head", "sum"));
    assert_eq!(desk.coordinator.job(id).unwrap().status, JobStatus::Failed { failure: Failure::NoKey });
}

/// A sum that does not open is opened by everybody who can, then fails; nothing is released.
#[test]
fn a_sum_that_does_not_open_fails() {
    let fixture = fixture(4, 2, 3, 20);
    let (mut desk, id) = open(&fixture);
    for _ in 0..3 {
        desk.answer_all();
        desk.work();
    }
    let mut asked = Vec::new();
    while let Some(task) = desk.coordinator.task_for(SiteId(0)) {
        asked.push((task.step.phase, task.step.attempt));
        desk.answer_all();
        let step = task.step;
        desk.handle(Input::Spoiled { step }).unwrap();
    }
    assert_eq!(asked, [(Phase::Open, 0), (Phase::Open, 1), (Phase::Open, 2)]);
    let status = desk.coordinator.job(id).unwrap().status;
    assert!(matches!(status, JobStatus::Failed { failure: Failure::Spoiled { made: 3, .. } }), "{status:?}");
    let lines: Vec<String> = desk.log.iter().map(blindscope_federation::Record::to_line).collect();
    blindscope_federation::verify(&fixture.study, lines.iter().map(String::as_bytes), &[]).unwrap();
}

/// Of a large sum a site that is gone before it has evaluated its upload is replaced: one of those who signed does it.
#[test]
fn a_site_that_is_gone_is_evaluated_by_another() {
    let fixture = fixture(4, 2, 3, 21);
    let mut desk = Desk::new(&fixture);
    let spec = job("sum", JobKind::Statistics, 1);
    let sizes = blindscope_federation::Sizes { evaluated: true, ..SIZES };
    desk.handle(Input::Submit { spec: spec.clone(), sizes }).unwrap();
    for _ in 0..2 {
        desk.answer_all();
        desk.work();
    }
    for site in 0..3 {
        assert_eq!(desk.coordinator.task_for(SiteId(site)).unwrap().step.phase, Phase::Agree);
        let answer = desk.answer(site, 9);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    assert!(desk.coordinator.work().is_none(), "a quorum has signed, an evaluation is waited for");
    desk.now += 10_000;
    desk.handle(Input::Tick).unwrap();
    desk.work();
    assert!(desk.coordinator.task_for(SiteId(3)).is_none());
    let task = desk.coordinator.task_for(SiteId(1)).unwrap();
    let blindscope_federation::Ask::Vouch { uploads, .. } = &task.ask else { panic!("{:?}", task.step) };
    assert!(matches!(uploads[..], [(SiteId(3), _)]));
    let answer = desk.answer(1, 9);
    desk.handle(Input::Answer(answer)).unwrap();
    desk.work();
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    assert!(matches!(task.ask, blindscope_federation::Ask::Open { vouches: Some(_), .. }));
    desk.answer_all();
    desk.work();
    let status = desk.coordinator.job(spec.id(&fixture.study)).unwrap().status;
    assert!(matches!(status, JobStatus::Done { .. }), "{status:?}");
}

/// A sum that failed after somebody had uploaded is declared void before another of the same kind and settings begins; another's settings
/// are no matter of it.
#[test]
fn a_failed_sum_is_void_before_its_input_goes_on() {
    let fixture = fixture(4, 2, 3, 22);
    let (mut desk, failed) = open(&fixture);
    let answer = desk.answer(0, 1);
    desk.handle(Input::Answer(answer)).unwrap();
    desk.handle(Input::Abort { job: failed }).unwrap();
    let other = JobSpec { settings: 7.into(), ..job("other", JobKind::Fedavg, 1) };
    desk.submit(&other);
    assert_eq!(desk.coordinator.task_for(SiteId(0)).unwrap().step.phase, Phase::Upload);
    while !desk.coordinator.is_idle() {
        desk.answer_all();
        desk.work();
    }
    let again = job("again", JobKind::Fedavg, 1);
    desk.submit(&again);
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    let blindscope_federation::Ask::Void { rounds } = &task.ask else { panic!("{:?}", task.step) };
    assert!(matches!(&rounds[..], [(spec, 0)] if spec.name == "sum"));
    desk.answer_all();
    desk.work();
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    let blindscope_federation::Ask::Upload { voids, .. } = &task.ask else { panic!("{:?}", task.step) };
    assert_eq!(voids.len(), 1);
    assert!(task.inputs().contains(&voids[0].declared), "sites see the declarations themselves");
    while !desk.coordinator.is_idle() {
        desk.answer_all();
        desk.work();
    }
    let lines: Vec<String> = desk.log.iter().map(blindscope_federation::Record::to_line).collect();
    blindscope_federation::verify(&fixture.study, lines.iter().map(String::as_bytes), &[]).unwrap();
}
