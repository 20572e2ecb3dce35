//! Agreement: who has signed which set, and, of large updates, each body's value at the challenge.

use super::signed::{SIGNATURE, digest, parse, verify};
use super::{CommittedSet, SumRefusal, SumRound};
use crate::{Error, Result, Signature, Signer, SiteId};
use blindscope_aggregate::one_round::Evaluation;
use blindscope_wire::{Digest, Hasher, Writer};

const AGREEMENT: (&str, &str) = ("agreement", "blindscope/sums/agreement/v1");
const VOUCH: (&str, &str) = ("evaluation", "blindscope/sums/vouch/v1");

/// Bytes of an agreement: `ρ`, site, commitment, evaluation, signature.
const LEN: usize = 32 + 2 + 32 + 32 + SIGNATURE;

/// A site's word that this is the round's set. Zeros stand where no evaluation is given: in small rounds, and of a site that is not
/// in the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The signer.
    pub site: SiteId,
    /// Digest of the commitment.
    pub commitment: Digest,
    /// Its body's value at the challenge.
    pub evaluation: [u8; 32],
    signature: Signature,
}

/// A site's word on the evaluation of another's body: of one that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vouch {
    /// Who has evaluated.
    pub by: SiteId,
    /// Whose body.
    pub site: SiteId,
    /// Digest of the commitment.
    pub commitment: Digest,
    /// The body's value at the challenge.
    pub evaluation: [u8; 32],
    signature: Signature,
}

fn agreement_bytes(round: &SumRound, site: SiteId, commitment: &Digest, evaluation: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(LEN);
    let mut w = Writer::new(&mut out, LEN - SIGNATURE);
    w.bytes(&round.name().0);
    w.u16(site.0);
    w.bytes(&commitment.0);
    w.bytes(evaluation);
    w.finish();
    out
}

impl Agreement {
    /// Bytes of one.
    pub const LEN: usize = LEN;

    /// A site's agreement. Its mark is stored first: [`super::SumSite::judge_commitment`].
    pub fn sign(
        round: &SumRound,
        site: SiteId,
        commitment: Digest,
        evaluation: [u8; 32],
        signer: &dyn Signer,
    ) -> Self {
        let bytes = agreement_bytes(round, site, &commitment, &evaluation);
        Self { site, commitment, evaluation, signature: signer.sign(&digest(AGREEMENT.1, &bytes)) }
    }

    /// The agreement as bytes.
    pub fn to_bytes(&self, round: &SumRound) -> Vec<u8> {
        let mut out = agreement_bytes(round, self.site, &self.commitment, &self.evaluation);
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// The agreement of these bytes, if it is of this round and its site signed it.
    ///
    /// # Errors
    /// [`Error::Length`], [`SumRefusal::OtherRound`], [`SumRefusal::Stranger`] and [`SumRefusal::Signature`], for bytes of another length or
    /// round, of a site that is no member, or not signed by it.
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let (name, agreement) = parse(AGREEMENT.0, bytes, LEN, |r| {
            let name = Digest(r.array("round")?);
            let agreement = Self {
                site: SiteId(r.u16("site")?),
                commitment: Digest(r.array("commitment")?),
                evaluation: r.array("evaluation")?,
                signature: Signature(r.array("signature")?),
            };
            Ok((name, agreement))
        })?;
        if name != round.name() {
            return Err(SumRefusal::OtherRound { what: AGREEMENT.0 }.into());
        }
        let (signed, _) = bytes.split_at(LEN - SIGNATURE);
        verify(round.epoch(), AGREEMENT, agreement.site, signed, &agreement.signature)?;
        Ok(agreement)
    }

    fn check(&self, round: &SumRound) -> std::result::Result<(), SumRefusal> {
        let bytes = agreement_bytes(round, self.site, &self.commitment, &self.evaluation);
        verify(round.epoch(), AGREEMENT, self.site, &bytes, &self.signature)
    }
}

impl Vouch {
    /// Bytes of one: an agreement's, and whose body.
    pub const LEN: usize = LEN + 2;

    /// A site's word on another's body.
    pub fn sign(
        round: &SumRound,
        (by, site): (SiteId, SiteId),
        commitment: Digest,
        evaluation: [u8; 32],
        signer: &dyn Signer,
    ) -> Self {
        let bytes = Self::bytes(round, (by, site), &commitment, &evaluation);
        Self { by, site, commitment, evaluation, signature: signer.sign(&digest(VOUCH.1, &bytes)) }
    }

    fn bytes(
        round: &SumRound,
        (by, site): (SiteId, SiteId),
        commitment: &Digest,
        evaluation: &[u8; 32],
    ) -> Vec<u8> {
        let mut out = agreement_bytes(round, by, commitment, evaluation);
        out.extend_from_slice(&site.0.to_le_bytes());
        out
    }

