//! Every byte that comes from outside: one form a value, bounded, and a typed error for everything else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use proptest::prelude::*;

use blindscope_federation::sums::SumMark;
use blindscope_federation::{
    Answer, Cause, Deadlines, Error, JobKind, JobSpec, Mark, Phase, Policy, Record, Rule, SignedHeader,
    SiteId, StudyLiteral, Task,
};
use common::{Desk, fixture, job, willing};

/// One of each kind of message.
fn samples() -> (Vec<Task>, Vec<SignedHeader>, Vec<Record>, Vec<Mark>) {
    let fixture = fixture(3, 2, 2, 40);
    let mut desk = Desk::new(&fixture);
    let (mut tasks, mut answers) = (Vec::new(), Vec::new());
    desk.submit(&common::inference_keys("key"));
    desk.submit(&job("sum", JobKind::Fedavg, 2));
    while let Some(task) = desk.coordinator.task_for(SiteId(0)) {
        tasks.push(task);
        answers.push(desk.answer(0, 1));
        desk.answer_all();
        if desk.coordinator.work().is_some() {
            desk.work();
        }
    }
    let opened = blindscope_wire::Digest([1; 32]);
    let step = tasks[2].step;
    let sum = common::blob(1, 2);
    let marks = vec![
        Mark::Opening { job: step.job, round: 1, opening: opened, sum },
        Mark::Spent { step, openings: 3, key: None },
        Mark::Spent { step, openings: 3, key: Some(step.job) },
        Mark::Staged { answer: answers[0].clone() },
        Mark::Key {
            version: 0,
            ceremony: step.job,
            public_key: sum,
            bundle: sum,
            inference: false,
            evaluation_keys: None,
        },
        Mark::Key {
            version: 0,
            ceremony: step.job,
            public_key: sum,
            bundle: sum,
            inference: true,
            evaluation_keys: Some(sum),
        },
        Mark::Start { head: step.job, input: sum },
        Mark::Sent { job: step.job, round: 1, openings: 3 },
        Mark::Sum { mark: SumMark::Void { round: opened }, openings: 0 },
        Mark::Sum { mark: SumMark::Opened { round: opened, commitment: opened, list: opened }, openings: 3 },
        Mark::Checked { opening: opened, kept: vec![sum, sum] },
        Mark::Receipt { record: Box::new(desk.log[3].clone()) },
    ];
    (tasks, answers, desk.log, marks)
}

#[test]
fn each_value_has_one_form() {
    let (tasks, answers, records, marks) = samples();
    assert!(tasks.len() >= 6 && records.len() > 20);
    for task in tasks {
        assert_eq!(Task::from_bytes(&task.to_bytes()).unwrap(), task);
    }
    for answer in answers {
        assert_eq!(SignedHeader::from_bytes(&answer.to_bytes()).unwrap(), answer);
    }
    for mark in marks {
        assert_eq!(Mark::from_text(&mark.to_text()).unwrap(), mark);
    }
    for record in records {
        let line = record.to_line();
        assert_eq!(Record::from_line(line.as_bytes()).unwrap(), record);
        // Other texts of the same value are refused.
        for other in
            [format!(" {line}"), format!("{line}\n"), line.replacen(':', ": ", 1), line.replacen('a', "A", 1)]
        {
            assert!(Record::from_line(other.as_bytes()).is_err(), "{other}");
        }
    }
}

/// Headers travel as bytes, each in one form: 216 with a payload's name. A place of [`Phase::ALL`] is the phase's, for good.
#[test]
fn headers_of_every_phase_and_cause_travel() {
    let (_, answers, ..) = samples();
    let sample = answers.into_iter().find(|a| a.payload().is_some()).unwrap();
    let answering = |phase: Phase, answer: Answer| {
        let mut signed = sample.clone();
        signed.header.step.phase = phase;
        signed.header.answer = answer;
        signed
    };
    let names: Vec<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
    assert_eq!(
        names.join(" "),
        "commit promise key-share relin parts trial upload ready share void findings agree vouch open encrypt"
    );
    let causes = [
        Cause::Silent,
        Cause::Policy(Rule::Backbone),
        Cause::Policy(Rule::MinimumCohort { found: u32::MAX, least: u32::MAX }),
        Cause::Contribution,
        Cause::OtherStart,
        Cause::OtherCohort,
        Cause::Dealt,
        Cause::Store,
    ];
    let declined = causes.map(Answer::Declined);
    for (place, phase) in Phase::ALL.into_iter().enumerate() {
        for answer in declined.iter().copied().chain([sample.header.answer]) {
            let answer = answering(phase, answer);
            let bytes = answer.to_bytes();
            assert_eq!(bytes[3 * 32 + 8 + 4], place as u8);
            assert_eq!(SignedHeader::from_bytes(&bytes).unwrap(), answer);
            assert!(bytes.len() == 216 || answer.payload().is_none());
            for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), &bytes[1..]] {
                assert!(SignedHeader::from_bytes(wrong).is_err_and(|e| matches!(e, Error::Message { .. })));
            }
        }
    }
    let mut unknown = sample.to_bytes();
    unknown[3 * 32 + 8 + 4] = Phase::ALL.len() as u8;
    assert!(SignedHeader::from_bytes(&unknown).unwrap_err().to_string().contains("no such phase"));
}

