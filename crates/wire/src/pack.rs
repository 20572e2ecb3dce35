//! Residues at a fixed width of 1 to 64 bits, contiguous, least significant bit first.
//!
//! Value `i` occupies bits `[i·w, (i+1)·w)` of the byte string, where bit `b` is bit `b mod 8` of byte `⌊b/8⌋`. The
//! bits above the last value in the last byte are zero, and a reader refuses anything else, so a sequence of values
//! has exactly one packed form. Eight values take exactly `w` bytes.

use crate::error::{Error, Result};

/// Widest value, in bits.
pub const MAX_WIDTH: u32 = u64::BITS;

/// Bytes that `count` values of `width` bits take: ⌈count·width / 8⌉, or `usize::MAX` when that does not fit,
/// a length no slice has.
pub fn packed_len(count: usize, width: u32) -> usize {
    usize::try_from((count as u128 * u128::from(width)).div_ceil(8)).unwrap_or(usize::MAX)
}

/// Appends `values` at `width` bits each: `packed_len(values.len(), width)` bytes.
///
/// *Range*: each value below `2^width`, asserted in debug builds; a larger one would spill into its neighbour.
///
/// # Panics
/// When `width` is not in `1..=64`: widths come from checked parameters, never from the wire.
pub fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    assert!((1..=MAX_WIDTH).contains(&width), "pack: expected a width of 1 to 64 bits, found {width}");
    debug_assert!(values.iter().all(|&v| v <= mask(width)), "pack: a value needs more than {width} bits");
    out.reserve(packed_len(values.len(), width));
    let mut pending = 0_u128; // `held` < 64 bits not yet written, so a further value always fits
    let mut held = 0;
    for &value in values {
        pending |= u128::from(value) << held;
        held += width;
        if held >= u64::BITS {
            out.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= u64::BITS;
            held -= u64::BITS;
        }
    }
    out.extend_from_slice(&pending.to_le_bytes()[..held.div_ceil(8) as usize]);
}

/// Fills `out` with values of `width` bits.
///
/// *Range*: each output is below `2^width`; whether it is below the modulus is the caller's check.
///
/// # Errors
/// [`Error::Width`] outside `1..=64`; [`Error::PackedLen`] when `bytes` is not exactly
/// `packed_len(out.len(), width)` long; [`Error::Padding`] when a bit above the last value is set. `out` is then
/// unchanged.
pub fn unpack(bytes: &[u8], width: u32, out: &mut [u64]) -> Result<()> {
    if !(1..=MAX_WIDTH).contains(&width) {
        return Err(Error::Width { operation: "unpack", found: width });
    }
    let expected = packed_len(out.len(), width);
    if bytes.len() != expected {
        return Err(Error::PackedLen { count: out.len(), width, expected, found: bytes.len() });
    }
    check_padding(bytes, out.len(), width)?;
    // A window starts at most 7 bits before its value: 8 bytes hold any value of up to 57 bits, 16 bytes any.
    if width <= 57 {
        unpack_windows(bytes, width, out, |window, shift| u64::from_le_bytes(window) >> shift);
    } else {
        unpack_windows(bytes, width, out, |window, shift| (u128::from_le_bytes(window) >> shift) as u64);
    }
    Ok(())
}

/// Reads each value from the `BYTES` bytes that start at the byte of its first bit. `extract` shifts the value down;
/// whatever lies above it is masked off here. The last few windows reach past the end and are filled with zeros.
fn unpack_windows<const BYTES: usize>(
    bytes: &[u8],
    width: u32,
    out: &mut [u64],
    extract: impl Fn([u8; BYTES], u32) -> u64,
) {
    let mask = mask(width);
    let mut bit = 0;
    for value in out {
        let ahead = &bytes[bit / 8..];
        let window = ahead.first_chunk().copied().unwrap_or_else(|| zero_extended(ahead));
        *value = extract(window, (bit % 8) as u32) & mask;
        bit += width as usize;
    }
}

fn zero_extended<const BYTES: usize>(short: &[u8]) -> [u8; BYTES] {
    let mut window = [0; BYTES];
    window[..short.len()].copy_from_slice(short);
    window
}

/// Refuses set bits above the last of `count` values.
fn check_padding(bytes: &[u8], count: usize, width: u32) -> Result<()> {
    let used = (count as u128 * u128::from(width) % 8) as u32; // bits of the last byte in use; 0 means all
    let found = bytes.last().map_or(0, |&last| if used == 0 { 0 } else { last >> used << used });
    if found == 0 { Ok(()) } else { Err(Error::Padding { found }) }
}

/// `2^width − 1`.
const fn mask(width: u32) -> u64 {
    u64::MAX >> (MAX_WIDTH - width)
}
