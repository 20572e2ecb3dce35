//! A piece of work, done: a function of its parcel and the blobs that it names.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::Parts;
use super::folder::Folder;
use super::ready::Ready;
use crate::coordinator::Learning;
use crate::kit::queue_name;
use crate::traces;
use crate::work::{
    Ended, MOST, Made, Object, Parcel, Piece, PieceBlobs, Questioned, Refused, Result, fetched, unique,
};
use blindscope_federation::{Blob, Input, Portion, SignedChange, SiteId, Study, Work};
use blindscope_store::Exchange;

/// Longest question.
const MAX_QUESTION: u64 = MOST;

/// What pieces are done with.
pub(super) struct Doing {
    study: Study,
    name: String,
    learning: Learning,
    ready: Ready,
    exchange: Exchange,
    folder: Folder,
}

impl Doing {
    pub(super) fn new(study: Study, parts: Parts, exchange: Exchange, folder: Folder) -> Self {
        let (learning, ready, name) = (parts.learning, Ready::new(parts.heads), queue_name(&study));
        Self { study, name, learning, ready, exchange, folder }
    }

    /// Reads a piece.
    ///
    /// # Errors
    /// [`Refused`]: for good where the piece is none.
    pub(super) fn read(&self, piece: &Object) -> Result<Parcel<Piece>> {
        Parcel::parse(&fetched(&self.exchange, piece, MOST)?, &self.name)
    }

    /// Does the piece of this name: where its outcome is. Takes as long as it takes.
    ///
    /// # Errors
    /// [`Refused`]: for good where it comes to nothing that a worker may say.
    pub(super) fn done(&self, piece: Blob, parcel: Parcel<Piece>) -> Result<Object> {
        let Parcel { what, small, large } = parcel;
        let blobs = PieceBlobs::new(&self.exchange, (small, large), self.folder.path());
        let made = match what {
            Piece::Combine { changes, work, portions } => {
                self.combined(&self.study_of(&changes)?, (&work, &portions), &blobs)?
            }
            Piece::GoOver { changes, work, sites } => {
                went_over(&self.study_of(&changes)?, (&work, &sites), &blobs)?
            }
            Piece::Answer(asked) => Made::Answered(self.answered(&asked, &blobs)?),
        };
        let unique = unique().map_err(|e| Refused::Machine(e.to_string()))?;
        let (small, large) = blobs.sent(&made.blobs(), &unique)?;
        let what = Ended { piece, made };
        let bytes = Parcel { what, small, large }.into_bytes(&self.name)?;
        let blob = Blob::of(&bytes);
        let name = self.exchange.put(bytes, &blob, &unique)?;
        Ok(Object { blob, name })
    }

    /// The study under the roster that these changes make: each is signed by a quorum of the roster before it.
    fn study_of(&self, changes: &[SignedChange]) -> Result<Study> {
        let mut study = self.study.clone();
        for change in changes {
            study = study.succeeded(change).map_err(|e| form("roster", &e))?;
        }
        Ok(study)
    }

    fn combined(
        &self,
        study: &Study,
        (work, portions): (&Work, &[Portion]),
        blobs: &PieceBlobs<'_>,
    ) -> Result<Made> {
        tracing::info!(step = %work.step(), portions = portions.len(), "combining");
        let _span = traces::of_step(&work.step(), "combine").entered();
        let combined = match portions {
            [] => blindscope_federation::combine(study, work, &*self.learning, blobs),
            portions => {
                blindscope_federation::combine_portions(study, work, portions, (&*self.learning, blobs))
            }
        };
        match combined {
            Ok(Input::Combined { output, .. }) => Ok(Made::Combined(Box::new(output))),
            Ok(Input::Opened { outcome, .. }) => Ok(Made::Opened(outcome)),
            // The leader finds the same by itself, and says so: it is its word that leaves a site out, or ends a job.
            Ok(_) => Err(Refused::Outcome("payloads that cannot be used, or nothing follows")),
            Err(error) => Err(form("work", &error)),
        }
    }

    fn answered(&self, asked: &Questioned, blobs: &PieceBlobs<'_>) -> Result<Blob> {
        tracing::info!(job = %asked.spec.name, "answering a question");
        let _span = traces::alone("answer a question").entered();
        let (head, keys) = self.ready.of(asked, blobs)?;
        let question = blobs.read(&asked.question, MAX_QUESTION)?;
        let mut rng = ChaCha20Rng::from_seed(asked.seed);
        let answer = head.server.answer_bytes(&keys, &question, &mut rng);
        blobs.keep(&answer.map_err(|e| form("question", &e))?)
    }
}

fn form(what: &'static str, reason: &dyn std::fmt::Display) -> Refused {
    Refused::Form { what, reason: reason.to_string() }
}

fn went_over(study: &Study, (work, sites): (&Work, &[SiteId]), blobs: &PieceBlobs<'_>) -> Result<Made> {
    tracing::info!(step = %work.step(), uploads = sites.len(), "going over a portion");
    let _span = traces::of_step(&work.step(), "go over a portion").entered();
    // What is amiss with an upload the leader finds by itself, and says.
    let portion = blindscope_federation::portion(study, work, sites, blobs);
    Ok(Made::WentOver(portion.map_err(|e| form("work", &e))?))
}
