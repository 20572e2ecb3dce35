//! A head's file: JSON of the literal, with the names of its classes where they are known.

use serde::{Deserialize, Serialize};

use super::literal::{HeadLiteral, Map, Normalisation};
use super::{Head, MOST_BYTES};
use crate::{Error, Result};

/// The JSON. A file without names is the literal's own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
    normalisation: Normalisation,
    map: Map,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<f64>,
}

impl Head {
    /// Reads a head from JSON.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a file beyond what is read; [`Error::Json`] where it is no JSON of a head; as [`Self::new`] and
    /// [`Self::of_classes`] for parts that do not agree.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MOST_BYTES {
            return Err(Error::TooLarge { what: "head", found: bytes.len(), most: MOST_BYTES });
        }
        let HeadFile { classes, normalisation, map, range } = serde_json::from_slice(bytes)?;
        Self::new(HeadLiteral { normalisation, map, range })?.of_known_classes(classes)
    }

    /// The head as JSON.
    ///
    /// # Errors
    /// [`Error::Json`] where it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let HeadLiteral { normalisation, map, range } = self.literal.clone();
        Ok(serde_json::to_vec(&HeadFile { classes: self.names.clone(), normalisation, map, range })?)
    }

    /// As [`Self::of_classes`]; no names say nothing.
    pub(super) fn of_known_classes(self, names: Vec<String>) -> Result<Self> {
        if names.is_empty() { Ok(self) } else { self.of_classes(names) }
    }
}
