//! One site deviates, or one step goes wrong for everybody, with real encryption: whose fault it was is in the log, and what is to follow
//! follows.

use crate::common::{Fixture, encrypted_head, fixture, inference_keys, job};
use crate::real::Real;
use crate::world::{self, Faults, World, committed};
use crate::{LIMIT_MS, check};
use blindscope_federation::sums::{Agreement, SumRound, Vouch};
use blindscope_federation::{
    Ask, Blob, Cause, JobKind, JobSpec, JobStatus, JobView, Phase, SiteId, Step, Task, check_shares,
    payload::holding,
};

fn calm() -> Faults {
    Faults { delay_ms: 20, ..Faults::default() }
}

/// Whoever was missing in a job, when and why.
fn missing(world: &World<'_, Real<'_>>, name: &str) -> Vec<(SiteId, Phase, Cause)> {
    let coordinator = world.coordinator();
    let view = coordinator.job(coordinator.job_named(name).unwrap()).unwrap();
    view.missing.iter().map(|(step, m)| (m.site, step.phase, m.cause)).collect()
}

fn status(world: &World<'_, Real<'_>>, name: &str) -> JobStatus {
    let coordinator = world.coordinator();
    coordinator.job(coordinator.job_named(name).unwrap()).unwrap().status
}

fn is_done(world: &World<'_, Real<'_>>, name: &str) -> bool {
    matches!(status(world, name), JobStatus::Done { .. })
}

/// Everybody has uploaded, by its own marks, and nothing of it has arrived in time: late, refused or lost with the connection. The next
/// job with these values asks the holders to declare that round void, and is summed.
#[test]
fn an_input_whose_uploads_all_came_too_late_goes_on() {
    let fixture = fixture(4, 2, 3, 71);
    let jobs = ["first", "again", "third"].map(|name| job(name, JobKind::Fedavg, 1));
    let compute = Real::new(&fixture.study, &fixture.sealing, jobs[0].clone());
    let first = jobs[0].id(&fixture.study);
    let too_late = |_: SiteId, step: Step| step.job == first && step.phase == Phase::Upload;
    let mut world = World::new(&fixture, &compute, jobs.to_vec(), calm(), 7);
    world.lost = Some(&too_late);
    assert!(world.run(LIMIT_MS));
    check(&world, &fixture.study, &compute, 7);
    assert!(matches!(status(&world, "first"), JobStatus::Failed { .. }));
    for name in ["again", "third"] {
        assert!(is_done(&world, name), "{name}: {:?}", status(&world, name));
        assert!(missing(&world, name).is_empty(), "{name}: {:?}", missing(&world, name));
    }
}

/// One site's uploads come too late again and again: it goes on as soon as it has seen that the sets lack it.
#[test]
fn a_site_that_is_late_in_one_job_is_in_the_next_of_other_sites() {
    let fixture = fixture(4, 2, 3, 72);
    let jobs = ["first", "again"].map(|name| job(name, JobKind::Fedavg, 1));
    let compute = Real::new(&fixture.study, &fixture.sealing, jobs[0].clone());
    let first = jobs[0].id(&fixture.study);
    let too_late =
        |site: SiteId, step: Step| site == SiteId(3) && step.job == first && step.phase == Phase::Upload;
    let mut world = World::new(&fixture, &compute, jobs.to_vec(), calm(), 8);
    world.lost = Some(&too_late);
    assert!(world.run(LIMIT_MS));
    check(&world, &fixture.study, &compute, 8);
    assert!(is_done(&world, "first") && is_done(&world, "again"));
    // It uploads; the others' values are bound to their set.
    assert_eq!(missing(&world, "again"), [(SiteId(3), Phase::Findings, Cause::OtherCohort)]);
}

/// A round too large to be added up by everybody.
fn large() -> JobSpec {
    JobSpec { values: 190_000, max: 65_535, ..job("large", JobKind::Fedavg, 1) }
}

fn round_of(fixture: &Fixture, task: &Task) -> SumRound {
    let epoch = fixture.study.epoch().unwrap();
    let sizes = (task.spec.values, task.spec.max);
    SumRound::new(&epoch, task.step.job, task.step.round, sizes).unwrap()
}

