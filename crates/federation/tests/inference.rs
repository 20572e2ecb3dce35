//! An inference key, an encrypted head and a question: what sites take part in, and what they never do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::{
    Answer, Ask, Blob, Cause, Circuit, Confirmed, Error, Evaluation, Event, Failure, GaloisDemand, Header,
    Input, JobKind, JobSpec, JobStatus, Mark, Objection, Opening, Order, Phase, Policy, Question, Refusal,
    Rule, Site, SiteId, Sizes, Step, Task, check_confirmed,
};
use common::{Desk, Fixture, SIZES, blob, circuit, encrypted_head, fixture, inference_keys, job, willing};

/// Site 0 with its marks, beside a desk at which the others answer out of thin air.
struct Play<'a> {
    desk: Desk<'a>,
    site: Site,
    marks: Vec<Mark>,
}

impl<'a> Play<'a> {
    fn new(fixture: &'a Fixture, policy: Policy) -> Self {
        let site = Site::replay(&fixture.study, SiteId(0), policy, []).unwrap();
        Self { desk: Desk::new(fixture), site, marks: Vec::new() }
    }

    fn task(&self) -> Task {
        self.desk.coordinator.task_for(SiteId(0)).expect("no task")
    }

    fn store(&mut self, marks: &[Mark]) {
        for mark in marks {
            self.site.apply(mark).unwrap();
        }
        self.marks.extend_from_slice(marks);
    }

    /// What site 0 answers to its task.
    fn answer(&mut self) -> Answer {
        let task = self.task();
        let payload = self.desk.answer(0, 1).header.answer;
        let answer = match self.site.take(&task).unwrap() {
            Order::Work { before } => {
                self.store(&before);
                payload
            }
            Order::Decline(objection) => Answer::Declined(objection.cause()),
            Order::Send(_) => panic!("staged already"),
        };
        let mut marks = common::remembers(&task);
        marks.extend(self.site.answer(&task, answer, &self.desk.fixture.sites[0]));
        self.store(&marks);
        let Some(Mark::Staged { answer: signed }) = marks.last() else { panic!("nothing staged") };
        self.desk.handle(Input::Answer(signed.clone())).unwrap();
        answer
    }

    /// Submits a job and plays it to its end.
    fn run(&mut self, spec: &JobSpec) -> JobStatus {
        let id = self.desk.submit(spec);
        while !self.desk.coordinator.job(id).unwrap().is_over() {
            if self.desk.coordinator.task_for(SiteId(0)).is_some() {
                self.answer();
            }
            self.desk.answer_all();
            if self.desk.coordinator.work().is_some() {
                self.desk.work();
            }
        }
        self.desk.coordinator.job(id).unwrap().status
    }

    /// Everything before the first question.
    fn head(&mut self) {
        let jobs = [
            job("start", JobKind::Statistics, 1),
            inference_keys("inference"),
            encrypted_head("head", "start"),
        ];
        for spec in jobs {
            let status = self.run(&spec);
            assert!(matches!(status, JobStatus::Done { .. }), "{}: {status:?}", spec.name);
        }
    }

    fn question(&self, name: &str) -> JobSpec {
        let question = Question {
            head: self.desk.coordinator.job_named("head").unwrap(),
            asker: blob(900, 77),
            remainder: Blob { len: 78, ..Blob::of(name.as_bytes()) },
            dealt: blob(902, 79),
            holders: vec![SiteId(0), SiteId(1), SiteId(2)],
            tokens: 1,
            pieces: 1,
            ciphertexts: 2,
            masks: blindscope_wire::Digest([3; 32]),
            avoided: Vec::new(),
        };
        let (kind, circuit) = (JobKind::Question, Some(circuit().into()));
        JobSpec { kind, circuit, question: Some(question.into()), ..JobSpec::named(name) }.checked().unwrap()
    }
}

fn declined(play: &Play<'_>, task: &Task) -> Cause {
    match play.site.take(task).unwrap() {
        Order::Decline(objection) => objection.cause(),
        other => panic!("not declined: {other:?}"),
    }
}

