//! When a certificate of ours begins and ends.
//!
//! The little of DER that is needed (ITU-T X.690, RFC 5280 4.1): `Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version,
//! serial, algorithm, issuer, validity SEQUENCE { notBefore, notAfter }, … } … }`. TLS itself does not use this: it is for
//! people who want to know before it is too late.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub until: i64,
}

/// The validity of the first certificate of a PEM text; `None` when it cannot be read.
pub fn validity(pem: &[u8]) -> Option<Validity> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate, _) = element(&der)?;
    let (_, tbs, _) = element(certificate)?;
    // Version, serial number, algorithm, issuer.
    let rest = (0..4).try_fold(tbs, |at, _| element(at).map(|(_, _, rest)| rest))?;
    let (_, span, _) = element(rest)?;
    let (first, from, rest) = element(span)?;
    let (second, until, _) = element(rest)?;
    Some(Validity { from: seconds(first, from)?, until: seconds(second, until)? })
}

/// Tag, contents, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = bytes.split_first_chunk()?;
    let (len, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (digits, rest) =
            rest.split_at_checked(usize::from(short & 0x7f)).filter(|(d, _)| d.len() <= 3)?;
        (digits.iter().fold(0, |len, &digit| len << 8 | usize::from(digit)), rest)
    };
    let (contents, rest) = rest.split_at_checked(len)?;
    Some((tag, contents, rest))
}

/// `YYMMDDHHMMSSZ` (tag 23, years 1950 to 2049) or `YYYYMMDDHHMMSSZ` (tag 24).
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok().filter(|t| t.is_ascii())?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        23 => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (year + if year < 50 { 2000 } else { 1900 }, text.get(2..)?)
        }
        24 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let field = |i: usize| rest.get(2 * i..2 * i + 2)?.parse::<i64>().ok();
    let (month, day, hour, minute, second) = (field(0)?, field(1)?, field(2)?, field(3)?, field(4)?);
    // Days since 1970 in the Gregorian calendar, years that begin in March (Howard Hinnant, days_from_civil).
    let y = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn dates_are_read_as_they_were_written() {
        for (from, until) in
            [((1970, 1, 1), (1971, 3, 1)), ((2026, 2, 28), (2052, 12, 31)), ((2024, 2, 29), (2049, 12, 31))]
        {
            let mut params = CertificateParams::default();
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let pem = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
            let found = validity(pem.as_bytes()).unwrap();
            assert_eq!(found.from, params.not_before.unix_timestamp(), "{from:?}");
            assert_eq!(found.until, params.not_after.unix_timestamp(), "{until:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for wrong in ["", "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"] {
            assert_eq!(validity(wrong.as_bytes()), None);
        }
        assert_eq!(element(&[0x30, 0x84, 1, 0, 0, 0]), None);
        assert_eq!(element(&[0x30, 5, 1]), None);
    }
}
