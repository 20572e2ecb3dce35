//! Bytes of fixed length as lower-case hexadecimal text, the only form in which they stand in files and records.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use blindscope_wire::hex;

/// What hexadecimal text can stand for.
pub(crate) trait Bytes: Sized {
    fn bytes(&self) -> &[u8];
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl<const LEN: usize> Bytes for [u8; LEN] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }
}

impl Bytes for blindscope_wire::Digest {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// The bytes of this text; `None` for another length, another alphabet or upper case: one value has one text.
pub(crate) fn from_hex<T: Bytes>(text: &str) -> Option<T> {
    let mut bytes = vec![0; text.len() / 2];
    blindscope_wire::unhex_into(text.as_bytes(), &mut bytes).then(|| T::from_bytes(&bytes))?
}

/// For `#[serde(with = "crate::text")]`.
pub(crate) fn serialize<T: Bytes, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex(value.bytes()))
}

/// For `#[serde(with = "crate::text")]`.
pub(crate) fn deserialize<'de, T: Bytes, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    from_hex(&text)
        .ok_or_else(|| D::Error::custom("expected lower-case hexadecimal digits of the right number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text() {
        assert_eq!(hex(&[0, 0xa7, 0xff]), "00a7ff");
        assert_eq!(from_hex::<[u8; 3]>("00a7ff"), Some([0, 0xa7, 0xff]));
        for wrong in ["00A7ff", "00a7f", "00a7", "00a7ff00", "0 a7ff", ""] {
            assert_eq!(from_hex::<[u8; 3]>(wrong), None, "{wrong}");
        }
    }
}
