//! What is in the blobs: functions over readers and writers, run outside of the state machines.
//!
//! [`site_payload`] does what a [`Task`](crate::Task) asks, [`combine`] what a [`Work`](crate::Work) says. The functions
//! below them can be called alone.

mod ceremony;
mod encrypted;
mod inference;
mod question;
mod round;
mod run;
pub(crate) mod sum;

pub use ceremony::{combine_key, open_bundle, write_key_share};
pub use encrypted::read_ciphertexts;
pub use inference::{combine_first, combine_relin, read_evaluation_keys, write_inference_share, write_relin};
pub use question::{AskedOf, deal, holding, question_lengths, upload_len};
pub use run::{MAX_INPUT, SiteTools, combine, site_payload};

pub(crate) use ceremony::{check_public_key, key_share_len};
pub(crate) use encrypted::{add_ciphertexts, ciphertexts_len, open_inference_bundle, write_head};
pub(crate) use inference::{check_evaluation_keys, check_first_sum, check_inference_key, inference_lengths};
pub(crate) use question::{
    Answering, QuestionOf, evaluate_question, open_answers, question_sizes, refresh_answers,
    write_answer_share, write_answer_zeros, write_encryptions,
};
pub(crate) use round::Target;
pub(crate) use run::read_input;

use std::cell::Cell;
use std::io::{self, Read};

use crate::{Blob, Blobs, Error, Result, SiteId};

/// Opens a blob for an operation.
pub(crate) fn open(op: &'static str, blobs: &dyn Blobs, blob: &Blob) -> Result<Box<dyn Read + Send>> {
    blobs.open(blob).map_err(Error::io(op))
}

/// Keeps bytes that are at hand.
pub(crate) fn keep(op: &'static str, blobs: &dyn Blobs, bytes: &[u8]) -> Result<Blob> {
    blobs.create(bytes.len() as u64, &mut |out| out.write_all(bytes).map_err(Error::io(op)))
}

/// Several sites' payloads, read side by side; remembers which was read last, so that an error has a name.
struct Side<'a> {
    last: &'a Cell<Option<SiteId>>,
    site: Option<SiteId>,
    reader: Box<dyn Read + Send>,
}

impl Read for Side<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.last.set(self.site);
        self.reader.read(out)
    }
}

/// Names the site whose payload was read last, if it was a site's and not the disk that failed.
fn blame(op: &'static str, last: &Cell<Option<SiteId>>, error: Error) -> Error {
    use blindscope_aggregate::AggregateError::Io;
    let disk = match &error {
        Error::Io { .. } => true,
        // A payload that ends early is a payload's fault: its length was checked when it came.
        Error::Aggregate(Io { kind, .. }) => *kind != io::ErrorKind::UnexpectedEof,
        _ => false,
    };
    match last.get() {
        Some(site) if !disk => Error::Payload { op, site, source: Box::new(error) },
        _ => error,
    }
}
