//! The sum of keys from the openings of its holders, and who among them was wrong.
//!
//! Any `t` openings give some polynomial. It is right where the sum of keys it gives is small: a wrong one gives uniform numbers
//! modulo `p`, fifteen times the mean square that is let through. A wrong number in one coefficient only shows in the
//! noise of the first chunk instead, for which the caller's probe decrypts it. With more than `t` openings the right ones outvote
//! the wrong; each opening off the polynomial that they share is named.

use zeroize::Zeroizing;

use super::dealing::PartSum;
use super::plan::Plan;
use super::shamir;
use crate::{Error, Result};

/// The sum of the keys of a committed set. It decrypts their sum and nothing else.
#[derive(Clone)]
pub struct SumKey {
    pub(super) coefficients: Zeroizing<Vec<i64>>,
    pub(super) terms: u64,
}

impl std::fmt::Debug for SumKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SumKey(of {} sites)", self.terms)
    }
}

/// What openings gave.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The sum of keys.
    pub key: SumKey,
    /// Holders whose opening is not on its polynomial, from 0.
    pub wrong: Vec<u32>,
}

/// Most committees that are tried.
const MOST_TRIED: usize = 4096;

/// The sum of keys of `terms` sites from at least `t` openings of different holders. `probe` decrypts the first chunk under a
/// candidate and says whether its noise is that of a sum.
///
/// # Errors
/// [`Error::Openings`] for fewer than `t` holders or one twice; [`Error::WrongOpenings`] where no `t` of them give a
/// small sum of keys; what `probe` returns.
pub fn recover_key(
    plan: &Plan,
    terms: u64,
    openings: &[PartSum],
    probe: &mut dyn FnMut(&SumKey) -> Result<bool>,
) -> Result<Recovered> {
    let t = plan.literal().threshold as usize;
    let twice = |(i, o): (usize, &PartSum)| openings[..i].iter().any(|p| p.holder() == o.holder());
    if openings.len() < t || openings.iter().enumerate().any(twice) {
        return Err(Error::Openings { needed: t as u64, found: openings.len() as u64 });
    }
    let mut members: Vec<usize> = (0..t).collect();
    for _ in 0..MOST_TRIED {
        let committee: Vec<&PartSum> = members.iter().map(|&i| &openings[i]).collect();
        let key = interpolate(plan, terms, &committee);
        if is_small(plan, &key) && probe(&key)? {
            let wrong = openings.iter().filter(|o| !lies_on(plan, &committee, o)).map(PartSum::holder);
            return Ok(Recovered { key, wrong: wrong.collect() });
        }
        if !next_committee(&mut members, openings.len()) {
            break;
        }
    }
    Err(Error::WrongOpenings { found: openings.len() as u64, needed: t as u64 })
}

fn points(committee: &[&PartSum]) -> Vec<u64> {
    committee.iter().map(|o| u64::from(o.holder()) + 1).collect()
}

/// The numbers at point `at` of the polynomials through these openings.
fn value_at(plan: &Plan, committee: &[&PartSum], at: u64) -> Zeroizing<Vec<u16>> {
    let weights = shamir::lagrange(plan.prime(), &points(committee), at);
    let rows: Vec<&[u16]> = committee.iter().map(|o| o.numbers()).collect();
    let mut out = Zeroizing::new(vec![0; plan.n()]);
    shamir::combine(plan.prime(), &weights, &rows, &mut out);
    out
}

pub(super) fn interpolate(plan: &Plan, terms: u64, committee: &[&PartSum]) -> SumKey {
    let numbers = value_at(plan, committee, 0);
    let centred = numbers.iter().map(|&x| plan.prime().centre(u64::from(x))).collect();
    SumKey { coefficients: Zeroizing::new(centred), terms }
}

fn lies_on(plan: &Plan, committee: &[&PartSum], opening: &PartSum) -> bool {
    let at = u64::from(opening.holder()) + 1;
    *value_at(plan, committee, at) == *opening.numbers()
}

/// Whether every coefficient is one that `terms` keys can sum to, and their mean square at most twice what it should be.
fn is_small(plan: &Plan, key: &SumKey) -> bool {
    let variance = key.terms as f64 * plan.deviation() * plan.deviation();
    let bound = 9.5 * variance.sqrt();
    let squares: i64 = key.coefficients.iter().map(|v| v * v).sum();
    let largest = key.coefficients.iter().fold(0, |m, v| m.max(v.abs()));
    largest as f64 <= bound && squares as f64 <= 2.0 * variance * plan.n() as f64
}

/// The next `t` of `count`, in order.
fn next_committee(members: &mut [usize], count: usize) -> bool {
    let t = members.len();
    let Some(at) = (0..t).rev().find(|&i| members[i] < count - t + i) else { return false };
    members[at] += 1;
    for i in at + 1..t {
        members[i] = members[i - 1] + 1;
    }
    true
}
