//! What holders find in their parts, before the set is named.
//!
//! A part is checked against its dealer's polynomials by its holder alone; nobody ever shows a part of another's key as evidence.
//! `f + 1` complaints convict a dealer: one of them is an honest holder's. With fewer a dealer and a lying holder look the same,
//! and the round does without one of them.

use super::intake::digest_of;
use super::pair::{PAIRING_LEN, PairKey, PartOf};
use super::signed::{SIGNATURE, parse, verify};
use super::{SignedUpload, SumRefusal, SumRound};
use crate::{Error, Result, SealingKey, Signature, Signer, SiteId};
use blindscope_aggregate::one_round::{Checks, Part};
use blindscope_wire::{Digest, Hasher, Writer};

const WHAT: &str = "findings";
const DOMAIN: &str = "blindscope/sums/findings/v1";

/// A holder's parts of the uploads of a round. Secret; zeroed on drop.
#[derive(Debug)]
pub struct Parts {
    /// By dealer: nothing where the part does not open or is not on its polynomials.
    parts: Vec<(SiteId, Option<Part>)>,
}

impl Parts {
    /// Dealers whose parts are not usable here.
    pub fn bad(&self) -> Vec<SiteId> {
        self.parts.iter().filter(|(_, p)| p.is_none()).map(|(d, _)| *d).collect()
    }

    pub(super) fn of(&self, dealer: SiteId) -> Option<&Part> {
        self.parts.iter().find(|(d, _)| *d == dealer)?.1.as_ref()
    }
}

/// Opens and checks a holder's parts. `uploads` are the headers, by rising site, that the bundle was made of.
///
/// # Errors
/// [`Error::Length`] and [`SumRefusal::OtherBytes`] where the bundle is not what the headers name, or a pair key not what its dealer
/// signed: that is nobody's but the coordinator's fault. [`SumRefusal::Stranger`] for a site that is no holder.
///
/// # Timing
/// Of the number of uploads, and of which of their parts are good: that is what the holder says of them anyway.
pub fn open_parts(
    round: &SumRound,
    (me, sealing): (SiteId, &SealingKey),
    uploads: &[SignedUpload],
    bundle: &[u8],
) -> Result<Parts> {
    let stranger = SumRefusal::Stranger { what: "open parts", site: me, role: "holder" };
    let place = round.epoch().holder(me).ok_or(stranger)?;
    let piece_len = |u: &SignedUpload| match u.header.site {
        dealer if dealer == me => 0,
        dealer if round.derives(dealer, place) => PAIRING_LEN,
        _ => PAIRING_LEN + round.sealed_len(),
    };
    let expected: usize = uploads.iter().map(piece_len).sum();
    if bundle.len() != expected {
        let (expected, found) = (expected as u64, bundle.len() as u64);
        return Err(Error::Length { op: "open parts", expected, found });
    }
    let (mut rest, mut parts) = (bundle, Vec::with_capacity(uploads.len()));
    for upload in uploads {
        let (piece, after) = rest.split_at(piece_len(upload));
        rest = after;
        parts.push((upload.header.site, open_one(round, (me, place, sealing), upload, piece)?));
    }
    Ok(Parts { parts })
}

fn open_one(
    round: &SumRound,
    (me, place, sealing): (SiteId, u32, &SealingKey),
    upload: &SignedUpload,
    piece: &[u8],
) -> Result<Option<Part>> {
    let (header, plan) = (&upload.header, round.plan());
    let dealer = header.site;
    let (pair, sealed) = piece.split_at(piece.len().min(PAIRING_LEN));
    let at = round.sealed_to(dealer).position(|h| h == place);
    if at.is_some_and(|at| header.parts.get(at) != Some(&digest_of(sealed))) {
        return Err(SumRefusal::OtherBytes { site: dealer, what: "a sealed part" }.into());
    }
    let pair = PairKey::of_piece(round.epoch(), (dealer, me), sealing, pair);
    let pair = pair.map_err(|_| SumRefusal::OtherBytes { site: dealer, what: "a pair key" })?;
    let of = PartOf { round, dealer, holder: me, nonce: &header.nonce };
    let Some(pair) = pair else { return Ok(None) };
    let part = if round.derives(dealer, place) {
        Part::derived(plan, &pair.seed(&of))
    } else {
        let opened = pair.open(&of, &header.body, sealed).ok();
        match opened.and_then(|bytes| Part::from_bytes(plan, &bytes).ok()) {
            Some(part) => part,
            None => return Ok(None),
        }
    };
    let checks = Checks::from_bytes(plan, &header.checks)?;
    Ok(part.satisfies(plan, place, &header.sent(round), &checks).then_some(part))
}

/// A holder's word on its parts, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The holder.
    pub holder: SiteId,
    /// Dealers whose parts are not usable, in order.
    pub bad: Vec<SiteId>,
    signature: Signature,
}

/// Names the uploads that were looked at.
fn uploads_digest(round: &SumRound, uploads: &[SignedUpload]) -> Digest {
    let mut h = Hasher::new("blindscope/sums/uploads/v1");
    h.absorb(&round.name().0);
    for upload in uploads {
        h.absorb(&upload.header.digest().0);
    }
    h.finish()
}

impl Findings {
    /// Bytes of one over so many uploads: `ρ`, holder, digest of the uploads, a bit each, signature.
    pub fn len(uploads: usize) -> usize {
        32 + 2 + 32 + uploads.div_ceil(8) + SIGNATURE
    }

