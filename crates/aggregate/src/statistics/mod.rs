//! One-shot learning: class counts, class sums and the Gram matrix of all sites' features as one exact sum, and the heads
//! that follow from them.
//!
//! A feature becomes a signed integer `x` in `[−h, h]`. A site's integers are counts, then `Σ (x_j + h)` for each class, then
//! `Σ (x_i·x_j + h²)` for `i <= j`: the offsets keep them non-negative, and the opened counts take them off again. So the
//! opened numbers are the integers that pooled data would give, and every head computed from them is the pooled one, bit
//! for bit.

mod bounded;
mod centred;
mod choose;
mod eigen;
mod folds;
mod head;
mod noised;
mod noised_heads;
mod quadratic;
mod solve;

pub use bounded::NoisedSums;
pub use centred::{MeansPlan, NoisedMeans, ScatterPlan};
pub use choose::{Penalty, best, cross_validate, is_usable, squared_error};
pub use folds::FoldedStatistics;
pub use head::{Head, lda, ridge};
pub use noised::NoisedPlan;
pub use noised_heads::NoisedStatistics;
pub use quadratic::QuadraticFeatures;

use crate::{Error, FixedPoint, Result};

/// What is counted and summed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatisticsPlan {
    classes: usize,
    features: usize,
    fixed: FixedPoint,
    max_samples: u64,
}

/// Counts, class sums and Gram matrix of one site, or of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    plan: StatisticsPlan,
    counts: Vec<u64>,
    /// A row a class.
    sums: Vec<i64>,
    /// Upper triangle, row after row.
    gram: Vec<i64>,
}

/// Most features: a Gram matrix of 2^26 integers.
const MAX_FEATURES: u64 = 8192;
/// Most classes.
const MAX_CLASSES: u64 = 4096;

impl StatisticsPlan {
    /// For `features` features of samples in `classes` classes, at most `max_samples` a site.
    ///
    /// # Errors
    /// [`Error::Plan`] with the numbers.
    pub fn new(features: usize, classes: usize, fixed: FixedPoint, max_samples: u64) -> Result<Self> {
        let most = (1 << 62) / (2 * fixed.half() * fixed.half()).max(1);
        let ranges = [
            ("features", features as u64, MAX_FEATURES),
            ("classes", classes as u64, MAX_CLASSES),
            ("samples of one site", max_samples, most),
        ];
        for (what, found, max) in ranges {
            if !(1..=max).contains(&found) {
                return Err(Error::Plan { what, found, min: 1, max });
            }
        }
        Ok(Self { classes, features, fixed, max_samples })
    }

    /// Integers of one upload: `C + C·d + d·(d+1)/2`.
    pub fn values(&self) -> u64 {
        let (c, d) = (self.classes as u64, self.features as u64);
        c + c * d + d * (d + 1) / 2
    }

    /// Largest of them: `samples·2h²`.
    pub fn max(&self) -> u64 {
        self.max_samples * (2 * self.fixed.half() * self.fixed.half()).max(1)
    }

    /// Most samples of all sites: with `samples·2h²` in 64 bits, every offset and every centred sum fits as well.
    fn most(&self) -> u64 {
        u64::MAX / (2 * self.fixed.half() * self.fixed.half()).max(1)
    }

    /// Features of a sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The statistics of no sample.
    pub fn empty(&self) -> Statistics {
        let (c, d) = (self.classes, self.features);
        Statistics { plan: *self, counts: vec![0; c], sums: vec![0; c * d], gram: vec![0; d * (d + 1) / 2] }
    }

    /// The statistics behind an opened sum.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::Impossible`] for sums that no samples
    /// give.
    pub fn decode(&self, sums: &[u64]) -> Result<Statistics> {
        if sums.len() as u64 != self.values() {
            let (expected, found) = (self.values(), sums.len() as u64);
            return Err(Error::Mismatch { what: "number of sums", expected, found });
        }
        let half = self.fixed.half();
        let (counts, rest) = sums.split_at(self.classes);
        let (class_sums, gram) = rest.split_at(self.classes * self.features);
        let samples = counts.iter().try_fold(0u64, |all, &n| all.checked_add(n)).unwrap_or(u64::MAX);
        at_most("number of samples", samples, self.most())?;
        let rows = counts.iter().zip(class_sums.chunks(self.features));
        let rows = rows.flat_map(|(&n, row)| row.iter().map(move |&v| centred("class sum", v, n * half)));
        let products = gram.iter().map(|&v| centred("sum of products", v, samples * half * half));
        Ok(Statistics {
            plan: *self,
            counts: counts.to_vec(),
            sums: rows.collect::<Result<_>>()?,
            gram: products.collect::<Result<_>>()?,
        })
    }
}

