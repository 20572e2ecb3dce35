//! Sums without learning: sites contribute integers of their own, the result is their sum.
//!
//! For learning code in another language, which writes its integers to a file, and for measuring the federation itself: jobs
//! of kind `sum`. The result, and the input of each round after the first, are the sums of the round before, eight bytes
//! each, little endian.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use blindscope_ckks::Ciphertext;
use blindscope_federation::{
    Advance, Advanced, Asked, Blob, Blobs, Contribution, JobKind, JobSpec, LearnError,
};

/// Stands for the round in a file's name.
const ROUND: &str = "{round}";

/// Where a site's integers come from: the table `learning.plain` of its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Plain {
    /// A text file, a number a line; `{round}` in its name stands for the round, and has to be there for jobs of several.
    File(PathBuf),
    /// Drawn from this seed and the round, for rehearsals.
    Seed(u64),
}

/// Why there are no integers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The job is not one of plain sums.
    #[error(
        "job {job}: it is of kind {kind}, and here are integers for kind sum only; set [learning] for its kind"
    )]
    NotPlain {
        /// Which.
        job: String,
        /// Its kind.
        kind: JobKind,
    },
    /// One file for several rounds.
    #[error(
        "job {job}: it has {rounds} rounds, and learning.plain.file names one file for all of them: {}. The same numbers would be \
         summed over the sites of each round, and the difference of two sums tells who was in one alone. Put {{round}} into the name",
        path.display()
    )]
    OneFile {
        /// Which.
        job: String,
        /// Its rounds.
        rounds: u64,
        /// The file.
        path: PathBuf,
    },
    /// A file that has other lines than the job wants.
    #[error("read {}: line {line} is {found:?}, a number up to {max} is expected in each of {values} lines", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which, from 1.
        line: u64,
        /// What it is; empty beyond the end.
        found: String,
        /// The job's largest.
        max: u64,
        /// The job's number of integers.
        values: u64,
    },
}

impl Plain {
    /// What a site of this seed contributes to a round, for those who want to check a sum.
    pub fn drawn(seed: u64, job: &JobSpec, round: u64) -> impl Iterator<Item = u64> + Send + use<> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&round.to_le_bytes());
        // Integers of their own for each rehearsal: the same ones are never summed over two sets of sites.
        let rehearsal = job.settings.get("rehearsal").and_then(serde_json::Value::as_str).unwrap_or_default();
        bytes[16..].copy_from_slice(&Blob::of(rehearsal.as_bytes()).digest.0[..16]);
        let mut rng = ChaCha20Rng::from_seed(bytes);
        let span = job.max.saturating_add(1).max(1);
        (0..job.values).map(move |_| rng.next_u64() % span)
    }
}

impl Contribution for Plain {
    fn values<'a>(
        &'a self,
        job: &JobSpec,
        round: u64,
        _: &[u8],
    ) -> Result<Box<dyn Iterator<Item = u64> + Send + 'a>, LearnError> {
        if job.runs() != JobKind::Sum {
            return Err(not_plain(job));
        }
        match self {
            Self::Seed(seed) => Ok(Box::new(Self::drawn(*seed, job, round))),
            Self::File(path) => {
                if job.rounds > 1 && !path.to_string_lossy().contains(ROUND) {
                    let (job, rounds, path) = (job.name.clone(), job.rounds, path.clone());
                    return Err(Error::OneFile { job, rounds, path }.into());
                }
                let path = PathBuf::from(path.to_string_lossy().replace(ROUND, &round.to_string()));
                Ok(Box::new(read(&path, job)?.into_iter()))
            }
        }
    }

    fn follow(
        &self,
        job: &JobSpec,
        round: u64,
        _: &[u8],
        sums: &[u64],
        _: usize,
    ) -> Result<Advanced, LearnError> {
        if job.runs() == JobKind::Sum { Ok(follows(job, round, sums)) } else { Err(not_plain(job)) }
    }
}

/// What follows from a sum of plain integers: the sums themselves.
fn follows(job: &JobSpec, round: u64, sums: &[u64]) -> Advanced {
    let bytes = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    if round + 1 == job.rounds { Advanced::Final(bytes) } else { Advanced::Next(bytes) }
}

fn not_plain(job: &JobSpec) -> LearnError {
    Error::NotPlain { job: job.name.clone(), kind: job.runs() }.into()
}

/// All of them: a wrong line must be known before anything is sent.
fn read(path: &Path, job: &JobSpec) -> Result<Vec<u64>, LearnError> {
    let mut values = Vec::new();
    let mut lines = BufReader::new(File::open(path)?).lines();
    for line in 1..=job.values + 1 {
        let text = lines.next().transpose()?;
        match text.as_deref().map(|text| text.trim().parse::<u64>()) {
            None if line == job.values + 1 => return Ok(values),
            Some(Ok(value)) if value <= job.max && line <= job.values => values.push(value),
            _ => {
                let (found, max, values) = (text.unwrap_or_default(), job.max, job.values);
                return Err(Error::Line { path: path.to_owned(), line, found, max, values }.into());
            }
        }
    }
    Ok(values)
}

/// The sums, unchanged, for jobs of plain sums; everything else goes to `learning`.
pub struct Sums<A> {
    /// What follows from all other jobs.
    pub learning: A,
}

impl<A: Advance> Advance for Sums<A> {
    fn advance(
        &self,
        job: &JobSpec,
        round: u64,
        input: &[u8],
        sums: &[u64],
        committed: usize,
    ) -> Result<Advanced, LearnError> {
        if job.runs() != JobKind::Sum {
            return self.learning.advance(job, round, input, sums, committed);
        }
        Ok(follows(job, round, sums))
    }

    fn evaluate(&self, asked: Asked<'_>, blobs: &dyn Blobs) -> Result<Vec<Ciphertext>, LearnError> {
        self.learning.evaluate(asked, blobs)
    }
}

/// No learning at all.
pub struct NoLearning;

impl Advance for NoLearning {
    fn advance(&self, job: &JobSpec, _: u64, _: &[u8], _: &[u64], _: usize) -> Result<Advanced, LearnError> {
        Err(not_plain(job))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn job(rounds: u64) -> JobSpec {
        JobSpec { rounds, values: 2, max: 9, ..JobSpec::named("counts") }
    }

    /// A site that is late in one round would be the difference of that round's sum and the next one's.
    #[test]
    fn one_file_is_not_summed_in_several_rounds() {
        let folder = std::env::temp_dir().join(format!("blindscope-plain-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["numbers.txt", "numbers-0.txt"] {
            std::fs::write(folder.join(name), "3\n4\n").unwrap();
        }
        let bring = |name: &str, rounds| {
            let plain = Plain::File(folder.join(name));
            plain.values(&job(rounds), 0, &[]).map(Iterator::collect::<Vec<_>>).map_err(|e| e.to_string())
        };
        assert_eq!(bring("numbers.txt", 1).unwrap(), [3, 4]);
        assert_eq!(bring("numbers-{round}.txt", 2).unwrap(), [3, 4]);
        let refused = bring("numbers.txt", 2).unwrap_err();
        assert!(
            refused.contains("it has 2 rounds") && refused.contains("Put {round} into the name"),
            "{refused}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
