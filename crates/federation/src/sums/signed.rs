//! What is signed of a message: a digest under a domain of its own.

use super::{Epoch, SumRefusal};
use crate::{Error, Result, Signature, SiteId};
use blindscope_wire::{Digest, Hasher, Reader};

/// Bytes of a signature.
pub(super) const SIGNATURE: usize = 64;

pub(super) fn digest(domain: &'static str, bytes: &[u8]) -> Digest {
    Hasher::new(domain).absorb(bytes).finish()
}

/// Whether the member of this number signed these bytes.
pub(super) fn verify(
    epoch: &Epoch,
    (what, domain): (&'static str, &'static str),
    site: SiteId,
    bytes: &[u8],
    signature: &Signature,
) -> std::result::Result<(), SumRefusal> {
    let Some(member) = epoch.member(site) else {
        return Err(SumRefusal::Stranger { what, site, role: "member" });
    };
    if epoch.verifies(member, &digest(domain, bytes), signature) {
        Ok(())
    } else {
        Err(SumRefusal::Signature { what, site })
    }
}

/// Parses a message of exactly `len` bytes.
pub(super) fn parse<T>(
    what: &'static str,
    bytes: &[u8],
    len: usize,
    read: impl FnOnce(&mut Reader<'_>) -> std::result::Result<T, blindscope_wire::Error>,
) -> Result<T> {
    if bytes.len() != len {
        return Err(Error::Length { op: what, expected: len as u64, found: bytes.len() as u64 });
    }
    let wrong = |e: blindscope_wire::Error| Error::Message { what, reason: e.to_string() };
    let mut r = Reader::new(bytes);
    let value = read(&mut r).map_err(wrong)?;
    r.finish().map_err(wrong)?;
    Ok(value)
}
