//! Processes killed with SIGKILL at random times while jobs run: what was lost, what was counted twice, what came out otherwise.

use std::collections::{BTreeMap, BTreeSet};

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::{AREA, FederationOptions, finish, records};
use crate::bench::{Better, Figure};
use blindscope_federation::sums::SumMark;
use blindscope_federation::{Blob, Event, JobSpec, Mark, Phase, Record, SignedHeader, SiteId};
use blindscope_node::Result;
use blindscope_node::admin::log;
use blindscope_node::processes::{Kills, Processes};
use blindscope_node::rehearsal;

const SITES: usize = 3;
/// Processes killed while a job is at work.
const EACH: u64 = 4;
/// Values of a sum whose uploads are in the log.
pub(super) const VALUES: u64 = 2_000;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let mut study = options.study("kills", rehearsal::project(SITES, 2, 3)).await?;
    killed(&mut study, (AREA, &[VALUES]), options).await
}

/// Figures of a study of three sites whose processes are killed, with jobs of so many values by turns.
pub(super) async fn killed(
    study: &mut Processes,
    (area, values): (&'static str, &[u64]),
    options: &FederationOptions,
) -> Result<Vec<Figure>> {
    let mut rng = ChaCha20Rng::seed_from_u64(options.seed);
    let (mut specs, mut struck) = (Vec::new(), Kills::new());
    for (so_far, values) in (0..options.kills).step_by(EACH as usize).zip(values.iter().cycle()) {
        let spec = rehearsal::sums(&format!("job-{}", specs.len()), *values, 3);
        study.submit(&spec).await?;
        specs.push(spec);
        for _ in 0..EACH.min(options.kills - so_far) {
            study.strike(&mut rng, &mut struck).await?;
        }
    }
    study.recovered().await?;
    let other = results(study, &specs).await?;
    let log = records(&study.admin()?).await?;
    let Held { lost, twice, keys } = held_against(study, &log).await?;
    let exact = |name, value: usize| {
        let mut figure = Figure::of(area, name, "count", Better::Lower, &[value as f64]).must(0.0, 0.0);
        figure.runs = options.kills as usize;
        figure
    };
    let of_kind = |(kind, kills): (&&str, &u64)| {
        Figure::of(area, format!("killed-{kind}"), "count", Better::Higher, &[*kills as f64])
    };
    let mut figures: Vec<Figure> = struck.iter().map(of_kind).collect();
    figures.extend([
        exact("kills-acknowledged-lost", lost),
        exact("kills-counted-twice", twice),
        exact("kills-two-uploads-under-one-key", keys),
        exact("kills-other-result", other),
    ]);
    Ok(figures)
}

/// How many jobs did not end in the bytes that they end in without kills.
async fn results(study: &Processes, specs: &[JobSpec]) -> Result<usize> {
    let admin = study.admin()?;
    let mut other = 0;
    for spec in specs {
        finish(&admin, &spec.name).await?;
        let (found, _) = admin.download(&spec.name, Vec::new()).await?;
        other += usize::from(found != rehearsal::expected(spec, 0..SITES));
    }
    Ok(other)
}

/// What the sites remember, held against the log.
struct Held {
    /// Receipts that the log does not hold.
    lost: usize,
    /// Answers that it holds twice.
    twice: usize,
    /// Rounds that a site has uploaded otherwise than it had marked, or marked more than once.
    keys: usize,
}

async fn held_against(study: &mut Processes, log: &[Record]) -> Result<Held> {
    let (mut lost, mut keys) = (0, 0);
    for site in 0..SITES {
        study.kill_site(site);
        let kit = study.kit(&format!("site-{site}"));
        let held = |receipt: &&Record| log.get(receipt.body.seq as usize) == Some(*receipt);
        lost += log::receipts(&kit).await?.iter().filter(|receipt| !held(receipt)).count();
        keys += under_one_key(SiteId(site as u16), &log::marks(&kit).await?, log);
    }
    let answers: Vec<_> = accepted(log).map(|answer| (answer.header.step, answer.header.site)).collect();
    let once: BTreeSet<_> = answers.iter().collect();
    Ok(Held { lost, twice: answers.len() - once.len(), keys })
}

fn accepted(log: &[Record]) -> impl Iterator<Item = &SignedHeader> {
    log.iter().filter_map(|record| match &record.body.event {
        Event::Accepted { answer } => Some(answer),
        _ => None,
    })
}

/// A key is of one round and upload. So of each round there are one mark, and one digest among the uploads that the site has signed to send
/// and the one that the coordinator took.
fn under_one_key(site: SiteId, marks: &[Mark], log: &[Record]) -> usize {
    let staged = marks.iter().filter_map(|mark| match mark {
        Mark::Staged { answer } => Some(answer),
        _ => None,
    });
    let taken = accepted(log).filter(|answer| answer.header.site == site);
    let mut uploads: BTreeMap<_, BTreeSet<Blob>> = BTreeMap::new();
    for answer in staged.chain(taken).filter(|answer| answer.header.step.phase == Phase::Upload) {
        // Who declines uploads nothing.
        let Some(payload) = answer.payload() else { continue };
        uploads.entry((answer.header.step.job, answer.header.step.round)).or_default().insert(payload);
    }
    let mut marked: BTreeMap<_, usize> = BTreeMap::new();
    for mark in marks {
        if let Mark::Sum { mark: SumMark::Uploaded { job, number, .. }, .. } = mark {
            *marked.entry((*job, *number)).or_default() += 1;
        }
    }
    let unmarked = |round| marked.get(round) != Some(&1);
    uploads.iter().filter(|(round, of)| of.len() > 1 || unmarked(round)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use blindscope_federation::{Answer, Header, IdentityKey, JobId, Step};
    use blindscope_wire::Digest;

    fn staged(round: u64, bytes: &[u8]) -> Mark {
        let job = JobId(Digest([1; 32]));
        let step = Step { job, round, attempt: 0, phase: Phase::Upload };
        let answer = Answer::Payload(Blob::of(bytes));
        let header = Header { study: Digest([2; 32]), key: job, step, site: SiteId(0), answer };
        Mark::Staged { answer: header.sign(&IdentityKey::from_bytes(&[3; 32])) }
    }

    fn marked(number: u64) -> Mark {
        let (job, some) = (JobId(Digest([1; 32])), Digest([number as u8; 32]));
        let mark = SumMark::Uploaded {
            round: some,
            job,
            number,
            header: some,
            input: some,
            values: some,
            former: some,
        };
        Mark::Sum { mark, openings: 0 }
    }

    #[test]
    fn another_upload_of_a_round_is_seen() {
        let count = |marks: &[Mark]| under_one_key(SiteId(0), marks, &[]);
        let again = [marked(0), staged(0, b"a"), staged(0, b"a"), marked(1), staged(1, b"b")];
        assert_eq!(count(&again), 0, "the same bytes again are no other upload");
        assert_eq!(count(&[marked(0), staged(0, b"a"), staged(0, b"b")]), 1);
        assert_eq!(count(&[staged(0, b"a")]), 1, "sent without a mark");
        assert_eq!(count(&[marked(0), marked(0), staged(0, b"a")]), 1, "marked twice");
    }
}
