//! Work of a step that workers do: packed as a piece, or, where there is much of it and more than one who could do it, as several that go over
//! some of its uploads each and one that combines what these came to.

use std::sync::Arc;

use bytes::Bytes;

use crate::work::{Crew, Delivery, Made, Object, Parcel, Piece, Refused, Result, blocking};
use blindscope_federation::{Blob, Input, Portion, SignedChange, SiteId, Study, Work, divisible};
use blindscope_store::BlobStore;

/// From so many bytes on work is sent away: below, telling somebody takes longer than doing it.
const WORTH: u64 = 1 << 20;
/// As much of each portion of it, where it is divided: what is gone over is written and read once more.
const PORTION: u64 = 4 << 20;
/// Most bytes of the small blobs of one piece.
const MOST_SMALL: u64 = 64 << 20;

/// What pieces are packed from.
#[derive(Clone)]
struct Packing {
    blobs: BlobStore,
    study: Study,
    changes: Vec<SignedChange>,
    work: Arc<Work>,
}

/// What work came to at workers, once every blob of it is in the coordinator's own store, and how many pieces it was; nothing where a thread has
/// to do it.
pub(super) async fn combined(
    crew: &Arc<Crew>,
    blobs: &BlobStore,
    (study, changes): (&Study, &[SignedChange]),
    work: &Work,
) -> Option<(Input, u64)> {
    if !crew.has_workers() {
        return None;
    }
    let step = work.step();
    let packing = Packing {
        blobs: blobs.clone(),
        study: study.clone(),
        changes: changes.to_vec(),
        work: Arc::new(work.clone()),
    };
    let (portions, went_over) = went_over(crew, &packing).await;
    let packed = blocking({
        let (packing, objects) = (packing.clone(), of_deliveries(&went_over));
        move || packing.whole(portions, objects)
    });
    let piece = packed.await.inspect_err(|error| {
        tracing::warn!(%step, %error, "work cannot be put into the queue; it is done here");
    });
    let delivery = crew.have_done(piece.ok()??).await?;
    let input = match delivery.made() {
        Made::Combined(output) => Input::Combined { step, output: output.as_ref().clone() },
        Made::Opened(outcome) => Input::Opened { step, outcome: *outcome },
        Made::Answered(_) | Made::WentOver(_) => {
            tracing::warn!(%step, "a worker's outcome is that of another piece; the work is done here");
            return None;
        }
    };
    let pieces = went_over.len() as u64 + 1;
    Some((adopted(delivery, packing.blobs, input).await?, pieces))
}

/// What workers made of the uploads of work, and the deliveries that hold it; nothing where it is not divided, or one of them did not do its
/// portion.
async fn went_over(crew: &Arc<Crew>, packing: &Packing) -> (Vec<Portion>, Vec<Delivery>) {
    let (hands, step, dividing) = (crew.at_a_time(), packing.work.step(), packing.clone());
    let pieces = match blocking(move || dividing.divided(hands)).await {
        Ok(pieces) => pieces,
        Err(error) => {
            tracing::warn!(%step, %error, "work is not divided");
            return Default::default();
        }
    };
    let asked: Vec<_> = pieces
        .into_iter()
        .map(|(sites, piece)| {
            let crew = crew.clone();
            (sites, tokio::spawn(async move { crew.have_done(piece).await }))
        })
        .collect();
    let (mut portions, mut deliveries) = (Vec::new(), Vec::new());
    for (sites, asked) in asked {
        let delivery = asked.await.ok().flatten();
        match delivery.as_ref().map(Delivery::made) {
            Some(Made::WentOver(portion)) if portion.sites == sites => portions.push(portion.clone()),
            _ => {
                tracing::warn!(%step, "a portion of the work was not done; it is done as a whole");
                return Default::default();
            }
        }
        deliveries.extend(delivery);
    }
    (portions, deliveries)
}

/// Blobs in parcels and objects.
type Parts = (Vec<(Blob, Bytes)>, Vec<Object>);

fn of_deliveries(deliveries: &[Delivery]) -> Parts {
    let (mut small, mut large) = Parts::default();
    for (of_small, of_large) in deliveries.iter().map(Delivery::parts) {
        small.extend_from_slice(of_small);
        large.extend_from_slice(of_large);
    }
    (small, large)
}

