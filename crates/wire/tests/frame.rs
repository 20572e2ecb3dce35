//! Headers and digests: the exact bytes, and every way to get them wrong.

use proptest::prelude::*;

use blindscope_wire::{Digest, Error, Fingerprint, Hasher, Header, Kind, Reader, Writer};

const PARAMS: Fingerprint = Fingerprint([0xa5; 16]);
const KIND: Kind = Kind(0x0102);

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out, Header::LEN + payload.len());
    Header { kind: KIND, params: PARAMS, payload_len: payload.len() as u64 }.write(&mut w);
    w.bytes(payload);
    w.finish();
    out
}

/// Pins the layout: a change here is a change of format and needs a new version.
#[test]
fn the_layout_is_pinned() {
    let mut expected = b"BSCP\x01\x00\x02\x01".to_vec();
    expected.extend([0xa5; 16]);
    expected.extend([3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(expected.len(), Header::LEN);
    expected.extend(b"abc");
    assert_eq!(framed(b"abc"), expected);
    let mut payload = Header::open(&expected, KIND, PARAMS).unwrap();
    assert_eq!(payload.bytes("payload", 3).unwrap(), b"abc");
    payload.finish().unwrap();
}

#[test]
fn each_field_is_checked_and_the_error_holds_both_values() {
    let good = framed(b"abc");
    let opened = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        Header::open(&bytes, KIND, PARAMS).map(|_| ()).unwrap_err()
    };
    assert_eq!(opened(&|b| b[0] = b'X'), Error::Magic { expected: *b"BSCP", found: *b"XSCP" });
    assert_eq!(opened(&|b| b[4] = 2), Error::Version { expected: 1, found: 2 });
    assert_eq!(opened(&|b| b[6] = 9), Error::Kind { expected: KIND, found: Kind(0x0109) });
    let mut other = PARAMS;
    other.0[0] = 0;
    assert_eq!(opened(&|b| b[8] = 0), Error::Params { expected: PARAMS, found: other });
    assert_eq!(opened(&|b| b[24] = 4), Error::PayloadLen { expected: 3, found: 4 });
    assert_eq!(opened(&|b| b[31] = 0xff), Error::PayloadLen { expected: 3, found: 0xff00_0000_0000_0003 });
    assert_eq!(opened(&|b| b.push(0)), Error::PayloadLen { expected: 4, found: 3 });
    assert_eq!(
        opened(&|b| b.truncate(31)),
        Error::Short { field: "payload length", needed: 8, available: 7 }
    );
    assert_eq!(
        opened(&|b| b[6] = 9).to_string(),
        "open frame: expected kind 0x0102, found 0x0109; a different object was sent or stored here"
    );
}

#[test]
fn a_stream_reader_refuses_the_length_before_the_payload_exists() {
    let header = Header { kind: KIND, params: PARAMS, payload_len: u64::MAX };
    assert_eq!(header.require_payload(1024), Err(Error::PayloadLen { expected: 1024, found: u64::MAX }));
    header.require(KIND, PARAMS).unwrap();
}

proptest! {
    #[test]
    fn a_header_is_read_as_written(kind in any::<u16>(), params in any::<[u8; 16]>(), payload_len in any::<u64>()) {
        let header = Header { kind: Kind(kind), params: Fingerprint(params), payload_len };
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out, Header::LEN);
        header.write(&mut w);
        w.finish();
        prop_assert_eq!(Header::read(&mut Reader::new(&out)), Ok(header));
    }

    #[test]
    fn any_one_flipped_bit_in_the_header_is_refused(bit in 0..Header::LEN * 8) {
        let mut bytes = framed(b"payload");
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Header::open(&bytes, KIND, PARAMS).is_err());
    }

    #[test]
    fn any_bytes_are_refused_or_reproduced(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(payload) = Header::open(&bytes, KIND, PARAMS) {
            let len = payload.remaining();
            prop_assert_eq!(framed(&bytes[bytes.len() - len..]), bytes);
        }
    }

    /// Moving a boundary between pieces changes the digest.
    #[test]
    fn pieces_are_not_confused(pieces in proptest::collection::vec(any::<u8>(), 2..40), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (a, b) = (a.index(pieces.len()), b.index(pieces.len()));
        let split = |at: usize| Hasher::new("test").absorb(&pieces[..at]).absorb(&pieces[at..]).finish();
        prop_assert_eq!(split(a) == split(b), a == b);
    }
}

/// SHA-256 of 4 as 8 bytes, "test", 3 as 8 bytes, "abc"; made with Python's hashlib.
#[test]
fn the_absorption_is_pinned() {
    let digest = Hasher::new("test").absorb(b"abc").finish();
    assert_eq!(digest.to_string(), "d1511677872b3eff330423e6cb979b332edc4e8a3c520cf708dd7c553182e902");
    assert_eq!(digest.fingerprint().to_string(), digest.to_string()[..32]);
    assert_eq!(format!("{digest:?}"), format!("Digest({digest})"));
    assert_eq!(Digest(digest.0), digest);
    assert_eq!(
        Hasher::new("test").absorb_u64(3).finish(),
        Hasher::new("test").absorb(&[3, 0, 0, 0, 0, 0, 0, 0]).finish()
    );
}

#[test]
fn a_hasher_does_not_show_what_it_absorbed() {
    assert_eq!(format!("{:?}", Hasher::new("test").absorb(b"secret")), "Hasher(..)");
}