/// The same word with another evaluation, signed by the site that lies.
fn lie(fixture: &Fixture, task: &Task, site: SiteId, payload: &[u8]) -> Vec<u8> {
    let (round, signer) = (round_of(fixture, task), &fixture.sites[usize::from(site.0)]);
    if task.step.phase == Phase::Agree {
        let word = Agreement::from_bytes(&round, payload).unwrap();
        let mut y = word.evaluation;
        y[3] ^= 1;
        return Agreement::sign(&round, site, word.commitment, y, signer).to_bytes(&round);
    }
    let words = payload.chunks(Vouch::LEN).map(|v| Vouch::from_bytes(&round, v).unwrap());
    let lies = words.flat_map(|v| {
        let mut y = v.evaluation;
        y[3] ^= 1;
        Vouch::sign(&round, (site, v.site), v.commitment, y, signer).to_bytes(&round)
    });
    lies.collect()
}

/// A site that evaluates its own upload wrongly is named, and another one evaluates it.
#[test]
fn who_evaluates_its_own_upload_wrongly_is_named_and_left_out() {
    let fixture = fixture(3, 2, 2, 73);
    let compute = Real::new(&fixture.study, &fixture.sealing, large());
    let forged = |site: SiteId, task: &Task, payload: Vec<u8>| {
        let lies = site == SiteId(1) && task.step.phase == Phase::Agree;
        if lies { lie(&fixture, task, site, &payload) } else { payload }
    };
    let mut world = World::new(&fixture, &compute, vec![large()], calm(), 9);
    world.forged = Some(&forged);
    assert!(world.run(LIMIT_MS));
    check(&world, &fixture.study, &compute, 9);
    assert!(is_done(&world, "large"), "{:?}", status(&world, "large"));
    assert_eq!(missing(&world, "large"), [(SiteId(1), Phase::Agree, Cause::Payload)]);
}

/// A site is gone after its upload, and all but one of those who are asked for it evaluate it wrongly: they are named, and the one
/// right word is used.
#[test]
fn who_evaluates_for_another_wrongly_is_named_and_another_is_asked() {
    let fixture = fixture(4, 2, 3, 74);
    let compute = Real::new(&fixture.study, &fixture.sealing, large());
    let gone = |site: SiteId, step: Step| site == SiteId(3) && step.phase == Phase::Agree;
    let forged = |site: SiteId, task: &Task, payload: Vec<u8>| {
        let lies = site != SiteId(2) && task.step.phase == Phase::Vouch;
        if lies { lie(&fixture, task, site, &payload) } else { payload }
    };
    let mut named = 0;
    for seed in 10..14 {
        let mut world = World::new(&fixture, &compute, vec![large()], calm(), seed);
        world.lost = Some(&gone);
        world.forged = Some(&forged);
        assert!(world.run(LIMIT_MS));
        check(&world, &fixture.study, &compute, seed);
        assert!(is_done(&world, "large"), "{:?}", status(&world, "large"));
        let vouching: Vec<_> =
            missing(&world, "large").into_iter().filter(|(_, phase, _)| *phase == Phase::Vouch).collect();
        assert!(
            vouching.iter().all(|(site, _, cause)| site.0 < 2 && *cause == Cause::Payload),
            "{vouching:?}"
        );
        named += vouching.len();
    }
    assert!(named > 0, "the one right site was never the first in four runs");
}

/// Two rounds, of which the second starts from the first's sum.
fn rounds() -> JobSpec {
    job("rounds", JobKind::Fedavg, 2)
}

/// A run in which the coordinator shows other tasks than it should, and some uploads are lost.
fn shown(
    fixture: &Fixture,
    lost: &dyn Fn(SiteId, Step) -> bool,
    shown: &dyn Fn(SiteId, Task) -> Task,
) -> (bool, Vec<(SiteId, Phase, Cause)>) {
    let compute = Real::new(&fixture.study, &fixture.sealing, rounds());
    let mut world = World::new(fixture, &compute, vec![rounds()], calm(), 15);
    (world.lost, world.shown) = (Some(lost), Some(shown));
    assert!(world.run(LIMIT_MS));
    (is_done(&world, "rounds"), missing(&world, "rounds"))
}

