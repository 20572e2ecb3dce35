//! What a site takes part in, and what it never does twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Answer, Ask, Cause, Delta, Epsilon, Event, Input, JobKind, JobSpec, Mark, Objection, Opening, Order,
    Permit, Phase, Policy, Privacy, PrivacyUnit, Question, Rule, Site, SiteId, Task,
};
use blindscope_threshold::Ledger;
use blindscope_wire::Digest;
use common::{Desk, Fixture, SIZES, blob, encrypted_head, fixture, inference_keys, job, willing};

/// A site that is asked for its first upload; its marks, and the desk.
fn site(fixture: &Fixture, policy: Policy) -> (Desk<'_>, Site, Vec<Mark>) {
    let mut desk = Desk::new(fixture);
    let site = Site::replay(&fixture.study, SiteId(0), policy, []).unwrap();
    desk.submit(&job("sum", JobKind::Fedavg, 2));
    (desk, site, Vec::new())
}

/// The site does what it is asked, with a payload out of thin air; what it answered.
fn answer(desk: &mut Desk<'_>, site: &mut Site, marks: &mut Vec<Mark>) -> Answer {
    let task = desk.coordinator.task_for(site.me()).expect("no task");
    let payload = desk.answer(0, 1).header.answer;
    let mut store = |site: &mut Site, new: &[Mark]| {
        for mark in new {
            site.apply(mark).unwrap();
        }
        marks.extend_from_slice(new);
    };
    let answer = match site.take(&task).unwrap() {
        Order::Work { before } => {
            store(site, &before);
            payload
        }
        Order::Decline(objection) => Answer::Declined(objection.cause()),
        Order::Send(_) => panic!("staged already"),
    };
    let mut new = common::remembers(&task);
    new.extend(site.answer(&task, answer, &desk.fixture.sites[0]));
    store(site, &new);
    let Some(Mark::Staged { answer: signed }) = new.last() else { panic!("nothing staged") };
    let receipt = desk.handle(Input::Answer(signed.clone())).unwrap().unwrap();
    store(site, &[site.receive(&receipt).unwrap()]);
    answer
}

