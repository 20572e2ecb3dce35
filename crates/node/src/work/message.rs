//! What goes through the queue: names of parcels. Bytes from outside, whoever sent them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Refused, Result};
use blindscope_federation::Blob;
use blindscope_transport::queue::LONGEST;

/// The version of messages and parcels.
pub(super) const VERSION: u32 = 2;
/// Longest name of an object.
const NAME: usize = 1024;
/// Longest name of a worker.
const WORKER: usize = 64;
/// Most pieces that a worker says it is at.
pub(crate) const MOST_AT_WORK: usize = 32;

/// A blob in an object of the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Object {
    /// Its bytes.
    pub(crate) blob: Blob,
    /// The object's name.
    pub(crate) name: String,
}

/// Work to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkMessage {
    version: u32,
    study: String,
    /// The piece, as a parcel.
    pub(crate) piece: Object,
}

/// Work that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerMessage {
    version: u32,
    study: String,
    /// The parcel that named the piece.
    pub(crate) piece: Blob,
    /// What it came to, as a parcel; nothing where this worker could not do it, and says so in its own log.
    pub(crate) made: Option<Object>,
}

/// A worker that is there, and what it is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beat {
    version: u32,
    study: String,
    /// Which worker, by a name that it has drawn.
    pub(crate) worker: String,
    /// Pieces that it does at a time.
    pub(crate) pieces: u32,
    /// The parcels of its pieces.
    pub(crate) at: Vec<Blob>,
}

/// What every release says first.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What has a version and a study.
pub(crate) trait Said: Serialize + DeserializeOwned {
    /// What it is, for messages.
    const WHAT: &'static str;

    /// Version and study that it says.
    fn of(&self) -> (u32, &str);

    /// Refuses what no message of ours has.
    fn bounded(&self) -> Result<()>;

    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8> {
        // Numbers and texts: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// A message of this study.
    fn parse(bytes: &[u8], study: &str) -> Result<Self> {
        let what = Self::WHAT;
        if bytes.len() > LONGEST {
            return Err(Refused::TooLong { what, found: bytes.len() as u64, most: LONGEST as u64 });
        }
        let form = |e: serde_json::Error| Refused::Form { what, reason: e.to_string() };
        // Another release may have other keys.
        let Version { version: found } = serde_json::from_slice(bytes).map_err(form)?;
        if found != VERSION {
            return Err(Refused::Version { what, found, expected: VERSION });
        }
        let said: Self = serde_json::from_slice(bytes).map_err(form)?;
        let (_, found) = said.of();
        if found != study {
            return Err(Refused::OtherStudy { what, found: found.chars().take(64).collect() });
        }
        said.bounded()?;
        Ok(said)
    }
}

fn named(what: &'static str, object: &Object) -> Result<()> {
    if object.name.len() <= NAME {
        return Ok(());
    }
    Err(Refused::TooLong { what, found: object.name.len() as u64, most: NAME as u64 })
}

impl WorkMessage {
    pub(crate) fn new(study: &str, piece: Object) -> Self {
        Self { version: VERSION, study: study.to_owned(), piece }
    }
}

impl AnswerMessage {
    pub(crate) fn new(study: &str, piece: Blob, made: Option<Object>) -> Self {
        Self { version: VERSION, study: study.to_owned(), piece, made }
    }
}

impl Beat {
    pub(crate) fn new(study: &str, (worker, pieces): (&str, u32), at: Vec<Blob>) -> Self {
        Self { version: VERSION, study: study.to_owned(), worker: worker.to_owned(), pieces, at }
    }
}

impl Said for WorkMessage {
    const WHAT: &'static str = "work message";

    fn of(&self) -> (u32, &str) {
        (self.version, &self.study)
    }

    fn bounded(&self) -> Result<()> {
        named(Self::WHAT, &self.piece)
    }
}

impl Said for AnswerMessage {
    const WHAT: &'static str = "answer to work";

    fn of(&self) -> (u32, &str) {
        (self.version, &self.study)
    }

    fn bounded(&self) -> Result<()> {
        self.made.iter().try_for_each(|object| named(Self::WHAT, object))
    }
}

impl Said for Beat {
    const WHAT: &'static str = "beat of a worker";

    fn of(&self) -> (u32, &str) {
        (self.version, &self.study)
    }

    fn bounded(&self) -> Result<()> {
        let numbers = [
            (self.worker.len(), WORKER),
            (self.at.len(), MOST_AT_WORK),
            (self.pieces as usize, MOST_AT_WORK),
        ];
        match numbers.into_iter().find(|(found, most)| found > most) {
            Some((found, most)) => {
                Err(Refused::TooLong { what: Self::WHAT, found: found as u64, most: most as u64 })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        Object { blob: Blob::of(b"piece"), name: "work/ab-cd".to_owned() }
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let study = "ab".repeat(32);
        let work = WorkMessage::new(&study, object());
        assert_eq!(WorkMessage::parse(&work.to_bytes(), &study).unwrap(), work);
        let answer = AnswerMessage::new(&study, object().blob, None);
        assert_eq!(AnswerMessage::parse(&answer.to_bytes(), &study).unwrap(), answer);
        let beat = Beat::new(&study, (&"w".repeat(WORKER), 32), vec![object().blob; MOST_AT_WORK]);
        assert!(beat.to_bytes().len() <= LONGEST);
        assert_eq!(Beat::parse(&beat.to_bytes(), &study).unwrap(), beat);
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let long = vec![b' '; LONGEST + 1];
        assert!(matches!(WorkMessage::parse(&long, "s"), Err(Refused::TooLong { .. })));
        let name = "x".repeat(NAME + 1);
        let work = WorkMessage::new("s", Object { name, ..object() });
        assert!(matches!(WorkMessage::parse(&work.to_bytes(), "s"), Err(Refused::TooLong { .. })));
        let (blob, long) = (Blob { len: 0, ..object().blob }, "w".repeat(WORKER + 1));
        for (worker, pieces, at) in
            [("w", 1, MOST_AT_WORK + 1), (&*long, 1, 0), ("w", MOST_AT_WORK as u32 + 1, 0)]
        {
            let beat = Beat::new("s", (worker, pieces), vec![blob; at]);
            assert!(matches!(Beat::parse(&beat.to_bytes(), "s"), Err(Refused::TooLong { .. })));
        }
    }

    #[test]
    fn other_versions_studies_and_forms_are_told_apart() {
        let work = WorkMessage::new("mine", object());
        let bytes = work.to_bytes();
        let said = WorkMessage::parse(&bytes, "other").unwrap_err().to_string();
        assert!(said.contains("of study mine"), "{said}");
        // A later release may say things that this one has no key for.
        let said = WorkMessage::parse(br#"{"version": 3, "more": 1}"#, "mine").unwrap_err().to_string();
        assert!(said.contains("version 3") && said.contains("same release"), "{said}");
        for wrong in [&b""[..], b"\xff\xfe", b"[]", b"{}", br#"{"version":2}"#, br#"{"version":-1}"#] {
            assert!(matches!(WorkMessage::parse(wrong, "mine"), Err(Refused::Form { .. })), "{wrong:?}");
        }
        let unknown = String::from_utf8(bytes).unwrap().replacen('{', r#"{"more":1,"#, 1);
        assert!(matches!(WorkMessage::parse(unknown.as_bytes(), "mine"), Err(Refused::Form { .. })));
    }
}
