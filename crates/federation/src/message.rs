//! The one text of a message: compact JSON of its fields in order, bounded, signed over its digest.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};
use blindscope_wire::{Digest, Hasher};

/// The text of a value. Infallible for our types: their maps have text keys and their numbers are finite.
pub(crate) fn to_text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The value of a text of at most `max` bytes, if it is the one text of that value.
pub(crate) fn from_text<T: Serialize + DeserializeOwned>(
    what: &'static str,
    text: &[u8],
    max: usize,
) -> Result<T> {
    if text.len() > max {
        return Err(Error::Oversize { what, found: text.len() as u64, max: max as u64 });
    }
    let value: T =
        serde_json::from_slice(text).map_err(|e| Error::Message { what, reason: e.to_string() })?;
    if to_text(&value).as_bytes() != text {
        return Err(Error::Message { what, reason: "not in its one form".to_owned() });
    }
    Ok(value)
}

/// What is signed of a value, under a domain.
pub(crate) fn digest<T: Serialize>(domain: &str, value: &T) -> Digest {
    Hasher::new(domain).absorb(to_text(value).as_bytes()).finish()
}
