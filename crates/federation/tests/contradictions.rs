//! What contradicts a site's marks is refused, and nothing of it is kept: a mark that contradicts would be there for good.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::sums::{
    Agreement, Commitment, SignedUpload, SumMark, SumRefusal, SumRound, SumSite, Uploader, Void, write_upload,
};
use blindscope_federation::{
    Ask, Blob, Change, Error, IdentityKey, JobKind, Mark, Member, Objection, Order, Says, SealingKey,
    SettledProof, SettledRound, SignedChange, Site, SiteEntry, SiteId, SiteTools, Study, Task, VoidRound,
    Word, site_payload,
};
use blindscope_testkit::rng;
use blindscope_wire::Digest;
use common::memory::{Idle, Memory};
use common::{Fixture, fixture, job};

fn upload(fixture: &Fixture, round: &SumRound, me: SiteId) -> SignedUpload {
    let (sealing, signer) = (&fixture.sealing[usize::from(me.0)], &fixture.sites[usize::from(me.0)]);
    let by = Uploader { round, me, sealing, signer, only: Digest([0; 32]) };
    let (values, random) = (|| Box::new(0..10_u64) as Box<dyn Iterator<Item = u64> + Send>, [me.0 as u8; 32]);
    write_upload(&by, false, &values, &random, &mut Vec::new()).unwrap()
}

/// A set and the signatures of everybody on it.
fn proof(fixture: &Fixture, round: &SumRound, sites: &[u16], memory: &Memory) -> SettledProof {
    let uploads = sites.iter().map(|s| upload(fixture, round, SiteId(*s))).collect();
    let sum = Blob { len: round.plan().sum_len(), ..Blob::of(b"a sum") };
    let commitment = Commitment { uploads, sum };
    let signed = (0..3).flat_map(|s| {
        let signer = &fixture.sites[usize::from(s)];
        Agreement::sign(round, SiteId(s), commitment.digest(round), [0; 32], signer).to_bytes(round)
    });
    let agreements = memory.put(signed.collect());
    SettledProof { commitment: memory.put(commitment.to_bytes()), agreements, vouches: None }
}

/// Two quorums have signed two sets of one round. It takes more sites that deviate than the study withstands; a site that is shown both
/// takes the first, says what is wrong with the second, and can be started again from its marks.
#[test]
fn two_sets_of_one_round_are_not_both_kept() {
    let (fixture, memory) = (fixture(3, 2, 2, 80), Memory::default());
    let study = &fixture.study;
    let (earlier, spec) = (job("earlier", JobKind::Sum, 1), job("sum", JobKind::Sum, 1));
    let round = SumRound::new(&study.epoch().unwrap(), earlier.id(study), 0, (10, 1000)).unwrap();
    let both = [&[0, 1][..], &[0, 2]].map(|sites| SettledRound {
        spec: earlier.clone(),
        round: 0,
        version: 0,
        proof: proof(&fixture, &round, sites, &memory),
    });
    let mut before = SumSite::default();
    let own = upload(&fixture, &round, SiteId(1));
    before.apply(&SumSite::uploaded(&round, &own, Digest([1; 32]))).unwrap();
    let task = common::task::upload_task(study, &spec, Vec::new(), both.to_vec());
    let tools = SiteTools {
        study,
        me: SiteId(1),
        sealing: &fixture.sealing[1],
        learning: &Idle,
        blobs: &memory,
        checked: false,
        sums: &before,
        minimum_cohort: 1,
        minimum_difference: 0,
        signer: &fixture.sites[1],
    };
    let mut marks = Vec::new();
    let refused = site_payload(&tools, &task, None, None, &mut marks, &mut rng(81)).unwrap_err();
    assert!(matches!(refused, Error::Sum(SumRefusal::Contradiction { .. })), "{refused}");
    assert!(refused.to_string().contains("compare the coordinator's log"), "{refused}");
    let mut site = before.clone();
    assert_eq!(marks.len(), 1, "{marks:?}");
    for mark in &marks {
        let Mark::Sum { mark, .. } = mark else { panic!("{mark:?}") };
        site.apply(mark).unwrap();
    }
    // Shown again, alone, it is refused too.
    let alone = Task {
        ask: Ask::Upload {
            public_key: None,
            input: None,
            pairs: false,
            voids: Vec::new(),
            settled: both[1..].to_vec(),
        },
        ..task
    };
    let tools = SiteTools { sums: &site, ..tools };
    let mut marks = Vec::new();
    let refused = site_payload(&tools, &alone, None, None, &mut marks, &mut rng(82)).unwrap_err();
    assert!(matches!(refused, Error::Sum(SumRefusal::Contradiction { .. })) && marks.is_empty(), "{refused}");
}

