//! A head's file: JSON of the literal, with the names of its classes and its backbone where they are known.

use serde::{Deserialize, Serialize};

use super::literal::{HeadLiteral, Map, Normalisation};
use super::{Head, MOST_BYTES, SHOWN};
use crate::{Error, Result};
use blindscope_wire::{hex, unhex};

/// The JSON. A file without notes is the literal's own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
    /// Digest, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backbone: Option<String>,
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
    /// [`Self::of_classes`] for parts that do not agree; [`Error::Backbone`] for a backbone that is no digest.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MOST_BYTES {
            return Err(Error::TooLarge { what: "head", found: bytes.len(), most: MOST_BYTES });
        }
        let HeadFile { classes, backbone, normalisation, map, range } = serde_json::from_slice(bytes)?;
        let head = Self::new(HeadLiteral { normalisation, map, range })?.of_known_classes(classes)?;
        head.of_known_backbone(backbone.as_deref())
    }

    /// The head as JSON.
    ///
    /// # Errors
    /// [`Error::Json`] where it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let HeadLiteral { normalisation, map, range } = self.literal.clone();
        let (classes, backbone) = (self.notes.names.clone(), self.notes.backbone.map(|digest| hex(&digest)));
        Ok(serde_json::to_vec(&HeadFile { classes, backbone, normalisation, map, range })?)
    }

    /// As [`Self::of_classes`]; no names say nothing.
    pub(super) fn of_known_classes(self, names: Vec<String>) -> Result<Self> {
        if names.is_empty() { Ok(self) } else { self.of_classes(names) }
    }

    /// As [`Self::of_backbone`], of what a file says.
    pub(super) fn of_known_backbone(self, said: Option<&str>) -> Result<Self> {
        let digest = |text: &str| {
            unhex(text).ok_or_else(|| Error::Backbone { found: text.chars().take(SHOWN).collect() })
        };
        Ok(self.of_backbone(said.map(digest).transpose()?))
    }
}