impl Packing {
    /// The work as one piece; nothing where it is not worth it, or too much of it is in small blobs. Blocks for the disk.
    fn whole(&self, portions: Vec<Portion>, (of_portions, objects): Parts) -> Result<Option<Parcel<Piece>>> {
        let inputs =
            if portions.is_empty() { self.work.inputs() } else { self.work.inputs_beside_portions() };
        let Some((mut small, mut large)) = self.parts(inputs, portions.is_empty())? else { return Ok(None) };
        small.extend(of_portions);
        large.extend(objects);
        let (changes, work) = (self.changes.clone(), Box::new(self.work.as_ref().clone()));
        Ok(Some(Parcel { what: Piece::Combine { changes, work, portions }, small, large }))
    }

    /// A piece for each portion of the work's uploads, with whose they are; none where it is not to be divided. Blocks for the disk.
    fn divided(&self, hands: usize) -> Result<Vec<(Vec<SiteId>, Parcel<Piece>)>> {
        if hands < 2 {
            return Ok(Vec::new());
        }
        let uploads = divisible(&self.study, &self.work, &self.blobs);
        let uploads = uploads.map_err(|e| Refused::Form { what: "work", reason: e.to_string() })?;
        let mut pieces = Vec::new();
        for sites in portions(&uploads, hands) {
            // Something of it is too long for a parcel: then it is not divided.
            let Some((small, large)) = self.parts(self.work.inputs_of_portion(&sites), true)? else {
                return Ok(Vec::new());
            };
            let (changes, work) = (self.changes.clone(), Box::new(self.work.as_ref().clone()));
            let what = Piece::GoOver { changes, work, sites: sites.clone() };
            pieces.push((sites, Parcel { what, small, large }));
        }
        Ok(pieces)
    }

    /// These blobs as they go into a parcel; nothing where they are `weighed` and not worth it, or too much of them is in small ones.
    fn parts(&self, mut blobs: Vec<Blob>, weighed: bool) -> Result<Option<Parts>> {
        // Of what a header names some are gone by then, and are not read.
        blobs.retain(|blob| self.blobs.contains(blob));
        let (mut large, mut small) = (Vec::new(), Vec::new());
        for blob in blobs {
            match self.blobs.object_of(&blob) {
                Some(name) => large.push(Object { blob, name }),
                None => small.push(blob),
            }
        }
        let of_small: u64 = small.iter().map(|blob| blob.len).sum();
        let all = large.iter().map(|object| object.blob.len).sum::<u64>() + of_small;
        if of_small > MOST_SMALL || (weighed && all < WORTH) {
            return Ok(None);
        }
        let read = |blob| Ok::<_, Refused>((blob, Bytes::from(self.blobs.read(&blob, MOST_SMALL)?)));
        Ok(Some((small.into_iter().map(read).collect::<Result<_>>()?, large)))
    }
}

/// Uploads in as many portions as there are hands, or as are worth it; none where it is less than two.
fn portions(uploads: &[(SiteId, Blob)], hands: usize) -> Vec<Vec<SiteId>> {
    let bytes: u64 = uploads.iter().map(|(_, blob)| blob.len).sum();
    let count = hands.min(uploads.len()).min((bytes / PORTION) as usize);
    if count < 2 {
        return Vec::new();
    }
    let sites = |some: &[(SiteId, Blob)]| some.iter().map(|(site, _)| *site).collect();
    uploads.chunks(uploads.len().div_ceil(count)).map(sites).collect()
}

/// The input, once what it names is kept here.
async fn adopted(delivery: Delivery, blobs: BlobStore, input: Input) -> Option<Input> {
    match blocking(move || delivery.adopt(&blobs)).await {
        Ok(()) => Some(input),
        Err(refused) => {
            tracing::warn!(%refused, "a worker's outcome is refused; the work is done here");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploads(count: u16, len: u64) -> Vec<(SiteId, Blob)> {
        (0..count).map(|site| (SiteId(site), Blob { len, ..Blob::of(&site.to_le_bytes()) })).collect()
    }

    #[test]
    fn portions_have_every_upload_once_and_are_worth_it() {
        for (count, len, hands) in [(3, PORTION, 2), (3, PORTION, 9), (1000, 1 << 20, 7), (64, PORTION, 64)] {
            let uploads = uploads(count, len);
            let found = portions(&uploads, hands);
            assert!((2..=hands).contains(&found.len()), "{count}, {len}, {hands}: {}", found.len());
            assert!(found.concat().iter().eq(uploads.iter().map(|(site, _)| site)));
            assert!(found.iter().all(|sites| !sites.is_empty()));
        }
        for (count, len, hands) in [(3, PORTION, 1), (1, 1 << 40, 9), (7, PORTION / 4, 9), (0, 0, 9)] {
            assert!(portions(&uploads(count, len), hands).is_empty(), "{count}, {len}, {hands}");
        }
    }
}
