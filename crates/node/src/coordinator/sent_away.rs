//! Work of a step that workers do: packed as a piece, or, where there is much of it and more than one who could do it, as several that go over
//! some of its uploads each and one that combines what these came to.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::work::{Crew, Delivery, Made, Object, Parcel, Piece, Refused, Result, blocking};
use blindscope_federation::{Blob, Input, Portion, SignedChange, SiteId, Study, Work, divisible};
use blindscope_store::BlobStore;

/// From so many bytes on work is sent away: below, telling somebody takes longer than doing it.
const WORTH: u64 = 1 << 20;
/// As much of each portion of it, where it is divided: what is gone over is written and read once more.
const PORTION: u64 = 4 << 20;
/// Fewest uploads that are added up in portions.
const LEAST_ADDED: usize = 8;
/// Most bytes of the small blobs of one piece, and of all portions together.
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
    if !crew.takes_work() {
        return None;
    }
    let step = work.step();
    let packing = Packing {
        blobs: blobs.clone(),
        study: study.clone(),
        changes: changes.to_vec(),
        work: Arc::new(work.clone()),
    };
    let went_over = went_over(crew, &packing).await?;
    let packed = blocking({
        let (packing, portions) = (packing.clone(), went_over.clone());
        move || packing.whole(&portions)
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

/// A portion that a worker went over, and the delivery that holds what it made.
type WentOver = (Portion, Arc<Delivery>);

/// What workers made of the uploads of work, in order; none where it is not divided. Nothing where one of them did not do its portion: then it is
/// done here as a whole, since whatever goes into the queue now waits behind the other portions.
async fn went_over(crew: &Arc<Crew>, packing: &Packing) -> Option<Vec<WentOver>> {
    let (hands, step, dividing) = (crew.at_a_time(), packing.work.step(), packing.clone());
    let pieces = match blocking(move || dividing.divided(hands)).await {
        Ok(pieces) => pieces,
        Err(error) => {
            tracing::warn!(%step, %error, "work is not divided");
            return Some(Vec::new());
        }
    };
    // Dropped, it ends the waiting for the others: their parcels go, and no worker begins them any more.
    let (mut asked, mut done) = (JoinSet::new(), vec![None; pieces.len()]);
    for (at, (sites, piece)) in pieces.into_iter().enumerate() {
        let crew = crew.clone();
        asked.spawn(async move { (at, sites, crew.have_done(piece).await) });
    }
    while let Some(joined) = asked.join_next().await {
        let (at, sites, delivery) = joined.ok()?;
        let made = delivery.map(|delivery| (delivery.made().clone(), Arc::new(delivery)));
        match (made, done.get_mut(at)) {
            (Some((Made::WentOver(portion), delivery)), Some(place)) if portion.sites == sites => {
                *place = Some((portion, delivery));
            }
            _ => {
                tracing::warn!(%step, "a portion of the work was not done; all of it is done here");
                return None;
            }
        }
    }
    done.into_iter().collect()
}

/// Blobs in parcels and objects.
type Parts = (Vec<(Blob, Bytes)>, Vec<Object>);

impl Packing {
    /// The work as one piece; nothing where it is not worth it, or too much of it is in small blobs. Blocks for the disk.
    fn whole(&self, went_over: &[WentOver]) -> Result<Option<Parcel<Piece>>> {
        let divided = !went_over.is_empty();
        let inputs = if divided { self.work.inputs_beside_portions() } else { self.work.inputs() };
        let Some((mut small, mut large)) = self.parts(inputs, !divided)? else { return Ok(None) };
        for (portion, delivery) in went_over {
            // Whatever else came with it stays behind.
            let (of_small, of_large) = delivery.parts();
            if let Some(made) = of_small.iter().find(|(blob, _)| *blob == portion.made) {
                small.push(made.clone());
            } else if let Some(made) = of_large.iter().find(|object| object.blob == portion.made) {
                large.push(made.clone());
            } else {
                return Err(Refused::Outcome("it names a blob that did not come with it"));
            }
        }
        if len_of(&small) > MOST_SMALL {
            return Ok(None);
        }
        let (changes, work) = (self.changes.clone(), Box::new(self.work.as_ref().clone()));
        let portions = went_over.iter().map(|(portion, _)| portion.clone()).collect();
        Ok(Some(Parcel { what: Piece::Combine { changes, work, portions }, small, large }))
    }

    /// A piece for each portion of the work's uploads, with whose they are; none where it is not to be divided. Blocks for the disk.
    fn divided(&self, hands: usize) -> Result<Vec<(Vec<SiteId>, Parcel<Piece>)>> {
        // Before anything is read for it.
        let all: u64 = self.work.inputs().iter().map(|blob| blob.len).sum();
        if hands < 2 || all < 2 * PORTION {
            return Ok(Vec::new());
        }
        let uploads = divisible(&self.study, &self.work, &self.blobs);
        let uploads = uploads.map_err(|e| Refused::Form { what: "work", reason: e.to_string() })?;
        let adds_up = matches!(*self.work, Work::Name { .. });
        let (mut pieces, mut of_small) = (Vec::new(), 0);
        for sites in portions(&uploads, hands, adds_up) {
            let Some((small, large)) = self.parts(self.work.inputs_of_portion(&sites), false)? else {
                return Ok(Vec::new());
            };
            // All of them are in memory until they are sent.
            of_small += len_of(&small);
            if of_small > MOST_SMALL {
                return Ok(Vec::new());
            }
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

fn len_of(small: &[(Blob, Bytes)]) -> u64 {
    small.iter().map(|(blob, _)| blob.len).sum()
}

/// Uploads, all of one length, in as many portions as there are hands, or as are worth it; none where that is less than two. Of `n` uploads that are
/// added up in `p` portions one after the other `n/p + p` streams are read and two written, which is least for `p = √n`, and less than `n` read
/// and one written from eight on.
fn portions(uploads: &[(SiteId, Blob)], hands: usize, adds_up: bool) -> Vec<Vec<SiteId>> {
    let (bytes, n): (u64, _) = (uploads.iter().map(|(_, blob)| blob.len).sum(), uploads.len());
    let most = if adds_up && n < LEAST_ADDED {
        1
    } else if adds_up {
        n.isqrt()
    } else {
        n
    };
    let count = hands.min(most).min((bytes / PORTION) as usize);
    if count < 2 {
        return Vec::new();
    }
    let sites = |some: &[(SiteId, Blob)]| some.iter().map(|(site, _)| *site).collect();
    let bounds = (0..count).map(|k| k * n / count..(k + 1) * n / count);
    bounds.filter_map(|bounds| uploads.get(bounds)).map(sites).collect()
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
        for (count, len, hands, expected) in [
            (3, PORTION, 2, 2),
            (3, PORTION, 9, 3),
            (1000, 1 << 20, 7, 7),
            (64, PORTION, 64, 64),
            (31, 996_147, 7, 7),
            (10, PORTION / 2 - 1, 4, 4),
        ] {
            let uploads = uploads(count, len);
            let found = portions(&uploads, hands, false);
            assert_eq!(found.len(), expected, "{count}, {len}, {hands}");
            assert!(found.concat().iter().eq(uploads.iter().map(|(site, _)| site)));
            let sizes = || found.iter().map(Vec::len);
            assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1, "{found:?}");
        }
        for (count, len, hands) in [(3, PORTION, 1), (1, 1 << 40, 9), (7, PORTION / 4, 9), (0, 0, 9)] {
            assert!(portions(&uploads(count, len), hands, false).is_empty(), "{count}, {len}, {hands}");
        }
    }

    /// Where a portion is written and read once more, few uploads are not worth it, nor a portion each.
    #[test]
    fn few_uploads_are_added_up_at_once() {
        for (count, hands, expected) in [(3, 2, 0), (7, 9, 0), (8, 2, 2), (9, 9, 3), (64, 64, 8)] {
            assert_eq!(portions(&uploads(count, PORTION), hands, true).len(), expected, "{count}, {hands}");
        }
    }
}
