//! Sums of bounded vectors with noise: what every statistic with noise is made of.
//!
//! A unit of privacy adds up to three vectors of norm one at most. They become integers of `2^18` steps towards zero, so that the
//! integers' norm is at most `2^18` exactly, and this is checked. Whether a unit is there or not then changes each vector by `2^18`, and
//! noise of variance `σ²` costs `ρ = 2^36/2σ²` for it.
//!
//! A site sends `value + noise + offset`; the offset keeps it from being negative.

use crate::privacy::{DiscreteGaussian, Loss, NoiseKey, ShareOfNoise};
use crate::{Error, Result};

/// Steps of one.
const ONE: i64 = 1 << 18;

/// Deviations of noise that the offset leaves room for: a sample beyond has probability below 2^-200.
const REACH: u64 = 17;

/// Most units of one site.
const MOST_UNITS: u64 = 1 << 30;

/// Vectors of a unit; one that is not there has length and share zero.
pub(super) const VECTORS: usize = 3;

/// Lengths of the vectors, and the noise of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BoundedPlan {
    lengths: [usize; VECTORS],
    /// Over all sites.
    variances: [u64; VECTORS],
    offset: u64,
}

impl BoundedPlan {
    /// Vectors of these lengths, at most `most_units` units a site, and this share of `loss` to be given away by each.
    ///
    /// # Errors
    /// [`Error::Plan`] with the numbers: for more units than integers hold, and for a loss so small that the noise leaves their range.
    pub(super) fn new(
        lengths: [usize; VECTORS],
        shares: [f64; VECTORS],
        most_units: u64,
        loss: Loss,
    ) -> Result<Self> {
        if !(1..=MOST_UNITS).contains(&most_units) {
            let (what, found, max) = ("units of one site", most_units, MOST_UNITS);
            return Err(Error::Plan { what, found, min: 1, max });
        }
        let mut variances = [0; VECTORS];
        for (variance, share) in variances.iter_mut().zip(shares) {
            if share > 0.0 {
                *variance = variance_of(loss.rho() * share)?;
            }
        }
        // A power of two: no site's last bit of a logarithm moves it.
        let widest = variances.iter().copied().max().unwrap_or(0).isqrt() + 1;
        let reach = (REACH * widest).next_power_of_two();
        Ok(Self { lengths, variances, offset: most_units * ONE.unsigned_abs() + reach })
    }

    /// Integers of one upload.
    pub(super) fn values(&self) -> u64 {
        self.lengths.iter().map(|n| *n as u64).sum()
    }

    /// Largest of them.
    pub(super) fn max(&self) -> u64 {
        2 * self.offset
    }

    /// Deviation of each vector's noise in an opened sum, relative to what one unit adds at most.
    pub(super) fn deviations(&self) -> [f64; VECTORS] {
        self.variances.map(|v| (v as f64).sqrt() / ONE as f64)
    }

    /// What an opened sum gives away where at least `honest` sites added their shares of noise.
    ///
    /// # Errors
    /// As [`Loss::of_sum`].
    pub(super) fn loss(&self, honest: u32) -> Result<Loss> {
        let squared = (ONE * ONE) as f64;
        let mut all = Loss::NONE;
        for (variance, length) in self.variances.iter().zip(self.lengths).filter(|(_, n)| *n > 0) {
            let each = variance.div_ceil(u64::from(honest.max(1))) as f64;
            all = all.and(Loss::of_sum(honest, each, squared, length as u64)?);
        }
        Ok(all)
    }

    /// The sums of no unit.
    pub(super) fn empty(&self) -> NoisedSums {
        NoisedSums { plan: *self, values: vec![0; self.values() as usize] }
    }

    /// The vectors behind an opened sum over `sites` sites.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::Impossible`] for a sum above the sites' largest.
    pub(super) fn decode(&self, sums: &[u64], sites: usize) -> Result<[Vec<f64>; VECTORS]> {
        if sums.len() as u64 != self.values() {
            let (expected, found) = (self.values(), sums.len() as u64);
            return Err(Error::Mismatch { what: "number of sums", expected, found });
        }
        let (offset, max) = (self.offset * sites as u64, self.max() * sites as u64);
        let one = |v: &u64| {
            super::at_most("sum with noise", *v, max)?;
            Ok(v.cast_signed().wrapping_sub(offset.cast_signed()) as f64 / ONE as f64)
        };
        let mut values = sums.iter().map(one).collect::<Result<Vec<f64>>>()?;
        let last = values.split_off(self.lengths[0] + self.lengths[1]);
        let middle = values.split_off(self.lengths[0]);
        Ok([values, middle, last])
    }
}

