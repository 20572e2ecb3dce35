//! Fixed point: round trips, clipping, refusals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    reason = "a test says what it saw and stops"
)]

use blindscope_aggregate::{Error, FixedPoint};

#[test]
fn sums_of_integers_decode_to_sums_of_rounded_values() {
    let fixed = FixedPoint::new(2.0, 16).unwrap();
    let integers = fixed.encode(&[2.0, -2.0, 0.0, 9.0, -9.0, 1.0]).unwrap();
    assert_eq!(integers[..5], [fixed.max(), 0, fixed.max() / 2, fixed.max(), 0]);
    assert_eq!(fixed.decode_sum(integers[0] + integers[3], 2), 4.0);
    assert_eq!(fixed.decode_sum(integers[1] + integers[2], 2), -2.0);
    assert!((fixed.decode_sum(integers[5], 1) - 1.0).abs() <= 1.0 / 32_767.0);
}

/// Every half step of a small fixed point, and random values of a wide one, round as `round_ties_even` does.
#[test]
fn rounds_to_nearest_ties_to_even() {
    for (bits, count) in [(8u32, 1000u64), (32, 100_000)] {
        let fixed = FixedPoint::new(1.0, bits).unwrap();
        let h = fixed.half() as f64;
        for k in 0..count {
            let v = if bits == 8 {
                k as f64 / (2.0 * h) - 1.0
            } else {
                k.wrapping_mul(0x9e37_79b9_7f4a_7c15) as f64 * 2f64.powi(-63) - 1.0
            };
            let want = (v.clamp(-1.0, 1.0) * h + h).round_ties_even() as u64;
            assert_eq!(fixed.encode_one(0, v).unwrap(), want, "{v} at {bits} bits");
        }
    }
}

/// Many at a time they are what they are one by one, less half, at both ends and in between.
#[test]
fn signed_integers_are_those_of_single_values() {
    let mut values: Vec<f32> =
        (0..10_000u32).map(|k| k.wrapping_mul(0x9e37_79b9) as f32 / 2e9 - 1.1).collect();
    values.extend([0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE]);
    for bits in [2, 14, 31, 32] {
        let fixed = FixedPoint::new(0.75, bits).unwrap();
        let mut found = vec![0; values.len()];
        fixed.encode_signed(&values, &mut found).unwrap();
        for (value, found) in values.iter().zip(found) {
            let want = fixed.encode_one(0, f64::from(*value)).unwrap() as i64 - fixed.half() as i64;
            assert_eq!(i64::from(found), want, "{value} at {bits} bits");
        }
        let refused = fixed.encode_signed(&[0.0, f32::NAN, f32::NAN], &mut [0; 3]);
        assert_eq!(refused, Err(Error::NotANumber { index: 1 }));
    }
}

#[test]
fn refuses_what_is_no_number() {
    let fixed = FixedPoint::new(1.0, 16).unwrap();
    assert_eq!(fixed.encode(&[0.0, f64::NAN]), Err(Error::NotANumber { index: 1 }));
    assert!(FixedPoint::new(-1.0, 16).is_err() && FixedPoint::new(1.0, 40).is_err());
}
