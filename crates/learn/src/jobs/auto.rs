//! `auto`: a small ladder of heads, of which the best is released with its interval.
//!
//! | round | a site sends | what follows |
//! | --- | --- | --- |
//! | 0 | the sums of `statistics`, by fold | penalties, each head of the ladder, and the same without each fold |
//! | 1 | counts by true and predicted class, each row asked of the heads that its fold had no part in; losses and sureness of the answers | the best head, how all did, its probabilities calibrated |
//!
//! Both rounds are sums of integers over rows: pooled rows give the same model, bit for bit.

use serde::{Deserialize, Serialize};

use super::choice::{Choice, HeadFigures, Penalty, penalties};
use super::clips::ClipsAt;
use super::folded_sums::FoldedSums;
use super::folds::fold_of;
use super::integers::padded;
use super::job::settings;
use super::kind::Learned;
use super::model::Model;
use super::noised_auto::NoisedAuto;
use super::settings::StatisticsSettings;
use super::statistics::ABOUT;
use super::tally::{self, Tally};
use super::{Advanced, Error, Integers, Learning, Result, SiteData, Watch, calibration};
use blindscope_aggregate::statistics::{FoldedStatistics, is_usable};
use blindscope_classify::{Head, HeadLiteral};

pub(super) const NAME: &str = "auto";

/// The kind.
pub(super) static KIND: Learned = Learned {
    clips: ClipsAt::Model,
    bounded: true,
    ..Learned::of::<StatisticsSettings>(ABOUT, |spec| match spec.privacy.as_deref() {
        None => Ok(Box::new(Auto::new(settings(spec)?)?)),
        Some(privacy) => Ok(Box::new(NoisedAuto::new(settings(spec)?, *privacy)?)),
    })
};

/// Heads of a part of the rows: ridge and LDA.
const FAMILIES: usize = 2;

/// Longest start of a second round.
const MOST_BYTES: usize = 1 << 30;

/// The job's learning.
#[derive(Debug, Clone)]
pub(super) struct Auto(FoldedSums);

/// What the second round starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ladder {
    /// The heads of all examples.
    model: Model,
    /// For each fold, the same heads without it; none where some class has no example outside it.
    without: Vec<Option<Vec<HeadLiteral>>>,
}

impl Auto {
    pub(super) fn new(settings: StatisticsSettings) -> Result<Self> {
        if settings.folds < 2 {
            let (kind, field, found) = (NAME, "folds", settings.folds.to_string());
            return Err(Error::Setting {
                kind,
                field,
                found,
                expected: "2 to 20: heads are compared on folds",
            });
        }
        Ok(Self(FoldedSums::new(settings)?))
    }

    fn ladder(&self) -> usize {
        FAMILIES * super::choice::parts(&self.0.settings).len()
    }

    /// Integers of a head.
    fn each(&self) -> usize {
        tally::each(self.0.settings.classes)
    }

    /// Integers of the second round: groups, the sum of their squared sizes, each head's.
    fn counts(&self) -> usize {
        2 + self.ladder() * self.each()
    }

    fn heads(&self, folded: &FoldedStatistics, penalties: &[Penalty]) -> Result<Ladder> {
        let mut named = Vec::new();
        for p in penalties {
            for (name, head) in self.0.heads(folded.total(), p)? {
                named.push((name_of(name, p), head));
            }
        }
        let mut without = Vec::new();
        for (fold, rest) in folded.splits()? {
            let heads = |p| Ok(self.0.heads(&rest, p)?.map(|(_, head)| head));
            let all = || penalties.iter().map(heads).collect::<Result<Vec<_>>>();
            without.push(if is_usable(fold, &rest) { Some(all()?.concat()) } else { None });
        }
        let heads = named.iter().map(|(name, head)| (name.as_str(), head.clone())).collect();
        Ok(Ladder { model: Model::new(NAME, heads, folded.total().samples(), 0), without })
    }

    fn first(&self, sums: &[u64], committed: usize) -> Result<Vec<u8>> {
        let s = &self.0.settings;
        let (folded, clips) = self.0.decode(NAME, sums)?;
        let penalties = penalties(s, &folded)?;
        let mut ladder = self.heads(&folded, &penalties)?;
        ladder.model.sites = committed;
        ladder.model = ladder.model.of_classes(&s.names).of_backbone(&s.backbone).clipped_by(clips);
        ladder.model.chosen = Choice::of(s.folds, &penalties);
        serde_json::to_vec(&ladder).map_err(|e| Error::Bytes { what: START, reason: e.to_string() })
    }

    /// The start of the second round, of the shape that the settings say.
    fn read(&self, input: &[u8]) -> Result<Ladder> {
        let bad = |reason: String| Error::Bytes { what: START, reason };
        if input.len() > MOST_BYTES {
            return Err(bad(format!("{} bytes, at most {MOST_BYTES} are read", input.len())));
        }
        let ladder: Ladder = serde_json::from_slice(input).map_err(|e| bad(e.to_string()))?;
        let (folds, heads) = (self.0.settings.folds, self.ladder());
        let whole = ladder.without.iter().flatten().all(|of| of.len() == heads);
        if ladder.without.len() != folds || ladder.model.heads.len() != heads || !whole {
            return Err(bad(format!("other heads than {heads}, and as many without each of {folds} folds")));
        }
        Ok(ladder)
    }

