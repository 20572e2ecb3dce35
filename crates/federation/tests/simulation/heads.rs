//! Somebody deviates while a head is learned, with real encryption: a site in the part that it deals, a holder in what it encrypts, the
//! coordinator in what it shows. Either the head is learned without it, or nothing is.

use crate::LIMIT_MS;
use crate::common::{Fixture, encrypted_head, fixture, inference_keys, job};
use crate::real::Real;
use crate::world::{ASK, Faults, World, committed};
use blindscope_ckks::Level;
use blindscope_federation::{
    Ask, Blob, Cause, JobKind, JobSpec, JobStatus, Phase, SEAL_OVERHEAD, SignedHeader, SiteId, Task,
    payload::holding,
};
use blindscope_testkit::rng;
use blindscope_threshold::{Dealt, Remainder};
use blindscope_wire::Hasher;

type Forged<'a> = &'a dyn Fn(SiteId, &Task, Vec<u8>) -> Vec<u8>;
type Missing = Vec<(SiteId, Phase, Cause)>;
type Shown<'a> = &'a dyn Fn(&mut Vec<SignedHeader>);

/// What became of a head, and who was missing when.
struct Learned {
    status: JobStatus,
    missing: Missing,
    /// Whose parts are in it.
    set: Vec<SiteId>,
    refused: bool,
}

fn run(
    fixture: &Fixture,
    heads: &[&str],
    forged: Forged<'_>,
    shown: Option<&dyn Fn(SiteId, Task) -> Task>,
) -> Vec<Learned> {
    let sum = job("pooled", JobKind::Fedavg, 1);
    let mut jobs = vec![inference_keys("inference"), sum.clone()];
    jobs.extend(heads.iter().map(|name| encrypted_head(name, "pooled")));
    let compute = Real::new(&fixture.study, &fixture.sealing, sum);
    let calm = Faults { delay_ms: 20, ..Faults::default() };
    let mut world = World::new(fixture, &compute, jobs, calm, 21);
    (world.forged, world.shown) = (Some(forged), shown);
    assert!(world.run(LIMIT_MS));
    let learned = |name: &&str| {
        let view = world.coordinator().job(world.coordinator().job_named(name).unwrap()).unwrap();
        let missing = view.missing.iter().map(|(step, m)| (m.site, step.phase, m.cause)).collect();
        let set = committed(&world.log, view.id).pop().unwrap_or_default();
        Learned { status: view.status, missing, set, refused: !world.refusals.is_empty() }
    };
    heads.iter().map(learned).collect()
}

fn honest(_: SiteId, _: &Task, payload: Vec<u8>) -> Vec<u8> {
    payload
}

fn of_head(task: &Task, phase: Phase) -> bool {
    task.spec.kind == JobKind::EncryptedHead && task.step.phase == phase
}

/// Bytes of a part's remainder, of its commitments, and of what is sealed to one holder.
fn lengths(fixture: &Fixture, spec: &JobSpec) -> (usize, usize, usize) {
    let holding = holding(&fixture.study).unwrap();
    let params = fixture.study.circuit_params(spec.circuit.as_deref().unwrap()).unwrap();
    let levels: Vec<Level> = spec.levels.iter().map(|l| Level(*l as usize)).collect();
    let package = holding.held(0).len() * Dealt::LEN + SEAL_OVERHEAD;
    (Remainder::byte_len_at(&params, &levels), holding.shares() * 32, package)
}

/// Site 1 hands this in for its part of a head.
fn with_part(fixture: &Fixture, part: &dyn Fn(&Task, Vec<u8>) -> Vec<u8>) -> Learned {
    let forged = |site: SiteId, task: &Task, payload: Vec<u8>| {
        if site == SiteId(1) && of_head(task, Phase::Upload) { part(task, payload) } else { payload }
    };
    run(fixture, &["head"], &forged, None).remove(0)
}

/// A holder of shares sends another encryption of one than the seeds give, or vouches for another: its share's other holder does not, the
/// log names both, and there is no head.
#[test]
fn an_encryption_of_a_head_that_its_holders_do_not_vouch_for_is_not_added_up() {
    let fixture = fixture(3, 2, 2, 81);
    let holding = holding(&fixture.study).unwrap();
    for (liar, in_ciphertext) in [(0usize, false), (1, true), (2, true)] {
        let forged = |site: SiteId, task: &Task, mut payload: Vec<u8>| {
            if of_head(task, Phase::Encrypt) && usize::from(site.0) == liar {
                // The first share's digest, or the last residue of the last encryption.
                let at = if in_ciphertext { payload.len() - 9 } else { 0 };
                payload[at] ^= 1;
            }
            payload
        };
        let head = run(&fixture, &["head"], &forged, None).remove(0);
        let share =
            if in_ciphertext { holding.sent(liar).pop() } else { holding.held(liar).first().copied() };
        let named = holding.holders_of(share.unwrap()).iter();
        let named: Missing = named.map(|h| (SiteId(*h as u16), Phase::Encrypt, Cause::Payload)).collect();
        assert!(named.iter().any(|(site, ..)| usize::from(site.0) == liar));
        assert_eq!(head.missing, named, "site {liar}, {in_ciphertext}");
        assert!(matches!(head.status, JobStatus::Failed { .. }), "{:?}", head.status);
    }
}

