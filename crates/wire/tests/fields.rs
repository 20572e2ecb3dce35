//! Reader and writer against each other and against short, long and hostile bytes.

use proptest::prelude::*;

use blindscope_wire::{Error, Reader, Writer, packed_len};

#[derive(Debug, Clone)]
enum Field {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    F64(u64),
    Bytes(Vec<u8>),
    Packed(u32, Vec<u64>),
}

impl Field {
    fn len(&self) -> usize {
        match self {
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 4,
            Self::U64(_) | Self::F64(_) => 8,
            Self::Bytes(b) => b.len(),
            Self::Packed(width, values) => packed_len(values.len(), *width),
        }
    }

    fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::U8(v) => w.u8(*v),
            Self::U16(v) => w.u16(*v),
            Self::U32(v) => w.u32(*v),
            Self::U64(v) => w.u64(*v),
            Self::F64(bits) => w.f64(f64::from_bits(*bits)),
            Self::Bytes(b) => w.bytes(b),
            Self::Packed(width, values) => w.packed(values, *width),
        }
    }

    fn same_in(&self, r: &mut Reader<'_>) -> blindscope_wire::Result<bool> {
        Ok(match self {
            Self::U8(v) => r.u8("field")? == *v,
            Self::U16(v) => r.u16("field")? == *v,
            Self::U32(v) => r.u32("field")? == *v,
            Self::U64(v) => r.u64("field")? == *v,
            Self::F64(bits) => r.f64("field")?.to_bits() == *bits,
            Self::Bytes(b) => r.bytes("field", b.len())? == b,
            Self::Packed(width, values) => {
                let mut back = vec![0; values.len()];
                r.packed("field", *width, &mut back)?;
                back == *values
            }
        })
    }
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<u8>().prop_map(Field::U8),
        any::<u16>().prop_map(Field::U16),
        any::<u32>().prop_map(Field::U32),
        any::<u64>().prop_map(Field::U64),
        any::<u64>().prop_map(Field::F64),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Field::Bytes),
        (1..=64_u32).prop_flat_map(|w| {
            proptest::collection::vec(0..=u64::MAX >> (64 - w), 0..12).prop_map(move |v| Field::Packed(w, v))
        }),
    ]
}

fn written(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out, fields.iter().map(Field::len).sum());
    for f in fields {
        f.write(&mut w);
    }
    w.finish();
    out
}

proptest! {
    #[test]
    fn what_is_written_is_read(fields in proptest::collection::vec(field(), 0..12)) {
        let bytes = written(&fields);
        let mut r = Reader::new(&bytes);
        for f in &fields {
            prop_assert!(f.same_in(&mut r).unwrap(), "{:?}", f);
        }
        r.finish().unwrap();
    }

    /// Cut anywhere: some read says `Short`, and neither it nor any before it moves past the end.
    #[test]
    fn a_cut_object_is_refused(fields in proptest::collection::vec(field(), 1..12), cut in any::<prop::sample::Index>()) {
        let bytes = written(&fields);
        prop_assume!(!bytes.is_empty());
        let cut = &bytes[..cut.index(bytes.len())];
        let mut r = Reader::new(cut);
        let refused = fields.iter().find_map(|f| {
            let before = r.remaining();
            f.same_in(&mut r).err().map(|e| (e, before))
        });
        let (error, before) = refused.expect("a cut object was read whole");
        prop_assert!(matches!(error, Error::Short { available, .. } if available == before), "{}", error);
        prop_assert_eq!(r.remaining(), before, "the cursor moved on an error");
    }

    #[test]
    fn a_longer_object_is_refused(fields in proptest::collection::vec(field(), 0..6), extra in 1..9_usize) {
        let mut bytes = written(&fields);
        bytes.resize(bytes.len() + extra, 0);
        let mut r = Reader::new(&bytes);
        for f in &fields {
            f.same_in(&mut r).unwrap();
        }
        prop_assert_eq!(r.finish(), Err(Error::Trailing { found: extra }));
    }
}

#[test]
fn a_count_above_its_bound_is_refused_before_anything_is_allocated() {
    let bytes = u32::MAX.to_le_bytes();
    let mut r = Reader::new(&bytes);
    let error = r.count("key count", 16).unwrap_err();
    assert_eq!(error, Error::Bound { field: "key count", max: 16, found: u64::from(u32::MAX) });
    assert_eq!(
        error.to_string(),
        "read key count: expected at most 16, found 4294967295; the object does not fit these parameters"
    );
    assert_eq!(r.remaining(), 4);
    let mut r = Reader::new(&[16, 0, 0, 0]);
    assert_eq!(r.count("key count", 16), Ok(16));
}

#[test]
fn a_short_read_names_the_field_and_both_lengths() {
    let error = Reader::new(&[0; 3]).u64("scale").unwrap_err();
    assert_eq!(
        error.to_string(),
        "read scale: needs 8 bytes, 3 left; the object was cut short, fetch it again"
    );
    // A length that no address space holds does not overflow on the way to the error.
    assert!(matches!(Reader::new(&[]).bytes("payload", usize::MAX), Err(Error::Short { .. })));
}

#[test]
fn a_bad_packed_field_leaves_cursor_and_output() {
    let mut r = Reader::new(&[0xff]);
    let mut out = [9];
    assert_eq!(r.packed("residues", 3, &mut out), Err(Error::Padding { found: 0xf8 }));
    assert_eq!((r.remaining(), out), (1, [9]));
}
