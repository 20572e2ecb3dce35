//! A committed set by name: what is signed of it follows from its sites, a digest of its headers and the name of its sum, whether the headers
//! are at hand ([`super::Commitment`]) or not ([`SetRoot`]).

use super::signed::parse;
use super::{SumRefusal, SumRound};
use crate::{Blob, Error, Result, SiteId};
use blindscope_aggregate::one_round::Challenge;
use blindscope_wire::{Digest, Hasher, Writer};

const WHAT: &str = "set root";

/// A set and the name of its sum, as far as signatures, evaluations and openings speak of them.
pub trait CommittedSet {
    /// Its sites in order.
    fn sites(&self) -> Vec<SiteId>;

    /// The name of its sum.
    fn sum(&self) -> Blob;

    /// Names the set alone.
    fn set_digest(&self, round: &SumRound) -> Digest;

    /// Names set and sum: what is signed.
    fn digest(&self, round: &SumRound) -> Digest {
        let (set, sum) = (self.set_digest(round), self.sum());
        let mut h = Hasher::new("blindscope/sums/commitment/v1");
        h.absorb(&set.0).absorb(&sum.digest.0).absorb_u64(sum.len).finish()
    }

    /// Where bodies are evaluated: it follows from round, set and sum, all fixed before anybody evaluates.
    fn challenge(&self, round: &SumRound) -> Challenge {
        Challenge::new(&round.id(), &self.set_digest(round), &self.sum().digest)
    }
}

/// A set without its headers: its sites, the set root over the headers, and the name of the sum. Of a large sum that a committee signs it is
/// all that a site which does not hold is shown of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRoot {
    /// Its sites in order.
    pub sites: Vec<SiteId>,
    /// The top of the tree over their headers.
    pub top: Digest,
    /// The sum of their bodies.
    pub sum: Blob,
}

/// Bytes before the sites: sum, its length, top.
const HEAD: usize = 32 + 8 + 32;

/// Bytes of a bit for each member.
fn bits_len(round: &SumRound) -> usize {
    round.epoch().literal().members.len().div_ceil(8)
}

/// A bit for each member, in the roster's order: whether it is among these sites, which are in order too.
fn bits_of(round: &SumRound, sites: &[SiteId]) -> Vec<u8> {
    let mut sites = sites.iter().peekable();
    let mut bit = |site: SiteId| sites.next_if(|next| **next == site).is_some();
    let members = round.epoch().literal().members.chunks(8);
    members.map(|eight| (0..).zip(eight).fold(0, |bits, (k, m)| bits | u8::from(bit(m.site)) << k)).collect()
}

impl CommittedSet for SetRoot {
    fn sites(&self) -> Vec<SiteId> {
        self.sites.clone()
    }

    fn sum(&self) -> Blob {
        self.sum
    }

    fn set_digest(&self, round: &SumRound) -> Digest {
        let mut h = Hasher::new("blindscope/sums/set-root/v1");
        h.absorb(&round.name().0).absorb_u64(self.sites.len() as u64);
        h.absorb(&bits_of(round, &self.sites)).absorb(&self.top.0).finish()
    }
}

impl SetRoot {
    /// Bytes of one in a round.
    pub fn len(round: &SumRound) -> usize {
        HEAD + bits_len(round)
    }

    /// Whether it is one of this round: enough sites, and the sum of the right length.
    ///
    /// # Errors
    /// [`SumRefusal::OtherRound`] in a round whose sets are named by their headers; [`SumRefusal::Cohort`] for fewer sites than the round's
    /// least; [`Error::Length`] for a sum of another length.
    fn check(&self, round: &SumRound) -> Result<()> {
        if !round.has_roots() {
            return Err(SumRefusal::OtherRound { what: WHAT }.into());
        }
        check_size(round, self.sites.len(), &self.sum)
    }

    /// Sum, top, and a bit for each member of the roster.
    pub fn to_bytes(&self, round: &SumRound) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::len(round));
        let mut w = Writer::new(&mut out, HEAD);
        w.bytes(&self.sum.digest.0);
        w.u64(self.sum.len);
        w.bytes(&self.top.0);
        w.finish();
        out.append(&mut bits_of(round, &self.sites));
        out
    }

    /// The set of these bytes, checked. Whether its sites uploaded what is under its top, nothing here shows: a quorum of holders has signed it,
    /// or will not.
    ///
    /// # Errors
    /// [`Error::Length`] and [`Error::Message`] for bytes that are none, bits beyond the roster among them; [`SumRefusal::OtherRound`] in a
    /// round whose sets are named by their headers; [`SumRefusal::Cohort`] for fewer sites than the round's least.
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let (sum, top, bits) = parse(WHAT, bytes, Self::len(round), |r| {
            let sum = Blob { digest: Digest(r.array("sum")?), len: r.u64("length")? };
            Ok((sum, Digest(r.array("top")?), r.bytes("sites", bits_len(round))?.to_vec()))
        })?;
        let members = &round.epoch().literal().members;
        let set = |at: usize| bits.get(at / 8).is_some_and(|b| b >> (at % 8) & 1 == 1);
        let sites = members.iter().enumerate().filter(|(at, _)| set(*at)).map(|(_, m)| m.site).collect();
        let root = Self { sites, top, sum };
        if bits_of(round, &root.sites) != bits {
            let reason = "it names sites beyond the roster".to_owned();
            return Err(Error::Message { what: WHAT, reason });
        }
        root.check(round)?;
        Ok(root)
    }
}

/// Refuses a set of fewer sites than the round's least, and a sum of another length than the plan's.
pub(super) fn check_size(round: &SumRound, sites: usize, sum: &Blob) -> Result<()> {
    let (found, least) = (sites as u64, u64::from(round.least_cohort()));
    if found < least {
        return Err(SumRefusal::Cohort { found, least }.into());
    }
    let expected = round.plan().sum_len();
    if sum.len != expected {
        return Err(Error::Length { op: "commitment", expected, found: sum.len });
    }
    Ok(())
}
