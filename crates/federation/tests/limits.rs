//! A site's limit of openings counts what others can open with what it sends, not what it opens itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::sums::{SumMark, SumRound};
use blindscope_federation::{
    Advance, Advanced, Ask, Blob, Cause, Contribution, JobKind, JobSpec, LearnError, Mark, Objection, Order,
    Phase, Policy, Rule, Site, SiteId, SiteTools, Step, Study, Task, site_payload,
};
use blindscope_testkit::rng;
use blindscope_wire::Digest;
use common::memory::Memory;
use common::task::task;
use common::{Fixture, fixture, job, willing};

/// A site that always brings the same numbers.
struct Same;

impl Contribution for Same {
    fn values<'a>(
        &'a self,
        spec: &JobSpec,
        _: u64,
        _: &[u8],
    ) -> Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        Ok(Box::new(0..spec.values))
    }
}

impl Advance for Same {
    fn advance(&self, _: &JobSpec, _: u64, _: &[u8], _: &[u64], _: usize) -> Result<Advanced, LearnError> {
        Err("no coordinator".into())
    }
}

fn upload(study: &Study, spec: &JobSpec) -> Task {
    let (voids, settled) = (Vec::new(), Vec::new());
    let ask = Ask::Upload { public_key: None, input: None, pairs: false, voids, settled };
    task(study, spec, Phase::Upload, ask)
}

/// Does what a site does with a task: the marks that it stores.
fn work(fixture: &Fixture, site: &mut Site, task: &Task) -> Vec<Mark> {
    let Order::Work { before } = site.take(task).unwrap() else { panic!("declined") };
    let me = site.me();
    let at = usize::from(me.0);
    let tools = SiteTools {
        study: &fixture.study,
        me,
        sealing: &fixture.sealing[at],
        learning: &Same,
        blobs: &Memory::default(),
        checked: false,
        sums: &site.sums().clone(),
        minimum_cohort: 1,
        minimum_difference: 0,
        signer: &fixture.sites[at],
    };
    let mut marks = before;
    site_payload(&tools, task, None, None, &mut marks, &mut rng(5)).unwrap();
    for mark in &marks {
        let text = mark.to_text();
        site.apply(&Mark::from_text(&text).unwrap()).unwrap();
    }
    marks
}

fn beyond(site: &Site, task: &Task) -> bool {
    let order = site.take(task).unwrap();
    let found = Rule::MaximumDecryptions { found: 2, most: 1 };
    matches!(order, Order::Decline(objection) if objection == Objection::Policy(found)
        && objection.cause() == Cause::Policy(found))
}

/// Five sites, of which any two open. The coordinator has the same two open all sums, so that the others' count of what *they* have
/// opened stays at nothing. Site 4, which allows one sum of its data, is in no second one.
#[test]
fn what_others_open_counts_when_it_is_sent() {
    let fixture = fixture(5, 2, 2, 90);
    let study = &fixture.study;
    let policy = Policy { maximum_decryptions: 1, ..willing() };
    let mut site = Site::replay(study, SiteId(4), policy.clone(), []).unwrap();
    let (first, second) = (job("first", JobKind::Sum, 1), job("second", JobKind::Sum, 1));
    let second = JobSpec { data_version: Some("b".to_owned()), ..second };
    let marks = work(&fixture, &mut site, &upload(study, &first));
    assert_eq!(site.opened(), 1);
    assert!(beyond(&site, &upload(study, &second)));
    // It is on the disk: a process that begins anew counts the same.
    let site = Site::replay(study, SiteId(4), policy.clone(), marks.clone()).unwrap();
    assert!(site.opened() == 1 && beyond(&site, &upload(study, &second)));
    // The round that it is in goes on: its later steps, its own opening among them, are not counted anew.
    let (headers, bundle) = (Blob::of(b"headers"), Blob::of(b"bundle"));
    let findings = task(study, &first, Phase::Findings, Ask::Findings { headers, bundle });
    assert!(matches!(site.take(&findings).unwrap(), Order::Work { .. }));
    let round = SumRound::new(&study.epoch().unwrap(), first.id(study), 0, (10, 1000)).unwrap().name();
    let replayed = |more: SumMark, openings| {
        let mark = Mark::Sum { mark: more, openings };
        let marks = marks.iter().cloned().chain([mark]);
        Site::replay(study, SiteId(4), policy.clone(), marks).unwrap()
    };
    let opened = SumMark::Opened { round, commitment: round, list: round };
    assert_eq!(replayed(opened, 1).opened(), 1);
    // What nobody can open any more does not count: a void round, or one settled without this site.
    for ended in [SumMark::Voided { round }, SumMark::Settled { round, sites: vec![SiteId(0), SiteId(1)] }] {
        let site = replayed(ended, 0);
        assert!(
            site.opened() == 0 && matches!(site.take(&upload(study, &second)).unwrap(), Order::Work { .. })
        );
    }
    let settled = SumMark::Settled { round, sites: vec![SiteId(0), SiteId(4)] };
    assert!(beyond(&replayed(settled, 0), &upload(study, &second)));
}

/// Of a question's holders any *t* answer it: each counts it when it sends its encryptions, and its own share not again.
#[test]
fn a_question_counts_when_its_shares_are_sent() {
    let fixture = fixture(3, 2, 2, 91);
    let step = |phase, attempt| Step {
        job: blindscope_federation::JobId(Digest([4; 32])),
        round: 0,
        attempt,
        phase,
    };
    let (spent, job) = (
        |attempt| Mark::Spent { step: step(Phase::Share, attempt), openings: 3, key: None },
        step(Phase::Upload, 0).job,
    );
    let opened =
        |marks: Vec<Mark>| Site::replay(&fixture.study, SiteId(0), willing(), marks).unwrap().opened();
    let sent = Mark::Sent { job, round: 0, openings: 3 };
    assert_eq!(opened(vec![sent.clone()]), 3);
    assert_eq!(opened(vec![sent.clone(), sent.clone(), spent(0)]), 3);
    assert_eq!(opened(vec![sent, spent(0), spent(1)]), 6, "another share of the same is another opening");
    assert_eq!(opened(vec![spent(0)]), 3, "marks of an older release");
}

/// A coordinator that would fill a site's disk: what is named longer than the plan has it is not fetched.
#[test]
fn inputs_longer_than_their_plan_are_declined() {
    let fixture = fixture(3, 2, 2, 92);
    let (study, spec) = (&fixture.study, job("sum", JobKind::Sum, 1));
    let site = Site::replay(study, SiteId(1), willing(), []).unwrap();
    let findings = |len| {
        let (headers, bundle) = (Blob { len, ..Blob::of(b"headers") }, Blob::of(b"bundle"));
        task(study, &spec, Phase::Findings, Ask::Findings { headers, bundle })
    };
    assert!(matches!(site.take(&findings(1000)).unwrap(), Order::Work { .. }));
    let order = site.take(&findings(1 << 40)).unwrap();
    assert!(
        matches!(order, Order::Decline(Objection::InputLength { found, .. }) if found == 1 << 40),
        "{order:?}"
    );
}
