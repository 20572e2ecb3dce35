//! A log that was edited, thinned, reordered or cut is found out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Body, Coordinator, Event, Input, JobId, JobKind, JobSpec, JobStatus, Phase, Record, Refusal, Signer,
    verify,
};
use common::{Desk, Fixture, SIZES, encrypted_head, fixture, inference_keys, job};

/// A finished study's log, and the receipts that its sites hold.
fn log(fixture: &Fixture) -> (Vec<Record>, Vec<Record>) {
    let mut desk = Desk::new(fixture);
    desk.submit(&job("sum", JobKind::Fedavg, 2));
    while !desk.coordinator.is_idle() {
        desk.answer_all();
        desk.work();
    }
    assert!(desk.coordinator.is_idle());
    let receipts =
        desk.log.iter().filter(|r| matches!(r.body.event, Event::Accepted { .. })).cloned().collect();
    (desk.log, receipts)
}

fn check(fixture: &Fixture, log: &[Record], receipts: &[Record]) -> Result<u64, String> {
    let lines: Vec<String> = log.iter().map(Record::to_line).collect();
    let verified = verify(&fixture.study, lines.iter().map(String::as_bytes), receipts);
    verified.map(|v| v.records).map_err(|e| e.to_string())
}

/// Chains and signs again from `from` on, as only the coordinator itself could.
fn resign(fixture: &Fixture, log: &mut [Record], from: usize) {
    for k in from..log.len() {
        let previous = if k == 0 { fixture.study.digest() } else { log[k - 1].digest() };
        let body = Body { seq: k as u64, previous, ..log[k].body.clone() };
        let signature = fixture.coordinator.sign(&body.digest());
        log[k] = Record { body, signature };
    }
}

#[test]
fn an_honest_log_holds() {
    let fixture = fixture(3, 2, 2, 20);
    let (log, receipts) = log(&fixture);
    assert_eq!(check(&fixture, &log, &receipts), Ok(log.len() as u64));
    assert_eq!(check(&fixture, &[], &[]), Ok(0));
}

#[test]
fn every_edit_removal_and_swap_is_found() {
    let fixture = fixture(3, 2, 2, 21);
    let (log, _) = log(&fixture);
    for k in 0..log.len() {
        let mut edited = log.clone();
        edited[k].body.at_ms += 1;
        assert!(check(&fixture, &edited, &[]).is_err(), "edited {k}");
        let mut signature = log.clone();
        signature[k].signature.0[5] ^= 1;
        assert!(check(&fixture, &signature, &[]).is_err(), "signature {k}");
        if k + 1 < log.len() {
            let mut removed = log.clone();
            removed.remove(k);
            assert!(check(&fixture, &removed, &[]).is_err(), "removed {k}");
            let mut swapped = log.clone();
            swapped.swap(k, k + 1);
            assert!(check(&fixture, &swapped, &[]).is_err(), "swapped {k}");
        }
    }
}

#[test]
fn a_cut_log_is_found_by_a_receipt() {
    let fixture = fixture(3, 2, 2, 22);
    let (log, receipts) = log(&fixture);
    let last = receipts.last().unwrap();
    for end in 0..log.len() {
        let found = check(&fixture, &log[..end], std::slice::from_ref(last));
        if (end as u64) <= last.body.seq {
            assert!(found.unwrap_err().contains("the log was cut"), "cut at {end}");
        } else {
            assert!(found.is_ok());
        }
    }
}

