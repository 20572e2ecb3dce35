//! Weighted means whose weights stay private: each site adds `w·x_j` and, at one more place, `w` itself.

use crate::{Error, FixedPoint, Result};

/// A mean of vectors with weights up to a bound, such as the number of a site's images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedMean {
    fixed: FixedPoint,
    len: usize,
    max_weight: u64,
}

/// An opened mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// The values.
    pub values: Vec<f64>,
    /// The sum of all weights: the sites' own stay private.
    pub weight: u64,
}

impl WeightedMean {
    /// The mean of vectors of `len` values, weighted by at most `max_weight`.
    ///
    /// # Errors
    /// [`Error::Plan`] for weights that no integer holds.
    pub fn new(fixed: FixedPoint, len: usize, max_weight: u64) -> Result<Self> {
        let most = (1 << 62) / fixed.max().max(1);
        if !(1..=most).contains(&max_weight) {
            let (what, found, min, max) = ("largest weight", max_weight, 1, most);
            return Err(Error::Plan { what, found, min, max });
        }
        Ok(Self { fixed, len, max_weight })
    }

    /// Integers of one upload, the weight's included.
    pub fn values(&self) -> u64 {
        self.len as u64 + 1
    }

    /// Largest of them: what headroom is to be proved for.
    pub fn max(&self) -> u64 {
        (self.max_weight * self.fixed.max()).max(self.max_weight)
    }

    /// A site's integers: each value's times the weight, then the weight.
    ///
    /// # Errors
    /// [`Error::Range`] for a weight above the bound or another number of values; [`Error::NotANumber`] for a value that is not
    /// finite.
    pub fn encode(&self, values: &[f64], weight: u64) -> Result<impl Iterator<Item = u64> + Send + use<>> {
        if weight > self.max_weight {
            return Err(Error::Range { what: "weight", found: weight, max: self.max_weight });
        }
        if values.len() != self.len {
            let (expected, found) = (self.len as u64, values.len() as u64);
            return Err(Error::Mismatch { what: "number of values", expected, found });
        }
        let integers = self.fixed.encode(values)?;
        Ok(integers.into_iter().map(move |v| v * weight).chain([weight]))
    }

    /// The mean behind an opened sum.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another number of integers; [`Error::NoWeight`] where nobody had any.
    pub fn decode(&self, sums: &[u64]) -> Result<Mean> {
        match sums.split_last() {
            Some((&weight, values)) if values.len() == self.len => {
                if weight == 0 {
                    return Err(Error::NoWeight);
                }
                let mean = |&v: &u64| self.fixed.decode_sum(v, weight) / weight as f64;
                Ok(Mean { values: values.iter().map(mean).collect(), weight })
            }
            _ => {
                let (expected, found) = (self.values(), sums.len() as u64);
                Err(Error::Mismatch { what: "number of sums", expected, found })
            }
        }
    }
}