    fn unsigned_bytes(round: &SumRound, holder: SiteId, uploads: &[SignedUpload], bad: &[SiteId]) -> Vec<u8> {
        let mut bits = vec![0u8; uploads.len().div_ceil(8)];
        for (at, upload) in uploads.iter().enumerate() {
            bits[at / 8] |= u8::from(bad.contains(&upload.header.site)) << (at % 8);
        }
        let len = Self::len(uploads.len()) - SIGNATURE;
        let mut out = Vec::with_capacity(len);
        let mut w = Writer::new(&mut out, len);
        w.bytes(&round.name().0);
        w.u16(holder.0);
        w.bytes(&uploads_digest(round, uploads).0);
        w.bytes(&bits);
        w.finish();
        out
    }

    /// What a holder says of its parts.
    pub fn sign(
        round: &SumRound,
        holder: SiteId,
        uploads: &[SignedUpload],
        parts: &Parts,
        signer: &dyn Signer,
    ) -> Self {
        let bad = parts.bad();
        let bytes = Self::unsigned_bytes(round, holder, uploads, &bad);
        Self { holder, bad, signature: signer.sign(&super::signed::digest(DOMAIN, &bytes)) }
    }

    /// The findings as bytes.
    pub fn to_bytes(&self, round: &SumRound, uploads: &[SignedUpload]) -> Vec<u8> {
        let mut out = Self::unsigned_bytes(round, self.holder, uploads, &self.bad);
        out.extend_from_slice(&self.signature.0);
        out
    }

    /// The findings of these bytes over these uploads, if their holder signed them.
    ///
    /// # Errors
    /// [`Error::Length`] and [`Error::Message`] for bytes that are no findings over so many uploads; [`SumRefusal::OtherRound`],
    /// [`SumRefusal::Stranger`] and [`SumRefusal::Signature`] for those of another round or other uploads, of no holder, or not signed by it.
    pub fn from_bytes(round: &SumRound, uploads: &[SignedUpload], bytes: &[u8]) -> Result<Self> {
        let (holder, bits, signature) = parse(WHAT, bytes, Self::len(uploads.len()), |r| {
            r.bytes("round", 32)?;
            let holder = SiteId(r.u16("holder")?);
            r.bytes("uploads", 32)?;
            Ok((
                holder,
                r.bytes("bits", uploads.len().div_ceil(8))?.to_vec(),
                Signature(r.array("signature")?),
            ))
        })?;
        let set = |at: usize| bits.get(at / 8).is_some_and(|b| b >> (at % 8) & 1 == 1);
        let bad: Vec<_> =
            uploads.iter().enumerate().filter(|(at, _)| set(*at)).map(|(_, u)| u.header.site).collect();
        let findings = Self { holder, bad, signature };
        // Round, uploads and spare bits are the receiver's own, or these bytes are of something else.
        if findings.to_bytes(round, uploads) != bytes {
            return Err(SumRefusal::OtherRound { what: WHAT }.into());
        }
        if round.epoch().holder(holder).is_none() {
            return Err(SumRefusal::Stranger { what: WHAT, site: holder, role: "holder" }.into());
        }
        let signed = &bytes[..bytes.len() - SIGNATURE];
        verify(round.epoch(), (WHAT, DOMAIN), holder, signed, &findings.signature)?;
        Ok(findings)
    }
}

/// Who goes on after the findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sorted {
    /// Dealers that `f + 1` holders complain of: one of these is honest.
    pub convicted: Vec<SiteId>,
    /// Dealers left out though it may be a holder that lies.
    pub left_out: Vec<SiteId>,
    /// Holders that can open what is kept.
    pub holders: Vec<SiteId>,
}

/// Sorts out whom to go on with. A dealer with few complaints is kept where at least `t` holders do not complain of it.
pub fn sort_findings(round: &SumRound, findings: &[Findings]) -> Sorted {
    let literal = round.plan().literal();
    let mut complained: Vec<(SiteId, usize)> = Vec::new();
    for site in findings.iter().flat_map(|f| &f.bad) {
        match complained.iter_mut().find(|(s, _)| s == site) {
            Some((_, count)) => *count += 1,
            None => complained.push((*site, 1)),
        }
    }
    let most = literal.colluding_holders as usize;
    let (convicted, doubtful): (Vec<_>, Vec<_>) = complained.into_iter().partition(|(_, c)| *c > most);
    let mut convicted: Vec<SiteId> = convicted.into_iter().map(|(s, _)| s).collect();
    let mut doubtful = doubtful;
    doubtful.sort_unstable_by_key(|(site, count)| (*count, *site));
    let mut holders: Vec<SiteId> = findings.iter().map(|f| f.holder).collect();
    holders.sort_unstable();
    holders.dedup();
    let mut left_out = Vec::new();
    for (site, _) in doubtful {
        let complains = |h: &SiteId| findings.iter().any(|f| f.holder == *h && f.bad.contains(&site));
        let without: Vec<SiteId> = holders.iter().copied().filter(|h| !complains(h)).collect();
        if without.len() >= literal.threshold as usize { holders = without } else { left_out.push(site) }
    }
    convicted.sort_unstable();
    left_out.sort_unstable();
    Sorted { convicted, left_out, holders }
}
