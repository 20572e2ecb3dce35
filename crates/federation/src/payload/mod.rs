//! What is in the blobs: functions over readers and writers, run outside of the state machines.
//!
//! [`site_payload`](crate::site_payload) does what a [`Task`](crate::Task) asks, [`combine`](crate::combine) what a
//! [`Work`](crate::Work) says. The functions below them can be called alone.

mod ceremony;
mod commit;
mod encrypted;
mod holders;
mod inference;
mod part;
mod question;
mod round;
mod session;
mod trial;
mod vouched;

pub use commit::{lay_commitments, open_inference_bundle, write_commitment};
pub use encrypted::read_ciphertexts;
pub use holders::{encryptions_len, holding};
pub use inference::{combine_first, combine_relin, read_evaluation_keys};
pub use question::{AskedOf, deal, question_lengths, upload_len};
pub use session::KeySession;

pub(crate) use commit::{commitment_len, open_seed};
pub(crate) use inference::{
    check_evaluation_keys, check_first_sum, check_inference_key, inference_lengths, name_public_shares,
    write_public_shares, write_relin,
};
pub(crate) use part::{
    HeadOf, Made, head_sizes, write_encrypted, write_head_encryptions, write_part, write_remainder,
};
pub(crate) use question::{
    Answering, QuestionOf, evaluate_question, open_answers, question_sizes, refresh_answers,
    write_answer_share, write_answer_zeros, write_encryptions,
};
pub(crate) use round::Target;
pub(crate) use trial::{check_trials, committees_of, write_trial_shares};

use std::cell::Cell;
use std::io::{self, Read};

use crate::{Blob, Blobs, Error, Result, SignedHeader, SiteId};

/// Opens a blob for an operation.
pub(crate) fn open(op: &'static str, blobs: &dyn Blobs, blob: &Blob) -> Result<Box<dyn Read + Send>> {
    blobs.open(blob).map_err(Error::io(op))
}

/// Keeps bytes that are at hand.
pub(crate) fn keep(op: &'static str, blobs: &dyn Blobs, bytes: &[u8]) -> Result<Blob> {
    blobs.create(bytes.len() as u64, &mut |out| out.write_all(bytes).map_err(Error::io(op)))
}

/// Most bytes of a round's input or a job's result.
pub const MAX_INPUT: u64 = 4 << 30;

/// The bytes that a round or a job starts from; none where there is no such blob.
pub(crate) fn read_input(input: Option<&Blob>, blobs: &dyn Blobs) -> Result<Vec<u8>> {
    let Some(blob) = input else { return Ok(Vec::new()) };
    if blob.len > MAX_INPUT {
        return Err(Error::Oversize { what: "input of a round", found: blob.len, max: MAX_INPUT });
    }
    let mut bytes = Vec::with_capacity(blob.len as usize);
    open("read input", blobs, blob)?.read_to_end(&mut bytes).map_err(Error::io("read input"))?;
    Ok(bytes)
}

/// The payloads behind signed answers.
pub(crate) fn payloads(headers: &[SignedHeader]) -> Vec<(SiteId, Blob)> {
    headers.iter().filter_map(|h| Some((h.header.site, h.payload()?))).collect()
}

/// Several sites' payloads, read side by side; remembers which was read last, so that an error has a name.
pub(crate) struct Side<'a> {
    pub(crate) last: &'a Cell<Option<SiteId>>,
    pub(crate) site: Option<SiteId>,
    pub(crate) reader: Box<dyn Read + Send>,
}

impl Read for Side<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.last.set(self.site);
        self.reader.read(out)
    }
}

/// Names the site whose payload was read last, if it was a site's and not the disk that failed.
pub(crate) fn blame(op: &'static str, last: &Cell<Option<SiteId>>, error: Error) -> Error {
    use blindscope_aggregate::Error::Io;
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
