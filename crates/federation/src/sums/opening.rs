//! What a holder opens: the sum of its parts over the agreed set, signed with what it is for.

use super::signed::{SIGNATURE, digest, parse, verify};
use super::{Agreed, Commitment, Parts, SumRefusal, SumRound};
use crate::{Result, Signature, Signer, SiteId};
use blindscope_aggregate::one_round::PartSum;
use blindscope_wire::{Digest, Writer};

const WHAT: &str = "opening";
const DOMAIN: &str = "blindscope/sums/opening/v1";
const HEAD: usize = 32 + 2 + 32 + 32;

/// A holder's opening of a round. There is one of a holder, ever: the same parts in the same set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumOpening {
    /// The holder.
    pub holder: SiteId,
    /// Digest of the commitment.
    pub commitment: Digest,
    /// Digest of the evaluations.
    pub list: Digest,
    /// The sum of its parts.
    pub parts: PartSum,
    signature: Signature,
}

impl SumOpening {
    /// Bytes of one in a round.
    pub fn len(round: &SumRound) -> usize {
        HEAD + round.plan().opening_len() + SIGNATURE
    }

    /// Adds up a holder's parts of the agreed set and signs the sum. Its mark is stored first: [`super::SumSite::judge_opening`].
    ///
    /// # Errors
    /// [`SumRefusal::Part`] for a part that is not usable, [`SumRefusal::Stranger`] for a site that is no holder;
    /// [`SumRefusal::OtherSet`] for another commitment than was agreed.
    pub fn sign(
        round: &SumRound,
        holder: SiteId,
        (commitment, agreed): (&Commitment, &Agreed),
        parts: &Parts,
        signer: &dyn Signer,
    ) -> Result<Self> {
        let stranger = SumRefusal::Stranger { what: WHAT, site: holder, role: "holder" };
        let place = round.epoch().holder(holder).ok_or(stranger)?;
        if commitment.digest(round) != agreed.commitment() {
            return Err(SumRefusal::OtherSet { what: WHAT }.into());
        }
        let mut sum = PartSum::new(round.plan(), place);
        for site in commitment.sites() {
            sum.add(round.plan(), parts.of(site).ok_or(SumRefusal::Part { site })?);
        }
        let (commitment, list) = (agreed.commitment(), agreed.list());
        let bytes = unsigned_bytes(round, holder, (&commitment, &list), &sum);
        let signature = signer.sign(&digest(DOMAIN, &bytes));
        Ok(Self { holder, commitment, list, parts: sum, signature })
    }

    /// The opening as bytes.
    pub fn to_bytes(&self, round: &SumRound) -> Vec<u8> {
        let mut out = unsigned_bytes(round, self.holder, (&self.commitment, &self.list), &self.parts);
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// The opening of these bytes, if it is of this round and its holder signed it.
    ///
    /// # Errors
    /// [`crate::Error::Length`] for bytes that are no opening; [`crate::Error::Aggregate`] for numbers that no sum of parts has;
    /// [`SumRefusal::OtherRound`] for one of another round; [`SumRefusal::Signature`] for one that its holder did not sign;
    /// [`SumRefusal::Stranger`] for a site that is no holder.
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let (name, holder, commitment, list, parts, signature) = parse(WHAT, bytes, Self::len(round), |r| {
            Ok((
                Digest(r.array("round")?),
                SiteId(r.u16("holder")?),
                Digest(r.array("commitment")?),
                Digest(r.array("evaluations")?),
                r.bytes("parts", round.plan().opening_len())?.to_vec(),
                Signature(r.array("signature")?),
            ))
        })?;
        if name != round.name() {
            return Err(SumRefusal::OtherRound { what: WHAT }.into());
        }
        let parts = PartSum::from_bytes(round.plan(), &parts)?;
        if round.epoch().holder(holder) != Some(parts.holder()) {
            return Err(SumRefusal::Stranger { what: WHAT, site: holder, role: "holder" }.into());
        }
        let (signed, _) = bytes.split_at(bytes.len() - SIGNATURE);
        verify(round.epoch(), (WHAT, DOMAIN), holder, signed, &signature)?;
        Ok(Self { holder, commitment, list, parts, signature })
    }
}

fn unsigned_bytes(
    round: &SumRound,
    holder: SiteId,
    (commitment, list): (&Digest, &Digest),
    parts: &PartSum,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(SumOpening::len(round));
    let mut w = Writer::new(&mut out, HEAD);
    w.bytes(&round.name().0);
    w.u16(holder.0);
    w.bytes(&commitment.0);
    w.bytes(&list.0);
    w.finish();
    out.append(&mut parts.to_bytes(round.plan()));
    out
}
