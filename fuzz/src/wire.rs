//! Everything `wire` reads.

use blindscope_wire::{Fingerprint, Header, Kind, Reader, Writer, pack, packed_len, unpack};

/// Runs each reader on the input.
pub(crate) fn all(data: &[u8]) {
    fields(data);
    packing(data);
    frame(data);
}

/// The input is a program: each byte names the next field, which is then read from what follows it. A read either takes
/// exactly its length or leaves the cursor where it was.
fn fields(data: &[u8]) {
    let mut r = Reader::new(data);
    while let Ok(code) = r.u8("code") {
        let before = r.remaining();
        let taken = match code % 8 {
            0 => r.u8("u8").map(|_| 1),
            1 => r.u16("u16").map(|_| 2),
            2 => r.u32("u32").map(|_| 4),
            3 => r.u64("u64").map(|_| 8),
            4 => r.f64("f64").map(|_| 8),
            5 => r.count("count", 1 << 16).map(|count| {
                assert!(count <= 1 << 16);
                4
            }),
            6 => r.bytes("bytes", usize::from(code)).map(<[u8]>::len),
            _ => {
                let (width, mut values) = (u32::from(code) / 3, [u64::MAX; 9]);
                let taken = r.packed("packed", width, &mut values).map(|()| packed_len(9, width));
                assert!(taken.is_ok() || values == [u64::MAX; 9], "written to on an error");
                taken
            }
        };
        assert_eq!(r.remaining(), before - taken.unwrap_or(0));
    }
    assert!(r.finish().is_ok());
}

/// Width, count, packed bytes: refused, or exactly what packing the values gives.
fn packing(data: &[u8]) {
    let [width, count, bytes @ ..] = data else { return };
    let mut values = vec![0; usize::from(*count)];
    if unpack(bytes, u32::from(*width), &mut values).is_ok() {
        let mut again = Vec::new();
        pack(&values, u32::from(*width), &mut again);
        assert_eq!(again, bytes);
    }
}

/// Refused, or exactly what writing the header and payload gives.
fn frame(data: &[u8]) {
    // The magic is put in place: no fuzzer should have to guess it.
    let mut bytes = data.to_vec();
    if data.first().is_some_and(|b| b & 1 == 0) && bytes.len() >= 6 {
        bytes[..6].copy_from_slice(b"BSCP\x01\x00");
    }
    let Ok(header) = Header::read(&mut Reader::new(&bytes)) else { return };
    let Ok(payload) = Header::open(&bytes, header.kind, header.params) else { return };
    assert_eq!(payload.remaining() as u64, header.payload_len);
    let other = Kind(header.kind.0 ^ 1);
    assert!(Header::open(&bytes, other, header.params).is_err());
    let mut params = header.params.0;
    params[15] ^= 1;
    assert!(Header::open(&bytes, header.kind, Fingerprint(params)).is_err());
    let mut again = Vec::new();
    let mut w = Writer::new(&mut again, bytes.len());
    header.write(&mut w);
    w.bytes(&bytes[Header::LEN..]);
    w.finish();
    assert_eq!(again, bytes);
}