/// What is no remainder is found before anybody encrypts, and the head is learned of the other parts.
#[test]
fn a_part_out_of_range_is_left_out_by_name() {
    let fixture = fixture(3, 2, 2, 82);
    let head = with_part(&fixture, &|_, mut part| {
        part[..8].fill(0xff);
        part
    });
    assert!(matches!(head.status, JobStatus::Done { .. }), "{:?}", head.status);
    assert_eq!(head.missing, [(SiteId(1), Phase::Upload, Cause::Payload)]);
    assert_eq!(head.set, [SiteId(0), SiteId(2)]);
}

/// A ciphertext of the site's own making, as parts once were, is of no part's length: the coordinator does not take it.
#[test]
fn a_ciphertext_for_a_part_is_not_taken() {
    let fixture = fixture(3, 2, 2, 83);
    let head = with_part(&fixture, &|task, _| vec![0; task.sizes.sum as usize]);
    assert!(matches!(head.status, JobStatus::Done { .. }), "{:?}", head.status);
    assert_eq!(head.missing, [(SiteId(1), Phase::Upload, Cause::Silent)]);
    assert!(head.refused, "its length is refused");
}

/// What is sealed does not belong to the remainder, to the commitments, to this site or to this job: its holders open nothing, and nothing
/// is encrypted.
#[test]
fn what_is_dealt_for_something_else_is_not_encrypted() {
    let fixture = fixture(3, 2, 2, 84);
    let (remainder, commitments, package) = lengths(&fixture, &encrypted_head("head", "pooled"));
    let open = remainder + commitments;
    let refused = |head: &Learned, by: &[u16], what: &str| {
        assert!(matches!(head.status, JobStatus::Failed { .. }), "{what}: {:?}", head.status);
        let said: Vec<u16> =
            head.missing.iter().filter(|(.., cause)| *cause == Cause::Dealt).map(|(s, ..)| s.0).collect();
        assert!(!said.is_empty() && said.iter().all(|site| by.contains(site)), "{what}: {:?}", head.missing);
        assert!(head.missing.iter().all(|(_, phase, _)| *phase == Phase::Encrypt), "{what}");
    };
    let at = |place: usize| {
        with_part(&fixture, &|_, mut part| {
            part[place] ^= 1;
            part
        })
    };
    refused(&at(0), &[0, 1, 2], "another remainder");
    refused(&at(remainder), &[0, 1, 2], "another commitment");
    refused(&at(open + 2 * package + 7), &[2], "other seeds for one holder");
    // Another site's part, as it was dealt: whichever of two is later hands in the first one's.
    let first = std::cell::RefCell::new(Vec::new());
    let copied = |site: SiteId, task: &Task, payload: Vec<u8>| {
        if !of_head(task, Phase::Upload) || site == SiteId(2) {
            return payload;
        }
        if first.borrow().is_empty() {
            first.borrow_mut().clone_from(&payload);
        }
        first.borrow().clone()
    };
    refused(&run(&fixture, &["head"], &copied, None).remove(0), &[0, 1, 2], "another site's part");
    // Its own, of the job before.
    let own = std::cell::RefCell::new(Vec::new());
    let again = |site: SiteId, task: &Task, payload: Vec<u8>| {
        if !of_head(task, Phase::Upload) || site != SiteId(1) {
            return payload;
        }
        if task.spec.name == "head" {
            own.borrow_mut().clone_from(&payload);
            return payload;
        }
        own.borrow().clone()
    };
    let heads = run(&fixture, &["head", "second"], &again, None);
    assert!(matches!(heads[0].status, JobStatus::Done { .. }), "{:?}", heads[0].status);
    refused(&heads[1], &[0, 1, 2], "of another job");
}

