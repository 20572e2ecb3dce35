//! Jobs submitted again: the same values are summed over one set of sites, and whoever is left out learns why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Answer, Cause, Failure, Input, JobId, JobKind, JobSpec, JobStatus, Phase, Record, SiteId, Task, verify,
};
use common::{Desk, Fixture, fixture, fixture_for, job};

/// Runs a job to its end; `silent` sites are away.
fn run(desk: &mut Desk<'_>, spec: &JobSpec, silent: &[u16]) -> JobId {
    let id = desk.submit(spec);
    while !desk.coordinator.job(id).unwrap().is_over() {
        for site in 0..desk.fixture.sites.len() as u16 {
            if !silent.contains(&site) && desk.coordinator.task_for(SiteId(site)).is_some() {
                let answer = desk.answer(site, u64::from(site) + 100);
                desk.handle(Input::Answer(answer)).unwrap();
            }
        }
        if desk.coordinator.work().is_none() {
            desk.now += 60_000;
            desk.handle(Input::Tick).unwrap();
        }
        if desk.coordinator.work().is_some() {
            desk.work();
        }
    }
    id
}

fn missing(desk: &Desk<'_>, id: JobId) -> Vec<(u16, Phase, Cause)> {
    let view = desk.coordinator.job(id).unwrap();
    view.missing.iter().map(|(step, m)| (m.site.0, step.phase, m.cause)).collect()
}

fn is_done(desk: &Desk<'_>, id: JobId) -> bool {
    matches!(desk.coordinator.job(id).unwrap().status, JobStatus::Done { .. })
}

fn three() -> Fixture {
    fixture(3, 2, 2, 61)
}

/// A site comes back: a sum over it too, less the one before, would be its values. The job gives the earlier sites' sum.
#[test]
fn a_site_that_comes_back_is_left_out_of_a_sum_of_the_same_values() {
    let fixture = three();
    let mut desk = Desk::new(&fixture);
    let first = run(&mut desk, &job("first", JobKind::Statistics, 1), &[2]);
    assert!(is_done(&desk, first));
    let again = run(&mut desk, &job("again", JobKind::Statistics, 1), &[]);
    assert!(is_done(&desk, again));
    assert_eq!(missing(&desk, again), [(2, Phase::Findings, Cause::OtherCohort)]);
    // Newer data, and another kind, are other values.
    let newer = JobSpec { data_version: Some("2026-12".into()), ..job("newer", JobKind::Statistics, 1) };
    for spec in [newer, job("other", JobKind::Metrics, 1)] {
        let id = run(&mut desk, &spec, &[]);
        assert!(is_done(&desk, id) && missing(&desk, id).is_empty(), "{}", spec.name);
    }
    let lines: Vec<String> = desk.log.iter().map(Record::to_line).collect();
    verify(&fixture.study, lines.iter().map(String::as_bytes), &[]).unwrap();
}

/// A site is lost: the others' sum, taken from the one before, would be its values. The failure says so, and what helps.
#[test]
fn without_a_site_of_the_earlier_sum_the_same_values_are_not_summed() {
    let fixture = three();
    let mut desk = Desk::new(&fixture);
    let first = run(&mut desk, &job("first", JobKind::Statistics, 1), &[]);
    assert!(is_done(&desk, first));
    let again = run(&mut desk, &job("again", JobKind::Statistics, 1), &[2]);
    let JobStatus::Failed { failure } = desk.coordinator.job(again).unwrap().status else { panic!("done") };
    assert!(matches!(&failure, Failure::TooFew { found: 0, needed: 2, .. }), "{failure:?}");
    let said = failure.explain(&fixture.study);
    for word in ["site-0", "site-1", "an earlier job summed the same values", "data_version"] {
        assert!(said.contains(word), "{said}");
    }
    // All are there again.
    let third = run(&mut desk, &job("third", JobKind::Statistics, 1), &[]);
    assert!(is_done(&desk, third));
}

