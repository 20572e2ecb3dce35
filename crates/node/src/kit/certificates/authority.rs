//! The study's own certificate authority. It signs keys that it never sees.

use std::net::IpAddr;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::keyfile;
use crate::error::{Error, Result};
use crate::files;
use blindscope_federation::{IdentityKey, PublicIdentity};

/// Years that the authority lasts.
const AUTHORITY_DAYS: i64 = 3653;
/// Longest file of the authority.
const MAX: u64 = 1 << 16;

/// A certificate authority: its certificate goes to everybody, its key stays with the coordinator.
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Which end of a connection a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage<'a> {
    /// The coordinator under these host names and addresses.
    Server(&'a [String]),
    /// Everybody else.
    Client,
}

/// A key that a certificate is made over.
struct Subject(PublicIdentity);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        &self.0.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl Authority {
    /// A new authority of a study, written to `certificate` and `key`.
    ///
    /// # Errors
    /// [`Error::File`] where the key's file exists; [`Error::Certificate`] where the library makes none.
    pub fn create(
        study: &str,
        key: &IdentityKey,
        certificate: &Path,
        key_file: &Path,
        now_ms: u64,
    ) -> Result<Self> {
        let pem = keyfile::identity_pem(key)?;
        let pair = pair(study, &pem)?;
        let params = params(study, now_ms)?;
        let signed = params.self_signed(&pair).map_err(|e| refused(study, &e))?.pem();
        files::write_secret(key_file, pem.as_bytes())?;
        files::write(certificate, signed.as_bytes())?;
        Ok(Self { pem: signed, issuer: Issuer::new(params, pair) })
    }

    /// The authority in these files.
    ///
    /// # Errors
    /// [`Error::File`] where the file cannot be read or written; [`Error::Certificate`] for a certificate or key
    /// that cannot be used.
    pub fn open(study: &str, certificate: &Path, key_file: &Path) -> Result<Self> {
        let pem = files::read_text(certificate, MAX)?;
        let key = files::read_text(key_file, MAX)?;
        // The name and the key make the issuer; its dates are in its own certificate.
        let issuer = Issuer::new(params(study, 0)?, pair(study, &key)?);
        Ok(Self { pem: pem.to_string(), issuer })
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate over `key`, PEM.
    ///
    /// # Errors
    /// [`Error::Certificate`] for a certificate or key that cannot be used.
    pub fn issue(
        &self,
        name: &str,
        key: PublicIdentity,
        usage: Usage<'_>,
        days: u32,
        now_ms: u64,
    ) -> Result<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![match usage {
            Usage::Server(_) => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        if let Usage::Server(hosts) = usage {
            params.subject_alt_names =
                hosts.iter().map(|host| alternative(name, host)).collect::<Result<_>>()?;
        }
        (params.not_before, params.not_after) = span(name, now_ms, days.into())?;
        params.serial_number = Some(serial(name, &key, now_ms));
        let signed = params.signed_by(&Subject(key), &self.issuer).map_err(|e| refused(name, &e))?;
        Ok(signed.pem())
    }
}

fn params(study: &str, now_ms: u64) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Blindscope");
    params.distinguished_name.push(DnType::CommonName, format!("{study} authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = span(study, now_ms, AUTHORITY_DAYS)?;
    Ok(params)
}

/// From a day before now, so that a clock that is a little behind takes it at once.
fn span(name: &str, now_ms: u64, days: i64) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let seconds = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    let now = OffsetDateTime::from_unix_timestamp(seconds).map_err(|e| refused(name, &e))?;
    Ok((now - Duration::days(1), now + Duration::days(days)))
}

/// A number that no two certificates share: of name, key and time.
fn serial(name: &str, key: &PublicIdentity, now_ms: u64) -> SerialNumber {
    let mut hasher = blindscope_wire::Hasher::new("blindscope/certificate/v1");
    hasher.absorb(name.as_bytes()).absorb(&key.0).absorb_u64(now_ms);
    let mut number = hasher.finish().fingerprint().0;
    // Positive, and not empty of leading digits.
    number[0] = number[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&number)
}

fn alternative(name: &str, host: &str) -> Result<SanType> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    host.try_into().map(SanType::DnsName).map_err(|e| refused(name, &e))
}

fn pair(name: &str, pem: &Zeroizing<String>) -> Result<KeyPair> {
    KeyPair::from_pem(pem).map_err(|e| refused(name, &e))
}

fn refused(name: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::Certificate { name: name.to_owned(), reason: cause.to_string() }
}
