//! How a bucket is reached: an address, and what the environment of an S3 client says.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
use object_store::path::Path as Key;
use object_store::{ClientOptions, RetryConfig};
use zeroize::Zeroizing;

use crate::{Environment, Error, Result};

/// The bucket, a prefix in it, and the client's options.
pub(crate) struct Access {
    bucket: String,
    prefix: String,
    /// Zeroed on drop; the client has copies of its own, as long as it lives.
    options: Vec<(AmazonS3ConfigKey, Zeroizing<String>)>,
}

/// Without the options: there are secrets among them.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// How long a service that is away is waited for, and a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer: a part, over a slow line.
const ANSWER: Duration = Duration::from_mins(2);

impl Access {
    /// What `url` (`s3://BUCKET/PREFIX`) names, with options by the names that S3 clients read in their environment. Other names are
    /// left alone.
    pub(crate) fn parse(url: &str, environment: &Environment) -> Result<Self> {
        let wrong = || Error::Setting {
            what: "blobs",
            found: url.to_owned(),
            repair: "write s3://BUCKET/PREFIX; the endpoint goes into AWS_ENDPOINT_URL, the keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        };
        let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || rest.contains(['?', '#', '@', ':']) {
            return Err(wrong());
        }
        let options = environment
            .iter()
            .filter_map(|(name, value)| Some((name.to_lowercase().parse().ok()?, value.clone())));
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            options: options.collect(),
        })
    }

    /// `s3://BUCKET`
    pub(crate) fn name(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    /// What the names of a folder's objects begin with.
    pub(crate) fn prefix(&self, folder: &str) -> Key {
        Key::from(format!("{}/{folder}", self.prefix))
    }

    /// A client that waits so long for a service that is away. Nothing is sent yet.
    pub(super) fn client(&self, patience: Duration) -> Result<AmazonS3> {
        let retry = RetryConfig { retry_timeout: patience, max_retries: 20, ..RetryConfig::default() };
        let builder = AmazonS3Builder::new().with_http_connector(Connector).with_retry(retry);
        let builder =
            self.options.iter().fold(builder, |b, (key, value)| b.with_config(*key, value.as_str()));
        let built = builder.with_bucket_name(&self.bucket).build();
        built.map_err(|e| Error::io("open bucket", std::path::Path::new(&self.name()), 0)(io_error(e)))
    }
}

/// HTTP over the system's certificate authorities and the one provider of TLS that the program has.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
            store: "S3",
            source,
        };
        let mut roots = rustls::RootCertStore::empty();
        // None at all is found out when a connection is made; plain HTTP needs none.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(Box::new(e)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(!plain)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build();
        client.map(HttpClient::new).map_err(|e| failed(Box::new(e)))
    }
}

/// What went wrong, as a system would say it.
pub(super) fn io_error(error: object_store::Error) -> std::io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => std::io::ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            std::io::ErrorKind::PermissionDenied
        }
        _ => std::io::ErrorKind::Other,
    };
    std::io::Error::new(kind, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_none_are_refused_with_what_to_write() {
        for wrong in
            ["s3://", "s3:///prefix", "https://bucket", "s3://user:secret@bucket", "s3://b/p?key=secret"]
        {
            let error = Access::parse(wrong, &Vec::new()).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("s3://BUCKET/PREFIX"), "{wrong}: {error}");
        }
        let access = Access::parse("s3://bucket/a/b/", &Vec::new()).unwrap();
        assert_eq!(
            (access.name(), access.prefix("blobs").to_string()),
            ("s3://bucket".to_owned(), "a/b/blobs".to_owned())
        );
    }
}
