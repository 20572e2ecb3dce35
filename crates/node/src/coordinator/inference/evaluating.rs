//! A question to a head in the clear that is counted and waits to be evaluated, by a thread here or by a worker.

use std::sync::Arc;

use bytes::Bytes;
#[cfg(feature = "scale")]
use {
    super::oracle::MAX_HEAD,
    crate::work::{Crew, Delivery, Made, Object, Parcel, Piece, Questioned, Refused},
    rand_core::Rng as _,
};

use super::super::refusal::internal;
use super::heads::Offered;
use super::kept::Kept;
use crate::system;
use crate::traces;
use blindscope_classify::EvaluationKeys;
use blindscope_federation::Blob;
use blindscope_store::BlobStore;
use blindscope_transport::{Answer, Class, Refusal};

/// A question and all that its answer follows from.
pub(in crate::coordinator) struct Evaluating {
    pub(super) offered: Arc<Offered>,
    pub(super) kept: Arc<Kept>,
    #[cfg_attr(not(feature = "scale"), allow(dead_code, reason = "workers are told of it"))]
    pub(super) results: BlobStore,
    /// What its plan was made for.
    #[cfg_attr(not(feature = "scale"), allow(dead_code, reason = "workers are told of it"))]
    pub(super) of: (usize, Option<u32>),
    pub(super) keys: Blob,
    pub(super) bytes: Bytes,
}

impl Evaluating {
    /// Its keys. Blocks for the disk.
    pub(super) fn decoded(&self) -> Answer<Arc<EvaluationKeys>> {
        self.kept.decoded(&self.offered.plan, &self.keys)
    }

    /// Its answer. Takes a while.
    pub(super) fn answer(&self) -> Answer<Vec<u8>> {
        let keys = self.decoded()?;
        let _span = traces::alone("answer a question").entered();
        let mut rng = system::rng().map_err(|e| internal(&e))?;
        let answered = self.offered.server.answer_bytes(&keys, &self.bytes, &mut rng);
        answered.map_err(|e| Refusal::new(Class::Invalid, "bad-question", e.to_string()))
    }
}

#[cfg(feature = "scale")]
impl Evaluating {
    /// The answer of a worker; nothing where a thread here has to make it.
    pub(in crate::coordinator) async fn answer_of(&self, crew: &Crew) -> Option<Bytes> {
        let piece = match self.piece(crew).await {
            Ok(piece) => piece?,
            Err(error) => {
                tracing::warn!(%error, "a question cannot be put into the queue; it is answered here");
                return None;
            }
        };
        let delivery = crew.have_done(piece).await?;
        let most = self.offered.plan.answer_len(self.tokens()?) as u64;
        let read = tokio::task::spawn_blocking(move || bytes_of(&delivery, most)).await;
        match read {
            Ok(Ok(bytes)) => Some(bytes),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a worker's answer is refused; the question is answered here");
                None
            }
            Err(error) => {
                tracing::error!(%error, "a worker's answer came to no end");
                None
            }
        }
    }

    fn tokens(&self) -> Option<usize> {
        blindscope_classify::announced(&self.offered.plan, &self.bytes).ok()
    }

    /// The question as a piece of work; nothing where its keys lie where no worker finds them.
    async fn piece(&self, crew: &Crew) -> Result<Option<Parcel<Piece>>, Refused> {
        let Some(keys) = self.kept.object_of(&self.keys) else { return Ok(None) };
        if !crew.takes_work() {
            return Ok(None);
        }
        let (spec, result) = self.offered.from.clone();
        let head = if let Some(name) = self.results.object_of(&result) {
            name
        } else {
            let read = || self.results.read(&result, MAX_HEAD);
            crew.staged(result, || Ok(tokio::task::block_in_place(read)?)).await?
        };
        let mut seed = [0; 32];
        system::rng().map_err(|e| Refused::Machine(e.to_string()))?.fill_bytes(&mut seed);
        let ((batch, precision), question) = (self.of, Blob::of(&self.bytes));
        let what = Questioned { spec, result, batch, precision, keys: self.keys, question, seed };
        let large = vec![Object { blob: result, name: head }, Object { blob: self.keys, name: keys }];
        let small = vec![(question, self.bytes.clone())];
        Ok(Some(Parcel { what: Piece::Answer(Box::new(what)), small, large }))
    }
}

#[cfg(feature = "scale")]
fn bytes_of(delivery: &Delivery, len: u64) -> Result<Bytes, Refused> {
    match delivery.made() {
        Made::Answered(blob) if blob.len == len => delivery.bytes(blob, len),
        Made::Answered(_) => Err(Refused::Outcome("it is no answer to this question: its length is another")),
        _ => Err(Refused::Outcome("it is no answer to a question")),
    }
}