fn at_most(what: &'static str, found: u64, max: u64) -> Result<()> {
    if found > max { Err(Error::Impossible { what, found, max }) } else { Ok(()) }
}

/// `value − offset`; a sum of integers that the offset kept from being negative is at most twice the offset.
fn centred(what: &'static str, value: u64, offset: u64) -> Result<i64> {
    at_most(what, value, 2 * offset)?;
    Ok(value.cast_signed().wrapping_sub(offset.cast_signed()))
}

impl Statistics {
    /// Counts one sample in.
    ///
    /// # Errors
    /// [`Error::NotANumber`] for a feature that is not finite; [`Error::Range`] for a class or a number of samples beyond the plan;
    /// [`Error::Mismatch`] for another number of features. A refused sample changes nothing.
    pub fn add(&mut self, features: &[f64], class: usize) -> Result<()> {
        let plan = &self.plan;
        if features.len() != plan.features {
            let (expected, found) = (plan.features as u64, features.len() as u64);
            return Err(Error::Mismatch { what: "number of features", expected, found });
        }
        let bounds = [
            ("class", class as u64, plan.classes as u64 - 1),
            ("number of samples", self.samples() + 1, plan.max_samples),
        ];
        for (what, found, max) in bounds {
            if found > max {
                return Err(Error::Range { what, found, max });
            }
        }
        let half = plan.fixed.half() as i64;
        let x: Vec<i64> = plan.fixed.encode(features)?.into_iter().map(|v| v as i64 - half).collect();
        self.counts[class] += 1;
        let row = &mut self.sums[class * x.len()..(class + 1) * x.len()];
        row.iter_mut().zip(&x).for_each(|(s, v)| *s += v);
        let mut rest = &mut self.gram[..];
        for (i, &a) in x.iter().enumerate() {
            let (row, below) = rest.split_at_mut(x.len() - i);
            row.iter_mut().zip(&x[i..]).for_each(|(s, &b)| *s += a * b);
            rest = below;
        }
        Ok(())
    }

    /// Counts many samples in at once: how many of each class, `Σ x` of each class in a row a class, and `Σ x_i·x_j` for `i <= j`, the
    /// `x` being integers of the fixed point less [`FixedPoint::half`].
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::Range`] for more samples than the plan's; [`Error::Impossible`] for
    /// sums that as many samples do not give. Refused samples change nothing.
    pub fn add_sums(&mut self, counts: &[u64], sums: &[i64], gram: &[i64]) -> Result<()> {
        let lengths = [
            ("number of classes", self.counts.len(), counts.len()),
            ("number of class sums", self.sums.len(), sums.len()),
            ("number of products", self.gram.len(), gram.len()),
        ];
        for (what, expected, found) in lengths {
            if expected != found {
                let (expected, found) = (expected as u64, found as u64);
                return Err(Error::Mismatch { what, expected, found });
            }
        }
        let added = counts.iter().try_fold(0u64, |all, n| all.checked_add(*n)).unwrap_or(u64::MAX);
        let (found, max) = (self.samples().saturating_add(added), self.plan.max_samples);
        if found > max {
            return Err(Error::Range { what: "number of samples", found, max });
        }
        let half = self.plan.fixed.half();
        for (n, row) in counts.iter().zip(sums.chunks(self.plan.features)) {
            row.iter().try_for_each(|v| at_most("class sum", v.unsigned_abs(), n * half))?;
        }
        gram.iter().try_for_each(|v| at_most("sum of products", v.unsigned_abs(), added * half * half))?;
        self.counts.iter_mut().zip(counts).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(sums).for_each(|(a, b)| *a += b);
        self.gram.iter_mut().zip(gram).for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// This site's integers, to be added to the others'.
    pub fn into_values(self) -> impl Iterator<Item = u64> + Send {
        let half = self.plan.fixed.half();
        let offset = self.samples() * half * half;
        let features = self.plan.features;
        let offsets: Vec<u64> = self.counts.iter().map(|n| n * half).collect();
        let sums = self.sums.into_iter().enumerate();
        let sums = sums.map(move |(i, s)| offsets[i / features].wrapping_add_signed(s));
        let gram = self.gram.into_iter().map(move |g| offset.wrapping_add_signed(g));
        self.counts.into_iter().chain(sums).chain(gram)
    }

    /// Samples of all classes.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Samples of each class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// `Σ x` of each class, a row a class, in steps of the fixed point.
    pub fn sums(&self) -> &[i64] {
        &self.sums
    }

    /// `Σ x_i·x_j` for `i <= j`, row after row, in squared steps of the fixed point.
    pub fn gram(&self) -> &[i64] {
        &self.gram
    }
}
