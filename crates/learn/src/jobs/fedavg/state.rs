//! What a round of `fedavg` starts from, and its bytes.
//!
//! ```text
//! u64   stage, examples, groups and their squared sizes (of what is held out)
//! u64   which linear head training started from, its counts             once one was chosen
//! u64   a setting: best round, rounds without a better one, counts       for each, from the first round of training on
//! f32   the common mean and deviation
//! f32   the linear heads to be measured; later the one of them that was chosen
//! f32   a setting: its head, its best head                               for each
//! u64   values clipped, values
//! ```

use super::head::{parameters_of, seeded_head, set_parameters, started_from};
use super::linear;
use crate::jobs::clips::Clips;
use crate::jobs::integers::{bytes_of, floats};
use crate::jobs::settings::{FedAvgSettings, Setting};
use crate::jobs::{Error, Result, tally};
use blindscope_vision::head::{LinearHead, PolynomialHead, Scaling};

/// Where a job is: the linear heads are measured, a round of training, the last heads are measured, answers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Linear,
    /// From 1.
    Train(u64),
    Measure,
    Count,
}

/// The common standardisation, the heads, and how they did so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    /// Where the job is.
    pub stage: Stage,
    /// The common standardisation.
    pub scaling: Scaling,
    /// Examples that the heads are of.
    pub examples: u64,
    /// Features that were clipped before they were standardised, and weights that were clipped in any round.
    pub clips: Clips,
    /// Groups that are held out, and the sum of their squared sizes.
    pub held: [u64; 2],
    /// Linear heads, on standardised features: all of the ladder while they are measured, then the chosen one.
    pub linear: Vec<LinearHead>,
    /// Number and counts of the linear head that was chosen.
    pub chosen: Option<(usize, Vec<u64>)>,
    /// One a setting; none while linear heads are measured.
    pub runs: Vec<Run>,
}

/// A setting in training.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// The common head, on standardised features.
    pub head: PolynomialHead,
    /// The head that answered best so far.
    pub best: PolynomialHead,
    /// Rounds after which it stood there.
    pub rounds: u64,
    /// Rounds since that did not do better.
    pub stale: u64,
    /// Counts of the best head.
    pub sums: Vec<u64>,
}

impl Run {
    fn new(head: PolynomialHead, classes: usize) -> Self {
        Self { best: head.clone(), head, rounds: 0, stale: 0, sums: vec![0; tally::each(classes)] }
    }

    /// Whether it is trained no further.
    pub(super) fn stopped(&self, s: &FedAvgSettings) -> bool {
        s.patience > 0 && self.stale >= s.patience
    }
}

/// The heads that all sites start from: of the linear one, or drawn from the job's seed.
pub(super) fn common_start(s: &FedAvgSettings, linear: Option<&LinearHead>) -> Result<Vec<Run>> {
    let one = |setting: Setting| {
        let plan = blindscope_vision::head::HeadPlan { seed: s.seed, ..s.plan(setting, 0) };
        let head = match linear {
            Some(linear) => started_from(linear, &plan)?,
            None => seeded_head(s.width, s.classes, &plan)?,
        };
        Ok(Run::new(head, s.classes))
    };
    s.settings().into_iter().map(one).collect()
}

/// Numbers of a polynomial head.
fn parameters(s: &FedAvgSettings, hidden: usize) -> usize {
    hidden * (s.width + 1) + s.degree + 1 + s.classes * (hidden + 1)
}

/// Numbers of all heads that are trained.
pub(super) fn all_parameters(s: &FedAvgSettings) -> usize {
    s.settings().iter().map(|setting| parameters(s, setting.hidden)).sum()
}

const WHAT: &str = "start of a fedavg round";

impl State {
    pub(super) fn to_bytes(&self, s: &FedAvgSettings) -> Vec<u8> {
        let mut words = vec![self.stage.word(s), self.examples, self.held[0], self.held[1]];
        if let Some((at, sums)) = &self.chosen {
            words.push(*at as u64);
            words.extend(sums);
        }
        for run in &self.runs {
            words.extend([run.rounds, run.stale]);
            words.extend(&run.sums);
        }
        let mut out: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        out.extend(bytes_of(self.scaling.mean.iter().chain(&self.scaling.deviation)));
        for head in &self.linear {
            out.extend(bytes_of(head.weight.iter().chain(&head.bias)));
        }
        for run in &self.runs {
            out.extend(bytes_of(&parameters_of(&run.head)));
            out.extend(bytes_of(&parameters_of(&run.best)));
        }
        out.extend(self.clips.to_bytes());
        out
    }