fn upload_task(fixture: &Fixture, voids: Vec<VoidRound>, settled: Vec<SettledRound>) -> Task {
    common::task::upload_task(&fixture.study, &job("sum", JobKind::Sum, 1), voids, settled)
}

/// What site 1, which remembers this, makes of a task: its marks, and why nothing came of it.
fn made(fixture: &Fixture, memory: &Memory, sums: &SumSite, task: &Task) -> (Vec<SumMark>, Error) {
    let tools = SiteTools {
        study: &fixture.study,
        me: SiteId(1),
        sealing: &fixture.sealing[1],
        learning: &Idle,
        blobs: memory,
        checked: false,
        sums,
        minimum_cohort: 1,
        minimum_difference: 0,
        signer: &fixture.sites[1],
    };
    let mut marks = Vec::new();
    let refused = site_payload(&tools, task, None, None, &mut marks, &mut rng(83)).unwrap_err();
    let of = |mark| match mark {
        Mark::Sum { mark, .. } => mark,
        other => panic!("{other:?}"),
    };
    (marks.into_iter().map(of).collect(), refused)
}

/// A site that was set up again from a backup is shown the signed set of a round with an upload of its own that it does not know. It does
/// not go on with those values in another set: it stops for good.
#[test]
fn an_unknown_upload_in_a_proof_stops_the_site() {
    let (fixture, memory) = (fixture(3, 2, 2, 84), Memory::default());
    let study = &fixture.study;
    let earlier = job("earlier", JobKind::Sum, 1);
    let round = SumRound::new(&study.epoch().unwrap(), earlier.id(study), 0, (10, 1000)).unwrap();
    let shown = |sites: &[u16]| SettledRound {
        version: 0,
        spec: earlier.clone(),
        round: 0,
        proof: proof(&fixture, &round, sites, &memory),
    };
    let with_me = upload_task(&fixture, Vec::new(), vec![shown(&[0, 1])]);
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &with_me);
    assert!(matches!(refused, Error::Sum(SumRefusal::Copied)), "{refused}");
    assert_eq!(marks, [SumSite::copied(SiteId(1), &round)]);
    // The site that made that upload knows it.
    let mut knows = SumSite::default();
    let own = upload(&fixture, &round, SiteId(1));
    knows.apply(&SumSite::uploaded(&round, &own, Digest([1; 32]))).unwrap();
    let (marks, refused) = made(&fixture, &memory, &knows, &with_me);
    assert!(matches!(refused, Error::Learning { .. }), "as far as its values: {refused}");
    assert_eq!(marks, [SumMark::Settled { round: round.name(), sites: vec![SiteId(0), SiteId(1)] }]);
    // A set without the site says nothing of it.
    let without = upload_task(&fixture, Vec::new(), vec![shown(&[0, 2])]);
    let (marks, _) = made(&fixture, &memory, &SumSite::default(), &without);
    assert_eq!(marks, [SumMark::Settled { round: round.name(), sites: vec![SiteId(0), SiteId(2)] }]);
}

/// The study after a change by which a site gets these keys.
fn replaced(fixture: &Fixture, site: u16, (identity, sealing): (&IdentityKey, &SealingKey)) -> Study {
    let (study, old) = (&fixture.study, fixture.study.epoch().unwrap());
    let (name, identity, sealing) = (format!("site-{site}"), identity.public(), sealing.public());
    let replaces = vec![Member { site: SiteId(site), entry: SiteEntry { name, identity, sealing } }];
    let (joins, leaves, from) = (Vec::new(), Vec::new(), old.digest());
    let change = Change { study: study.digest(), from, joins, leaves, replaces };
    let next = change.next(&old).unwrap();
    let word =
        |s: u16| Word::say(Says::Sign, SiteId(s), (&old, &next), &fixture.sites[usize::from(s)]).signature;
    let signatures = (0..3).map(|s| (SiteId(s), word(s))).collect();
    study.succeeded(&SignedChange { change, signatures }).unwrap()
}

