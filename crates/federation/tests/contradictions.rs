//! What contradicts a site's marks is refused, and nothing of it is kept: a mark that contradicts would be there for good.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use blindscope_federation::sums::{
    Agreement, Commitment, SignedUpload, SumRefusal, SumRound, SumSite, Uploader, write_upload,
};
use blindscope_federation::{
    Ask, Blob, Error, JobKind, Mark, Phase, SettledProof, SettledRound, SiteId, SiteTools, Sizes, Step, Task,
    site_payload,
};
use blindscope_testkit::rng;
use blindscope_wire::Digest;
use common::memory::{Idle, Memory};
use common::{Fixture, fixture, job};

fn upload(fixture: &Fixture, round: &SumRound, me: SiteId) -> SignedUpload {
    let (sealing, signer) = (&fixture.sealing[usize::from(me.0)], &fixture.sites[usize::from(me.0)]);
    let by = Uploader { round, me, sealing, signer, only: Digest([0; 32]) };
    let (values, random) = (|| Box::new(0..10_u64) as Box<dyn Iterator<Item = u64> + Send>, [me.0 as u8; 64]);
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
        proof: proof(&fixture, &round, sites, &memory),
    });
    let step = Step { job: spec.id(study), round: 0, attempt: 0, phase: Phase::Upload };
    let ask = Ask::Upload {
        public_key: None,
        input: None,
        pairs: false,
        voids: Vec::new(),
        settled: both.to_vec(),
    };
    let sizes = Sizes::of(study, &spec).unwrap();
    let task = Task {
        study: study.digest(),
        key: step.job,
        step,
        spec,
        sizes,
        deadline_ms: 1,
        ask,
        start: None,
        grounds: None,
    };
    let tools = SiteTools {
        study,
        me: SiteId(1),
        sealing: &fixture.sealing[1],
        learning: &Idle,
        blobs: &memory,
        checked: false,
        sums: &SumSite::default(),
        minimum_cohort: 1,
        signer: &fixture.sites[1],
    };
    let mut marks = Vec::new();
    let refused = site_payload(&tools, &task, None, None, &mut marks, &mut rng(81)).unwrap_err();
    assert!(matches!(refused, Error::Sum(SumRefusal::Contradiction { .. })), "{refused}");
    assert!(refused.to_string().contains("compare the coordinator's log"), "{refused}");
    let mut site = SumSite::default();
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
