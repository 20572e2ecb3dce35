//! Any `t` of `n` sites open: each site's summand is shared over `R_Q` with a random polynomial of degree `t − 1`,
//! evaluated at the sites' public points; a site adds up what it receives. For a committee of `t`, Lagrange's coefficients
//! turn these sums into summands of `s` again.
//!
//! The points are `1 … n`, below every prime, so all differences invert. Reference: ia.cr/2022/780, §3.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::{Error, PartyId, Result, Roster, SiteSecret, Transcript, pads};
use blindscope_ckks::{Parameters, SecretKey};
use blindscope_ring::sample::{self, SecretSeed};
use blindscope_ring::{Ntt, Poly};
use blindscope_wire::Digest;

/// What one site gives another: secret, for the receiver's eyes alone, over an authenticated and encrypted channel.
/// Wiped on drop.
pub struct ShamirPart {
    pub(crate) session: Digest,
    pub(crate) from: PartyId,
    pub(crate) to: PartyId,
    /// Half of the seed of the pair's pads; in a site's part to itself, the master of all halves that it gives.
    pub(crate) seed: SecretSeed,
    pub(crate) value: Poly<Ntt>,
}

/// A site's share of the collective secret: what decryption needs. Wiped on drop.
pub struct KeyShare {
    pub(crate) session: Digest,
    pub(crate) party: PartyId,
    /// For each site, the seed of the pads shared with it; for the site itself, what its masks are derived from.
    pub(crate) pairs: Vec<SecretSeed>,
    pub(crate) value: Poly<Ntt>,
}

/// The `t` sites that finish one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee(BTreeSet<PartyId>);

impl Committee {
    /// These sites.
    ///
    /// # Errors
    /// [`Error::Committee`] unless there are exactly `t`; [`Error::ForeignParty`] for one that is not on the roster.
    pub fn new(roster: &Roster, members: &[PartyId]) -> Result<Self> {
        members.iter().try_for_each(|&p| roster.check("committee", p))?;
        let set: BTreeSet<_> = members.iter().copied().collect();
        let (expected, found) = (roster.threshold(), set.len());
        if found == expected && members.len() == found {
            Ok(Self(set))
        } else {
            Err(Error::Committee { expected, found })
        }
    }

    /// Its members in order.
    pub fn iter(&self) -> impl Iterator<Item = PartyId> + '_ {
        self.0.iter().copied()
    }

    /// Whether a site is in it.
    pub fn contains(&self, party: PartyId) -> bool {
        self.0.contains(&party)
    }

    /// `λ_i = Π_{j≠i} x_j/(x_j − x_i)` modulo each prime.
    fn lagrange(&self, params: &Parameters, party: PartyId) -> Vec<u64> {
        let x = party.point();
        let coefficient = |prime: &std::sync::Arc<blindscope_ring::Prime>| {
            let m = prime.modulus();
            let others = || self.iter().filter(|&j| j != party).map(PartyId::point);
            let over = others().fold(1, |acc, y| m.mul(acc, y));
            let under = others().fold(1, |acc, y| m.mul(acc, m.sub(y, x)));
            m.mul(over, m.inv(under))
        };
        params.qp().primes().iter().map(coefficient).collect()
    }
}

impl SiteSecret {
    /// The parts of this summand, one for each site of the roster, its own included.
    ///
    /// *Cost*: `t − 1` uniform polynomials and `n·(t − 1)` multiplications by constants.
    ///
    /// # Timing
    /// Depends on roster and parameters, and on how many words of a key stream are skipped, which says nothing of the secret.
    pub fn split(&self, transcript: &Transcript, rng: &mut impl CryptoRng) -> Vec<ShamirPart> {
        let roster = transcript.roster();
        let (session, from) = (transcript.digest(), self.party);
        let master = SecretSeed::generate(rng);
        let coefficients = Coefficients::draw(transcript, &self.secret, rng);
        let part = |to: PartyId| {
            let seed = if to == from {
                SecretSeed::from_bytes(*master.as_bytes())
            } else {
                pads::given(&master, to)
            };
            ShamirPart { session, from, to, seed, value: coefficients.at(transcript.params(), to) }
        };
        roster.iter().map(part).collect()
    }
}

/// A polynomial over `R_Q` whose constant term is a secret.
struct Coefficients<'s> {
    secret: &'s SecretKey,
    higher: Vec<Zeroizing<Poly<Ntt>>>,
}

impl<'s> Coefficients<'s> {
    fn draw(transcript: &Transcript, secret: &'s SecretKey, rng: &mut impl CryptoRng) -> Self {
        let seed = SecretSeed::generate(rng);
        let uniform =
            |k: usize| Zeroizing::new(sample::uniform_secret(transcript.params().qp(), &seed, k as u64));
        Self { secret, higher: (1..transcript.roster().threshold()).map(uniform).collect() }
    }

