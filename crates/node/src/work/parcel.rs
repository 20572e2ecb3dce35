//! A parcel: what a piece of work is, or came to, with the small blobs that belong to it and the names of the objects that hold the others.
//!
//! | bytes | field |
//! | ---: | --- |
//! | 8 | `bswork1\n` |
//! | 4 | length of the text, little endian |
//! | as many | the text, JSON: version, study, what, the small blobs' names in order, the others with their objects |
//! | the rest | the small blobs, one behind the other |

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Refused, Result};
use super::message::{Object, VERSION};
use blindscope_federation::Blob;

const MAGIC: &[u8; 8] = b"bswork1\n";
const WHAT: &str = "parcel";
/// Longest parcel, and its text.
pub(crate) const MOST: u64 = 256 << 20;
const MOST_TEXT: usize = 16 << 20;

/// A piece of work or what it came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parcel<T> {
    /// What it is.
    pub(crate) what: T,
    /// Blobs that are in it.
    pub(crate) small: Vec<(Blob, Bytes)>,
    /// Blobs that are elsewhere.
    pub(crate) large: Vec<Object>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<T> {
    version: u32,
    study: String,
    what: T,
    small: Vec<Blob>,
    large: Vec<Object>,
}

impl<T: Serialize + DeserializeOwned> Parcel<T> {
    /// Its bytes, as a study's.
    ///
    /// # Errors
    /// [`Refused::TooLong`] for one that nobody would take.
    pub(crate) fn into_bytes(self, study: &str) -> Result<Vec<u8>> {
        let Self { what, small, large } = self;
        let names = small.iter().map(|(blob, _)| *blob).collect();
        let text = Text { version: VERSION, study: study.to_owned(), what, small: names, large };
        let text =
            serde_json::to_vec(&text).map_err(|e| Refused::Form { what: WHAT, reason: e.to_string() })?;
        let bodies: usize = small.iter().map(|(_, bytes)| bytes.len()).sum();
        let len = MAGIC.len() + 4 + text.len() + bodies;
        if text.len() > MOST_TEXT || len as u64 > MOST {
            return Err(Refused::TooLong { what: WHAT, found: len as u64, most: MOST });
        }
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(&text);
        for (_, bytes) in &small {
            out.extend_from_slice(bytes);
        }
        Ok(out)
    }

    /// A parcel of this study.
    ///
    /// # Errors
    /// [`Refused`] for bytes that are none, of another release or study, or whose small blobs are not those of their names.
    pub(crate) fn parse(bytes: &Bytes, study: &str) -> Result<Self> {
        let form = |reason: &str| Refused::Form { what: WHAT, reason: reason.to_owned() };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| form("it does not begin as one"))?;
        let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(|| form("it is cut short"))?;
        let len = u32::from_le_bytes(*len) as usize;
        if len > MOST_TEXT {
            return Err(Refused::TooLong { what: WHAT, found: len as u64, most: MOST_TEXT as u64 });
        }
        let (text, _) = rest.split_at_checked(len).ok_or_else(|| form("it is cut short"))?;
        let text: Text<T> = serde_json::from_slice(text).map_err(|e| form(&e.to_string()))?;
        if text.version != VERSION {
            return Err(Refused::Version { what: WHAT, found: text.version, expected: VERSION });
        }
        if text.study != study {
            return Err(Refused::OtherStudy { what: WHAT, found: text.study.chars().take(64).collect() });
        }
        let mut at = MAGIC.len() + 4 + len;
        let mut small = Vec::with_capacity(text.small.len());
        for named in text.small {
            let end = usize::try_from(named.len).ok().and_then(|len| at.checked_add(len));
            let end = end.filter(|end| *end <= bytes.len()).ok_or_else(|| form("it is cut short"))?;
            let body = bytes.slice(at..end);
            let found = Blob::of(&body);
            if found != named {
                return Err(Refused::OtherBytes { what: WHAT, named, found });
            }
            small.push((named, body));
            at = end;
        }
        if at != bytes.len() {
            return Err(form("bytes are left over"));
        }
        Ok(Self { what: text.what, small, large: text.large })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel() -> Parcel<String> {
        let body = Bytes::from_static(b"body");
        let object = Object { blob: Blob::of(b"large"), name: "work/x".to_owned() };
        let small = vec![(Blob::of(&body), body), (Blob::of(b""), Bytes::new())];
        Parcel { what: "sum".to_owned(), small, large: vec![object] }
    }

    #[test]
    fn a_parcel_comes_back_as_it_went() {
        let bytes = parcel().into_bytes("study").unwrap().into();
        assert_eq!(Parcel::<String>::parse(&bytes, "study").unwrap(), parcel());
        assert!(matches!(Parcel::<String>::parse(&bytes, "other"), Err(Refused::OtherStudy { .. })));
    }

    /// Every parcel with one byte changed, one missing or one more is refused, or says what it is in other words of the same meaning.
    #[test]
    fn no_other_bytes_are_taken_for_it() {
        let whole = parcel().into_bytes("study").unwrap();
        for cut in 0..whole.len() {
            assert!(Parcel::<String>::parse(&whole[..cut].to_vec().into(), "study").is_err(), "{cut}");
        }
        let more: Vec<u8> = whole.iter().copied().chain([0]).collect();
        assert!(Parcel::<String>::parse(&more.into(), "study").is_err());
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            // `what` and names of objects are nobody's digest here: the message's own digest covers them.
            if let Ok(found) = Parcel::<String>::parse(&other.into(), "study") {
                assert_eq!(found.small, parcel().small, "{at}");
            }
        }
    }

    #[test]
    fn a_length_that_is_a_lie_allocates_nothing() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(Parcel::<String>::parse(&bytes.into(), "s"), Err(Refused::TooLong { .. })));
    }
}
