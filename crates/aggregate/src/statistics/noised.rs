//! Statistics with noise: what a unit (a tile, or all tiles of a patient) adds is bounded, and each site adds noise to its sums.
//!
//! Rows have norm one at most. A unit of `n` rows adds, whatever `n` is, the share of each class `Σ 1[y = c]/n`, the class sums `Σ x/n` and
//! the products `Σ x·xᵀ/n` (those beside the diagonal `√2`-fold, so that the norm is the matrix's): three vectors of norm one at most.
//! They become integers of `2^18` steps towards zero, so that the integers' norm is at most `2^18` exactly, and this is checked. Whether a
//! unit is there or not then changes each vector by `2^18`, and noise of variance `σ²` costs `ρ = 2^36/2σ²` for it.
//!
//! A site sends `value + noise + offset`; the offset keeps it from being negative.

use crate::privacy::{Loss, ShareOfNoise};
use crate::{Error, Result};

/// Steps of one.
const ONE: i64 = 1 << 18;

/// Deviations of noise that the offset leaves room for: a sample beyond has probability below 2^-200.
const REACH: u64 = 17;

/// What is counted and summed, and with how much noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoisedPlan {
    features: usize,
    classes: usize,
    products: bool,
    /// Of shares, class sums and products, over all sites.
    variances: [u64; 3],
    offset: u64,
}

/// Shares of the loss that shares of classes, class sums and products have; without products.
const SHARES: [[f64; 3]; 2] = [[0.1, 0.9, 0.0], [0.02, 0.48, 0.5]];

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
        let ranges = [
            ("features", features as u64, super::MAX_FEATURES),
            ("classes", classes as u64, super::MAX_CLASSES),
            ("units of one site", most_units, 1 << 30),
        ];
        for (what, found, max) in ranges {
            if !(1..=max).contains(&found) {
                return Err(Error::Plan { what, found, min: 1, max });
            }
        }
        let mut variances = [0; 3];
        for (variance, share) in variances.iter_mut().zip(SHARES[usize::from(products)]) {
            if share > 0.0 {
                *variance = variance_of(loss.rho() * share)?;
            }
        }
        // A power of two: no site's last bit of a logarithm moves it.
        let widest = variances.iter().copied().max().unwrap_or(0).isqrt() + 1;
        let reach = (REACH * widest).next_power_of_two();
        let offset = most_units * ONE.unsigned_abs() + reach;
        Ok(Self { features, classes, products, variances, offset })
    }

    /// Integers of one upload.
    pub fn values(&self) -> u64 {
        self.lengths().iter().map(|n| *n as u64).sum()
    }

    /// Largest of them.
    pub fn max(&self) -> u64 {
        2 * self.offset
    }

    /// Of shares, class sums, products.
    fn lengths(&self) -> [usize; 3] {
        let (c, d) = (self.classes, self.features);
        [c, c * d, if self.products { d * (d + 1) / 2 } else { 0 }]
    }

    /// Deviation of the noise in an opened sum over `h` sites' shares, relative to what one unit adds at most: of class shares, class sums,
    /// and products beside the diagonal.
    pub fn deviations(&self) -> [f64; 3] {
        let one = ONE as f64;
        let [shares, sums, products] = self.variances.map(|v| (v as f64).sqrt() / one);
        [shares, sums, products / std::f64::consts::SQRT_2]
    }

    /// What an opened sum gives away where at least `honest` sites added their shares of noise.
    ///
    /// # Errors
    /// As [`Loss::of_sum`].
    pub fn loss(&self, honest: u32) -> Result<Loss> {
        let squared = (ONE * ONE) as f64;
        let mut all = Loss::NONE;
        for (variance, length) in self.variances.iter().zip(self.lengths()).filter(|(_, n)| *n > 0) {
            let each = variance.div_ceil(u64::from(honest.max(1))) as f64;
            all = all.and(Loss::of_sum(honest, each, squared, length as u64)?);
        }
        Ok(all)
    }

    /// The sums of no unit.
    pub fn empty(&self) -> NoisedSums {
        NoisedSums { plan: *self, values: vec![0; self.values() as usize] }
    }

    /// The statistics behind an opened sum over `sites` sites.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::Impossible`] for a sum above the sites' largest.
    pub fn decode(&self, sums: &[u64], sites: usize) -> Result<NoisedStatistics> {
        if sums.len() as u64 != self.values() {
            let (expected, found) = (self.values(), sums.len() as u64);
            return Err(Error::Mismatch { what: "number of sums", expected, found });
        }
        let (offset, max) = (self.offset * sites as u64, self.max() * sites as u64);
        let one = |v: &u64| {
            super::at_most("sum with noise", *v, max)?;
            Ok(v.cast_signed().wrapping_sub(offset.cast_signed()) as f64 / ONE as f64)
        };
        let values = sums.iter().map(one).collect::<Result<Vec<f64>>>()?;
        let [shares, sums, _] = self.lengths();
        let (units, rest) = values.split_at(shares);
        let (class_sums, products) = rest.split_at(sums);
        Ok(NoisedStatistics {
            plan: *self,
            units: units.to_vec(),
            sums: class_sums.to_vec(),
            products: self.matrix(products),
        })
    }

    /// The whole symmetric matrix of what was sent of it; empty where nothing was.
    fn matrix(&self, products: &[f64]) -> Vec<f64> {
        let d = self.features;
        if !self.products {
            return Vec::new();
        }
        let (mut full, mut upper) = (vec![0.0; d * d], products.iter());
        for i in 0..d {
            for (j, v) in (i..d).zip(&mut upper) {
                let v = if i == j { *v } else { v / std::f64::consts::SQRT_2 };
                (full[i * d + j], full[j * d + i]) = (v, v);
            }
        }
        full
    }
}

