//! Statistics with noise in two rounds: first the means of the classes, then how units scatter around them.
//!
//! Products of rows as they are spend most of their noise on the rows' common mean, which is known well from far fewer numbers. So a first
//! round opens shares of classes, the mean squared norm of rows and class sums, with noise. In a second, a unit's rows less the opened mean
//! of their class make a matrix `Σ e·eᵀ/n`; its Frobenius norm is shortened to a bound that follows from what the first round opened, so
//! that most units reach it and none wastes room. Its trace is known from the first round and puts back what shortening took.
//!
//! Losses of both rounds add up whatever the second is made of (Bun, Steinke 2016, lemma 2.3): the bound holds for any means.

use super::bounded::{BoundedPlan, NoisedSums, add_product, whole};
use super::noised::{check_shape, check_unit};
use super::noised_heads::{ClassMeans, NoisedStatistics};
use crate::privacy::Loss;
use crate::{Error, Result};

/// Shares of the loss of the first round: shares of classes with the squared norm, class sums.
const MEANS: [f64; 3] = [0.06, 0.02, 0.92];

/// The matrix's norm to which units are shortened, in mean squared distances from the class's mean.
const BOUND: f64 = 0.5;

/// Least and most that the mean squared distance is taken for, rows having norm one at most.
const SPREAD: [f64; 2] = [0.02, 1.0];

/// The floor of the covariance in norms of its noise.
const FLOOR: f64 = 0.25;

/// The first round: classes' means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeansPlan {
    features: usize,
    classes: usize,
    vectors: BoundedPlan,
}

impl MeansPlan {
    /// For `features` features in `classes` classes, at most `most_units` units a site, and this much to be given away.
    ///
    /// # Errors
    /// As [`super::NoisedPlan::new`].
    pub fn new((features, classes): (usize, usize), most_units: u64, loss: Loss) -> Result<Self> {
        check_shape(features, classes)?;
        let vectors = BoundedPlan::new([classes, 1, classes * features], MEANS, most_units, loss)?;
        Ok(Self { features, classes, vectors })
    }

    /// Integers of one upload.
    pub fn values(&self) -> u64 {
        self.vectors.values()
    }

    /// Largest of them.
    pub fn max(&self) -> u64 {
        self.vectors.max()
    }

    /// What an opened sum gives away where at least `honest` sites added their shares of noise.
    ///
    /// # Errors
    /// As [`Loss::of_sum`].
    pub fn loss(&self, honest: u32) -> Result<Loss> {
        self.vectors.loss(honest)
    }

    /// The sums of no unit.
    pub fn empty(&self) -> NoisedSums {
        self.vectors.empty()
    }

    /// Counts a unit in: its rows, one after the other, and the class of each. Range: rows of norm one at most; longer ones are refused.
    ///
    /// # Errors
    /// As [`super::NoisedPlan::add_unit`].
    pub fn add_unit(&self, sums: &mut NoisedSums, rows: &[f64], classes: &[usize]) -> Result<()> {
        check_unit(rows, classes, (self.features, self.classes))?;
        let (d, weight) = (self.features, 1.0 / classes.len() as f64);
        let (mut shares, mut means) = (vec![0.0; self.classes], vec![0.0; self.classes * d]);
        for (row, class) in rows.chunks_exact(d).zip(classes) {
            shares[*class] += weight;
            means[class * d..][..d].iter_mut().zip(row).for_each(|(s, x)| *s += weight * x);
        }
        let square = weight * rows.iter().map(|x| x * x).sum::<f64>();
        sums.add(&[shares, vec![square], means])
    }

    /// The means behind an opened sum over `sites` sites.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::Impossible`] for a sum above the sites' largest.
    pub fn decode(&self, sums: &[u64], sites: usize) -> Result<NoisedMeans> {
        let [units, square, sums] = self.vectors.decode(sums, sites)?;
        let means = ClassMeans::of_sums(&units, &sums, self.vectors.deviations()[2]);
        let square = square.iter().sum::<f64>() / means.all();
        let norm = |(row, excess): (&Vec<f64>, &f64)| row.iter().map(|m| m * m).sum::<f64>() - excess;
        let norms = means.means.iter().zip(&means.excess).map(norm).zip(means.shares());
        let between: f64 = norms.map(|(n, share)| n.max(0.0) * share).sum();
        let spread = (square - between).clamp(SPREAD[0], SPREAD[1]);
        Ok(NoisedMeans { means, spread })
    }
}

/// What the first round opened.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisedMeans {
    means: ClassMeans,
    /// Mean squared distance of a row from its class's mean.
    spread: f64,
}

