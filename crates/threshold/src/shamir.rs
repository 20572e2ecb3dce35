//! Any `t` of `n` sites open: each site's summand is shared over `R_Q` with a random polynomial of degree `t − 1`, evaluated
//! at the sites' public points; a site adds up what it receives. For a committee of `t`, Lagrange's coefficients turn these
//! sums into summands of `s` again.
//!
//! The points are `1 … n`, below every prime, so all differences invert. Reference: ia.cr/2022/780, §3.

use crate::{PartyId, Result, Roster, SiteSecret, ThresholdError, Transcript};
use blindscope_ckks::{Parameters, Seed};
use blindscope_ring::{Ntt, Poly, sample};
use blindscope_wire::Digest;
use rand_core::CryptoRng;
use std::collections::BTreeSet;
use zeroize::{Zeroize, Zeroizing};

/// What one site gives another: secret, for the receiver's eyes alone, over an authenticated and encrypted channel.
pub struct ShamirPart {
    session: Digest,
    from: PartyId,
    to: PartyId,
    value: Poly<Ntt>,
}

/// A site's share of the collective secret: what decryption needs. Wiped on drop.
pub struct KeyShare {
    pub(crate) session: Digest,
    pub(crate) party: PartyId,
    pub(crate) value: Poly<Ntt>,
}

/// The `t` sites that finish one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee(BTreeSet<PartyId>);

impl Committee {
    /// These sites.
    ///
    /// # Errors
    /// [`ThresholdError::Committee`] unless there are exactly `t`; [`ThresholdError::ForeignParty`].
    pub fn new(roster: &Roster, members: &[PartyId]) -> Result<Self> {
        members.iter().try_for_each(|&p| roster.check("committee", p))?;
        let set: BTreeSet<_> = members.iter().copied().collect();
        let (expected, found) = (roster.threshold(), set.len());
        if found == expected && members.len() == found {
            Ok(Self(set))
        } else {
            Err(ThresholdError::Committee { expected, found })
        }
    }

    /// Its members in order.
    pub fn iter(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.0.iter().copied()
    }

    /// `λ_i = Π_{j≠i} x_j/(x_j − x_i)` modulo each prime.
    fn lagrange(&self, params: &Parameters, party: PartyId) -> Vec<u64> {
        let x = party.point();
        let coefficient = |prime: &std::sync::Arc<blindscope_ring::Prime>| {
            let m = prime.modulus();
            self.iter().filter(|&j| j != party).fold(1, |acc, j| {
                let y = j.point();
                m.mul(acc, m.mul(y, m.inv(m.sub(y, x))))
            })
        };
        params.qp().primes().iter().map(coefficient).collect()
    }
}

impl SiteSecret {
    /// The parts of this summand, one for each site of the roster, its own included.
    ///
    /// *Cost*: `t − 1` uniform polynomials and `n·(t − 1)` multiplications by constants.
    pub fn split(&self, transcript: &Transcript, rng: &mut impl CryptoRng) -> Vec<ShamirPart> {
        let qp = transcript.params().qp();
        let mut seed = Seed::generate(rng);
        let coefficients: Vec<_> = (1..transcript.roster().threshold())
            .map(|k| Zeroizing::new(sample::uniform(qp, &seed, k as u64)))
            .collect();
        seed.0.zeroize();
        let part = |to: PartyId| {
            let mut value: Poly<Ntt> = qp.zero();
            for c in coefficients.iter().rev() {
                qp.add_assign(&mut value, c);
                qp.mul_integer_assign(&mut value, to.point() as i64);
            }
            qp.add_assign(&mut value, self.secret.evaluations());
            ShamirPart { session: transcript.digest(), from: self.party, to, value }
        };
        transcript.roster().iter().map(part).collect()
    }
}

impl ShamirPart {
    /// Whom it is for.
    pub fn to(&self) -> PartyId {
        self.to
    }
}

impl KeyShare {
    /// This site's share, from one part of every site. The parts are consumed.
    ///
    /// # Errors
    /// [`ThresholdError::Transcript`], [`ThresholdError::NotInCommittee`] for somebody else's part,
    /// [`ThresholdError::Duplicate`], [`ThresholdError::Missing`].
    pub fn combine(transcript: &Transcript, party: PartyId, parts: Vec<ShamirPart>) -> Result<Self> {
        const OP: &str = "combine shares";
        let qp = transcript.params().qp();
        let mut share = Self { session: transcript.digest(), party, value: qp.zero() };
        let mut seen = BTreeSet::new();
        for part in parts {
            if part.session != transcript.digest() {
                let expected = transcript.digest().fingerprint().to_string();
                return Err(ThresholdError::Transcript {
                    op: OP,
                    expected,
                    found: part.session.fingerprint().to_string(),
                });
            }
            if part.to != party {
                return Err(ThresholdError::NotInCommittee { op: OP, party: part.to });
            }
            if !seen.insert(part.from) {
                return Err(ThresholdError::Duplicate { op: OP, party: part.from });
            }
            qp.add_assign(&mut share.value, &part.value);
        }
        let missing: Vec<_> = transcript.roster().iter().filter(|p| !seen.contains(p)).collect();
        if missing.is_empty() {
            return Ok(share);
        }
        Err(ThresholdError::Missing {
            op: OP,
            expected: transcript.roster().parties(),
            found: seen.len(),
            missing,
        })
    }

    /// This site's summand of `s` for one committee: `λ_i·share`.
    pub(crate) fn summand(&self, params: &Parameters, committee: &Committee) -> Result<Zeroizing<Poly<Ntt>>> {
        if !committee.0.contains(&self.party) {
            return Err(ThresholdError::NotInCommittee { op: "decrypt", party: self.party });
        }
        let mut s = Zeroizing::new(self.value.clone());
        params.qp().mul_residues_assign(&mut s, &committee.lagrange(params, self.party));
        Ok(s)
    }
}

impl Drop for ShamirPart {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Drop for KeyShare {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}