#[test]
fn keys_a_head_and_questions_are_played_to_their_end() {
    let fixture = fixture(3, 2, 2, 60);
    let mut play = Play::new(&fixture, willing());
    play.head();
    let key = play.desk.coordinator.inference_key().unwrap().clone();
    assert!(play.site.key(key.ceremony).is_some_and(|held| held.inference));
    assert!(play.desk.coordinator.may_ask_for(&key.public_key.digest));
    // An asker believes a public key that every site has signed, and no other.
    let confirmed = play.desk.coordinator.confirmed();
    let check = |key: Blob, by: &[Confirmed]| {
        let ceremony = play.desk.coordinator.inference_key().unwrap().ceremony;
        check_confirmed(&fixture.study, ceremony, key, by)
    };
    assert_eq!(confirmed.len(), 3);
    assert!(check(key.public_key, &confirmed).is_ok());
    assert!(matches!(check(blob(1, 9), &confirmed), Err(Error::OtherKey { .. })));
    assert!(matches!(check(key.public_key, &confirmed[1..]), Err(Error::OtherKey { .. })));
    let mut forged = confirmed.clone();
    forged[2].answer.signature = forged[1].answer.signature;
    assert!(matches!(check(key.public_key, &forged), Err(Error::OtherKey { .. })));
    let opened = play.site.opened();
    let JobStatus::Done { result } = play.run(&play.question("first")) else { panic!("not answered") };
    assert!(play.desk.coordinator.may_ask_for(&result.digest));
    // What was asked is counted at both ends: in the study, and under the key.
    assert_eq!(play.desk.coordinator.inference_key().unwrap().answered, SIZES.openings);
    assert_eq!(play.site.opened(), opened + SIZES.openings);
    assert!(play.desk.coordinator.needed_blobs().contains(&key.evaluation_keys));
    // Nothing of a head is ever asked to be opened.
    let phases = |name: &str| -> Vec<Phase> {
        let id = play.desk.coordinator.job_named(name).unwrap();
        let opened = play.desk.log.iter().filter_map(|r| match &r.body.event {
            Event::Opened { step, .. } if step.job == id => Some(step.phase),
            _ => None,
        });
        opened.collect()
    };
    assert_eq!(
        phases("inference"),
        [Phase::Commit, Phase::Promise, Phase::KeyShare, Phase::Relin, Phase::Parts, Phase::Trial]
    );
    assert_eq!(phases("head"), [Phase::Upload, Phase::Encrypt]);
    assert_eq!(phases("first"), [Phase::Upload, Phase::Share]);
}

