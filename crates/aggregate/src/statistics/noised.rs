//! Statistics with noise in one round: what a unit (a tile, or all tiles of a patient) adds is bounded, and each site adds noise to its sums.
//!
//! Rows have norm one at most. A unit of `n` rows adds, whatever `n` is, the share of each class `Σ 1[y = c]/n`, the class sums `Σ x/n` and
//! the products `Σ x·xᵀ/n` (those beside the diagonal `√2`-fold, so that the norm is the matrix's): three vectors of norm one at most,
//! which [`super::bounded`] sums.

use super::bounded::{BoundedPlan, NoisedSums, VECTORS, add_product, whole};
use super::noised_heads::{ClassMeans, NoisedStatistics};
use crate::privacy::Loss;
use crate::{Error, Result};

/// What is counted and summed, and with how much noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoisedPlan {
    features: usize,
    classes: usize,
    products: bool,
    vectors: BoundedPlan,
}

/// Shares of the loss that shares of classes, class sums and products have; without products.
const SHARES: [[f64; VECTORS]; 2] = [[0.1, 0.9, 0.0], [0.02, 0.48, 0.5]];

/// The floor of the covariance in norms of its noise: less than one, since of a value beside the noise some is told all the same.
const FLOOR: f64 = 0.35;

/// Refuses shapes that the plan of sums without noise does not take either.
pub(super) fn check_shape(features: usize, classes: usize) -> Result<()> {
    let ranges =
        [("features", features as u64, super::MAX_FEATURES), ("classes", classes as u64, super::MAX_CLASSES)];
    for (what, found, max) in ranges {
        if !(1..=max).contains(&found) {
            return Err(Error::Plan { what, found, min: 1, max });
        }
    }
    Ok(())
}

/// Refuses a unit whose rows and classes do not pair up, or whose class there is not.
pub(super) fn check_unit(rows: &[f64], of: &[usize], (features, classes): (usize, usize)) -> Result<()> {
    if rows.len() != of.len() * features || of.is_empty() {
        let (expected, found) = ((of.len() * features) as u64, rows.len() as u64);
        return Err(Error::Mismatch { what: "values of a unit's rows", expected, found });
    }
    if let Some(class) = of.iter().find(|c| **c >= classes) {
        let (found, max) = (*class as u64, classes as u64 - 1);
        return Err(Error::Range { what: "class", found, max });
    }
    Ok(())
}

impl NoisedPlan {
    /// For `features` features in `classes` classes, at most `most_units` units a site, and this much to be given away; with products,
    /// or without.
    ///
    /// # Errors
    /// [`Error::Plan`] with the numbers: for more than the plan of sums without noise takes, and for a loss so small that the noise
    /// leaves the integers' range.
    pub fn new(
        (features, classes): (usize, usize),
        most_units: u64,
        loss: Loss,
        products: bool,
    ) -> Result<Self> {
        check_shape(features, classes)?;
        let triangle = if products { features * (features + 1) / 2 } else { 0 };
        let lengths = [classes, classes * features, triangle];
        let vectors = BoundedPlan::new(lengths, SHARES[usize::from(products)], most_units, loss)?;
        Ok(Self { features, classes, products, vectors })
    }

    /// Integers of one upload.
    pub fn values(&self) -> u64 {
        self.vectors.values()
    }

    /// Largest of them.
    pub fn max(&self) -> u64 {
        self.vectors.max()
    }

    /// Deviation of the noise in an opened sum over `h` sites' shares, relative to what one unit adds at most: of class shares, class sums,
    /// and products beside the diagonal.
    pub fn deviations(&self) -> [f64; 3] {
        let [shares, sums, products] = self.vectors.deviations();
        [shares, sums, products / std::f64::consts::SQRT_2]
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
    /// [`Error::Mismatch`] for rows of another width or number; [`Error::Range`] for a class beyond the plan's, or a unit that is longer
    /// than one. A refused unit changes nothing.
    pub fn add_unit(&self, sums: &mut NoisedSums, rows: &[f64], classes: &[usize]) -> Result<()> {
        check_unit(rows, classes, (self.features, self.classes))?;
        let (d, weight) = (self.features, 1.0 / classes.len() as f64);
        let (mut shares, mut means) = (vec![0.0; self.classes], vec![0.0; self.classes * d]);
        let mut products = vec![0.0; if self.products { d * (d + 1) / 2 } else { 0 }];
        for (row, class) in rows.chunks_exact(d).zip(classes) {
            shares[*class] += weight;
            means[class * d..][..d].iter_mut().zip(row).for_each(|(s, x)| *s += weight * x);
            if self.products {
                add_product(&mut products, row, weight);
            }
        }
        sums.add(&[shares, means, products])
    }

    /// The statistics behind an opened sum over `sites` sites.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::Impossible`] for a sum above the sites' largest.
    pub fn decode(&self, sums: &[u64], sites: usize) -> Result<NoisedStatistics> {
        let [units, sums, products] = self.vectors.decode(sums, sites)?;
        let [_, sigma, beside] = self.deviations();
        let means = ClassMeans::of_sums(&units, &sums, sigma);
        let all = means.all();
        let products: Vec<f64> = whole(&products, self.features).into_iter().map(|v| v / all).collect();
        let noise = 2.0 * beside * (self.features as f64).sqrt() / all;
        Ok(NoisedStatistics { within: means.less_between(products), floor: FLOOR * noise, means })
    }
}