/// Even the coordinator, which can chain and sign anew, cannot drop or alter what a site said, or close a step otherwise.
#[test]
fn a_log_written_anew_contradicts_its_sites() {
    let fixture = fixture(3, 2, 2, 23);
    let (log, receipts) = log(&fixture);
    let last = receipts.last().unwrap().body.seq as usize;
    for k in 1..=last {
        let mut dropped = log.clone();
        dropped.remove(k);
        resign(&fixture, &mut dropped, k);
        assert!(check(&fixture, &dropped, &receipts).is_err(), "dropped {k}");
        let mut altered = log.clone();
        match &mut altered[k].body.event {
            Event::Closed { committed, .. } => drop(committed.pop()),
            Event::Accepted { answer } => answer.header.step.round += 1,
            Event::Opened { deadline_ms, .. } => *deadline_ms += 1,
            _ => continue,
        }
        resign(&fixture, &mut altered, k);
        assert!(check(&fixture, &altered, &[]).is_err(), "altered {k}");
    }
}

#[test]
fn a_log_is_of_one_study_and_one_coordinator() {
    let (fixture, other) = (fixture(3, 2, 2, 24), fixture(3, 2, 2, 25));
    let (log, _) = log(&fixture);
    assert!(check(&other, &log, &[]).is_err());
    // A receipt that is not the coordinator's proves nothing against it.
    let mut forged = log[3].clone();
    forged.body.seq = 10_000;
    assert!(check(&fixture, &log, &[forged]).unwrap_err().contains("not the coordinator's"));
}

#[test]
fn an_empty_tick_founds_the_log_once() {
    let fixture = fixture(3, 2, 2, 26);
    let mut desk = Desk::new(&fixture);
    desk.handle(Input::Tick).unwrap();
    desk.handle(Input::Tick).unwrap();
    assert_eq!(desk.log.len(), 1);
}

/// A file of plain sums, as it was written before they were a kind of their own.
fn former(name: &str) -> JobSpec {
    JobSpec { settings: serde_json::json!({ "plain": true }), ..job(name, JobKind::Fedavg, 2) }
}

/// The desk goes on from its log with this job behind it, as a coordinator of an earlier release wrote it.
fn appended(desk: &mut Desk<'_>, fixture: &Fixture, spec: &JobSpec) -> JobId {
    let id = spec.id(&fixture.study);
    let mut log = desk.log.clone();
    let event = Event::Submitted { job: id, spec: spec.clone(), sizes: SIZES, line: None };
    log.push(Record { body: Body { event, ..log[0].body.clone() }, signature: log[0].signature });
    let last = log.len() - 1;
    resign(fixture, &mut log, last);
    desk.coordinator = Coordinator::replay(&fixture.study, log.clone()).unwrap();
    desk.log = log;
    desk.handle(Input::Tick).unwrap();
    id
}

/// An old log holds such jobs: they are what they were, run to their end, and are named truly; no log gets new ones.
#[test]
fn plain_sums_of_an_old_log_are_sums_and_run_on() {
    let fixture = fixture(3, 2, 2, 27);
    let mut desk = Desk::new(&fixture);
    desk.submit(&job("first", JobKind::Metrics, 1));
    desk.answer_all();
    let spec = former("totals");
    let id = appended(&mut desk, &fixture, &spec);
    while !desk.coordinator.is_idle() {
        desk.answer_all();
        desk.work();
    }
    let view = desk.coordinator.job(id).unwrap();
    assert_eq!(view.kind, JobKind::Sum);
    assert!(matches!(view.status, JobStatus::Done { .. }), "{:?}", view.status);
    assert_eq!(check(&fixture, &desk.log, &[]), Ok(desk.log.len() as u64));
    // The same file again is the same job; a new one of that form is refused, with what to write.
    assert_eq!(desk.submit(&spec), id);
    let refusal = desk.handle(Input::Submit { spec: former("more"), sizes: SIZES }).unwrap_err();
    assert_eq!(refusal, Refusal::FormerJob { kind: JobKind::Fedavg });
    assert!(refusal.to_string().contains("write kind = \"sum\""), "{refusal}");
}