/// A round whose set was signed and that then failed may be open at some holder: where it cannot be made void, it goes on over that set.
#[test]
fn a_round_that_failed_while_it_was_opened_goes_on_over_its_set() {
    let fixture = fixture(4, 2, 3, 62);
    let mut desk = Desk::new(&fixture);
    let failed = desk.submit(&job("failed", JobKind::Statistics, 1));
    for site in 0..3 {
        let answer = desk.answer(site, 7);
        desk.handle(Input::Answer(answer)).unwrap();
    }
    desk.now += 60_000;
    desk.handle(Input::Tick).unwrap();
    desk.work();
    for _ in 0..2 {
        desk.answer_all();
        desk.work();
    }
    assert_eq!(desk.coordinator.task_for(SiteId(0)).unwrap().step.phase, Phase::Open);
    desk.handle(Input::Abort { job: failed }).unwrap();
    let again = desk.submit(&job("again", JobKind::Statistics, 1));
    assert_eq!(desk.coordinator.task_for(SiteId(0)).unwrap().step.phase, Phase::Void);
    // Nobody declares it void in time.
    for site in 0..4 {
        let task = desk.coordinator.task_for(SiteId(site)).unwrap();
        let declined = desk.sign(site, &task, Answer::Declined(Cause::Store));
        desk.handle(Input::Answer(declined)).unwrap();
    }
    let task = desk.coordinator.task_for(SiteId(0)).unwrap();
    let blindscope_federation::Ask::Upload { voids, settled, .. } = &task.ask else {
        panic!("{:?}", task.step)
    };
    assert!(voids.is_empty() && settled.len() == 1, "sites see of which set it may be open");
    while !desk.coordinator.job(again).unwrap().is_over() {
        desk.answer_all();
        desk.work();
    }
    assert!(is_done(&desk, again));
    assert_eq!(missing(&desk, again).last(), Some(&(3, Phase::Findings, Cause::OtherCohort)));
}

/// A thousand jobs of the same values, one site away all the while: what a task carries stays small, for it and for the others, and the
/// coordinator keeps nothing for those who know.
#[test]
fn a_thousand_like_jobs_make_no_long_task() {
    let fixture = fixture_for(1 << 20, 3, 2, 2, 63);
    let mut desk = Desk::new(&fixture);
    let like = |k: u32| job(&format!("job-{k}"), JobKind::Statistics, 1);
    for k in 0..1000 {
        let id = run(&mut desk, &like(k), &[2]);
        assert!(is_done(&desk, id));
        desk.log.clear();
    }
    let last = desk.submit(&like(1000));
    let told = |desk: &Desk<'_>, site: u16| {
        let task = desk.coordinator.task_for(SiteId(site)).unwrap();
        let blindscope_federation::Ask::Upload { settled, .. } = &task.ask else { panic!("{:?}", task.step) };
        (settled.iter().map(|s| s.spec.name.clone()).collect::<Vec<_>>(), task.to_bytes().len())
    };
    // Whoever took part in all of them is told of none or one; whoever was away of the oldest and the newest.
    assert!(told(&desk, 0).0.len() <= 1, "{:?}", told(&desk, 0).0);
    let (names, len) = told(&desk, 2);
    assert!(
        (2..=32).contains(&names.len())
            && names.contains(&"job-0".into())
            && names.contains(&"job-999".into())
    );
    // With settings as long as they may be it is still far below the frame.
    assert!(len + names.len() * (16 << 10) < Task::MAX_LEN / 4, "{len} bytes");
    desk.answer_all();
    while !desk.coordinator.job(last).unwrap().is_over() {
        desk.work();
        desk.answer_all();
    }
    // What it has stored it is not told again.
    desk.submit(&like(1001));
    let (next, _) = told(&desk, 2);
    assert!(names.iter().all(|name| !next.contains(name)), "{next:?}");
}
