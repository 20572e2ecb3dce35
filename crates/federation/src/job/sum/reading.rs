//! Uploads, each read to its end and checked, by this machine or by others that were given a portion each.
//!
//! A portion of what was read has, of each upload in order:
//!
//! | bytes | field |
//! | ---: | --- |
//! | 1 | 1 where its site's pair keys came with it, 0 where they were here |
//! | a header's | the signed header |
//! | a tail's | the sealed parts that travel, and the site's pair keys |

use std::cell::Cell;
use std::io::Read as _;

use rayon::prelude::*;

use super::super::portion::{Portion, check_whole};
use super::messages::read;
use crate::payload::{self, blame};
use crate::sums::{Received, SignedUpload, SumRound, read_upload};
use crate::{Blob, Blobs, Error, Result, SiteId};

pub(super) const OP: &str = "read upload";

/// Blobs, by site.
pub(super) type Named<'a> = &'a [(SiteId, Blob)];

/// What is kept of an upload that is what its header says.
pub(super) struct UploadRead {
    /// Its header.
    pub(super) header: Vec<u8>,
    /// The sealed parts that travel.
    pub(super) parts: Vec<u8>,
    /// Its site's pair keys.
    pub(super) paired: Vec<u8>,
    /// Whether they came with it.
    pub(super) came: bool,
}

/// Takes what was read of each upload, in order.
pub(super) type Each<'e> = &'e mut dyn FnMut(SiteId, &UploadRead) -> Result<()>;

/// Reads all uploads. `known` are pair keys that are here from rounds before.
pub(super) fn read_uploads(
    round: &SumRound,
    blobs: &dyn Blobs,
    (uploads, known): (Named<'_>, Named<'_>),
    each: Each<'_>,
) -> Result<()> {
    for together in uploads.chunks(rayon::current_num_threads().min(TOGETHER)) {
        for ((site, _), read) in together.iter().zip(read_together(round, blobs, together, known)?) {
            each(*site, &read?)?;
        }
    }
    Ok(())
}

/// Reads some uploads for somebody else.
pub(super) fn write_portion(
    round: &SumRound,
    blobs: &dyn Blobs,
    uploads: Named<'_>,
    known: Named<'_>,
) -> Result<Blob> {
    let expected = uploads.iter().map(|(site, _)| read_len(round, *site)).sum();
    blobs.create(expected, &mut |out| {
        read_uploads(round, blobs, (uploads, known), &mut |_, read| {
            for bytes in [&[u8::from(read.came)][..], &read.header, &read.parts, &read.paired] {
                out.write_all(bytes).map_err(Error::io("keep what was read"))?;
            }
            Ok(())
        })
    })
}

/// Bytes that a portion has of an upload.
fn read_len(round: &SumRound, site: SiteId) -> u64 {
    1 + SignedUpload::len(round) as u64 + round.tail_len(site)
}

/// Takes what others have read of these uploads. `known` as of [`read_uploads`]. Its lengths are the round's; what it says is believed, as what this machine itself reads is.
pub(super) fn read_portions(
    round: &SumRound,
    blobs: &dyn Blobs,
    (uploads, known, portions): (Named<'_>, Named<'_>, &[Portion]),
    each: Each<'_>,
) -> Result<()> {
    check_whole(portions, uploads)?;
    let parts_len = round.plan().sealed_parts() as usize * round.sealed_len();
    for portion in portions {
        let expected: u64 = portion.sites.iter().map(|site| read_len(round, *site)).sum();
        if portion.made.len != expected {
            return Err(Error::Length { op: OP, expected, found: portion.made.len });
        }
        let mut from = payload::open(OP, blobs, &portion.made)?;
        for site in &portion.sites {
            let mut bytes = vec![0; read_len(round, *site) as usize];
            from.read_exact(&mut bytes).map_err(Error::io(OP))?;
            let paired = bytes.split_off(1 + SignedUpload::len(round) + parts_len);
            let parts = bytes.split_off(1 + SignedUpload::len(round));
            let header = bytes.split_off(1);
            let came = match &bytes[..] {
                [1] => true,
                [0] if known.iter().any(|(s, _)| s == site) => false,
                _ => return Err(Error::Portions),
            };
            each(*site, &UploadRead { header, parts, paired, came })?;
        }
    }
    Ok(())
}

/// Uploads that are read at a time, by as many threads.
const TOGETHER: usize = 8;

/// Reads a few uploads, a thread each; in their order, so that whatever is first amiss is the same each time.
fn read_together(
    round: &SumRound,
    blobs: &dyn Blobs,
    uploads: Named<'_>,
    known: Named<'_>,
) -> Result<Vec<Result<UploadRead>>> {
    let open = |(site, blob): &(SiteId, Blob)| Ok((*site, blob.len, payload::open(OP, blobs, blob)?));
    let opened = uploads.iter().map(open).collect::<Result<Vec<_>>>()?;
    let received: Vec<_> = opened
        .into_par_iter()
        .map(|(site, len, mut from)| read_upload(round, site, len, &mut from))
        .collect();
    let with_pairs = |((site, _), received): (&(SiteId, Blob), Result<Received>)| {
        let received = received.map_err(|e| blame(OP, &Cell::new(Some(*site)), e))?;
        let paired = match (&received.pairing, known.iter().find(|(s, _)| s == site)) {
            (Some(bytes), _) => bytes.clone(),
            (None, Some((_, blob))) => read(blobs, blob, blob.len)?,
            (None, None) => {
                let source = Box::new(Error::Seal { op: "find pair keys" });
                return Err(Error::Payload { op: OP, site: *site, source });
            }
        };
        let came = received.pairing.is_some();
        Ok(UploadRead { header: received.upload.to_bytes(), parts: received.parts, paired, came })
    };
    Ok(uploads.iter().zip(received).map(with_pairs).collect())
}
