//! Numbers as the integers that are summed: clipped, and rounded on a grid that the plan fixes.

use crate::{Error, Result};

/// At 2^52 a double's grain is one: adding this to a smaller positive number rounds it, ties to even.
const GRAIN: f64 = (1u64 << 52) as f64;

/// Values in `[-clip, clip]` as integers in `[0, 2^bits − 2]`: `round(v/clip·h) + h` with `h = 2^(bits−1) − 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FixedPoint {
    clip: f64,
    bits: u32,
}

impl FixedPoint {
    /// Integers of `bits` bits for values clipped to `clip` in size.
    ///
    /// # Errors
    /// [`Error::FixedPoint`] for a clip that is not a positive number, or bits outside 2 to 32.
    pub fn new(clip: f64, bits: u32) -> Result<Self> {
        if clip.is_normal() && clip > 0.0 && (2..=32).contains(&bits) {
            Ok(Self { clip, bits })
        } else {
            Err(Error::FixedPoint { clip, bits })
        }
    }

    /// `h`: the integer that stands for zero, and the largest signed one.
    pub fn half(&self) -> u64 {
        (1 << (self.bits - 1)) - 1
    }

    /// What one integer step is worth.
    pub fn step(&self) -> f64 {
        self.clip / self.half() as f64
    }

    /// Largest integer.
    pub fn max(&self) -> u64 {
        2 * self.half()
    }

    /// The integers of these values; larger ones are clipped.
    ///
    /// # Errors
    /// [`Error::NotANumber`] for a value that is not a number, with its index.
    pub fn encode(&self, values: &[f64]) -> Result<Vec<u64>> {
        values.iter().enumerate().map(|(index, &v)| self.encode_one(index, v)).collect()
    }

    /// The integer of one value, the one at `index` of its update.
    ///
    /// # Errors
    /// [`Error::NotANumber`] for a value that is not a number, with its index.
    #[inline]
    pub fn encode_one(&self, index: usize, value: f64) -> Result<u64> {
        if value.is_nan() {
            return Err(Error::NotANumber { index });
        }
        let h = self.half() as f64;
        let positive = (value / self.clip).clamp(-1.0, 1.0) * h + h;
        Ok(((positive + GRAIN) - GRAIN) as u64)
    }

    /// The integers of some values less [`Self::half`], into `into`: as [`Self::encode_one`], many at a time.
    ///
    /// # Errors
    /// [`Error::NotANumber`] for a value that is not a number, with its index.
    pub fn encode_signed(&self, values: &[f32], into: &mut [i32]) -> Result<()> {
        let (h, half) = (self.half() as f64, self.half() as u32);
        let mut numbers = true;
        for (value, into) in values.iter().zip(into) {
            let value = f64::from(*value);
            numbers &= !value.is_nan();
            let positive = (value / self.clip).clamp(-1.0, 1.0) * h + h;
            // The lowest bits of a double whose grain is one are the integer: at most 2^32 - 2, and what is left of it fits.
            *into = ((positive + GRAIN).to_bits() as u32).wrapping_sub(half).cast_signed();
        }
        match values.iter().position(|value| value.is_nan()).filter(|_| !numbers) {
            Some(index) => Err(Error::NotANumber { index }),
            None => Ok(()),
        }
    }

    /// The sum of values behind the sum of `weight` sites' integers (or of integers with weights that sum to `weight`).
    pub fn decode_sum(&self, sum: u64, weight: u64) -> f64 {
        let offset = i128::from(weight) * i128::from(self.half());
        (i128::from(sum) - offset) as f64 * (self.clip / self.half() as f64)
    }
}