/// Whatever a coordinator says, a site opens no head: not as a head, not as a sum under the inference key.
#[test]
fn a_head_is_never_opened() {
    let fixture = fixture(3, 2, 2, 61);
    let mut play = Play::new(&fixture, willing());
    play.head();
    play.desk.submit(&play.question("asked"));
    let upload = play.task();
    assert!(matches!(play.answer(), Answer::Payload(_)));
    play.desk.answer_all();
    play.desk.work();
    let share = play.task();
    assert_eq!(share.step.phase, Phase::Share);
    let head = play.desk.coordinator.job_named("head").unwrap();
    let as_head = |task: &Task| {
        let spec = play.desk.coordinator.spec(head).unwrap().clone();
        Task { step: Step { job: head, ..task.step }, spec, ..task.clone() }
    };
    for task in [&upload, &share] {
        let declined =
            matches!(play.site.take(&as_head(task)).unwrap(), Order::Decline(Objection::OtherPhase { .. }));
        // An upload of the head was sent once and is sent again as it was; nothing of it is opened.
        assert!(declined || task.step.phase == Phase::Upload, "{}", task.step);
    }
    // A sum's share under the inference key, and an answer's under another.
    let sum = job("other", JobKind::Statistics, 1);
    let id = sum.id(&fixture.study);
    let under = |key, spec: &JobSpec, job| Task {
        key,
        spec: spec.clone(),
        step: Step { job, ..share.step },
        ..share.clone()
    };
    assert_eq!(declined(&play, &under(share.key, &sum, id)), Cause::KeyEpoch);
    assert_eq!(declined(&play, &under(id, &share.spec, share.step.job)), Cause::KeyEpoch);
    // The ciphertexts of another question, or none of the members' zeros.
    let change = |change: &dyn Fn(&mut Opening, &mut Vec<_>, &mut Blob)| {
        let mut task = share.clone();
        let Ask::Share { opening, zeros, target, .. } = &mut task.ask else { panic!("no share") };
        change(opening, zeros, target);
        declined(&play, &task)
    };
    let other = Blob { len: SIZES.sum, ..blob(3, 0) };
    assert_eq!(change(&|opening, _, _| opening.sum = other), Cause::Task);
    assert_eq!(change(&|_, _, target| *target = other), Cause::Task);
    // Without a holder's word for its shares, or with another of this site's.
    assert_eq!(change(&|opening, _, _| opening.committed.truncate(2)), Cause::Task);
    assert_eq!(
        change(&|opening, _, _| opening.committed[0].header.answer = Answer::Payload(other)),
        Cause::Task
    );
    // A head over fewer than the study's cohort, with another upload of this site's, from another start, of another job; other
    // evaluation keys; none of it.
    let change = |change: &dyn Fn(&mut Evaluation)| {
        let mut task = share.clone();
        let Ask::Share { evaluation: Some(evaluation), .. } = &mut task.ask else { panic!("no share") };
        change(evaluation);
        declined(&play, &task)
    };
    assert_eq!(change(&|e| e.opening.committed.truncate(1)), Cause::Task);
    let forged = Answer::Payload(other);
    assert_eq!(change(&|e| e.opening.committed[0].header.answer = forged), Cause::Task);
    // Without a holder's word for the head's shares, or with another of this site's.
    assert_eq!(change(&|e| e.opening.encrypted.truncate(2)), Cause::Task);
    assert_eq!(change(&|e| e.opening.encrypted[0].header.answer = forged), Cause::Task);
    assert_eq!(change(&|e| e.start = other), Cause::OtherOpening);
    assert_eq!(change(&|e| e.head.name = "another".to_owned()), Cause::Task);
    assert_eq!(change(&|e| e.keys = other), Cause::OtherKey);
    let mut none = share.clone();
    let Ask::Share { evaluation, .. } = &mut none.ask else { panic!("no share") };
    *evaluation = None;
    assert_eq!(declined(&play, &none), Cause::Task);
    // The honest task is answered once.
    assert!(matches!(play.answer(), Answer::Payload(_)));
    assert!(matches!(play.site.take(&share).unwrap(), Order::Send(_)));
}

/// The same answers under another question's name: they are not shared of again.
#[test]
fn answers_are_re_encrypted_under_one_name() {
    let fixture = fixture(3, 2, 2, 62);
    let mut play = Play::new(&fixture, willing());
    play.head();
    let first = play.question("first");
    assert!(matches!(play.run(&first), JobStatus::Done { .. }));
    let again = JobSpec { name: "again".to_owned(), ..first };
    play.desk.submit(&again);
    assert!(matches!(play.answer(), Answer::Payload(_)));
    play.desk.answer_all();
    // The desk's work answers by what is asked, not by its name.
    play.desk.work();
    assert_eq!(play.answer(), Answer::Declined(Cause::OtherOpening));
}

#[test]
fn policy_limits_and_kinds_hold_for_questions() {
    use JobKind::{Ceremony, EncryptedHead, InferenceKeys, Statistics};
    let fixture = fixture(3, 2, 2, 63);
    // Openings of the start's sum come first, two, and of one known value under the new key.
    let few = Policy { maximum_decryptions: 4, ..willing() };
    let mut play = Play::new(&fixture, few);
    play.head();
    play.desk.submit(&play.question("one"));
    let rule = Rule::MaximumDecryptions { found: 5, most: 4 };
    assert_eq!(play.answer(), Answer::Declined(Cause::Policy(rule)));
    let unwilling = Policy { jobs: vec![Ceremony, Statistics, InferenceKeys, EncryptedHead], ..willing() };
    let mut play = Play::new(&fixture, unwilling);
    play.head();
    play.desk.submit(&play.question("one"));
    let rule = Rule::JobKind { kind: JobKind::Question };
    assert_eq!(play.answer(), Answer::Declined(Cause::Policy(rule)));
}

