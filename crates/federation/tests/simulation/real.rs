//! Payloads with real keys and encryption, under small and insecure parameters.

use std::cell::RefCell;
use std::io::{self, Cursor, Read, Write};

use blindscope_federation::payload::{SiteTools, combine, site_payload};
use blindscope_federation::{
    Advance, Advanced, Blob, Blobs, Cause, Contribution, Input, JobId, JobSpec, LearnError, Outcome, Permit,
    Result, SealingKey, SiteId, Sizes, Study, Task, Work,
};
use chacha20::ChaCha20Rng;

use crate::toy::{Compute, Disk, Done, contribution};

pub(crate) struct Real<'a> {
    pub(crate) study: &'a Study,
    pub(crate) sealing: &'a [SealingKey],
    pub(crate) ceremony: JobSpec,
    pub(crate) sum: JobSpec,
}

/// Blobs of a machine, and what was written on top of them.
struct Layered<'a> {
    below: &'a Disk,
    above: RefCell<Disk>,
}

impl<'a> Layered<'a> {
    fn new(below: &'a Disk) -> Self {
        Self { below, above: RefCell::default() }
    }

    fn bytes(&self, blob: &Blob) -> Vec<u8> {
        self.above.borrow().get(&blob.digest).or_else(|| self.below.get(&blob.digest)).unwrap().clone()
    }
}

impl Blobs for Layered<'_> {
    fn open(&self, blob: &Blob) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.bytes(blob))))
    }

    fn create(&self, max: u64, write: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<Blob> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        assert!(bytes.len() as u64 <= max, "{} bytes where {max} were announced", bytes.len());
        let blob = Blob::of(&bytes);
        self.above.borrow_mut().insert(blob.digest, bytes);
        Ok(blob)
    }
}

struct Learner<'a>(SiteId, &'a Study);

fn values(site: SiteId, job: JobId, spec: &JobSpec, round: u64, input: &[u8]) -> Vec<u64> {
    let first = contribution(site, job, round, input);
    (0..spec.values).map(|k| (first + k * k) % (spec.max + 1)).collect()
}

impl Contribution for Learner<'_> {
    fn values<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
    ) -> std::result::Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        Ok(Box::new(values(self.0, job.id(self.1), job, round, input).into_iter()))
    }
}

struct Server;

fn advanced(input: &[u8], sums: &[u64], committed: usize) -> Vec<u8> {
    let sums = sums.iter().flat_map(|s| s.to_le_bytes());
    // The start of the input shows that it got here; all of it would grow with each round.
    input.iter().take(16).copied().chain((committed as u64).to_le_bytes()).chain(sums).collect()
}

impl Advance for Server {
    fn advance(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> std::result::Result<Advanced, LearnError> {
        let bytes = advanced(input, sums, committed);
        Ok(if round + 1 < job.rounds { Advanced::Next(bytes) } else { Advanced::Final(bytes) })
    }
}

impl Compute for Real<'_> {
    fn sizes(&self, ceremony: bool) -> Sizes {
        Sizes::of(self.study, if ceremony { &self.ceremony } else { &self.sum }).unwrap()
    }

    fn payload(
        &self,
        site: SiteId,
        task: &Task,
        held: (Option<Blob>, Option<Permit>),
        disk: &Disk,
        rng: &mut ChaCha20Rng,
    ) -> std::result::Result<Vec<u8>, Cause> {
        let (blobs, learning) = (Layered::new(disk), Learner(site, self.study));
        let sealing = &self.sealing[usize::from(site.0)];
        let tools = SiteTools { study: self.study, me: site, sealing, learning: &learning, blobs: &blobs };
        let (bundle, permit) = held;
        let blob = site_payload(&tools, task, bundle, permit, rng).map_err(|e| {
            println!("{site}: {e}");
            e.cause()
        })?;
        Ok(blobs.bytes(&blob))
    }

    fn work(&self, work: &Work, disk: &Disk) -> Done {
        let blobs = Layered::new(disk);
        match combine(self.study, work, &Server, &blobs).unwrap() {
            Input::Combined { output, .. } => Done::Combined {
                shared: blobs.bytes(&output.shared),
                each: output.each.iter().map(|b| blobs.bytes(b)).collect(),
            },
            Input::Opened { outcome: Outcome::Next(b), .. } => Done::Next(blobs.bytes(&b)),
            Input::Opened { outcome: Outcome::Final(b), .. } => Done::Final(blobs.bytes(&b)),
            Input::Unusable { sites, .. } => Done::Unusable(sites),
            other => panic!("{other:?}"),
        }
    }

    fn expected(&self, job: JobId, committed: &[Vec<SiteId>]) -> Vec<u8> {
        let mut input = Vec::new();
        for (round, sites) in committed.iter().enumerate() {
            let mut sums = vec![0; self.sum.values as usize];
            for site in sites {
                let values = values(*site, job, &self.sum, round as u64, &input);
                sums.iter_mut().zip(values).for_each(|(s, v)| *s += v);
            }
            input = advanced(&input, &sums, sites.len());
        }
        input
    }
}