#[test]
fn oversize_is_refused_before_it_is_parsed() {
    let long = vec![b' '; Record::MAX_LEN + 1];
    assert!(matches!(Record::from_line(&long), Err(Error::Oversize { .. })));
    assert!(matches!(SignedHeader::from_bytes(&long[..=SignedHeader::MAX_LEN]), Err(Error::Oversize { .. })));
    assert!(matches!(Task::from_bytes(&vec![b'['; Task::MAX_LEN + 1]), Err(Error::Oversize { .. })));
}

#[test]
fn files_round_trip_and_name_what_is_wrong() {
    let fixture = fixture(3, 2, 2, 41);
    let literal = fixture.study.literal();
    let text = literal.to_toml().unwrap();
    assert_eq!(StudyLiteral::from_toml(&text).unwrap(), *literal);
    assert_eq!(Policy::from_toml(&willing().to_toml().unwrap()).unwrap(), willing());
    assert!(StudyLiteral::from_toml(&format!("surprise = 1\n{text}")).is_err());

    let cases = [
        ("name", StudyLiteral { name: "a/b".to_owned(), ..literal.clone() }),
        ("threshold", StudyLiteral { threshold: 4, ..literal.clone() }),
        ("holders", StudyLiteral { holders: vec!["nobody".to_owned(); 2], ..literal.clone() }),
        ("holders", StudyLiteral { holders: vec![literal.sites[0].name.clone()], ..literal.clone() }),
        ("holders", StudyLiteral { holders: vec![literal.sites[0].name.clone(); 2], ..literal.clone() }),
        ("minimum_cohort", StudyLiteral { minimum_cohort: 1, ..literal.clone() }),
        ("classes", StudyLiteral { classes: vec!["one".to_owned()], ..literal.clone() }),
        ("decryptions", StudyLiteral { decryptions: 0, ..literal.clone() }),
        ("statistical_bits", StudyLiteral { statistical_bits: 20, ..literal.clone() }),
        (
            "upload_seconds",
            StudyLiteral {
                deadlines: Deadlines { upload_seconds: 0, ..literal.deadlines },
                ..literal.clone()
            },
        ),
        ("sites", StudyLiteral { sites: vec![literal.sites[0].clone(); 3], ..literal.clone() }),
    ];
    for (field, literal) in cases {
        let error = blindscope_federation::Study::insecure(literal).unwrap_err();
        assert!(error.to_string().contains(field), "{field}: {error}");
    }
    let spec = "name = \"head\"\nkind = \"fedavg\"\nrounds = 3\nvalues = 10\nmax = 7\n[settings]\nb = 1\na = [0.1, 2]\n";
    let spec = JobSpec::from_toml(spec).unwrap();
    assert_eq!(
        JobSpec::from_json(&serde_json::to_string(&spec).unwrap()).unwrap().id(&fixture.study),
        spec.id(&fixture.study)
    );
}

proptest! {
    /// Altered messages give an error or another value in its one form; nothing panics.
    #[test]
    fn altered_bytes_never_panic(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        thread_local!(static SAMPLES: Vec<Vec<u8>> = {
            let (tasks, answers, records, marks) = samples();
            let mut all: Vec<Vec<u8>> = tasks.iter().map(Task::to_bytes).collect();
            all.extend(answers.iter().map(SignedHeader::to_bytes));
            all.extend(records.iter().map(|r| r.to_line().into_bytes()));
            all.extend(marks.iter().map(|m| m.to_text().into_bytes()));
            all
        });
        let mut bytes = SAMPLES.with(|s| which.get(s).clone());
        for (at, to) in edits {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(task) = Task::from_bytes(&bytes) {
            prop_assert_eq!(task.to_bytes(), bytes.clone());
        }
        if let Ok(answer) = SignedHeader::from_bytes(&bytes) {
            prop_assert_eq!(answer.to_bytes(), bytes.clone());
        }
        if let Ok(record) = Record::from_line(&bytes) {
            prop_assert_eq!(record.to_line().into_bytes(), bytes.clone());
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            if let Ok(mark) = Mark::from_text(text) {
                prop_assert_eq!(mark.to_text(), text);
            }
            let _ = (StudyLiteral::from_toml(text), Policy::from_toml(text), JobSpec::from_json(text));
        }
    }
}