    /// What a site's rows answer to the heads that their folds had no part in.
    fn count(&self, data: &SiteData, ladder: &Ladder) -> Result<Vec<u64>> {
        let (s, rows) = (&self.0.settings, &data.train);
        let heads = ladder.without.iter().map(|of| of.as_ref().map(|of| self.checked(of)).transpose());
        let heads: Vec<Option<Vec<Head>>> = heads.collect::<Result<_>>()?;
        let mut tally = Tally::new(self.ladder(), s.classes);
        let mut labels = rows.labels.iter().enumerate();
        for block in rows.rows.blocks() {
            for (row, (at, label)) in block?.chunks_exact(s.width).zip(&mut labels) {
                let group = rows.group(at, row);
                let Some(heads) = &heads[fold_of(s.seed, s.folds, &group)] else { continue };
                let token = [row.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>()];
                let logits = heads.iter().map(|head| Ok(head.logits(&token)?.concat()));
                tally.add(group, *label, &logits.collect::<Result<Vec<_>>>()?);
            }
        }
        let values = tally.into_values();
        match values.iter().find(|n| **n > self.max()) {
            None => Ok(values),
            Some(n) => {
                let (what, found) = ("sum over groups of squared sizes", n.to_string());
                let expected = format!("at most {}: fewer rows of one group", self.max());
                Err(Error::Data { operation: NAME, what, found, expected })
            }
        }
    }

    fn checked(&self, heads: &[HeadLiteral]) -> Result<Vec<Head>> {
        let s = &self.0.settings;
        let heads = heads.iter().map(|head| Ok(Head::new(head.clone())?)).collect::<Result<Vec<_>>>()?;
        if heads.iter().all(|head| head.width() == s.width && head.classes() == s.classes) {
            return Ok(heads);
        }
        let reason = format!("a head that is not of {} features and {} classes", s.width, s.classes);
        Err(Error::Bytes { what: START, reason })
    }

    /// The model, the best head first.
    fn last(&self, mut ladder: Ladder, sums: &[u64]) -> Result<Vec<u8>> {
        let s = &self.0.settings;
        let counts = sums.get(..self.counts()).and_then(|sums| sums.split_first_chunk::<2>());
        let Some((&[groups, nn], rest)) = counts else {
            let reason = format!("{} sums, {} are needed", sums.len(), self.counts());
            return Err(Error::Sums { operation: NAME, reason });
        };
        let mut ranked: Vec<(HeadFigures, usize)> = Vec::new();
        let mut calibrated = Vec::new();
        for (at, (head, sums)) in ladder.model.heads.iter_mut().zip(rest.chunks(self.each())).enumerate() {
            let (confusion, over_groups) = sums.split_at(s.classes * s.classes);
            calibrated.push(calibration::chosen(&over_groups[2..]));
            calibration::apply(calibrated.last().and_then(Option::as_ref), &mut head.head);
            let right = confusion.iter().step_by(s.classes + 1).sum();
            let of = [confusion.iter().sum(), groups, right];
            ranked.push((HeadFigures::of(&head.name, of, [nn, over_groups[0], over_groups[1]]), at));
        }
        // Of equals the one with the smaller squared error, which stands first.
        ranked.sort_by(|a, b| b.0.accuracy.total_cmp(&a.0.accuracy));
        let model = &mut ladder.model;
        if groups > 0 {
            let heads = ranked.iter().filter_map(|(_, at)| model.heads.get(*at).cloned()).collect();
            let best = ranked.first().and_then(|(_, at)| rest.chunks(self.each()).nth(*at));
            model.calibration = ranked.first().and_then(|(_, at)| calibrated.get_mut(*at)?.take());
            model.validation = best.map(|sums| counts_of(sums, s.classes));
            model.heads = heads;
            if let Some(chosen) = &mut model.chosen {
                chosen.heads = ranked.into_iter().map(|(figures, _)| figures).collect();
            }
        }
        model.to_json()
    }
}

const START: &str = "start of the second round of auto";

fn counts_of(sums: &[u64], classes: usize) -> Vec<Vec<u64>> {
    sums.chunks(classes).take(classes).map(<[u64]>::to_vec).collect()
}

/// A head's name in the model: with its part where there are several.
fn name_of(family: &str, p: &Penalty) -> String {
    if p.part.name == "all" { family.to_owned() } else { format!("{family}:{}", p.part.name) }
}

impl Learning for Auto {
    fn rounds(&self) -> u64 {
        2
    }

    fn values(&self) -> u64 {
        self.0.values().max(self.counts() as u64)
    }

    fn max(&self) -> u64 {
        // Few bits leave less room than the losses of the second round take.
        self.0.max().max(self.0.settings.examples * calibration::LARGEST)
    }

    fn contribute(&self, data: &SiteData, round: u64, input: &[u8], _: Watch<'_>) -> Result<Integers> {
        if round == 0 {
            let sums: Vec<u64> = self.0.contribute(NAME, data)?.collect();
            return Ok(Box::new(padded(sums, self.values()).into_iter()));
        }
        self.0.check(NAME, data)?;
        let counts = self.count(data, &self.read(input)?)?;
        Ok(Box::new(padded(counts, self.values()).into_iter()))
    }

    fn advance(&self, round: u64, input: &[u8], sums: &[u64], committed: usize) -> Result<Advanced> {
        if round == 0 {
            return Ok(Advanced::Next(self.first(sums, committed)?));
        }
        Ok(Advanced::Final(self.last(self.read(input)?, sums)?))
    }
}
