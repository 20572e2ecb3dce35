//! LZF, the fast compression of h5py (filter 32000): literals, and copies of what came before.

use hdf5_reader::error::Error;
use hdf5_reader::filters::{FilterFn, FilterRegistry};

/// HDF5's registered number.
const FILTER: u16 = 32_000;
/// Longest chunk that is unpacked.
const MOST: usize = 256 << 20;

/// The usual filters and this one.
pub(super) fn registry() -> FilterRegistry {
    let mut registry = FilterRegistry::new();
    let unpack: FilterFn = Box::new(|filter, data, _| {
        // The third value of the filter is the chunk's length once unpacked.
        let length = filter.client_data.get(2).map_or(0, |n| *n as usize);
        unpack(data, length).ok_or_else(|| Error::InvalidData("a chunk packed by LZF is damaged".into()))
    });
    registry.register(FILTER, unpack);
    registry
}

/// Unpacks a chunk of `length` bytes; none when it is damaged.
fn unpack(mut data: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(length.min(data.len().saturating_mul(264)).min(MOST));
    while let Some((&control, rest)) = data.split_first() {
        let control = usize::from(control);
        if control < 32 {
            out.extend(rest.get(..=control)?);
            data = &rest[control + 1..];
        } else {
            let (mut count, mut rest) = (control >> 5, rest);
            if count == 7 {
                let (&more, after) = rest.split_first()?;
                (count, rest) = (count + usize::from(more), after);
            }
            let (&low, after) = rest.split_first()?;
            let back = ((control & 31) << 8 | usize::from(low)) + 1;
            let start = out.len().checked_sub(back)?;
            // A copy may overlap what it writes.
            for at in start..start + count + 2 {
                out.push(*out.get(at)?);
            }
            data = after;
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length && length <= MOST).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_overlapping_copies() {
        // "ab", then seven bytes from two before: `001` says three, so five is 3 + 2.
        assert_eq!(unpack(&[1, b'a', b'b', 3 << 5, 1], 7).unwrap(), b"abababa");
        assert_eq!(unpack(&[0, b'z', 7 << 5, 10, 0], 20).unwrap(), [b'z'; 20]);
        assert!(unpack(&[1, b'a', b'b', 3 << 5, 2], 7).is_none(), "before the beginning");
        assert!(unpack(&[1, b'a'], 2).is_none(), "cut off");
        assert!(unpack(&[1, b'a', b'b'], 3).is_none(), "too short");
    }
}
