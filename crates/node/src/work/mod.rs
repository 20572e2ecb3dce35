//! Work that others do for a leader: what travels between it and its workers, and the leader's side of it.
//!
//! A piece of work goes into the object store as one parcel that names all that it reads; through the queue go digests alone. What it comes to
//! is a function of the parcel, so it may be done twice, by anybody, and only what the leader then keeps and records has happened. A
//! leader that hears of no worker does it itself: [decision 74](../../../../docs/decisions/0074-work-queues.md).

#[cfg(test)]
mod adversary;
mod blobs;
mod crew;
mod delivery;
mod error;
mod message;
pub mod outside;
mod parcel;
mod piece;

pub(crate) use blobs::PieceBlobs;
pub(crate) use crew::{Crew, blocking};
pub(crate) use delivery::{Delivery, fetched};
pub(crate) use error::{Refused, Result};
pub(crate) use message::{AnswerMessage, Beat, MOST_AT_WORK, Object, Said, WorkMessage};
pub(crate) use parcel::{MOST, Parcel};
pub(crate) use piece::{Ended, Made, Piece, Questioned};

/// A part of a name that nobody else chooses.
pub(crate) fn unique() -> crate::error::Result<String> {
    use std::fmt::Write as _;
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| crate::error::Error::Entropy)?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Into a text nothing fails to be written.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
