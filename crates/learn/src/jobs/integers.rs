//! Numbers as integers of a sum, and back.

use super::{Error, Result};
use blindscope_aggregate::FixedPoint;

/// A weighted mean: each site sends its weight `w` and `w·encode(v)` for every value `v`.
#[derive(Debug, Clone, Copy)]
pub(super) struct WeightedMean {
    fixed: FixedPoint,
    most: u64,
}

impl WeightedMean {
    /// Values within `±bound` at `bits` bits, weights of at most `most`.
    pub(super) fn new(bound: f64, bits: u32, most: u64) -> Result<Self> {
        Ok(Self { fixed: FixedPoint::new(bound, bits)?, most })
    }

    /// Largest integer of one site.
    pub(super) fn max(&self) -> u64 {
        self.fixed.max().saturating_mul(self.most).max(self.most)
    }

    /// Refuses a weight that headroom was not proved for.
    pub(super) fn check(&self, weight: usize) -> Result<u64> {
        let found = weight as u64;
        if (1..=self.most).contains(&found) {
            return Ok(found);
        }
        let (expected, found) = (format!("1 to {}", self.most), found.to_string());
        Err(Error::Data { operation: "weighted mean", what: "number of examples", found, expected })
    }

    /// The integers of `values`, weight first.
    pub(super) fn encode(&self, weight: u64, values: &[f32]) -> Result<Vec<u64>> {
        let mut out = Vec::with_capacity(values.len() + 1);
        out.push(weight);
        for chunk in values.chunks(4096) {
            let chunk: Vec<f64> = chunk.iter().map(|v| f64::from(*v)).collect();
            out.extend(self.fixed.encode(&chunk)?.into_iter().map(|v| v * weight));
        }
        Ok(out)
    }

    /// The total weight and the means behind a sum.
    pub(super) fn decode(
        &self,
        operation: &'static str,
        sums: &[u64],
        count: usize,
    ) -> Result<(u64, Vec<f64>)> {
        let Some((weight, values)) = sums.split_first().filter(|(w, rest)| **w > 0 && rest.len() >= count)
        else {
            let reason = format!("{} sums with a total weight above zero are needed", count + 1);
            return Err(Error::Sums { operation, reason });
        };
        let mean = |v: &u64| self.fixed.decode_sum(*v, *weight) / *weight as f64;
        Ok((*weight, values.iter().take(count).map(mean).collect()))
    }
}

/// Refuses counts of examples a class some of which are zero over all sites: nothing is learned of such a class, and its tiles would be
/// called something else without a word. One site may lack a class; all of them together may not.
pub(super) fn each_class(operation: &'static str, counts: &[u64], names: &[String]) -> Result<()> {
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| format!("number {class}"));
    let none: Vec<String> = (0..counts.len()).filter(|class| counts[*class] == 0).map(name).collect();
    if none.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "no site that took part has an example of {}; bring some, or found the study without that class",
        none.join(", ")
    );
    Err(Error::Sums { operation, reason })
}

/// Fills up to the job's number of values.
pub(super) fn padded(mut values: Vec<u64>, count: u64) -> Vec<u64> {
    values.resize(count as usize, 0);
    values
}

/// Reads little-endian `f32`s, exactly `count` of them, each finite.
pub(super) fn floats(what: &'static str, bytes: &[u8], count: usize) -> Result<Vec<f32>> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    if chunks.len() != count || !rest.is_empty() {
        let reason = format!("{} bytes, expected {}", bytes.len(), count * 4);
        return Err(Error::Bytes { what, reason });
    }
    let values: Vec<f32> = chunks.iter().map(|b| f32::from_le_bytes(*b)).collect();
    match values.iter().position(|v| !v.is_finite()) {
        Some(at) => Err(Error::Bytes { what, reason: format!("value {at} is not finite") }),
        None => Ok(values),
    }
}

/// Writes little-endian `f32`s.
pub(super) fn bytes_of<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    values.into_iter().flat_map(|v| v.to_le_bytes()).collect()
}