impl NoisedMeans {
    /// As numbers: the spread, then units, excess and means of each class.
    pub fn to_numbers(&self) -> Vec<f64> {
        let ClassMeans { units, means, excess } = &self.means;
        let first = std::iter::once(&self.spread).chain(units).chain(excess);
        first.chain(means.iter().flatten()).copied().collect()
    }

    /// The reverse of [`Self::to_numbers`].
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of them; [`Error::NotANumber`] for one that is not finite.
    pub fn from_numbers(plan: &MeansPlan, numbers: &[f64]) -> Result<Self> {
        let (c, d) = (plan.classes, plan.features);
        let expected = 1 + 2 * c + c * d;
        if numbers.len() != expected {
            let (expected, found) = (expected as u64, numbers.len() as u64);
            return Err(Error::Mismatch { what: "numbers of means", expected, found });
        }
        if let Some(index) = numbers.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotANumber { index });
        }
        let (first, means) = numbers.split_at(1 + 2 * c);
        let units = first[1..=c].iter().map(|n| n.max(1.0)).collect();
        let means = means.chunks(d).map(<[f64]>::to_vec).collect();
        let means = ClassMeans { units, means, excess: first[1 + c..].to_vec() };
        Ok(Self { means, spread: first[0].clamp(SPREAD[0], SPREAD[1]) })
    }
}

/// The second round: how units scatter around their classes' means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScatterPlan {
    features: usize,
    vectors: BoundedPlan,
}

impl ScatterPlan {
    /// As [`MeansPlan::new`].
    ///
    /// # Errors
    /// As [`MeansPlan::new`].
    pub fn new(features: usize, most_units: u64, loss: Loss) -> Result<Self> {
        check_shape(features, 1)?;
        let triangle = features * (features + 1) / 2;
        let vectors = BoundedPlan::new([0, 0, triangle], [0.0, 0.0, 1.0], most_units, loss)?;
        Ok(Self { features, vectors })
    }

    /// Integers of one upload.
    pub fn values(&self) -> u64 {
        self.vectors.values()
    }

    /// Largest of them.
    pub fn max(&self) -> u64 {
        self.vectors.max()
    }

    /// What an opened sum gives away where at least `honest` sites added their shares of noise.
    ///
    /// # Errors
    /// As [`Loss::of_sum`].
    pub fn loss(&self, honest: u32) -> Result<Loss> {
        self.vectors.loss(honest)
    }

    /// The sums of no unit.
    pub fn empty(&self) -> NoisedSums {
        self.vectors.empty()
    }

    /// Counts a unit in, around these means: its matrix is shortened to norm one where it is longer.
    ///
    /// # Errors
    /// As [`super::NoisedPlan::add_unit`].
    pub fn add_unit(
        &self,
        sums: &mut NoisedSums,
        around: &NoisedMeans,
        rows: &[f64],
        classes: &[usize],
    ) -> Result<()> {
        let means = &around.means.means;
        check_unit(rows, classes, (self.features, means.len()))?;
        let (d, weight) = (self.features, 1.0 / classes.len() as f64);
        let mut triangle = vec![0.0; d * (d + 1) / 2];
        for (row, class) in rows.chunks_exact(d).zip(classes) {
            let less: Vec<f64> = row.iter().zip(&means[*class]).map(|(x, m)| x - m).collect();
            add_product(&mut triangle, &less, weight);
        }
        let norm = triangle.iter().map(|v| v * v).sum::<f64>().sqrt();
        let most = norm.max(BOUND * around.spread);
        for v in &mut triangle {
            *v /= most;
        }
        sums.add(&[Vec::new(), Vec::new(), triangle])
    }

    /// The statistics behind an opened sum over `sites` sites, around these means.
    ///
    /// # Errors
    /// As [`MeansPlan::decode`].
    pub fn decode(&self, sums: &[u64], sites: usize, around: NoisedMeans) -> Result<NoisedStatistics> {
        let [_, _, triangle] = self.vectors.decode(sums, sites)?;
        let (d, all) = (self.features, around.means.all());
        let mut within: Vec<f64> = whole(&triangle, d).into_iter().map(|v| v / all).collect();
        // A unit's matrix has a trace of its norm at least: less than half of it is noise.
        let trace = within.iter().step_by(d + 1).sum::<f64>().max(0.5);
        let scale = around.spread / trace;
        for v in &mut within {
            *v *= scale;
        }
        let beside = self.vectors.deviations()[2] / std::f64::consts::SQRT_2;
        let noise = 2.0 * beside * (d as f64).sqrt() / all * scale;
        Ok(NoisedStatistics { means: around.means, within, floor: FLOOR * noise })
    }
}
