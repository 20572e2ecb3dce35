//! What a site sends and fetches in the real protocol, every byte counted, and what opening a whole update costs it.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{AREA, Arithmetic, Better, Error, Figure, Report, UPDATE};
use crate::clock::milliseconds;
use blindscope_aggregate::one_round::{Checks, Part, PartSum, SiteRound};
use blindscope_federation::sums::{
    Agreement, Epoch, EpochLiteral, Findings, Member, PAIRING_LEN, SignedUpload, SumOpening, SumRound,
};
use blindscope_federation::{
    Answer, Blob, Header, IdentityKey, JobId, Phase, SealingKey, SiteEntry, SiteId, Step,
};
use blindscope_wire::Digest;

fn epoch(sites: u16) -> Result<Epoch, Error> {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let mut member = |k: u16| Member {
        site: SiteId(k),
        entry: SiteEntry {
            name: format!("site-{k}"),
            identity: IdentityKey::generate(&mut rng).public(),
            sealing: SealingKey::generate(&mut rng).public(),
        },
    };
    let literal = EpochLiteral {
        study: Digest([1; 32]),
        version: 0,
        members: (0..sites).map(&mut member).collect(),
        holders: (0..sites).map(SiteId).collect(),
        threshold: u32::from(sites) / 2 + 1,
        colluders: 0,
        colluding_holders: 0,
        minimum_cohort: 2,
        coins: 168,
        former: Vec::new(),
    };
    Ok(Epoch::new(literal)?)
}

/// Bytes of the signed header that goes with each answer.
fn header_len(phase: Phase) -> u64 {
    let step = Step { job: JobId(Digest([9; 32])), round: 0, attempt: 0, phase };
    let answer = Answer::Payload(Blob { digest: Digest([4; 32]), len: 100_000 });
    let header = Header { study: Digest([1; 32]), key: step.job, step, site: SiteId(0), answer };
    header.sign(&IdentityKey::from_bytes(&[5; 32])).to_bytes().len() as u64
}

pub(super) fn figures(path: Arithmetic, report: &mut Report) -> Result<(), Error> {
    let job = JobId(Digest([9; 32]));
    for (sites, bar, aim) in [(3u16, 8e3, 5e3), (16, 45e3, 10e3), (64, 60e3, 12e3)] {
        let round = SumRound::new(&epoch(sites)?, job, 0, (768, 65_535))?;
        let upload = |pairs| (round.upload_len(SiteId(0), pairs) + header_len(Phase::Upload)) as f64;
        let later = (Findings::len(usize::from(sites)) + Agreement::LEN + SumOpening::len(&round)) as u64;
        let headers: u64 = [Phase::Findings, Phase::Agree, Phase::Open].map(header_len).iter().sum();
        let of = |name: &str, bytes: f64| {
            Figure::of(AREA, format!("{name}_768_values_{sites}_sites"), "bytes", Better::Lower, &[bytes])
        };
        // The bar is on every byte that leaves a site, from its upload to its opening.
        let all = upload(false) + (later + headers) as f64;
        report.figures.push(of("all_that_a_site_sends", all).must(bar, aim));
        report.figures.push(of("upload", upload(false)));
        report.figures.push(of("first_upload_of_an_epoch", upload(true)));
    }
    opener(&SumRound::new(&epoch(64)?, job, 0, (UPDATE, 65_535))?.on(path)?, report)
}

/// One holder of 64 opens a whole update.
fn opener(round: &SumRound, report: &mut Report) -> Result<(), Error> {
    let dealers = || (0..64).map(SiteId);
    let part = |d: SiteId| if round.derives(d, 0) { 0 } else { round.sealed_len() };
    let given: usize = dealers().skip(1).map(|d| PAIRING_LEN + part(d)).sum();
    let headers = 64 * SignedUpload::len(round);
    let down = given + 2 * headers + 64 * Agreement::LEN;
    let up = SumOpening::len(round) as u64 + header_len(Phase::Open);
    let bytes = |name, bytes: f64, bar, aim| {
        Figure::of(AREA, format!("opener_86_6m_64_sites_{name}"), "bytes", Better::Lower, &[bytes])
            .must(bar, aim)
    };
    report.figures.push(bytes("fetches", down as f64, 1e6, 6e5));
    report.figures.push(bytes("sends", up as f64, 2e4, 1e4));
    let plan = round.plan();
    let mut given = Vec::new();
    for d in 0..64u8 {
        let site = SiteRound::new(plan, round.id(), &[d; 32], &[2; 32], &Digest([d; 32]));
        let dealing = site.dealing(&[])?;
        let sent = Digest([d; 32]);
        given.push((dealing.part(0), dealing.checks(&sent), sent));
    }
    let times = milliseconds(5, 1, || {
        let mut sum = PartSum::new(plan, 0);
        for (part, checks, sent) in &given {
            let (part, checks) = (Part::from_bytes(plan, part)?, Checks::from_bytes(plan, checks)?);
            if part.satisfies(plan, 0, sent, &checks) {
                sum.add(plan, &part);
            }
        }
        Ok::<_, blindscope_aggregate::Error>(sum)
    });
    let seconds: Vec<f64> = times.iter().map(|ms| ms / 1e3).collect();
    let cpu = Figure::of(AREA, "opener_86_6m_64_sites_checks_and_adds", "s cpu", Better::Lower, &seconds);
    report.figures.push(cpu.must(0.1, 0.01));
    Ok(())
}