    fn at(&self, params: &Parameters, to: PartyId) -> Poly<Ntt> {
        let qp = params.qp();
        let mut value = self.secret.evaluations().clone();
        for (i, (limb, prime)) in value.limbs_mut().zip(qp.primes()).enumerate() {
            let mut power = 1;
            for c in &self.higher {
                power = prime.modulus().mul(power, to.point());
                prime.mul_constant_add_assign(limb, c.limb(i), prime.constant(power));
            }
        }
        value
    }
}

impl ShamirPart {
    /// Who made it.
    pub fn from(&self) -> PartyId {
        self.from
    }

    /// Whom it is for.
    pub fn to(&self) -> PartyId {
        self.to
    }
}

impl KeyShare {
    /// This site's share, from one part of every site. The parts are consumed.
    ///
    /// # Timing
    /// Depends on roster and parameters alone; what is refused is told by public fields.
    ///
    /// # Errors
    /// As [`PartCollector::absorb`] and [`PartCollector::finish`].
    pub fn combine(transcript: &Transcript, party: PartyId, parts: Vec<ShamirPart>) -> Result<Self> {
        let mut collector = PartCollector::new(transcript, party);
        parts.into_iter().try_for_each(|part| collector.absorb(part))?;
        collector.finish()
    }

    /// Whose it is.
    pub fn party(&self) -> PartyId {
        self.party
    }

    /// This site's summand of the secret for one committee: `λ_i·share`.
    pub(crate) fn summand(&self, params: &Parameters, committee: &Committee) -> Result<Zeroizing<Poly<Ntt>>> {
        if !committee.contains(self.party) {
            return Err(Error::NotInCommittee { op: "decrypt", party: self.party });
        }
        let mut s = Zeroizing::new(self.value.clone());
        params.qp().mul_residues_assign(&mut s, &committee.lagrange(params, self.party));
        Ok(s)
    }
}

/// Where one site's parts add up, each forgotten once it is in.
pub struct PartCollector {
    transcript: Transcript,
    share: KeyShare,
    seen: BTreeSet<PartyId>,
}

impl PartCollector {
    const OP: &str = "combine shares";

    /// For the parts of this ceremony to `party`.
    pub fn new(ceremony: &Transcript, party: PartyId) -> Self {
        let pairs = (0..ceremony.roster().parties()).map(|_| SecretSeed::from_bytes([0; 32])).collect();
        let share =
            KeyShare { session: ceremony.digest(), party, pairs, value: ceremony.params().qp().zero() };
        Self { transcript: ceremony.clone(), share, seen: BTreeSet::new() }
    }

    /// Adds one site's part. A refused one changes nothing.
    ///
    /// # Timing
    /// Depends on the parameters alone; what is refused is told by public fields.
    ///
    /// # Errors
    /// [`Error::Transcript`] for a part of another ceremony; [`Error::ForeignParty`] for a maker that is not on the roster;
    /// [`Error::NotInCommittee`] for somebody else's part; [`Error::Duplicate`] for a second part of one maker.
    pub fn absorb(&mut self, part: ShamirPart) -> Result<()> {
        let op = Self::OP;
        require_session(op, &self.transcript, part.session)?;
        self.transcript.roster().check(op, part.from)?;
        if part.to != self.share.party {
            return Err(Error::NotInCommittee { op, party: part.to });
        }
        if !self.seen.insert(part.from) {
            return Err(Error::Duplicate { op, party: part.from });
        }
        self.transcript.params().qp().add_assign(&mut self.share.value, &part.value);
        self.share.pairs[usize::from(part.from.0)] = SecretSeed::from_bytes(*part.seed.as_bytes());
        drop(part);
        Ok(())
    }

    /// The share, once every site has given its part.
    ///
    /// # Timing
    /// Depends on the roster alone.
    ///
    /// # Errors
    /// [`Error::Missing`] where somebody who is needed has not contributed.
    pub fn finish(mut self) -> Result<KeyShare> {
        let roster = self.transcript.roster();
        let missing: Vec<_> = roster.iter().filter(|p| !self.seen.contains(p)).collect();
        if missing.is_empty() {
            let me = self.share.party;
            let master = SecretSeed::from_bytes(*self.share.pairs[usize::from(me.0)].as_bytes());
            for other in roster.iter() {
                let half = &mut self.share.pairs[usize::from(other.0)];
                *half = pads::pair(me, &pads::given(&master, other), other, half);
            }
            return Ok(self.share);
        }
        let (op, expected, found) = (Self::OP, roster.parties(), self.seen.len());
        Err(Error::Missing { op, expected, found, missing })
    }
}

/// Refuses what another session made.
pub(crate) fn require_session(op: &'static str, transcript: &Transcript, found: Digest) -> Result<()> {
    if found == transcript.digest() {
        return Ok(());
    }
    let (expected, found) = (transcript.digest().fingerprint().to_string(), found.fingerprint().to_string());
    Err(Error::Transcript { op, expected, found })
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

impl std::fmt::Debug for ShamirPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShamirPart({} to {}, redacted)", self.from, self.to)
    }
}

impl std::fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyShare({}, redacted)", self.party)
    }
}