/// The coordinator has sites begin a later round with something else than follows from the sum before: a start of its own, no grounds,
/// or another sum or set of openings as grounds. Nobody uploads.
#[test]
fn a_start_of_the_coordinators_own_is_refused_by_everybody() {
    let fixture = fixture(4, 2, 3, 76);
    let none_lost = |_: SiteId, _: Step| false;
    let (done, out) = shown(&fixture, &none_lost, &|_, task| task);
    assert!(done && out.is_empty(), "{out:?}");
    let own_start = |_: SiteId, mut task: Task| {
        if let Ask::Upload { input: Some(input), .. } = &mut task.ask {
            *input = Blob::of(b"a model that tells more");
        }
        task
    };
    let no_grounds = |_: SiteId, task: Task| Task { grounds: None, ..task };
    let other_sum = |_: SiteId, mut task: Task| {
        if let Some(grounds) = &mut task.grounds {
            grounds.sum = grounds.proof.agreements;
        }
        task
    };
    let no_openings = |_: SiteId, mut task: Task| {
        if let Some(grounds) = &mut task.grounds {
            grounds.openings.truncate(1);
        }
        task
    };
    let deviations: [&dyn Fn(SiteId, Task) -> Task; 4] = [&own_start, &no_grounds, &other_sum, &no_openings];
    for (k, deviates) in deviations.into_iter().enumerate() {
        let (done, out) = shown(&fixture, &none_lost, deviates);
        assert!(!done, "deviation {k}");
        let all: Vec<_> = out.iter().map(|(site, phase, _)| (site.0, *phase)).collect();
        assert_eq!(all, [0, 1, 2, 3].map(|site| (site, Phase::Upload)), "deviation {k}");
        let causes = out.iter().map(|(_, _, cause)| *cause);
        assert!(
            // What is not shown cannot be fetched.
            causes.clone().all(|c| matches!(c, Cause::OtherStart | Cause::Task | Cause::Silent)),
            "deviation {k}: {out:?}"
        );
    }
}

/// Two sites are shown a start of the coordinator's own and two the right one: the two refuse, and where a deviating site would
/// take it all the same, its upload is in another round than theirs.
#[test]
fn two_starts_are_two_rounds() {
    let fixture = fixture(4, 2, 3, 77);
    let other = |site: SiteId, mut task: Task| {
        if let Ask::Upload { input: Some(input), .. } = &mut task.ask
            && site.0 < 2
        {
            *input = Blob::of(b"slightly another model");
        }
        task
    };
    let (done, out) = shown(&fixture, &|_, _| false, &other);
    assert!(!done, "a cohort of three is needed");
    let refused: Vec<_> = out.iter().map(|(site, ..)| site.0).collect();
    assert_eq!(refused, [0, 1]);
}

/// A site whose upload was lost signs a set only after it has held the start against the sum before, too.
#[test]
fn who_signs_without_an_upload_of_its_own_checks_the_start() {
    let fixture = fixture(4, 2, 3, 78);
    let lost = |site: SiteId, step: Step| site == SiteId(3) && step.round == 1 && step.phase == Phase::Upload;
    // It has uploaded, by its marks; so it knows the start.
    let (done, out) = shown(&fixture, &lost, &|_, task| task);
    assert!(done && out.iter().all(|(site, ..)| *site == SiteId(3)), "{out:?}");
}

fn view(world: &World<'_, Real<'_>>, name: &str) -> JobView {
    let coordinator = world.coordinator();
    coordinator.job(coordinator.job_named(name).unwrap()).unwrap()
}