/// The key's own number of answers ends questions, at the coordinator and at a site.
#[test]
fn a_key_answers_as_often_as_its_masks_were_made_for() {
    let fixture = fixture(3, 2, 2, 64);
    let mut play = Play::new(&fixture, willing());
    let few = Circuit { answers: 3, ..circuit() };
    let of = |spec: JobSpec| JobSpec { circuit: Some(few.clone().into()), ..spec };
    for spec in [
        job("start", JobKind::Statistics, 1),
        of(inference_keys("inference")),
        of(encrypted_head("head", "start")),
    ] {
        assert!(matches!(play.run(&spec), JobStatus::Done { .. }), "{}", spec.name);
    }
    assert!(matches!(play.run(&of(play.question("one"))), JobStatus::Done { .. }));
    let JobStatus::Failed { failure } = play.run(&of(play.question("two"))) else { panic!("answered") };
    assert_eq!(failure, Failure::Budget { used: 2, asked: 2, most: 3 });
    // A site counts by its own marks.
    let mut replayed = Site::replay(&fixture.study, SiteId(0), willing(), play.marks.clone()).unwrap();
    let key = play.desk.coordinator.inference_key().unwrap().ceremony;
    let step = Step { job: key, round: 0, attempt: 0, phase: Phase::Share };
    replayed.apply(&Mark::Spent { step, openings: 1, key: Some(key) }).unwrap();
    assert_eq!(replayed.opened(), play.site.opened() + 1);
}

/// A head whose file names no holders is one of an earlier release: none is learned anew, no site deals to it or helps to ask it, and a log
/// that has one is still what it was.
#[test]
fn heads_of_an_earlier_release_are_neither_learned_nor_asked() {
    let fixture = fixture(3, 2, 2, 67);
    let mut play = Play::new(&fixture, willing());
    play.head();
    let former = JobSpec { holders: Vec::new(), ..encrypted_head("former", "start") }.checked().unwrap();
    let refusal = play.desk.handle(Input::Submit { spec: former.clone(), sizes: SIZES }).unwrap_err();
    assert!(matches!(&refusal, Refusal::FormerHead { name } if name == "former"), "{refusal}");
    assert!(refusal.to_string().contains("leave circuit, levels and holders out"), "{refusal}");
    let sizes = Sizes::of(&fixture.study, &former).unwrap_err().to_string();
    assert!(sizes.contains("holders is missing"), "{sizes}");
    let objection = |site: &Site, task: &Task| match site.take(task).unwrap() {
        Order::Decline(objection) => objection,
        other => panic!("not declined: {other:?}"),
    };
    // A coordinator that asks for a part of it all the same.
    play.desk.submit(&encrypted_head("second", "start"));
    let mut upload = play.task();
    upload.spec = former.clone();
    upload.step.job = former.id(&fixture.study);
    assert_eq!(objection(&play.site, &upload), Objection::FormerHead);
    play.desk.answer_all();
    play.desk.work();
    play.desk.answer_all();
    play.desk.work();
    // And one that has a question answered from it.
    let asked = play.question("asked");
    let mut question = asked.question.clone().unwrap();
    question.head = former.id(&fixture.study);
    let asked = JobSpec { question: Some(question), ..asked };
    play.desk.submit(&play.question("honest"));
    play.answer();
    play.desk.answer_all();
    play.desk.work();
    let mut share = play.task();
    share.step.job = asked.id(&fixture.study);
    share.spec = asked;
    let Ask::Share { opening, evaluation: Some(evaluation), .. } = &mut share.ask else { panic!("no share") };
    evaluation.head = former.into();
    evaluation.opening.encrypted.clear();
    // The holders' uploads are to this question, so far as this site can tell.
    let step = Step { phase: Phase::Upload, ..share.step };
    let uploads = opening.committed.clone();
    let by = |site: u16| {
        let header = Header { step, site: SiteId(site), ..uploads[usize::from(site)].header };
        header.sign(&fixture.sites[usize::from(site)])
    };
    opening.committed = (0..3).map(by).collect();
    play.store(&[Mark::Staged { answer: by(0) }]);
    assert_eq!(objection(&play.site, &share), Objection::FormerHead);
}