    /// The reverse, of the shape that the settings say.
    pub(super) fn from_bytes(bytes: &[u8], s: &FedAvgSettings) -> Result<Self> {
        let short = || bad(format!("{} bytes are too few", bytes.len()));
        let (rest, clips) = Clips::split_from(bytes).ok_or_else(short)?;
        let mut words = Words(rest);
        let [stage, examples, groups, squares] = words.array().ok_or_else(short)?;
        let stage = Stage::of(stage, s)?;
        let (each, measuring) = (tally::each(s.classes), stage == Stage::Linear);
        let mut chosen = None;
        if s.starts_linear() && !measuring {
            let [at] = words.array().ok_or_else(short)?;
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            if at >= linear::LEN {
                return Err(bad(format!("linear head {at} of {}", linear::LEN)));
            }
            chosen = Some((at, words.counts(each)?.ok_or_else(short)?));
        }
        let mut runs = if measuring { Vec::new() } else { common_start(s, None)? };
        for run in &mut runs {
            [run.rounds, run.stale] = words.array().ok_or_else(short)?;
            run.sums = words.counts(each)?.ok_or_else(short)?;
        }
        let linear = if measuring { linear::LEN } else { usize::from(chosen.is_some()) };
        let trained = if measuring { 0 } else { 2 * all_parameters(s) };
        let count = 2 * s.width + linear * s.classes * (s.width + 1) + trained;
        let numbers = floats(WHAT, words.0, count)?;
        let mut numbers = Numbers(&numbers);
        let scaling = numbers.scaling(s)?;
        let linear = (0..linear).map(|_| numbers.linear(s)).collect();
        for run in &mut runs {
            numbers.fill(&mut run.head);
            numbers.fill(&mut run.best);
        }
        let held = [groups, squares];
        Ok(Self { stage, scaling, examples, clips, held, linear, chosen, runs })
    }
}

impl Stage {
    fn word(self, s: &FedAvgSettings) -> u64 {
        match self {
            Self::Linear => 0,
            Self::Train(round) => round,
            Self::Measure => s.rounds + 1,
            Self::Count => s.rounds + 2,
        }
    }

    fn of(word: u64, s: &FedAvgSettings) -> Result<Self> {
        let served = match word {
            0 if s.starts_linear() => Some(Self::Linear),
            round if (1..=s.rounds).contains(&round) => Some(Self::Train(round)),
            last if last == s.rounds + 1 && s.chooses() => Some(Self::Measure),
            last if last == s.rounds + 2 && s.validate => Some(Self::Count),
            _ => None,
        };
        served.ok_or_else(|| bad(format!("stage {word} of a job of {} rounds of training", s.rounds)))
    }
}

/// The numbers that are left to be read. Range: as many as are taken.
struct Numbers<'a>(&'a [f32]);

impl<'a> Numbers<'a> {
    fn take(&mut self, count: usize) -> &'a [f32] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn scaling(&mut self, s: &FedAvgSettings) -> Result<Scaling> {
        let [mean, deviation] = [self.take(s.width).to_vec(), self.take(s.width).to_vec()];
        match deviation.iter().find(|d| **d <= 0.0) {
            Some(wrong) => Err(bad(format!("a deviation of {wrong}"))),
            None => Ok(Scaling { mean, deviation }),
        }
    }

    fn linear(&mut self, s: &FedAvgSettings) -> LinearHead {
        let (weight, bias) = (self.take(s.classes * s.width).to_vec(), self.take(s.classes).to_vec());
        LinearHead { weight, bias, width: s.width }
    }

    fn fill(&mut self, head: &mut PolynomialHead) {
        set_parameters(head, self.take(parameters_of(head).len()));
    }
}

/// Words at the beginning of bytes that are left to be read.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn take(&mut self, count: usize) -> Option<Vec<u64>> {
        let (words, rest) = self.0.split_at_checked(8 * count)?;
        self.0 = rest;
        Some(words.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }

    fn array<const N: usize>(&mut self) -> Option<[u64; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Counts over all sites: their sums are added up further.
    fn counts(&mut self, count: usize) -> Result<Option<Vec<u64>>> {
        let Some(counts) = self.take(count) else { return Ok(None) };
        match counts.iter().find(|n| **n > MOST) {
            Some(wrong) => Err(bad(format!("a count of {wrong}, at most {MOST} are made by sites"))),
            None => Ok(Some(counts)),
        }
    }
}

/// Largest count that is read.
const MOST: u64 = 1 << 53;

fn bad(reason: String) -> Error {
    Error::Bytes { what: WHAT, reason }
}