/// `σ²` of integers with squared norm `2^36` at this `ρ`, rounded up to a multiple of 2^12: a last bit of a logarithm next to never moves it.
fn variance_of(rho: f64) -> Result<u64> {
    let (exact, most) = ((ONE * ONE) as f64 / (2.0 * rho), crate::privacy::DiscreteGaussian::MOST_VARIANCE);
    if exact.is_nan() || exact > most as f64 / 2.0 {
        let found = exact.min(u64::MAX as f64) as u64;
        return Err(Error::Plan { what: "variance of the noise", found, min: 1, max: most / 2 });
    }
    Ok((exact as u64 + 1).next_multiple_of(1 << 12))
}

/// Sums of one site, before noise.
#[derive(Clone)]
pub struct NoisedSums {
    plan: NoisedPlan,
    values: Vec<i64>,
}

impl std::fmt::Debug for NoisedSums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoisedSums(..)")
    }
}

impl NoisedSums {
    /// Counts a unit in: its rows, one after the other, and the class of each. Range: rows of norm one at most; longer ones are refused.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for rows of another width or number; [`Error::Range`] for a class beyond the plan's, or a unit that is longer
    /// than one. A refused unit changes nothing.
    pub fn add_unit(&mut self, rows: &[f64], classes: &[usize]) -> Result<()> {
        let d = self.plan.features;
        if rows.len() != classes.len() * d || classes.is_empty() {
            let (expected, found) = ((classes.len() * d) as u64, rows.len() as u64);
            return Err(Error::Mismatch { what: "values of a unit's rows", expected, found });
        }
        if let Some(class) = classes.iter().find(|c| **c >= self.plan.classes) {
            let (found, max) = (*class as u64, self.plan.classes as u64 - 1);
            return Err(Error::Range { what: "class", found, max });
        }
        let mut start = 0;
        let mut added = Vec::with_capacity(self.values.len());
        for (part, length) in self.parts(rows, classes).into_iter().zip(self.plan.lengths()) {
            added.extend(steps(&part)?);
            start += length;
        }
        debug_assert_eq!(start, self.values.len());
        self.values.iter_mut().zip(added).for_each(|(sum, v)| *sum += v);
        Ok(())
    }

    /// The three vectors of a unit.
    fn parts(&self, rows: &[f64], classes: &[usize]) -> [Vec<f64>; 3] {
        let (d, weight) = (self.plan.features, 1.0 / classes.len() as f64);
        let [mut shares, mut sums, mut products] = self.plan.lengths().map(|n| vec![0.0; n]);
        for (row, class) in rows.chunks_exact(d).zip(classes) {
            shares[*class] += weight;
            let own = &mut sums[class * d..][..d];
            own.iter_mut().zip(row).for_each(|(s, x)| *s += weight * x);
            let mut rest = &mut products[..];
            for (i, a) in row.iter().enumerate().take_while(|_| self.plan.products) {
                let (line, below) = rest.split_at_mut(d - i);
                let (scaled, root) = (weight * a, weight * a * std::f64::consts::SQRT_2);
                line[0] += scaled * a;
                line[1..].iter_mut().zip(&row[i + 1..]).for_each(|(g, b)| *g += root * b);
                rest = below;
            }
        }
        [shares, sums, products]
    }

    /// This site's integers with its share of noise, to be added to the others'.
    ///
    /// # Errors
    /// As [`ShareOfNoise::add_to`].
    ///
    /// # Timing
    /// As [`ShareOfNoise::add_to`].
    pub fn into_values(
        mut self,
        key: &crate::privacy::NoiseKey,
    ) -> Result<impl Iterator<Item = u64> + Send + use<>> {
        let mut noise: ShareOfNoise = key.for_values(&self.values);
        let mut rest = &mut self.values[..];
        for (variance, length) in self.plan.variances.iter().zip(self.plan.lengths()) {
            let (part, below) = rest.split_at_mut(length);
            if !part.is_empty() {
                noise.add_to(part, *variance)?;
            }
            rest = below;
        }
        let (offset, max) = (self.plan.offset.cast_signed(), self.plan.max().cast_signed());
        // Noise never reaches the ends; if it did, this would be a function of what is sent with noise anyway.
        Ok(self.values.into_iter().map(move |v| v.saturating_add(offset).clamp(0, max).cast_unsigned()))
    }
}

/// The integers of a vector, each towards zero, of norm `2^18` at most.
fn steps(part: &[f64]) -> Result<Vec<i64>> {
    // A little less than one, for what was rounded on the way.
    let out: Vec<i64> = part.iter().map(|v| (v * (ONE as f64) * (1.0 - 1e-9)) as i64).collect();
    let square: u128 = out.iter().map(|v| u128::from(v.unsigned_abs()).pow(2)).sum();
    let max = (ONE * ONE).unsigned_abs();
    if square > u128::from(max) {
        let found = u64::try_from(square).unwrap_or(u64::MAX);
        return Err(Error::Range { what: "squared norm of a unit", found, max });
    }
    Ok(out)
}

/// What was opened: sums over units, with noise.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisedStatistics {
    pub(super) plan: NoisedPlan,
    /// Units of each class.
    pub(super) units: Vec<f64>,
    /// `Σ x` of each class, a row a class.
    pub(super) sums: Vec<f64>,
    /// `Σ x·xᵀ`, the whole matrix; empty without products.
    pub(super) products: Vec<f64>,
}

impl NoisedStatistics {
    /// Units of each class, as far as noise tells: from one on.
    pub fn units(&self) -> Vec<f64> {
        self.units.iter().map(|n| n.max(1.0)).collect()
    }
}
