//! Bytes as lower-case hexadecimal text: one value, one text.

/// The text of these bytes, two digits each.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    hex_into(bytes, &mut text);
    text
}

/// Appends the text of these bytes. Where they are secret, the caller hands a text in that it wipes, long enough not to grow.
///
/// # Timing
/// Depends on the number of bytes alone.
pub fn hex_into(bytes: &[u8], text: &mut String) {
    // 10 or more: the distance from '9' + 1 to 'a' is added.
    let digit = |value: u8| char::from(b'0' + value + (9u8.wrapping_sub(value) >> 7) * (b'a' - b'9' - 1));
    text.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
}

/// The bytes that this text writes; `None` for another length, another alphabet or upper case.
pub fn unhex<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    unhex_into(text.as_bytes(), &mut bytes).then_some(bytes)
}

/// Fills `bytes` with what `text` writes and says whether it could: another length, another alphabet or upper case cannot.
///
/// # Timing
/// Depends on the lengths alone; whether the text was right is the only thing that is told of it.
#[must_use]
pub fn unhex_into(text: &[u8], bytes: &mut [u8]) -> bool {
    if text.len() != 2 * bytes.len() {
        return false;
    }
    let mut wrong = 0;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = [nibble(pair[0]), nibble(pair[1])];
        wrong |= high | low;
        *byte = (high << 4) | (low & 15);
    }
    wrong & 0x80 == 0
}

/// The value of a digit; the highest bit is set for any other character.
fn nibble(c: u8) -> u8 {
    let (decimal, letter) = (c.wrapping_sub(b'0'), c.wrapping_sub(b'a'));
    // All ones where the difference is in range, nothing otherwise.
    let [is_decimal, is_letter] = [below(decimal, 10), below(letter, 6)];
    (decimal & is_decimal) | (letter.wrapping_add(10) & is_letter) | (0x80 & !(is_decimal | is_letter))
}

/// All ones for `a < b`, by the borrow of a wider subtraction.
fn below(a: u8, b: u8) -> u8 {
    ((u16::from(a).wrapping_sub(u16::from(b))) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=255u8 {
            assert_eq!(hex(&[byte]), format!("{byte:02x}"));
            assert_eq!(unhex::<1>(&format!("{byte:02x}")), Some([byte]));
        }
    }

    #[test]
    fn every_other_character_is_refused() {
        for c in (0..128u8).filter(|c| !matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            let c = char::from(c);
            assert_eq!(unhex::<1>(&format!("{c}0")), None, "{c:?}");
            assert_eq!(unhex::<1>(&format!("0{c}")), None, "{c:?}");
        }
    }

    #[test]
    fn one_value_has_one_text() {
        assert_eq!(hex(&[0, 0xa7, 0xff]), "00a7ff");
        assert_eq!(unhex::<3>("00a7ff"), Some([0, 0xa7, 0xff]));
        for wrong in ["00A7ff", "00a7f", "00a7", "00a7ff00", "0 a7ff", "", "0µ0µ"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }
}