/// `σ²` of integers with squared norm `2^36` at this `ρ`, rounded up to a multiple of 2^12: a last bit of a logarithm next to never moves it.
fn variance_of(rho: f64) -> Result<u64> {
    let (exact, most) = ((ONE * ONE) as f64 / (2.0 * rho), DiscreteGaussian::MOST_VARIANCE);
    if exact.is_nan() || exact > most as f64 / 2.0 {
        let found = exact.min(u64::MAX as f64) as u64;
        return Err(Error::Plan { what: "variance of the noise", found, min: 1, max: most / 2 });
    }
    Ok((exact as u64 + 1).next_multiple_of(1 << 12))
}

/// Sums of one site, before noise.
#[derive(Clone)]
pub struct NoisedSums {
    plan: BoundedPlan,
    values: Vec<i64>,
}

impl std::fmt::Debug for NoisedSums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoisedSums(..)")
    }
}

impl NoisedSums {
    /// Counts a unit in: its vectors, of the plan's lengths.
    ///
    /// # Errors
    /// [`Error::Range`] for a vector that is longer than one. A refused unit changes nothing.
    pub(super) fn add(&mut self, vectors: &[Vec<f64>; VECTORS]) -> Result<()> {
        let mut added = Vec::with_capacity(self.values.len());
        for vector in vectors {
            added.extend(steps(vector)?);
        }
        if added.len() != self.values.len() {
            let (expected, found) = (self.values.len() as u64, added.len() as u64);
            return Err(Error::Mismatch { what: "values of a unit", expected, found });
        }
        self.values.iter_mut().zip(added).for_each(|(sum, v)| *sum += v);
        Ok(())
    }

    /// This site's integers with its share of noise, to be added to the others'.
    ///
    /// # Errors
    /// As [`ShareOfNoise::add_to`].
    ///
    /// # Timing
    /// As [`ShareOfNoise::add_to`].
    pub fn into_values(mut self, key: &NoiseKey) -> Result<impl Iterator<Item = u64> + Send + use<>> {
        let mut noise: ShareOfNoise = key.for_values(&self.values);
        let mut rest = &mut self.values[..];
        for (variance, length) in self.plan.variances.iter().zip(self.plan.lengths) {
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
fn steps(vector: &[f64]) -> Result<Vec<i64>> {
    // A little less than one, for what was rounded on the way.
    let out: Vec<i64> = vector.iter().map(|v| (v * (ONE as f64) * (1.0 - 1e-9)) as i64).collect();
    let square: u128 = out.iter().map(|v| u128::from(v.unsigned_abs()).pow(2)).sum();
    let max = (ONE * ONE).unsigned_abs();
    if square > u128::from(max) {
        let found = u64::try_from(square).unwrap_or(u64::MAX);
        return Err(Error::Range { what: "squared norm of a unit", found, max });
    }
    Ok(out)
}

/// The upper triangle of a symmetric matrix as it is summed: what is beside the diagonal `√2`-fold, so that the vector's norm is the
/// matrix's. Adds `weight·row·rowᵀ` to it.
pub(super) fn add_product(triangle: &mut [f64], row: &[f64], weight: f64) {
    let mut rest = triangle;
    for (i, a) in row.iter().enumerate() {
        let (line, below) = rest.split_at_mut((row.len() - i).min(rest.len()));
        let (scaled, root) = (weight * a, weight * a * std::f64::consts::SQRT_2);
        for (j, (g, b)) in line.iter_mut().zip(&row[i..]).enumerate() {
            *g += if j == 0 { scaled * b } else { root * b };
        }
        rest = below;
    }
}

/// The whole symmetric matrix of such a triangle; empty where there is none.
pub(super) fn whole(triangle: &[f64], d: usize) -> Vec<f64> {
    if triangle.is_empty() {
        return Vec::new();
    }
    let (mut full, mut upper) = (vec![0.0; d * d], triangle.iter());
    for i in 0..d {
        for (j, v) in (i..d).zip(&mut upper) {
            let v = if i == j { *v } else { v / std::f64::consts::SQRT_2 };
            (full[i * d + j], full[j * d + i]) = (v, v);
        }
    }
    full
}