fn declined(order: Order) -> Cause {
    match order {
        Order::Decline(objection) => objection.cause(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn policy_is_asked_before_anything_else() {
    let fixture = fixture(3, 2, 2, 30);
    let cases = [
        (Policy { jobs: vec![JobKind::Metrics], ..willing() }, Rule::JobKind { kind: JobKind::Fedavg }),
        (Policy { maximum_rounds: 1, ..willing() }, Rule::MaximumRounds { found: 2, most: 1 }),
        (Policy { maximum_decryptions: 1, ..willing() }, Rule::MaximumDecryptions { found: 2, most: 1 }),
        (Policy { minimum_cohort: 3, ..willing() }, Rule::MinimumCohort { found: 2, least: 3 }),
    ];
    for (policy, rule) in cases {
        let (mut desk, mut site, mut marks) = site(&fixture, policy);
        assert_eq!(answer(&mut desk, &mut site, &mut marks), Answer::Declined(Cause::Policy(rule)));
    }
    let other = Policy { backbone: Digest([8; 32]), ..willing() };
    let mut desk = Desk::new(&fixture);
    desk.submit(&job("sum", JobKind::Fedavg, 2));
    let site = Site::replay(&fixture.study, SiteId(0), other, []).unwrap();
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    assert_eq!(declined(site.take(&task).unwrap()), Cause::Policy(Rule::Backbone));
}

/// The task of a first upload with this table of noise, or without.
fn asked_with(fixture: &Fixture, name: &str, privacy: Option<(f64, f64, PrivacyUnit)>) -> (JobSpec, Task) {
    let mut desk = Desk::new(fixture);
    let table = |(epsilon, delta, unit): (f64, f64, PrivacyUnit)| {
        let (epsilon, delta) = (epsilon.try_into().unwrap(), delta.try_into().unwrap());
        Box::new(Privacy { epsilon, delta, unit, norm: 1.0 })
    };
    let spec = JobSpec { privacy: privacy.map(table), ..job(name, JobKind::Statistics, 1) };
    desk.submit(&spec);
    (spec, desk.coordinator.task_for(SiteId(0)).unwrap())
}

#[test]
fn no_job_passes_the_floor_of_privacy() {
    use PrivacyUnit::{Patient, Tile};
    let fixture = fixture(3, 2, 2, 30);
    let (epsilon, delta) = (|e: f64| Epsilon::try_from(e).unwrap(), |d: f64| Delta::try_from(d).unwrap());
    let strict = Policy {
        max_epsilon: Some(epsilon(2.0)),
        max_delta: Some(delta(1e-5)),
        lifetime_epsilon: Some(epsilon(5.0)),
        privacy_unit: Some(Patient),
        ..willing()
    };
    let cases = [
        (None, Rule::NoNoise { kind: JobKind::Statistics }),
        (
            Some((2.000_001, 1e-5, Patient)),
            Rule::MaxEpsilon { found: epsilon(2.000_001), most: epsilon(2.0) },
        ),
        (Some((1.0, 2e-5, Patient)), Rule::MaxDelta { found: delta(2e-5), most: delta(1e-5) }),
        (Some((1.0, 1e-5, Tile)), Rule::PrivacyUnit),
    ];
    for (privacy, rule) in cases {
        let (_, task) = asked_with(&fixture, "floor", privacy);
        let site = Site::replay(&fixture.study, SiteId(0), strict.clone(), []).unwrap();
        assert_eq!(declined(site.take(&task).unwrap()), Cause::Policy(rule));
        assert!(rule.to_string().len() > 20, "{rule}");
    }
    // Each rule by itself refuses what carries no noise.
    for alone in [
        Policy { max_epsilon: strict.max_epsilon, ..willing() },
        Policy { max_delta: strict.max_delta, ..willing() },
        Policy { lifetime_epsilon: strict.lifetime_epsilon, ..willing() },
        Policy { privacy_unit: strict.privacy_unit, ..willing() },
    ] {
        let (_, task) = asked_with(&fixture, "floor", None);
        let site = Site::replay(&fixture.study, SiteId(0), alone, []).unwrap();
        assert_eq!(
            declined(site.take(&task).unwrap()),
            Cause::Policy(Rule::NoNoise { kind: JobKind::Statistics })
        );
    }
    // What is given away in a life adds up, over other jobs' names and a start anew; the same job counts once.
    let mut marks = Vec::new();
    for (name, fine) in [("one", true), ("two", true), ("three", false), ("two", true)] {
        let (spec, task) = asked_with(&fixture, name, Some((2.0, 1e-5, Patient)));
        let site = Site::replay(&fixture.study, SiteId(0), strict.clone(), marks.clone()).unwrap();
        let order = site.take(&task).unwrap();
        assert_eq!(matches!(order, Order::Work { .. }), fine, "{name}: {order:?}");
        if fine {
            let privacy = spec.privacy.unwrap();
            let (job, epsilon, delta) = (task.step.job, privacy.epsilon, privacy.delta);
            marks.push(Mark::Privacy { job, epsilon, delta });
        } else {
            let rule = Rule::LifetimeEpsilon { found: epsilon(6.0), most: epsilon(5.0) };
            assert_eq!(declined(order), Cause::Policy(rule));
        }
    }
    let text = strict.to_toml().unwrap();
    assert_eq!(Policy::from_toml(&text).unwrap(), strict, "{text}");
    assert!(!willing().to_toml().unwrap().contains("epsilon"), "files of before stay what they were");
}

/// A site that has uploaded for a question and is asked for its share.
fn sharing(fixture: &Fixture) -> (Desk<'_>, Site, Vec<Mark>, Task) {
    let mut desk = Desk::new(fixture);
    let mut site = Site::replay(&fixture.study, SiteId(0), willing(), []).unwrap();
    let mut marks = Vec::new();
    let jobs =
        [job("start", JobKind::Statistics, 1), inference_keys("keys"), encrypted_head("head", "start")];
    for spec in &jobs {
        let id = desk.submit(spec);
        while !desk.coordinator.job(id).unwrap().is_over() {
            if desk.coordinator.task_for(SiteId(0)).is_some() {
                answer(&mut desk, &mut site, &mut marks);
            }
            desk.answer_all();
            if desk.coordinator.work().is_some() {
                desk.work();
            }
        }
    }
    let question = Question {
        head: desk.coordinator.job_named("head").unwrap(),
        asker: blob(900, 77),
        remainder: blob(901, 78),
        dealt: blob(902, 79),
        holders: vec![SiteId(0), SiteId(1), SiteId(2)],
        tokens: 1,
        pieces: 1,
        ciphertexts: 2,
        masks: Digest([3; 32]),
        avoided: Vec::new(),
    };
    let (kind, circuit) = (JobKind::Question, Some(common::circuit().into()));
    let spec = JobSpec { kind, circuit, question: Some(question.into()), ..JobSpec::named("question") };
    desk.submit(&spec.checked().unwrap());
    answer(&mut desk, &mut site, &mut marks);
    desk.answer_all();
    desk.work();
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    assert_eq!(task.step.phase, Phase::Share);
    (desk, site, marks, task)
}

/// What a permit for this task is spent on.
fn permit_mark(fixture: &Fixture, task: &Task) -> Digest {
    let params = fixture.study.circuit_params(task.spec.circuit.as_deref().unwrap()).unwrap();
    fixture.study.opening(&params, task.step.job, 0, 0).digest()
}

fn apply(site: &mut Site, order: Order) -> Vec<Mark> {
    let Order::Work { before } = order else { panic!("{order:?}") };
    for mark in &before {
        site.apply(mark).unwrap();
    }
    before
}

#[test]
fn a_share_is_made_once() {
    let fixture = fixture(3, 2, 2, 31);
    let (_, mut site, mut marks, task) = sharing(&fixture);
    assert!(site.permit(&task).is_err(), "a permit before the mark");
    assert_eq!(site.opened(), 5, "the question counts since its shares were sent");
    let order = site.take(&task).unwrap();
    marks.extend(apply(&mut site, order));
    let mut permit: Permit = site.permit(&task).unwrap();
    assert!(site.permit(&task).is_err(), "two permits");
    let mark = permit_mark(&fixture, &task);
    assert!(permit.spend(Digest([0; 32])).is_err());
    permit.spend(mark).unwrap();
    assert!(permit.spend(mark).is_err());
    // The process stops before the share is kept: it is lost, and the site says so.
    let mut again = Site::replay(&fixture.study, SiteId(0), willing(), marks).unwrap();
    assert_eq!(again.opened(), 5, "a sum, a known value and a question");
    assert!(again.permit(&task).is_err());
    assert_eq!(declined(again.take(&task).unwrap()), Cause::Spent);
}

#[test]
fn one_committed_set_a_round() {
    let fixture = fixture(3, 2, 2, 32);
    let (_, mut site, marks, task) = sharing(&fixture);
    let order = site.take(&task).unwrap();
    let before = apply(&mut site, order);
    let change = |task: &Task, change: &dyn Fn(&mut Opening)| {
        let mut task = task.clone();
        task.step.attempt = 1;
        let Ask::Share { opening, target, .. } = &mut task.ask else { panic!("no share") };
        change(opening);
        *target = opening.sum;
        task
    };
    let other = change(&task, &|o| o.sum = blob(77, SIZES.sum));
    let remembers =
        Site::replay(&fixture.study, SiteId(0), willing(), [marks.clone(), before].concat()).unwrap();
    assert_eq!(declined(remembers.take(&other).unwrap()), Cause::OtherOpening);
    // And the mark itself cannot be contradicted.
    let Ask::Share { opening, .. } = &task.ask else { panic!("no share") };
    let (job, round, sum) = (task.step.job, 0, opening.sum);
    let mut remembers = remembers;
    assert!(remembers.apply(&Mark::Opening { job, round, opening: Digest([1; 32]), sum }).is_err());
    assert!(remembers.apply(&Mark::Opening { job, round: 1, opening: Digest([1; 32]), sum }).is_err());
}

#[test]
fn a_task_that_does_not_hold_together() {
    let fixture = fixture(3, 2, 2, 33);
    let (_, site, _, task) = sharing(&fixture);
    let with = |change: &dyn Fn(&mut Task)| {
        let mut task = task.clone();
        change(&mut task);
        task
    };
    let share = |change: &dyn Fn(&mut Ask)| with(&|t| change(&mut t.ask));
    let bad = [
        with(&|t| t.step.round = 1),
        with(&|t| t.step.attempt = 9),
        with(&|t| t.step.phase = Phase::Ready),
        share(&|a| {
            if let Ask::Share { committee, .. } = a {
                committee.reverse();
            }
        }),
        share(&|a| {
            if let Ask::Share { committee, .. } = a {
                committee.push(SiteId(2));
            }
        }),
        share(&|a| {
            if let Ask::Share { committee, .. } = a {
                *committee = vec![SiteId(1), SiteId(2)];
            }
        }),
        share(&|a| {
            if let Ask::Share { target, .. } = a {
                *target = blob(5, SIZES.sum);
            }
        }),
        share(&|a| {
            if let Ask::Share { opening, .. } = a {
                opening.committed.truncate(1);
            }
        }),
        share(&|a| {
            if let Ask::Share { opening, .. } = a {
                opening.committed.swap(0, 1);
            }
        }),
        share(&|a| {
            if let Ask::Share { opening, .. } = a {
                opening.committed[1].signature.0[0] ^= 1;
            }
        }),
        // A committed upload of this site that it never sent.
        share(&|a| {
            if let Ask::Share { opening, .. } = a {
                let mut header = opening.committed[0].header.clone();
                header.answer = Answer::Payload(blob(9, SIZES.upload));
                opening.committed[0] = header.sign(&fixture.sites[0]);
            }
        }),
    ];
    for task in bad {
        assert_eq!(declined(site.take(&task).unwrap()), Cause::Task, "{task:#?}");
    }
    let mut epoch = task.clone();
    epoch.key = task.step.job;
    assert_eq!(declined(site.take(&epoch).unwrap()), Cause::KeyEpoch);
    // Another study's task, or a job that is not that of its file, is not answered at all.
    assert!(site.take(&with(&|t| t.study = Digest([3; 32]))).is_err());
    assert!(site.take(&with(&|t| t.spec.name = "other".to_owned())).is_err());
}

#[test]
fn a_later_attempt_needs_this_sites_own_zeros() {
    let fixture = fixture(3, 2, 2, 34);
    let (mut desk, mut site, mut marks, _) = sharing(&fixture);
    // The other member vanishes: the next attempt begins with zeros.
    answer(&mut desk, &mut site, &mut marks);
    desk.now += 10_000;
    desk.handle(Input::Tick).unwrap();
    answer(&mut desk, &mut site, &mut marks);
    let answer_two = desk.answer(1, 5);
    desk.handle(Input::Answer(answer_two)).unwrap();
    desk.work();
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    assert_eq!((task.step.attempt, task.step.phase), (1, Phase::Share));
    let mut forged = task.clone();
    let Ask::Share { zeros, .. } = &mut forged.ask else { panic!("no share") };
    let mut header = zeros[0].header.clone();
    header.answer = Answer::Payload(blob(123, SIZES.sum));
    zeros[0] = header.sign(&fixture.sites[0]);
    assert_eq!(declined(site.take(&forged).unwrap()), Cause::Task);
    let mut stale = task.clone();
    let Ask::Share { opening, target, .. } = &mut stale.ask else { panic!("no share") };
    *target = opening.sum;
    assert_eq!(declined(site.take(&stale).unwrap()), Cause::Task);
    let order = site.take(&task).unwrap();
    let before = apply(&mut site, order);
    assert!(matches!(before[..], [Mark::Spent { .. }]), "the committed set is remembered already");
}

#[test]
fn receipts_are_checked() {
    let fixture = fixture(3, 2, 2, 35);
    let (mut desk, mut site, mut marks) = site(&fixture, willing());
    answer(&mut desk, &mut site, &mut marks);
    desk.answer_all();
    let last = site.last_receipt().unwrap().clone();
    let mut forged = last.clone();
    forged.body.at_ms += 1;
    assert!(site.receive(&forged).is_err());
    let other = desk
        .log
        .iter()
        .find(|r| matches!(&r.body.event, Event::Accepted { answer } if answer.header.site != SiteId(0)));
    assert!(site.receive(other.unwrap()).is_err());
    assert!(site.receive(&desk.log[0]).is_err());
    assert!(site.receive(&last).is_ok());
    assert_eq!(site.unacknowledged().count(), 0);
}

/// Each thing that can be wrong with a task has a name in the site's own log; its answer says no more than the cause.
#[test]
fn objections_are_told_apart_at_the_site() {
    let fixture = fixture(3, 2, 2, 39);
    let (_, site, _, task) = sharing(&fixture);
    let with = |edit: &dyn Fn(&mut Opening, &mut Vec<SiteId>)| {
        let mut task = task.clone();
        let Ask::Share { opening, committee, .. } = &mut task.ask else { panic!("no share") };
        edit(opening, committee);
        match site.take(&task).unwrap() {
            Order::Decline(objection) => objection,
            other => panic!("{other:?}"),
        }
    };
    let other = |o: &Opening| o.committed.iter().position(|h| h.header.site != SiteId(0)).unwrap();
    let of = |o: &Opening| o.committed[other(o)].header.site;
    let Ask::Share { opening, .. } = &task.ask else { panic!("no share") };
    let found = [
        with(&|o, _| {
            let other = other(o);
            o.committed[other].signature.0[5] ^= 1;
        }),
        with(&|o, _| o.committed.truncate(1)),
        with(&|o, _| o.sum.len += 1),
        with(&|_, committee| committee.reverse()),
        with(&|o, _| o.sum = blob(9, SIZES.sum)),
    ];
    let expected = [
        Objection::Signature { site: of(opening) },
        Objection::OtherHolders,
        Objection::SumLength { expected: SIZES.sum, found: SIZES.sum + 1 },
        Objection::Committee { threshold: 2 },
        Objection::Target,
    ];
    assert_eq!(found, expected);
    assert!(found.iter().all(|o| o.cause() == Cause::Task));
    let texts: std::collections::BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), found.len());
}

/// A sum's step has its own keys and what belongs to its phase; the site names what is not so.
#[test]
fn steps_of_a_sum_that_do_not_hold_together() {
    let fixture = fixture(3, 2, 2, 40);
    let (mut desk, site, _) = site(&fixture, willing());
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    let objects = |task: &Task| match site.take(task).unwrap() {
        Order::Decline(objection) => objection,
        other => panic!("{other:?}"),
    };
    assert_eq!(site.take(&task).unwrap(), Order::Work { before: Vec::new() });
    let other = Task { key: blindscope_federation::JobId(Digest([1; 32])), ..task.clone() };
    assert_eq!(objects(&other), Objection::OtherKey);
    let mut phase = task.clone();
    phase.step.phase = Phase::Agree;
    assert_eq!(objects(&phase), Objection::OtherPhase { step: phase.step });
    let mut attempt = task.clone();
    attempt.step.attempt = 1;
    assert_eq!(objects(&attempt), Objection::NoSuchStep { step: attempt.step });
    let ask = Ask::Findings { headers: blob(1, 1), bundle: blob(2, 2) };
    assert!(matches!(objects(&Task { ask, ..task }), Objection::OtherPhase { .. }));
    // What is asked belongs to the sum's phases alone.
    desk.answer_all();
    desk.work();
    assert_eq!(desk.coordinator.task_for(SiteId(0)).unwrap().step.phase, Phase::Findings);
}
