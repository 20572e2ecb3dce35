//! What a site confirms at the end of a ceremony.

use blindscope_wire::Writer;

use crate::Blob;

/// The key and the parts that a site holds: the payload of phase parts. Both sides compute it; nobody parses it.
///
/// | bytes | field |
/// | ---: | --- |
/// | 32 + 8 | SHA-256 and length of the public key |
/// | 32 + 8 | SHA-256 and length of the bundle of parts |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The collective public key.
    pub public_key: Blob,
    /// The parts sealed to the site.
    pub bundle: Blob,
}

impl Confirmation {
    /// Bytes of one.
    pub const LEN: u64 = 80;

    /// The confirmation as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, Self::LEN as usize);
        for blob in [self.public_key, self.bundle] {
            w.bytes(&blob.digest.0);
            w.u64(blob.len);
        }
        w.finish();
        out
    }
}