/// Under a later roster too, an upload in the site's name that it does not know stops it. One under keys that were replaced since is none
/// of a copy's: whoever goes on under that number with an empty disk takes in how the round ended.
#[test]
fn an_unknown_upload_under_former_keys_is_no_copys() {
    let (mut fixture, memory) = (fixture(3, 2, 2, 86), Memory::default());
    let earlier = job("earlier", JobKind::Sum, 1);
    let study = fixture.study.clone();
    let round = SumRound::new(&study.epoch().unwrap(), earlier.id(&study), 0, (10, 1000)).unwrap();
    let proof = proof(&fixture, &round, &[0, 1], &memory);
    let shown = vec![SettledRound { spec: earlier, round: 0, version: 0, proof }];
    let new = (IdentityKey::from_bytes(&[7; 32]), SealingKey::from_bytes(&[7; 32]));
    let others = replaced(&fixture, 0, (&new.0, &new.1));
    let own = replaced(&fixture, 1, (&new.0, &new.1));

    fixture.study = others;
    let task = Task { version: 1, ..upload_task(&fixture, Vec::new(), shown.clone()) };
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &task);
    assert!(matches!(refused, Error::Sum(SumRefusal::Copied)), "{refused}");
    assert_eq!(marks, [SumSite::copied(SiteId(1), &round)]);

    (fixture.study, fixture.sites[1], fixture.sealing[1]) = (own, new.0, new.1);
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &task);
    assert!(matches!(refused, Error::Learning { .. }), "as far as its values: {refused}");
    assert_eq!(marks, [SumMark::Settled { round: round.name(), sites: vec![SiteId(0), SiteId(1)] }]);
}

/// What a site is told is bounded before anything of it is fetched, each round once, and what it knows already is no new mark.
#[test]
fn told_rounds_are_few_and_each_once() {
    let (fixture, memory) = (fixture(3, 2, 2, 85), Memory::default());
    let study = &fixture.study;
    let failed = job("failed", JobKind::Sum, 1);
    let round = SumRound::new(&study.epoch().unwrap(), failed.id(study), 0, (10, 1000)).unwrap();
    let words = (0..3)
        .flat_map(|s: u16| Void::sign(&round, SiteId(s), &fixture.sites[usize::from(s)]).to_bytes(&round));
    let declared = memory.put(words.collect());
    let void = VoidRound { spec: failed.clone(), round: 0, version: 0, declared };
    let told = |count: usize| upload_task(&fixture, vec![void.clone(); count], Vec::new());
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &told(1000));
    assert!(matches!(refused, Error::Sum(SumRefusal::Told { found: 1000, most: 32 })), "{refused}");
    assert!(marks.is_empty());
    let site = Site::replay(study, SiteId(1), common::willing(), []).unwrap();
    let Order::Decline(objection) = site.take(&told(1000)).unwrap() else { panic!("fetched first") };
    assert_eq!(objection, Objection::Told { found: 1000, most: 32 });
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &told(2));
    assert!(matches!(refused, Error::Sum(SumRefusal::ToldTwice)) && marks.len() == 1, "{refused}");
    // Once is enough: told again in the next task, nothing is written down anew.
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &told(1));
    assert!(matches!(refused, Error::Learning { .. }), "{refused}");
    assert_eq!(marks, [SumMark::Voided { round: round.name() }]);
    let mut knows = SumSite::default();
    knows.apply(&marks[0]).unwrap();
    assert!(made(&fixture, &memory, &knows, &told(1)).0.is_empty());
}

