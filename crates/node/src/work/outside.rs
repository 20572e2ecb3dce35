//! What leaders and workers read of one another, for fuzz targets and nobody else: bytes go in, and what is taken of them comes out as it would be
//! written again. The forms themselves stay the crate's own.

use super::error::Result;
use super::message::{AnswerMessage, Beat, Said, WorkMessage};
use super::parcel::Parcel;
use super::piece::{Ended, Piece};

/// What bytes are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Work in the queue.
    Work,
    /// An answer to it.
    Answer,
    /// A worker's word that it is there.
    Beat,
    /// A piece of work, in the object store.
    Piece,
    /// What a piece came to.
    Outcome,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Work, Self::Answer, Self::Beat, Self::Piece, Self::Outcome];

    /// What is taken of these bytes in the study of this name, written again; nothing where they are refused.
    pub fn again(self, bytes: &[u8], study: &str) -> Option<Vec<u8>> {
        match self {
            Self::Work => message::<WorkMessage>(bytes, study),
            Self::Answer => message::<AnswerMessage>(bytes, study),
            Self::Beat => message::<Beat>(bytes, study),
            Self::Piece => parcel(bytes, study, |_: &Piece| ()),
            Self::Outcome => parcel(bytes, study, |ended: &Ended| drop(ended.made.blobs())),
        }
        .ok()
    }
}

fn message<M: Said>(bytes: &[u8], study: &str) -> Result<Vec<u8>> {
    Ok(M::parse(bytes, study)?.to_bytes())
}

fn parcel<T>(bytes: &[u8], study: &str, look: impl Fn(&T)) -> Result<Vec<u8>>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let parcel = Parcel::<T>::parse(&bytes.to_vec().into(), study)?;
    look(&parcel.what);
    parcel.into_bytes(study)
}
