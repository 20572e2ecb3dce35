//! An upload's header: what its site signs and everybody may see.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 32 | `ρ` |
//! | 2 | site |
//! | 32 | nonce |
//! | 32 | the one set that it may be summed over, or zeros |
//! | 32 | SHA-256 of the body |
//! | 32 each | SHA-256 of the sealed parts that travel, by holder |
//! | by plan | check polynomials |
//! | 64 | signature |

use super::signed::{SIGNATURE, digest, parse, verify};
use super::{SumRefusal, SumRound};
use crate::{Result, Signature, Signer, SiteId};
use blindscope_aggregate::one_round::Checks;
use blindscope_wire::{Digest, Hasher, Writer};

const WHAT: &str = "upload header";
const DOMAIN: &str = "blindscope/sums/upload/v2";

/// What a site says of its upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadHeader {
    /// The round's name.
    pub round: Digest,
    /// Who uploads.
    pub site: SiteId,
    /// 32 bytes that no other upload has: parts are bound to it.
    pub nonce: [u8; 32],
    /// Of an input that was summed before: [`set_name`] of the sites it was summed over. Whoever signs or opens another set with this
    /// upload in it breaks the rule that an input is in one sum. Zeros for an input that was in none.
    pub only: Digest,
    /// SHA-256 of the body.
    pub body: Digest,
    /// SHA-256 of each sealed part, in the holders' order.
    pub parts: Vec<Digest>,
    /// Check polynomials of the parts.
    pub checks: Vec<u8>,
}

/// A header with its site's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUpload {
    /// What is said.
    pub header: UploadHeader,
    /// By whom.
    pub signature: Signature,
}

/// Names the sites of a set, in order.
pub fn set_name(sites: &[SiteId]) -> Digest {
    let mut h = Hasher::new("blindscope/sums/sites/v1");
    for site in sites {
        h.absorb_u64(u64::from(site.0));
    }
    h.finish()
}

/// What the weights of an upload's check polynomials follow from: all of it but the polynomials.
pub(super) fn sent(
    round: &SumRound,
    site: SiteId,
    nonce: &[u8; 32],
    body: &Digest,
    parts: &[Digest],
) -> Digest {
    let mut h = Hasher::new("blindscope/sums/sent/v1");
    h.absorb(&round.name().0).absorb_u64(u64::from(site.0)).absorb(nonce).absorb(&body.0);
    for part in parts {
        h.absorb(&part.0);
    }
    h.finish()
}

impl UploadHeader {
    fn unsigned_bytes(&self) -> Vec<u8> {
        let len = 32 * (4 + self.parts.len()) + 2 + self.checks.len();
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        w.bytes(&self.round.0);
        w.u16(self.site.0);
        w.bytes(&self.nonce);
        w.bytes(&self.only.0);
        w.bytes(&self.body.0);
        self.parts.iter().for_each(|p| w.bytes(&p.0));
        w.bytes(&self.checks);
        w.finish();
        out
    }

    /// The header with its site's signature.
    pub fn sign(self, signer: &dyn Signer) -> SignedUpload {
        let signature = signer.sign(&self.digest());
        SignedUpload { header: self, signature }
    }

    /// What is signed; names the upload in a committed set.
    pub fn digest(&self) -> Digest {
        digest(DOMAIN, &self.unsigned_bytes())
    }

    /// What the weights of the check polynomials follow from.
    pub(super) fn sent(&self, round: &SumRound) -> Digest {
        sent(round, self.site, &self.nonce, &self.body, &self.parts)
    }
}

impl SignedUpload {
    /// Bytes of one in a round.
    pub fn len(round: &SumRound) -> usize {
        let parts = round.plan().sealed_parts() as usize;
        32 * (4 + parts) + 2 + round.plan().checks_len() + SIGNATURE
    }

    /// The header as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header.unsigned_bytes();
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// The header of these bytes, if it is of this round and signed by the site that it names.
    ///
    /// # Errors
    /// [`crate::Error::Length`] and [`crate::Error::Message`] for bytes that are no header; [`crate::Error::Aggregate`] for check
    /// polynomials that are none; [`SumRefusal::OtherRound`] for one of another round; [`SumRefusal::Signature`] for one that its
    /// site did not sign; [`SumRefusal::Stranger`] for a site that is not of the roster.
    pub fn from_bytes(round: &SumRound, bytes: &[u8]) -> Result<Self> {
        let parts = round.plan().sealed_parts() as usize;
        let upload = parse(WHAT, bytes, Self::len(round), |r| {
            let header = UploadHeader {
                round: Digest(r.array("round")?),
                site: SiteId(r.u16("site")?),
                nonce: r.array("nonce")?,
                only: Digest(r.array("set")?),
                body: Digest(r.array("body")?),
                parts: (0..parts)
                    .map(|_| r.array("part").map(Digest))
                    .collect::<std::result::Result<_, _>>()?,
                checks: r.bytes("check polynomials", round.plan().checks_len())?.to_vec(),
            };
            Ok(Self { header, signature: Signature(r.array("signature")?) })
        })?;
        upload.check(round)?;
        Ok(upload)
    }

    /// Whether it is of this round and its site signed it.
    pub(super) fn check(&self, round: &SumRound) -> Result<()> {
        if self.header.round != round.name()
            || self.header.parts.len() != round.plan().sealed_parts() as usize
        {
            return Err(SumRefusal::OtherRound { what: WHAT }.into());
        }
        let bytes = self.header.unsigned_bytes();
        verify(round.epoch(), (WHAT, DOMAIN), self.header.site, &bytes, &self.signature)?;
        Checks::from_bytes(round.plan(), &self.header.checks)?;
        Ok(())
    }
}
