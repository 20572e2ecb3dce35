//! What the coordinator names: the set of uploads that are summed, and their sum.

use super::header::set_name;
use super::set::{CommittedSet, check_size};
use super::{SignedUpload, SumRefusal, SumRound};
use crate::{Blob, Error, Result, SiteId};
use blindscope_aggregate::one_round::Challenge;
use blindscope_wire::{Digest, Hasher, Writer};

const WHAT: &str = "commitment";

/// The set `C` and the name of its sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// The signed headers, by rising site.
    pub uploads: Vec<SignedUpload>,
    /// The sum of their bodies.
    pub sum: Blob,
}

impl CommittedSet for Commitment {
    fn sites(&self) -> Vec<SiteId> {
        self.uploads.iter().map(|u| u.header.site).collect()
    }

    fn sum(&self) -> Blob {
        self.sum
    }

    /// By the set root where sites are shown no more of it, else by all headers.
    fn set_digest(&self, round: &SumRound) -> Digest {
        if round.has_roots() {
            return self.root().set_digest(round);
        }
        let mut h = Hasher::new("blindscope/sums/set/v1");
        h.absorb(&round.name().0);
        for upload in &self.uploads {
            h.absorb(&upload.header.digest().0);
        }
        h.finish()
    }
}

impl Commitment {
    /// Names set and sum: what is signed.
    pub fn digest(&self, round: &SumRound) -> Digest {
        CommittedSet::digest(self, round)
    }

    /// Where bodies are evaluated: it follows from round, set and sum, all fixed before anybody evaluates.
    pub fn challenge(&self, round: &SumRound) -> Challenge {
        CommittedSet::challenge(self, round)
    }

    /// Its sites in order.
    pub fn sites(&self) -> Vec<SiteId> {
        CommittedSet::sites(self)
    }

    /// The header of a site.
    pub fn upload(&self, site: SiteId) -> Option<&SignedUpload> {
        self.uploads.iter().find(|u| u.header.site == site)
    }

    /// Whether it is one of this round: sites in order, each header signed, enough of them, the sum of the right length, no upload bound
    /// to another set.
    ///
    /// # Errors
    /// [`SumRefusal::Order`] for uploads out of order or twice; [`SumRefusal::Cohort`] for fewer sites than the round's least;
    /// [`SumRefusal::OtherSetOfInput`] for another set than the input is bound to; [`Error::Length`] for a sum of another length;
    /// as [`SignedUpload::from_bytes`].
    pub fn check(&self, round: &SumRound) -> Result<()> {
        for pair in self.uploads.windows(2) {
            if let [a, b] = pair
                && a.header.site >= b.header.site
            {
                return Err(SumRefusal::Order { site: b.header.site }.into());
            }
        }
        check_size(round, self.uploads.len(), &self.sum)?;
        let named = set_name(&self.sites());
        if self.uploads.iter().any(|u| u.header.only != Digest([0; 32]) && u.header.only != named) {
            return Err(SumRefusal::OtherSetOfInput.into());
        }
        self.uploads.iter().try_for_each(|u| u.check(round))
    }

    /// Most bytes of one in a round.
    pub fn max_len(round: &SumRound) -> usize {
        40 + round.epoch().literal().members.len() * SignedUpload::len(round)
    }

    /// The sum's name, then the headers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, 40);
        w.bytes(&self.sum.digest.0);
        w.u64(self.sum.len);
        w.finish();
        self.uploads.iter().for_each(|u| out.append(&mut u.to_bytes()));
        out
    }

    /// The commitment of these bytes, checked.
    ///
    /// # Errors
    /// [`Error::Oversize`] for more bytes than the roster allows; [`Error::Length`] for bytes that end early or late; as
    /// [`Self::check`].
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let max = Self::max_len(round);
        if bytes.len() > max {
            return Err(Error::Oversize { what: WHAT, found: bytes.len() as u64, max: max as u64 });
        }
        let one = SignedUpload::len(round);
        let short = || Error::Length { op: WHAT, expected: 40, found: bytes.len() as u64 };
        let (sum, headers) = bytes.split_at_checked(40).ok_or_else(short)?;
        let sum = super::signed::parse(WHAT, sum, 40, |r| {
            Ok(Blob { digest: Digest(r.array("sum")?), len: r.u64("length")? })
        })?;
        let uploads =
            headers.chunks(one).map(|h| SignedUpload::from_bytes(round, h)).collect::<Result<_>>()?;
        let commitment = Self { uploads, sum };
        commitment.check(round)?;
        Ok(commitment)
    }
}
