//! An attacker's reading: sums and single bodies under whatever key it can make up, with nothing judged. Who holds too little reads numbers
//! that say nothing, and the audit measures that they do.

use std::io::Read;

use zeroize::Zeroizing;

use super::body::Source;
use super::dealing::PartSum;
use super::open::Opening;
use super::plan::{Plan, RoundId};
use super::recover::{SumKey, interpolate};
use crate::Result;

impl SumKey {
    /// The key of `terms` sites if as many openings as there are here were enough: the polynomial of the least degree through them. With
    /// the plan's threshold of openings it is the key; with fewer it is none.
    pub fn guessed(plan: &Plan, terms: u64, openings: &[PartSum]) -> Self {
        interpolate(plan, terms, &openings.iter().collect::<Vec<_>>())
    }

    /// What is left of a sum of keys for who knows the keys of some of its sites.
    #[must_use]
    pub fn without(&self, known: &Self) -> Self {
        let pairs = self.coefficients.iter().zip(known.coefficients.iter());
        let coefficients = Zeroizing::new(pairs.map(|(all, known)| all - known).collect());
        Self { coefficients, terms: self.terms.saturating_sub(known.terms) }
    }

    /// The best guess at one site's key for who knows the sum alone: its share of it.
    #[must_use]
    pub fn shared_out(&self) -> Self {
        let share = |sum: &i64| (*sum as f64 / self.terms.max(1) as f64).round() as i64;
        Self { coefficients: Zeroizing::new(self.coefficients.iter().map(share).collect()), terms: 1 }
    }
}

/// The integers of a sum as `key` reads them, whatever the noise: the right ones under the right key, and numbers spread evenly over what
/// digits can say under any other.
///
/// # Errors
/// As [`super::open_sum`], but for noise, for values beyond the plan and for another number of bodies than keys.
pub fn read_anyway(plan: &Plan, round: RoundId, key: &SumKey, sum: &mut impl Read) -> Result<Vec<u64>> {
    let mut source = Source::sum(plan, "read a sum under a guessed key", sum)?;
    let key = SumKey { coefficients: key.coefficients.clone(), terms: source.terms };
    let (opening, layout) = (Opening::new(plan, round, &key), plan.layout());
    let mut values = Vec::new();
    for index in 0..plan.chunks() {
        let (shape, width) = (plan.shape(index), opening.width);
        let mut numbers = vec![0; shape.coefficients * width];
        source.chunk(shape, index, |c, v| numbers[c * width..(c + 1) * width].copy_from_slice(v))?;
        let (digits, _) = opening.digits(index, numbers);
        let value = |pieces: &[u64]| {
            let place = |(at, piece): (usize, &u64)| piece.wrapping_shl(at as u32 * layout.piece_bits);
            pieces.iter().enumerate().map(place).fold(0u64, u64::wrapping_add)
        };
        values.extend(digits.chunks(layout.pieces).map(value).take(shape.values));
    }
    source.finish()?;
    Ok(values)
}