/// A site re-encrypts answers wrongly, and neither coordinator nor sites can see it: the answer is the asker's alone. It opens to
/// nothing; the shares that it is made of are signed, so the asker knows of whom; and the next question is answered without that site.
#[test]
fn who_gives_a_wrong_share_of_an_answer_has_signed_it_and_is_left_out_next_time() {
    let fixture = fixture(3, 2, 2, 75);
    let sum = job("pooled", JobKind::Fedavg, 1);
    let ask = || JobSpec::named(world::ASK);
    let jobs = vec![inference_keys("inference"), sum.clone(), encrypted_head("head", "pooled"), ask(), ask()];
    let compute = Real::new(&fixture.study, &fixture.sealing, sum);
    let forged = |site: SiteId, task: &Task, mut payload: Vec<u8>| {
        if site == SiteId(1) && task.step.phase == Phase::Share {
            // Residues stay residues: what is sent is a share, of something else.
            let half = payload.len() / 2;
            payload[half..].iter_mut().for_each(|byte| *byte ^= 1);
        }
        payload
    };
    let mut world = World::new(&fixture, &compute, jobs, calm(), 12);
    world.forged = Some(&forged);
    world.avoided = vec![vec![SiteId(0)], vec![SiteId(1)]];
    assert!(world.run(LIMIT_MS));
    let set = committed(&world.log, view(&world, "head").id).remove(0);
    let bytes = |name: &str| match view(&world, name).status {
        JobStatus::Done { result } => world.disk[&result.digest].clone(),
        other => panic!("{name}: {other:?}"),
    };
    let start = bytes("pooled");
    let opens = |name: &str| compute.answers(&set, &bytes(name), &start);
    let (wrong, right) = (view(&world, "question"), view(&world, "question-1"));
    assert!(!opens("question") && opens("question-1"));
    let by = |view: &JobView| check_shares(&fixture.study, view.id, &view.shares).unwrap();
    assert_eq!((by(&wrong), by(&right)), (vec![SiteId(1), SiteId(2)], vec![SiteId(0), SiteId(2)]));
    // Nobody is held to what it has not signed for this question.
    let refused = |shares: &[_]| check_shares(&fixture.study, wrong.id, shares).is_err();
    assert!(refused(&right.shares) && refused(&wrong.shares[..1]) && refused(&[]));
    let mut forged = wrong.shares.clone();
    forged[0].header.site = SiteId(0);
    assert!(refused(&forged));
    let twice = [wrong.shares[0].clone(), wrong.shares[0].clone()];
    assert!(refused(&twice));
}

/// A holder of a question's shares sends another encryption of one than its seed gives, or vouches for another: the other holder of that share
/// vouches for what the seed gives, the coordinator adds nothing up, and the log names both holders. Nothing is answered. (Two holders of
/// one share that deviate together pass whatever they like as its encryption, up to `(0, d)`: that is `f + 1`, one more than a
/// study's questions withstand.)
#[test]
fn an_encryption_that_its_holders_do_not_vouch_for_is_not_added_up() {
    let fixture = fixture(3, 2, 2, 79);
    let sum = job("pooled", JobKind::Fedavg, 1);
    let jobs = vec![
        inference_keys("inference"),
        sum.clone(),
        encrypted_head("head", "pooled"),
        JobSpec::named(world::ASK),
    ];
    let holding = holding(&fixture.study).unwrap();
    for (liar, in_ciphertext) in [(0usize, false), (1, false), (1, true), (2, true)] {
        let compute = Real::new(&fixture.study, &fixture.sealing, sum.clone());
        let forged = |site: SiteId, task: &Task, mut payload: Vec<u8>| {
            let asked = task.spec.kind == JobKind::Question && task.step.phase == Phase::Upload;
            if asked && usize::from(site.0) == liar {
                // The first share's digest, or the last residue of the last encryption.
                let at = if in_ciphertext { payload.len() - 9 } else { 0 };
                payload[at] ^= 1;
            }
            payload
        };
        let mut world = World::new(&fixture, &compute, jobs.clone(), calm(), 13);
        world.forged = Some(&forged);
        assert!(world.run(LIMIT_MS));
        assert!(is_done(&world, "head"), "{:?}", status(&world, "head"));
        let share =
            if in_ciphertext { holding.sent(liar).pop() } else { holding.held(liar).first().copied() };
        let named: Vec<SiteId> =
            holding.holders_of(share.unwrap()).iter().map(|h| SiteId(*h as u16)).collect();
        assert!(named.contains(&SiteId(liar as u16)) && named.len() == holding.colluders() + 1);
        let view = view(&world, "question");
        assert!(matches!(view.status, JobStatus::Failed { .. }), "{:?}", view.status);
        let unusable: Vec<SiteId> = missing(&world, "question")
            .into_iter()
            .filter(|(_, phase, cause)| *phase == Phase::Upload && *cause == Cause::Payload)
            .map(|(site, ..)| site)
            .collect();
        assert_eq!(unusable, named, "site {liar}, {in_ciphertext}");
        assert!(view.shares.is_empty(), "nobody has given a share of an answer");
    }
}
