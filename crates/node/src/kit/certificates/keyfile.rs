//! Secret keys in files of mode 0600: the identity as PKCS#8 PEM that any TLS tool reads, the sealing key as hexadecimal.

use std::path::Path;

use rcgen::KeyPair;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::files;
use blindscope_federation::{IdentityKey, SealingKey};
use blindscope_wire::{hex_into, unhex_into};

/// PKCS#8 of an Ed25519 key up to its 32-byte seed (RFC 8410): version 1, and version 2 with the public key behind.
const PKCS8_V1: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// The part that both versions share, from byte 5.
const ALGORITHM: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Longest key file.
const MAX: u64 = 4096;

/// The key as PKCS#8 PEM.
///
/// # Errors
/// [`Error::Certificate`] where the library makes no key: a defect.
pub fn identity_pem(key: &IdentityKey) -> Result<Zeroizing<String>> {
    let mut der = Zeroizing::new(PKCS8_V1.to_vec());
    der.extend_from_slice(&*key.to_bytes());
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.as_slice()));
    let pair = KeyPair::try_from(&der)
        .map_err(|e| Error::Certificate { name: "a new key".to_owned(), reason: e.to_string() })?;
    Ok(Zeroizing::new(pair.serialize_pem()))
}

/// Writes a new identity; an existing file is not replaced.
///
/// # Errors
/// [`Error::File`] where the file is there already, or cannot be written.
pub fn write_identity(path: &Path, key: &IdentityKey) -> Result<()> {
    files::write_secret(path, identity_pem(key)?.as_bytes())
}

/// The identity in a file.
///
/// # Errors
/// [`Error::File`] where the file cannot be read; [`Error::KeyFile`] for one that holds no Ed25519 key in PKCS#8 PEM.
pub fn read_identity(path: &Path) -> Result<IdentityKey> {
    let pem = files::read_text(path, MAX)?;
    let wrong = || Error::KeyFile { path: path.to_owned(), reason: "no Ed25519 key in PKCS#8 PEM" };
    let der = Zeroizing::new(KeyPair::from_pem(&pem).map_err(|_| wrong())?.serialize_der());
    let (head, rest) = der.split_at_checked(PKCS8_V1.len()).ok_or_else(wrong)?;
    let seed = rest.first_chunk::<32>().filter(|_| head.ends_with(ALGORITHM)).ok_or_else(wrong)?;
    Ok(IdentityKey::from_bytes(seed))
}

/// Writes a new sealing key; an existing file is not replaced.
///
/// # Errors
/// [`Error::File`] where the file is there already, or cannot be written.
pub fn write_sealing(path: &Path, key: &SealingKey) -> Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(65));
    hex_into(&key.to_bytes()[..], &mut text);
    text.push('\n');
    files::write_secret(path, text.as_bytes())
}

/// The sealing key in a file.
///
/// # Errors
/// [`Error::File`] where the file cannot be read; [`Error::KeyFile`] for one that holds no 64 hexadecimal digits.
pub fn read_sealing(path: &Path) -> Result<SealingKey> {
    let text = files::read_text(path, MAX)?;
    let wrong =
        || Error::KeyFile { path: path.to_owned(), reason: "not 64 hexadecimal digits in lower case" };
    let mut bytes = Zeroizing::new([0; 32]);
    if !unhex_into(text.trim_end().as_bytes(), &mut bytes[..]) {
        return Err(wrong());
    }
    Ok(SealingKey::from_bytes(&bytes))
}
