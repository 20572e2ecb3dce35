//! Uploads as they come in, before the set is named, and what each holder is given of them.

use std::io::{self, Read};

use super::pair::{check_pairing, piece};
use super::{SignedUpload, SumRefusal, SumRound};
use crate::{Blob, BlobHasher, Error, Result, SiteId};
use blindscope_aggregate::one_round::check_body;
use blindscope_wire::Digest;

const OP: &str = "read upload";

/// An upload that was read to its end and is what its header says.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its header.
    pub upload: SignedUpload,
    /// The sealed parts that travel, by holder.
    pub parts: Vec<u8>,
    /// The site's pair keys, if they came with it.
    pub pairing: Option<Vec<u8>>,
}

/// SHA-256 of bytes.
pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Blob::of(bytes).digest
}

/// Names what is read.
struct Named<R> {
    from: R,
    hasher: BlobHasher,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let found = self.from.read(out)?;
        self.hasher.update(out.get(..found).unwrap_or_default());
        Ok(found)
    }
}

/// Reads an upload of `len` bytes of a site: every number of its body below the plan's bound, digests and signatures. One chunk
/// of the body is in memory.
///
/// # Errors
/// [`Error::Length`] for a length that no upload of this round has; [`Error::Aggregate`] for a body that no site could have
/// written; as [`SignedUpload::from_bytes`]; [`SumRefusal::OtherBytes`] where it is not what its header says;
/// [`SumRefusal::OtherRound`] for a header of another site; [`SumRefusal::Signature`] for pair keys that it did not sign; [`Error::Io`] where reading or writing fails.
pub fn read_upload(round: &SumRound, site: SiteId, len: u64, from: &mut dyn Read) -> Result<Received> {
    if round.epoch().member(site).is_none() {
        return Err(SumRefusal::Stranger { what: OP, site, role: "member" }.into());
    }
    let pairs = len == round.upload_len(site, true);
    let expected = round.upload_len(site, false);
    if !pairs && len != expected {
        return Err(Error::Length { op: OP, expected, found: len });
    }
    let body_len = round.plan().body_len();
    let mut body = Named { from: from.take(body_len), hasher: BlobHasher::default() };
    check_body(round.plan(), &mut body)?;
    let body = body.hasher.finish();
    let mut rest = Vec::with_capacity((len - body_len) as usize);
    from.take(len - body_len + 1).read_to_end(&mut rest).map_err(Error::io(OP))?;
    if rest.len() as u64 != len - body_len {
        return Err(Error::Length { op: OP, expected: len - body_len, found: rest.len() as u64 });
    }
    let parts_len = round.plan().sealed_parts() as usize * round.sealed_len();
    let pairing = rest.split_off(parts_len + SignedUpload::len(round));
    let header = rest.split_off(parts_len);
    let upload = SignedUpload::from_bytes(round, &header)?;
    let header = &upload.header;
    let other = |what| SumRefusal::OtherBytes { site, what };
    if header.site != site {
        return Err(SumRefusal::OtherRound { what: "upload header" }.into());
    }
    if header.body != body.digest {
        return Err(other("the body").into());
    }
    if !rest.chunks(round.sealed_len()).map(digest_of).eq(header.parts.iter().copied()) {
        return Err(other("a sealed part").into());
    }
    if pairs {
        check_pairing(round.epoch(), site, &pairing)?;
    }
    Ok(Received { upload, parts: rest, pairing: pairs.then_some(pairing) })
}

/// What a holder is given: of each upload but its own, in order, the pair key sealed to it and its sealed part. `uploads` are by
/// rising site, each with its site's pair keys.
///
/// # Errors
/// [`SumRefusal::Stranger`] for a site that is no holder, or pair keys that hold none for it.
pub fn bundle(round: &SumRound, holder: SiteId, uploads: &[(&Received, &[u8])]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for (received, pairing) in uploads {
        give(round, (received.upload.header.site, holder), (&received.parts, pairing), &mut out)?;
    }
    Ok(out)
}

/// Appends what a holder is given of one dealer's parts that travel and pair keys; nothing of its own.
///
/// # Errors
/// As [`bundle`].
pub(crate) fn give(
    round: &SumRound,
    (dealer, holder): (SiteId, SiteId),
    (parts, pairing): (&[u8], &[u8]),
    out: &mut Vec<u8>,
) -> Result<()> {
    let stranger = |site| SumRefusal::Stranger { what: "bundle", site, role: "holder" };
    let place = round.epoch().holder(holder).ok_or_else(|| stranger(holder))?;
    if dealer == holder {
        return Ok(());
    }
    out.extend_from_slice(piece(round.epoch(), dealer, holder, pairing).ok_or_else(|| stranger(dealer))?);
    // The others make their parts themselves.
    if let Some(at) = round.sealed_to(dealer).position(|h| h == place) {
        let len = round.sealed_len();
        let part = parts.get(at * len..(at + 1) * len).ok_or_else(|| stranger(dealer))?;
        out.extend_from_slice(part);
    }
    Ok(())
}
