//! TLS 1.3, both ends with a certificate of the study's own authority.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, version::TLS13};

use crate::error::{Error, Result};

/// One end's certificate, its key and the authority that the other end's certificate must come from; all PEM.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The study's authority.
    pub authority: &'a [u8],
    /// This end's certificate.
    pub certificate: &'a [u8],
    /// Its private key, PKCS#8.
    pub key: &'a [u8],
}

/// The settings of a serving end.
#[derive(Clone)]
pub struct ServerTls(pub(crate) Arc<ServerConfig>);

/// The settings of a calling end.
#[derive(Clone)]
pub struct ClientTls(pub(crate) Arc<ClientConfig>);

/// Protocol named in the handshake: HTTP/2.
const ALPN: &[u8] = b"h2";

impl ServerTls {
    /// Serves with these credentials, and speaks only to certificates of the same authority.
    ///
    /// # Errors
    /// [`Error::Tls`] for a certificate or key that cannot be used.
    pub fn new(credentials: Credentials<'_>) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(credentials.roots()?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|e| refused("the authority", &e))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| refused("TLS 1.3", &e))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(credentials.chain()?, credentials.private()?)
            .map_err(|e| refused("the certificate", &e))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would outlive a certificate's validity.
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }
}

impl ClientTls {
    /// Calls with these credentials, and only servers of the same authority.
    ///
    /// # Errors
    /// [`Error::Tls`] for a certificate or key that cannot be used.
    pub fn new(credentials: Credentials<'_>) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| refused("TLS 1.3", &e))?
            .with_root_certificates(credentials.roots()?)
            .with_client_auth_cert(credentials.chain()?, credentials.private()?)
            .map_err(|e| refused("the certificate", &e))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl Credentials<'_> {
    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("the authority's certificate", self.authority)? {
            roots.add(certificate).map_err(|e| refused("the authority's certificate", &e))?;
        }
        Ok(roots)
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>> {
        certificates("the certificate", self.certificate)
    }

    fn private(&self) -> Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(self.key).map_err(|e| refused("the private key", &e))
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(Error::Tls { what, cause: "no PEM block in it".into() }),
        other => other.map_err(|e| refused(what, &e)),
    }
}

fn refused(what: &'static str, cause: &dyn std::fmt::Display) -> Error {
    Error::Tls { what, cause: cause.to_string() }
}
