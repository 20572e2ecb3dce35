//! Uploads of a sum on their way to the holders: each is read to its end and checked, and each holder's parts are laid together.
//!
//! What is kept of an upload meanwhile is its header and its tail: sealed parts and pair keys, which grow with sites *and* holders. Few are in
//! memory. Many are in one blob on the disk, and the holders are served from it in groups whose parts fit into memory together.

use std::io::Read as _;

use super::reading::{Named, OP, UploadRead, read_portions, read_uploads};
use crate::job::{Combining, Portion};
use crate::payload::{self, keep};
use crate::sums::{SumRound, give};
use crate::{Blob, Blobs, Error, Input, Output, Result, SiteId};

/// Bytes of tails, and of holders' parts, that are in memory at a time.
const MOST: u64 = 32 << 20;

/// Reads uploads to their end; lays headers and each holder's parts together.
pub(super) fn intake(
    round: &SumRound,
    combining: &Combining<'_>,
    uploads: &[(SiteId, Blob)],
    known: &[(SiteId, Blob)],
) -> Result<Input> {
    let (blobs, holders) = (combining.blobs, combining.study.holders());
    let output = lay(round, blobs, (uploads, known, combining.portions), &holders, MOST)?;
    Ok(Input::Combined { step: combining.work.step(), output })
}

/// What was read of all uploads, one after the other: parts that travel, then pair keys.
enum Tails {
    Here(Vec<u8>),
    There(Blob),
}

/// Where a site's tail ends and how much of it are parts.
struct Tail {
    dealer: SiteId,
    parts: usize,
    len: usize,
}

fn lay(
    round: &SumRound,
    blobs: &dyn Blobs,
    (uploads, known, portions): (Named<'_>, Named<'_>, &[Portion]),
    holders: &[SiteId],
    most: u64,
) -> Result<Output> {
    let (mut headers, mut pairs, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    let mut all = |out: &mut dyn FnMut(&[u8]) -> Result<()>| {
        let mut each = |dealer: SiteId, read: &UploadRead| {
            if read.came {
                pairs.push((dealer, keep(OP, blobs, &read.paired)?));
            }
            headers.extend_from_slice(&read.header);
            let parts = read.parts.len();
            tails.push(Tail { dealer, parts, len: parts + read.paired.len() });
            out(&read.parts)?;
            out(&read.paired)
        };
        match portions {
            [] => read_uploads(round, blobs, (uploads, known), &mut each),
            portions => read_portions(round, blobs, (uploads, known, portions), &mut each),
        }
    };
    let expected = uploads.iter().map(|(site, _)| round.tail_len(*site)).sum::<u64>();
    let kept = if expected <= most {
        let mut here = Vec::with_capacity(expected as usize);
        all(&mut |bytes| {
            here.extend_from_slice(bytes);
            Ok(())
        })?;
        Tails::Here(here)
    } else {
        Tails::There(blobs.create(expected, &mut |out| {
            all(&mut |bytes| out.write_all(bytes).map_err(Error::io("keep parts")))
        })?)
    };
    let shared = keep(OP, blobs, &headers)?;
    let group = (most / round.given_len(uploads.len() as u64).max(1)).max(1) as usize;
    let mut each = Vec::with_capacity(holders.len());
    for group in holders.chunks(group) {
        for given in serve(round, blobs, (&kept, &tails), group)? {
            each.push(keep(OP, blobs, &given)?);
        }
    }
    Ok(Output { each, pairs, ..Output::shared(shared) })
}

/// What each of these holders is given of all uploads.
fn serve(
    round: &SumRound,
    blobs: &dyn Blobs,
    (kept, tails): (&Tails, &[Tail]),
    group: &[SiteId],
) -> Result<Vec<Vec<u8>>> {
    let mut given = vec![Vec::new(); group.len()];
    let mut from: Box<dyn std::io::Read + '_> = match kept {
        Tails::Here(all) => Box::new(&all[..]),
        Tails::There(blob) => payload::open("lay parts together", blobs, blob)?,
    };
    let mut bytes = Vec::new();
    for tail in tails {
        bytes.clear();
        from.by_ref()
            .take(tail.len as u64)
            .read_to_end(&mut bytes)
            .map_err(Error::io("lay parts together"))?;
        let short = Error::Length { op: OP, expected: tail.len as u64, found: bytes.len() as u64 };
        let (parts, paired) = bytes.split_at_checked(tail.parts).ok_or(short)?;
        for (holder, given) in group.iter().zip(&mut given) {
            give(round, (tail.dealer, *holder), (parts, paired), given)?;
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::super::reading::write_portion;
    use super::*;
    use crate::sums::{Epoch, EpochLiteral, Member, Uploader, write_upload};
    use crate::{IdentityKey, JobId, SealingKey, SiteEntry};
    use blindscope_wire::Digest;

    /// Tails in memory and on the disk, all holders at once and one after the other, give the same.
    #[test]
    fn what_holders_are_given_does_not_depend_on_memory() {
        let mut rng = blindscope_testkit::rng(95);
        let keys: Vec<_> =
            (0..5).map(|_| (IdentityKey::generate(&mut rng), SealingKey::generate(&mut rng))).collect();
        let member = |(k, (identity, sealing)): (usize, &(IdentityKey, SealingKey))| Member {
            site: SiteId(k as u16),
            entry: SiteEntry {
                name: format!("s{k}"),
                identity: identity.public(),
                sealing: sealing.public(),
            },
        };
        let sites: Vec<SiteId> = (0..5).map(SiteId).collect();
        let epoch = Epoch::new(EpochLiteral {
            study: Digest([2; 32]),
            version: 0,
            members: keys.iter().enumerate().map(member).collect(),
            holders: sites.clone(),
            threshold: 3,
            colluders: 1,
            colluding_holders: 1,
            minimum_cohort: 3,
            coins: 168,
            former: Vec::new(),
        })
        .unwrap();
        let round = SumRound::new(&epoch, JobId(Digest([1; 32])), 0, (20, 1000)).unwrap();
        let memory = Memory::default();
        let upload = |(k, (identity, sealing)): (usize, &(IdentityKey, SealingKey))| {
            let me = SiteId(k as u16);
            let by = Uploader { round: &round, me, sealing, signer: identity, only: Digest([0; 32]) };
            let values = || Box::new(0..20_u64) as Box<dyn Iterator<Item = u64> + Send>;
            let mut bytes = Vec::new();
            write_upload(&by, true, &values, &[k as u8; 32], &mut bytes).unwrap();
            (me, memory.put(bytes))
        };
        let uploads: Vec<_> = keys.iter().enumerate().map(upload).collect();
        let with = |most| lay(&round, &memory, (&uploads, &[], &[]), &sites, most).unwrap();
        let all = with(MOST);
        assert!(all.each.iter().all(|blob| blob.len > 0) && all.pairs.len() == 5);
        for most in [1, round.given_len(5), 3 * round.given_len(5)] {
            assert_eq!(with(most), all, "{most} bytes");
        }
        // Nor on who has read them.
        for of in 1..=5 {
            let some = |some: &[(SiteId, Blob)]| Portion {
                sites: some.iter().map(|(site, _)| *site).collect(),
                made: write_portion(&round, &memory, some, &[]).unwrap(),
            };
            let portions: Vec<_> = uploads.chunks(of).map(some).collect();
            let found = lay(&round, &memory, (&uploads, &[], &portions), &sites, MOST).unwrap();
            assert_eq!(found, all, "portions of {of}");
        }
    }
}
