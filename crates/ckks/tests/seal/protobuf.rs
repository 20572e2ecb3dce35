//! As much of protobuf's wire format as TenSEAL's messages use: length-delimited fields, others skipped.
//!
//! Reference: protobuf.dev, "Encoding".

use super::format::{Result, SealError};
use blindscope_wire::Reader;

/// The contents of each length-delimited field numbered `field`, in order.
pub(crate) fn fields(message: &[u8], field: u64) -> Result<Vec<&[u8]>> {
    let mut r = Reader::new(message);
    let mut found = Vec::new();
    while r.remaining() > 0 {
        let key = varint(&mut r)?;
        match key & 7 {
            0 => drop(varint(&mut r)?),
            1 => drop(r.u64("protobuf fixed64")?),
            2 => {
                let len = usize::try_from(varint(&mut r)?).unwrap_or(usize::MAX);
                let content = r.bytes("protobuf bytes", len)?;
                if key >> 3 == field {
                    found.push(content);
                }
            }
            5 => drop(r.u32("protobuf fixed32")?),
            other => return Err(SealError::WireType(other)),
        }
    }
    Ok(found)
}

/// The first such field.
pub(crate) fn field(message: &[u8], number: u64) -> Result<&[u8]> {
    fields(message, number)?.first().copied().ok_or(SealError::NoField(number))
}

/// Seven bits a byte, least significant first, the top bit says that more follow.
fn varint(r: &mut Reader<'_>) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = r.u8("protobuf varint")?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(SealError::Varint)
}
