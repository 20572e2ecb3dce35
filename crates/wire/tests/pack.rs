//! Packing against its definition, bit by bit, and against hostile bytes.

use proptest::prelude::*;

use blindscope_wire::{Error, pack, packed_len, unpack};

/// The definition: bit `k` of value `i` is bit `i·width + k` of the string.
fn pack_by_definition(values: &[u64], width: u32) -> Vec<u8> {
    let mut bytes = vec![0_u8; packed_len(values.len(), width)];
    for (i, value) in values.iter().enumerate() {
        for k in 0..width as usize {
            let bit = i * width as usize + k;
            bytes[bit / 8] |= (((value >> k) & 1) as u8) << (bit % 8);
        }
    }
    bytes
}

fn packed(values: &[u64], width: u32) -> Vec<u8> {
    let mut out = Vec::new();
    pack(values, width, &mut out);
    out
}

fn widths_and_values() -> impl Strategy<Value = (u32, Vec<u64>)> {
    (1..=64_u32).prop_flat_map(|width| {
        let max = u64::MAX >> (64 - width);
        let value = prop_oneof![1 => Just(0), 1 => Just(max), 4 => 0..=max];
        (Just(width), proptest::collection::vec(value, 0..70))
    })
}

proptest! {
    #[test]
    fn equals_the_definition_and_round_trips((width, values) in widths_and_values()) {
        let bytes = packed(&values, width);
        prop_assert_eq!(&bytes, &pack_by_definition(&values, width));
        let mut back = vec![0; values.len()];
        unpack(&bytes, width, &mut back).unwrap();
        prop_assert_eq!(back, values);
    }

    #[test]
    fn appends_without_touching_what_is_there((width, values) in widths_and_values(), before in any::<[u8; 5]>()) {
        let mut out = before.to_vec();
        pack(&values, width, &mut out);
        prop_assert_eq!(&out[..5], &before);
        prop_assert_eq!(&out[5..], &packed(&values, width));
    }

    /// Every accepted string is the one that packing would have written: one value, one form.
    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..80), width in 0..70_u32, count in 0..90_usize) {
        let mut out = vec![7; count];
        if unpack(&bytes, width, &mut out).is_ok() {
            prop_assert_eq!(packed(&out, width), bytes);
        } else {
            prop_assert_eq!(out, vec![7; count], "written to on an error");
        }
    }
}

#[test]
fn every_width_at_every_small_count() {
    for width in 1..=64 {
        for count in 0..20 {
            let values = vec![u64::MAX >> (64 - width); count];
            let bytes = packed(&values, width);
            assert_eq!(bytes, pack_by_definition(&values, width), "width {width}, count {count}");
            let mut back = vec![0; count];
            unpack(&bytes, width, &mut back).unwrap();
            assert_eq!(back, values, "width {width}, count {count}");
        }
    }
}

#[test]
fn length_and_padding_are_exact() {
    let bytes = packed(&[1, 2, 3], 46); // 138 bits: 18 bytes, 6 bits over
    let mut out = [0; 3];
    let short = unpack(&bytes[..17], 46, &mut out).unwrap_err();
    assert_eq!(short, Error::PackedLen { count: 3, width: 46, expected: 18, found: 17 });
    assert_eq!(
        short.to_string(),
        "unpack: 3 values of 46 bits take 18 bytes, found 17; compute the length with packed_len"
    );
    for bit in 2..8 {
        let mut set = bytes.clone();
        set[17] |= 1 << bit;
        assert_eq!(unpack(&set, 46, &mut out), Err(Error::Padding { found: 1 << bit }));
    }
    assert_eq!(out, [0; 3]);
}

#[test]
fn widths_outside_the_range_are_refused() {
    for width in [0, 65, u32::MAX] {
        assert_eq!(unpack(&[], width, &mut []), Err(Error::Width { operation: "unpack", found: width }));
    }
}

#[test]
fn lengths_no_slice_has_do_not_wrap() {
    assert_eq!(packed_len(usize::MAX, 64), usize::MAX);
    assert_eq!(packed_len(usize::MAX, 1), usize::MAX / 8 + 1);
    assert_eq!(packed_len(8192, 46), 8192 * 46 / 8);
}

#[test]
#[should_panic(expected = "found 65")]
fn packing_at_a_bad_width_panics() {
    packed(&[], 65);
}