/// An old log holds heads that were sums of sites' own ciphertexts: it holds together, and says of them what it said.
#[test]
fn a_head_of_an_old_log_is_what_it_was() {
    let fixture = fixture(3, 2, 2, 28);
    let mut desk = Desk::new(&fixture);
    for spec in [job("start", JobKind::Statistics, 1), inference_keys("keys")] {
        desk.submit(&spec);
    }
    while !desk.coordinator.is_idle() {
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    let spec = JobSpec { holders: Vec::new(), ..encrypted_head("head", "start") };
    let id = appended(&mut desk, &fixture, &spec);
    while !desk.coordinator.is_idle() {
        if desk.coordinator.work().is_some() { desk.work() } else { desk.answer_all() }
    }
    let view = desk.coordinator.job(id).unwrap();
    assert!(matches!(view.status, JobStatus::Done { .. }), "{:?}", view.status);
    assert!(desk.coordinator.encrypted_head(id).is_some_and(|head| head.encrypted.is_empty()));
    assert_eq!(check(&fixture, &desk.log, &[]), Ok(desk.log.len() as u64));
}

/// A study of an earlier release, whose sums had a key that outlived their rounds: what to do stands in the refusal.
#[test]
fn a_log_with_sums_of_the_former_kind_is_refused_in_a_sentence() {
    let fixture = fixture(3, 2, 2, 27);
    let mut desk = Desk::new(&fixture);
    let sum = desk.submit(&job("sum", JobKind::Fedavg, 1));
    let log = desk.log;
    let with = |event: Event| {
        let mut log = log[..2].to_vec();
        let body = Body { seq: 2, previous: log[1].digest(), at_ms: 1, event };
        let signature = fixture.coordinator.sign(&body.digest());
        log.push(Record { body, signature });
        check(&fixture, &log, &[]).unwrap_err()
    };
    let spec = JobSpec { kind: JobKind::Ceremony, ..JobSpec::named("key") };
    let key = spec.id(&fixture.study);
    let said = with(Event::Submitted { job: key, spec: spec.clone(), sizes: SIZES, line: None });
    assert!(said.contains("earlier release") && said.contains("found a new study"), "{said}");
    // A sum under that key.
    let with = |event: Event| {
        let mut log = log[..2].to_vec();
        let body = Body { seq: 2, previous: log[1].digest(), at_ms: 1, event };
        let signature = fixture.coordinator.sign(&body.digest());
        log.push(Record { body, signature });
        Coordinator::replay(&fixture.study, log).unwrap_err().to_string()
    };
    let Event::Opened { step, expected, deadline_ms, .. } = log[2].body.event.clone() else {
        panic!("{:?}", log[2])
    };
    assert_eq!(step.job, sum);
    let said = with(Event::Opened { step, key, expected, deadline_ms });
    assert!(said.contains("former kind") && said.contains("found a new study"), "{said}");
    // Nor is such a job taken.
    let said = spec.checked().unwrap_err().to_string();
    assert!(said.contains("sums need no key beforehand"), "{said}");
}

/// An inference key of an earlier release, whose shares were asked for before anybody had committed: its last site could have chosen it.
#[test]
fn a_log_with_an_inference_key_without_commitments_is_refused_in_a_sentence() {
    let fixture = fixture(3, 2, 2, 28);
    let mut desk = Desk::new(&fixture);
    let key = desk.submit(&inference_keys("inference"));
    let mut log = desk.log.clone();
    let Some(at) =
        log.iter().position(|r| matches!(&r.body.event, Event::Opened { step, .. } if step.job == key))
    else {
        panic!("{log:?}")
    };
    log.truncate(at + 1);
    let Event::Opened { step, .. } = &mut log[at].body.event else { panic!("{:?}", log[at]) };
    assert_eq!(step.phase, Phase::Commit);
    step.phase = Phase::KeyShare;
    resign(&fixture, &mut log, at);
    let said = [
        Coordinator::replay(&fixture.study, log.clone()).unwrap_err().to_string(),
        check(&fixture, &log, &[]).unwrap_err(),
    ];
    for said in said {
        for word in ["made without commitments", "verify it with that release", "a new key in a new study"] {
            assert!(said.contains(word), "{said}");
        }
    }
}