    /// The word as bytes.
    pub fn to_bytes(&self, round: &SumRound) -> Vec<u8> {
        let mut out = Self::bytes(round, (self.by, self.site), &self.commitment, &self.evaluation);
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// The word of these bytes, if it is of this round and its author signed it.
    ///
    /// # Errors
    /// As [`Agreement::from_bytes`].
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let (name, vouch) = parse(VOUCH.0, bytes, Self::LEN, |r| {
            let name = Digest(r.array("round")?);
            let by = SiteId(r.u16("by")?);
            let commitment = Digest(r.array("commitment")?);
            let evaluation = r.array("evaluation")?;
            let site = SiteId(r.u16("site")?);
            Ok((name, Self { by, site, commitment, evaluation, signature: Signature(r.array("signature")?) }))
        })?;
        if name != round.name() {
            return Err(SumRefusal::OtherRound { what: VOUCH.0 }.into());
        }
        vouch.check(round)?;
        Ok(vouch)
    }

    fn check(&self, round: &SumRound) -> std::result::Result<(), SumRefusal> {
        let bytes = Self::bytes(round, (self.by, self.site), &self.commitment, &self.evaluation);
        verify(round.epoch(), VOUCH, self.by, &bytes, &self.signature)
    }
}

/// A commitment that a quorum has signed, with every evaluation fixed.
#[derive(Debug, Clone)]
pub struct Agreed {
    commitment: Digest,
    /// By site of the set; empty in a small round.
    evaluations: Vec<(SiteId, [u8; 32])>,
}

impl Agreed {
    /// Checks signatures, quorum, and in a large round that there is exactly one evaluation of each committed body: its own site's,
    /// or one that another site vouches for. Words on other commitments do not count.
    ///
    /// # Errors
    /// [`SumRefusal::Signature`] and [`SumRefusal::Stranger`] for a word that is not its site's; [`SumRefusal::Quorum`] for too few;
    /// [`SumRefusal::Evaluation`] for an upload with none, or with two that differ.
    pub fn new(
        round: &SumRound,
        commitment: &dyn CommittedSet,
        agreements: &[Agreement],
        vouches: &[Vouch],
    ) -> Result<Self> {
        let named = commitment.digest(round);
        let mut signers: Vec<SiteId> = Vec::new();
        for agreement in agreements.iter().filter(|a| a.commitment == named) {
            agreement.check(round)?;
            if round.epoch().signs(agreement.site) && !signers.contains(&agreement.site) {
                signers.push(agreement.site);
            }
        }
        let (found, needed) = (signers.len() as u64, u64::from(round.quorum()));
        if found < needed {
            return Err(SumRefusal::Quorum { found, needed }.into());
        }
        let mut evaluations = Vec::new();
        if !round.is_small() {
            for site in commitment.sites() {
                evaluations.push((site, one_evaluation(round, (named, site), agreements, vouches)?));
            }
        }
        Ok(Self { commitment: named, evaluations })
    }

    /// Digest of what was agreed.
    pub fn commitment(&self) -> Digest {
        self.commitment
    }

    /// Names the evaluations: what a holder opens for, beside the commitment.
    pub fn list(&self) -> Digest {
        let mut h = Hasher::new("blindscope/sums/evaluations/v1");
        h.absorb(&self.commitment.0);
        for (site, y) in &self.evaluations {
            h.absorb_u64(u64::from(site.0)).absorb(y);
        }
        h.finish()
    }

    /// The sum of all evaluations; nothing in a small round.
    pub(super) fn total(&self) -> Result<Option<Evaluation>> {
        let mut total = (!self.evaluations.is_empty()).then_some(Evaluation::ZERO);
        for (_, y) in &self.evaluations {
            let y = Evaluation::from_bytes(*y)?;
            total = total.map(|t| t.add(&y));
        }
        Ok(total)
    }
}

fn one_evaluation(
    round: &SumRound,
    (named, site): (Digest, SiteId),
    agreements: &[Agreement],
    vouches: &[Vouch],
) -> Result<[u8; 32]> {
    let own = agreements.iter().filter(|a| a.commitment == named && a.site == site).map(|a| a.evaluation);
    let mut found: Vec<[u8; 32]> = own.collect();
    if found.is_empty() {
        for vouch in vouches.iter().filter(|v| v.commitment == named && v.site == site) {
            vouch.check(round)?;
            found.push(vouch.evaluation);
        }
    }
    found.dedup();
    match found[..] {
        [y] => {
            Evaluation::from_bytes(y)?;
            Ok(y)
        }
        _ => Err(Error::from(SumRefusal::Evaluation { site })),
    }
}