/// The same part with other seeds of one share for one holder, sealed as the rules say.
fn dealt_differently(fixture: &Fixture, task: &Task, mut part: Vec<u8>) -> Vec<u8> {
    let (remainder, commitments, package) = lengths(fixture, &task.spec);
    let (open, holder) = (remainder + commitments, SiteId(0));
    let context = Hasher::new("blindscope/federation/part/v1")
        .absorb(&task.study.0)
        .absorb(&task.key.0.0)
        .absorb(&task.step.job.0.0)
        .absorb_u64(1)
        .absorb(&Blob::of(&part[..open]).digest.0)
        .absorb_u64(u64::from(holder.0))
        .finish();
    let (dealer, of) = (&fixture.sealing[1], &fixture.sealing[usize::from(holder.0)]);
    let sealed = &part[open..open + package];
    let mut seeds = of.open(&dealer.public(), &context, sealed).unwrap().to_vec();
    seeds[Dealt::LEN - 1] ^= 1;
    let sealed = dealer.seal(&of.public(), &context, &seeds, &mut rng(5)).unwrap();
    part[open..open + package].copy_from_slice(&sealed);
    part
}

/// The holders of a share are dealt different seeds for it. Who got others than the site committed to says so, and nobody is held to have
/// vouched for another ciphertext.
#[test]
fn seeds_that_a_site_has_not_committed_to_are_not_used() {
    let fixture = fixture(3, 2, 2, 85);
    let head = with_part(&fixture, &|task, part| dealt_differently(&fixture, task, part));
    assert!(matches!(head.status, JobStatus::Failed { .. }), "{:?}", head.status);
    assert!(head.missing.contains(&(SiteId(0), Phase::Encrypt, Cause::Dealt)), "{:?}", head.missing);
}

/// The coordinator shows one holder other parts than the others: they vouch for different encryptions. It shows too few, or this site's own
/// otherwise than it was sent: the holder encrypts nothing.
#[test]
fn holders_encrypt_one_set_or_none() {
    let fixture = fixture(3, 2, 2, 86);
    let change = |change: Shown<'_>| {
        let shown = |site: SiteId, mut task: Task| {
            if let Ask::Encrypt { parts, .. } = &mut task.ask
                && site == SiteId(0)
            {
                change(parts);
            }
            task
        };
        run(&fixture, &["head"], &honest, Some(&shown)).remove(0)
    };
    let fewer = change(&|parts| parts.truncate(2));
    let causes: Vec<_> = fewer.missing.iter().map(|(_, phase, cause)| (*phase, *cause)).collect();
    assert!(
        !causes.is_empty() && causes.iter().all(|c| *c == (Phase::Encrypt, Cause::Payload)),
        "{causes:?}"
    );
    assert!(matches!(fewer.status, JobStatus::Failed { .. }), "{:?}", fewer.status);
    let changes: [Shown<'_>; 3] = [&|parts| parts.truncate(1), &|parts| parts.swap(0, 1), &|parts| {
        parts[0].header.answer = parts[1].header.answer;
    }];
    for (k, change_of) in changes.into_iter().enumerate() {
        let head = change(change_of);
        assert!(head.missing.contains(&(SiteId(0), Phase::Encrypt, Cause::Task)), "{k}: {:?}", head.missing);
        assert!(matches!(head.status, JobStatus::Failed { .. }), "{k}: {:?}", head.status);
    }
}

/// A head is asked, and the coordinator shows sites other parts of it than its holders encrypted: a part less would be a head of numbers that
/// nobody dealt. Nobody vouches for the encryptions there, and nothing is opened.
#[test]
fn a_head_of_other_parts_than_were_encrypted_is_not_asked() {
    let fixture = fixture(3, 2, 2, 87);
    let sum = job("pooled", JobKind::Fedavg, 1);
    let heads = [inference_keys("inference"), sum.clone(), encrypted_head("head", "pooled")];
    let jobs: Vec<JobSpec> = heads.into_iter().chain([JobSpec::named(ASK)]).collect();
    let compute = Real::new(&fixture.study, &fixture.sealing, sum);
    let shown = |_: SiteId, mut task: Task| {
        if let Ask::Share { evaluation: Some(evaluation), .. } = &mut task.ask {
            evaluation.opening.committed.pop();
        }
        task
    };
    let calm = Faults { delay_ms: 20, ..Faults::default() };
    let mut world = World::new(&fixture, &compute, jobs, calm, 22);
    world.shown = Some(&shown);
    assert!(world.run(LIMIT_MS));
    let view = |name: &str| world.coordinator().job(world.coordinator().job_named(name).unwrap()).unwrap();
    assert!(matches!(view("head").status, JobStatus::Done { .. }));
    let asked = view("question");
    assert!(matches!(asked.status, JobStatus::Failed { .. }) && asked.shares.is_empty(), "{asked:?}");
    let causes: Vec<Cause> =
        asked.missing.iter().map(|(_, m)| m.cause).filter(|c| *c != Cause::Silent).collect();
    assert!(!causes.is_empty() && causes.iter().all(|cause| *cause == Cause::Task), "{causes:?}");
}