/// A round that was void before the roster changed is believed after it, by the holders that it had.
#[test]
fn a_void_round_of_a_former_roster_is_believed() {
    let (mut fixture, memory) = (fixture(3, 2, 2, 87), Memory::default());
    let (study, failed) = (fixture.study.clone(), job("failed", JobKind::Sum, 1));
    let round = SumRound::new(&study.epoch().unwrap(), failed.id(&study), 0, (10, 1000)).unwrap();
    let words = (0..3)
        .flat_map(|s: u16| Void::sign(&round, SiteId(s), &fixture.sites[usize::from(s)]).to_bytes(&round));
    let declared = memory.put(words.collect());
    let new = (IdentityKey::from_bytes(&[7; 32]), SealingKey::from_bytes(&[7; 32]));
    fixture.study = replaced(&fixture, 0, (&new.0, &new.1));
    let told = |version: u64| {
        let void = VoidRound { spec: failed.clone(), round: 0, version, declared };
        Task { version: 1, ..upload_task(&fixture, vec![void], Vec::new()) }
    };
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &told(0));
    assert!(matches!(refused, Error::Learning { .. }), "as far as its values: {refused}");
    assert_eq!(marks, [SumMark::Voided { round: round.name() }]);
    // Said to be of the version in force, it is another round, which nobody has declared void.
    let (marks, refused) = made(&fixture, &memory, &SumSite::default(), &told(1));
    assert!(marks.is_empty() && matches!(refused, Error::Sum(_)), "{refused}");
}

/// A site that has signed the next roster puts nothing new into a sum under the one before, before the change stands too.
#[test]
fn nothing_new_is_summed_once_the_next_roster_is_signed() {
    let (fixture, memory) = (fixture(3, 2, 2, 88), Memory::default());
    let task = upload_task(&fixture, Vec::new(), Vec::new());
    let (_, refused) = made(&fixture, &memory, &SumSite::default(), &task);
    assert!(matches!(refused, Error::Learning { .. }), "as far as its values: {refused}");
    let mut signed = SumSite::default();
    signed.apply(&SumMark::Successor { version: 0, next: Digest([1; 32]) }).unwrap();
    let (marks, refused) = made(&fixture, &memory, &signed, &task);
    assert!(matches!(refused, Error::Sum(SumRefusal::Successor { .. })) && marks.is_empty(), "{refused}");
}

/// A proof of a roster of many sites is longer than anything of a round among the few that stayed; it is fetched all the same.
#[test]
fn a_proof_of_a_larger_roster_is_not_too_long() {
    let (fixture, memory) = (fixture(16, 2, 2, 89), Memory::default());
    let (study, earlier) = (&fixture.study, job("earlier", JobKind::Sum, 1));
    let old = study.epoch().unwrap();
    let round = SumRound::new(&old, earlier.id(study), 0, (10, 1000)).unwrap();
    let all: Vec<u16> = (0..16).collect();
    let proof = proof(&fixture, &round, &all, &memory);
    let leaves = (3..16).map(SiteId).collect();
    let (joins, replaces, from) = (Vec::new(), Vec::new(), old.digest());
    let change = Change { study: study.digest(), from, joins, leaves, replaces };
    let next = change.next(&old).unwrap();
    let word = |s: u16| Word::say(Says::Sign, SiteId(s), (&old, &next), &fixture.sites[usize::from(s)]);
    let signatures = (0..9).map(|s| (SiteId(s), word(s).signature)).collect();
    let now = study.succeeded(&SignedChange { change, signatures }).unwrap();
    let site = Site::replay(&now, SiteId(1), common::willing(), []).unwrap();
    let told = |version: u64, proof: SettledProof| {
        let shown = vec![SettledRound { version, spec: earlier.clone(), round: 0, proof }];
        Task { version: 1, ..upload_task(&fixture, Vec::new(), shown) }
    };
    assert!(matches!(site.take(&told(0, proof)).unwrap(), Order::Work { .. }));
    // By the round that it is said to be of: the same length is too long for one of the roster in force, and there is a longest for any.
    let too_long = |task: Task| match site.take(&task).unwrap() {
        Order::Decline(objection) => matches!(objection, Objection::InputLength { .. }),
        _ => false,
    };
    assert!(too_long(told(1, proof)));
    let endless = SettledProof { commitment: Blob { len: 1 << 40, ..proof.commitment }, ..proof };
    assert!(too_long(told(0, endless)));
}
