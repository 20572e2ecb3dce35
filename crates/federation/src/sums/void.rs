//! A round that is never to be opened: declared by enough holders, so that its inputs may go into another one.
//!
//! `m − t + f + 1` of `m` holders leave at most `t − f − 1` honest ones that may still open, which with `f` colluders are too few.

use super::signed::{SIGNATURE, digest, parse, verify};
use super::{SumRefusal, SumRound};
use crate::{Result, Signature, Signer, SiteId};
use blindscope_wire::{Digest, Writer};

const WHAT: &str = "void";
const DOMAIN: &str = "blindscope/sums/void/v1";

/// A holder's word that it will never open a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Void {
    /// The holder.
    pub holder: SiteId,
    signature: Signature,
}

fn unsigned_bytes(round: &SumRound, holder: SiteId) -> Vec<u8> {
    let mut out = Vec::with_capacity(Void::LEN);
    let mut w = Writer::new(&mut out, 34);
    w.bytes(&round.name().0);
    w.u16(holder.0);
    w.finish();
    out
}

impl Void {
    /// Bytes of one: `ρ`, holder, signature.
    pub const LEN: usize = 34 + SIGNATURE;

    /// A holder's declaration. Its mark is stored first: [`super::SumSite::judge_void`].
    pub fn sign(round: &SumRound, holder: SiteId, signer: &dyn Signer) -> Self {
        Self { holder, signature: signer.sign(&digest(DOMAIN, &unsigned_bytes(round, holder))) }
    }

    /// The declaration as bytes.
    pub fn to_bytes(&self, round: &SumRound) -> Vec<u8> {
        let mut out = unsigned_bytes(round, self.holder);
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// The declaration of these bytes, if it is of this round and its holder signed it.
    ///
    /// # Errors
    /// [`crate::Error::Length`], [`SumRefusal::OtherRound`], [`SumRefusal::Stranger`] and [`SumRefusal::Signature`], for bytes of another length
    /// or round, of a site that is no holder, or not signed by it.
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let (name, void) = parse(WHAT, bytes, Self::LEN, |r| {
            let name = Digest(r.array("round")?);
            Ok((name, Self { holder: SiteId(r.u16("holder")?), signature: Signature(r.array("signature")?) }))
        })?;
        if name != round.name() {
            return Err(SumRefusal::OtherRound { what: WHAT }.into());
        }
        void.check(round)?;
        Ok(void)
    }

    fn check(&self, round: &SumRound) -> std::result::Result<(), SumRefusal> {
        if round.epoch().holder(self.holder).is_none() {
            return Err(SumRefusal::Stranger { what: WHAT, site: self.holder, role: "holder" });
        }
        let bytes = unsigned_bytes(round, self.holder);
        verify(round.epoch(), (WHAT, DOMAIN), self.holder, &bytes, &self.signature)
    }

    /// Whether these make the round void.
    ///
    /// # Errors
    /// [`SumRefusal::Signature`] and [`SumRefusal::Stranger`] for a word that is not its holder's; [`SumRefusal::VoidQuorum`] for too few.
    pub fn quorum(round: &SumRound, voids: &[Self]) -> std::result::Result<(), SumRefusal> {
        let mut holders: Vec<SiteId> = Vec::new();
        for void in voids {
            void.check(round)?;
            holders.push(void.holder);
        }
        holders.sort_unstable();
        holders.dedup();
        let (found, needed) = (holders.len() as u64, u64::from(round.plan().literal().void_quorum()));
        if found < needed { Err(SumRefusal::VoidQuorum { found, needed }) } else { Ok(()) }
    }
}