#[test]
fn jobs_without_what_they_need_fail_by_name() {
    let fixture = fixture(3, 2, 2, 65);
    let mut play = Play::new(&fixture, willing());
    let failed = |status: JobStatus| match status {
        JobStatus::Failed { failure } => failure,
        other => panic!("{other:?}"),
    };
    // No inference key, another circuit's, no start.
    assert_eq!(failed(play.run(&encrypted_head("early", "start"))), Failure::NoKey);
    play.run(&inference_keys("inference"));
    let other = Circuit { noise_millibits: 1, ..circuit() };
    let spec = JobSpec { circuit: Some(other.into()), ..encrypted_head("other", "start") };
    assert_eq!(failed(play.run(&spec)), Failure::NoKey);
    assert_eq!(failed(play.run(&encrypted_head("head", "start"))), Failure::NoStart);
    assert_eq!(failed(play.run(&play.question("asked"))), Failure::NoStart);
}

#[test]
fn files_and_sizes_are_checked() {
    let fixture = fixture(3, 2, 2, 66);
    let head = encrypted_head("head", "start");
    let wrong = [
        JobSpec { circuit: None, ..head.clone() },
        JobSpec { start: None, ..head.clone() },
        JobSpec { levels: Vec::new(), ..head.clone() },
        JobSpec { levels: vec![3], ..head.clone() },
        JobSpec { holders: vec![SiteId(1), SiteId(0)], ..head.clone() },
        JobSpec { holders: vec![SiteId(1)], ..job("sum", JobKind::Statistics, 1) },
        JobSpec { values: 3, max: 3, ..head.clone() },
        JobSpec { circuit: Some(circuit().into()), ..job("sum", JobKind::Statistics, 1) },
        JobSpec {
            kind: JobKind::Question,
            start: None,
            levels: Vec::new(),
            holders: Vec::new(),
            ..head.clone()
        },
    ];
    let desk = Desk::new(&fixture);
    for spec in wrong {
        assert!(matches!(spec.clone().checked(), Err(Error::Field { .. })), "{spec:?}");
        let input = Input::Submit { spec, sizes: SIZES };
        let refused = desk.coordinator.handle(&input, 1, &fixture.coordinator).unwrap_err();
        assert!(matches!(refused, Refusal::JobFile { .. }));
    }
    let of = |circuit: Circuit| JobSpec { circuit: Some(circuit.into()), ..head.clone() };
    for bad in [
        Circuit { log_n: 3, ..circuit() },
        Circuit { ciphertext: vec![50], ..circuit() },
        Circuit { relin: 3, ..circuit() },
        Circuit { answers: 0, ..circuit() },
        Circuit { galois: vec![GaloisDemand { element: 2, level: 0 }], ..circuit() },
    ] {
        assert!(of(bad).checked().is_err());
    }
    // Masks without room are refused with the numbers, before a key is made for them.
    let tight = Circuit { room_millibits: 20_000, ..circuit() };
    let keys = JobSpec { circuit: Some(tight.into()), ..inference_keys("inference") };
    let refused = Sizes::of(&fixture.study, &keys).unwrap_err().to_string();
    assert!(refused.contains("2^20"), "{refused}");
    let sizes = Sizes::of(&fixture.study, &inference_keys("inference")).unwrap();
    assert!(sizes.key_share > sizes.relin && sizes.relin > 0 && sizes.openings == 0);
}
