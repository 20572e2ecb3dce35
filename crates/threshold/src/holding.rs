//! Who holds which share of a message that is dealt.

use crate::{Error, Result};

/// Most shares of one message: a holder encrypts a part of them for each question.
pub const MAX_SHARES: usize = 128;

/// Who holds which share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    holders: usize,
    colluders: usize,
    /// For each share the holders that have it, rising.
    of: Vec<Vec<usize>>,
}

impl Holding {
    /// The holding of a roster in which fewer than `threshold` of `parties` learn nothing of a message (as of the key), and as many
    /// as possible may deviate: `f <= min(parties − threshold, threshold − 1)`, at least one, with no more than [`MAX_SHARES`].
    ///
    /// # Errors
    /// [`Error::Holders`] for a roster without any.
    pub fn of_roster(parties: usize, threshold: usize) -> Result<Self> {
        let refuse = || Error::Holders { parties, threshold, most: MAX_SHARES };
        let private = threshold.checked_sub(1).ok_or_else(refuse)?;
        let most = private.min(parties.saturating_sub(threshold));
        let fits = |f: &usize| binomial(private + f + 1, private) <= MAX_SHARES;
        let colluders = (1..=most).rev().find(fits).ok_or_else(refuse)?;
        Ok(Self::new(private, colluders))
    }

    /// Range: no more than [`MAX_SHARES`] shares.
    fn new(private: usize, colluders: usize) -> Self {
        let holders = private + colluders + 1;
        let lacking = |set: &u64| set.count_ones() as usize == private;
        let has = |set: u64| (0..holders).filter(|h| set >> h & 1 == 0).collect();
        Self { holders, colluders, of: (0..1u64 << holders).filter(lacking).map(has).collect() }
    }

    /// How many holders.
    pub fn holders(&self) -> usize {
        self.holders
    }

    /// Holders that may deviate.
    pub fn colluders(&self) -> usize {
        self.colluders
    }

    /// How many shares.
    pub fn shares(&self) -> usize {
        self.of.len()
    }

    /// The shares that a holder has, rising: as many for each.
    pub fn held(&self, holder: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|&k| self.of[k].contains(&holder)).collect()
    }

    /// The holders of a share, rising.
    pub fn holders_of(&self, share: usize) -> &[usize] {
        self.of.get(share).map_or(&[], Vec::as_slice)
    }

    /// The holder that sends a share's encryption; the others send its digest alone.
    pub fn sender(&self, share: usize) -> usize {
        let of = self.holders_of(share);
        of.get(share % of.len().max(1)).copied().unwrap_or(0)
    }

    /// The shares whose encryptions a holder sends, rising.
    pub fn sent(&self, holder: usize) -> Vec<usize> {
        (0..self.of.len()).filter(|&k| self.sender(k) == holder).collect()
    }
}

fn binomial(n: usize, k: usize) -> usize {
    // Stops where it is too large for anybody.
    (0..k).fold(1usize, |acc, i| acc.saturating_mul(n - i) / (i + 1)).min(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_private_holders_lacks_a_share_and_every_share_has_an_honest_holder() {
        for (parties, threshold) in [(3, 2), (4, 2), (5, 3), (7, 4), (16, 9), (1000, 2)] {
            let h = Holding::of_roster(parties, threshold).unwrap_or_else(|e| panic!("{e}"));
            assert!(h.holders() <= parties && h.shares() <= MAX_SHARES && h.colluders() >= 1);
            let all = 1u64 << h.holders();
            for set in (0..all).filter(|s| s.count_ones() as usize == threshold - 1) {
                let known = |k: usize| h.holders_of(k).iter().any(|&x| set >> x & 1 == 1);
                assert!((0..h.shares()).any(|k| !known(k)), "{set:b} know all shares");
            }
            for k in 0..h.shares() {
                assert_eq!(h.holders_of(k).len(), h.colluders() + 1);
                assert!(h.holders_of(k).contains(&h.sender(k)));
            }
            let held: Vec<_> = (0..h.holders()).map(|x| h.held(x).len()).collect();
            assert!(held.windows(2).all(|w| w[0] == w[1]), "{held:?}");
        }
        for (parties, threshold) in [(1, 1), (2, 2), (3, 3), (5, 1), (40, 30)] {
            assert!(Holding::of_roster(parties, threshold).is_err(), "{threshold} of {parties}");
        }
    }
}
