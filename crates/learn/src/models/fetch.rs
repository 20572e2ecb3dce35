//! A model's files from a hub into the store.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::download::Download;
use super::lock::{Entry, Lock};
use super::store::WEIGHTS;
use super::{Error, ModelName, Store};
use blindscope_vision::features::hex;

/// What to fetch.
#[derive(Clone)]
pub struct FetchRequest {
    /// Base URL of the hub.
    pub hub: String,
    /// The model.
    pub name: ModelName,
    /// SHA-256 of the weights; without one, the first fetch decides.
    pub sha256: Option<[u8; 32]>,
    /// Largest weights.
    pub most_bytes: u64,
    /// Sent to the hub as a bearer token, for models behind terms of use.
    pub token: Option<String>,
}

impl std::fmt::Debug for FetchRequest {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FetchRequest({} from {})", self.name.key(), self.hub)
    }
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress<'a> {
    /// Its name.
    pub file: &'a str,
    /// Bytes on disk.
    pub done: u64,
    /// Bytes of the whole file, where the hub tells.
    pub total: Option<u64>,
}

/// A model in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<FetchedFile>,
}

/// A file of a fetched model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FetchedFile {
    /// Its name.
    pub file: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Length.
    pub bytes: u64,
    /// Whether this fetch was the first, so that nobody vouched for the digest.
    pub first: bool,
    /// Whether bytes were fetched, or the file was there.
    pub fetched: bool,
}

/// Files of a model: name, whether it must be there, largest length unless the request tells.
const FILES: [(&str, bool, Option<u64>); 3] = [
    (WEIGHTS, true, None),
    ("config.json", false, Some(4 << 20)),
    ("preprocessor_config.json", false, Some(4 << 20)),
];

/// Fetches a model's weights, and its `config.json` and `preprocessor_config.json` where the hub has them. Files that are there
/// and meet their digest are not fetched again. Nothing takes a file's place before its digest is right.
///
/// # Errors
/// [`Error`] where the hub cannot be reached, refuses or sends other bytes, or the disk takes no more; what was fetched of a file
/// before an interruption is kept and taken up by the next call.
pub fn fetch(
    request: &FetchRequest,
    store: &Store,
    progress: &mut dyn FnMut(&FetchProgress<'_>),
    cancel: &AtomicBool,
) -> Result<Fetched, Error> {
    let agent = agent(&request.hub)?;
    let mut lock = Lock::open(store)?;
    let folder = store.folder_of(&request.name);
    std::fs::create_dir_all(&folder).map_err(Error::io("creating", &folder))?;
    let mut files = Vec::new();
    for (file, required, most) in FILES {
        let name = &request.name;
        let base = request.hub.trim_end_matches('/');
        let download = Download {
            agent: &agent,
            token: request.token.as_deref(),
            url: format!("{base}/{}/resolve/{}/{file}", name.repository, name.revision),
            file,
            part: folder.join(format!("{file}.part")),
            most: most.unwrap_or(request.most_bytes),
            cancel,
        };
        let told = request.sha256.filter(|_| file == WEIGHTS);
        match one(&download, &folder.join(file), told, &mut lock, format!("{}/{file}", name.key()), progress)
        {
            Ok(fetched) => files.push(fetched),
            Err(Error::NotFound { .. }) if !required => {}
            Err(e) => return Err(e),
        }
    }
    Ok(Fetched { folder, files })
}

fn one(
    download: &Download<'_>,
    target: &Path,
    told: Option<[u8; 32]>,
    lock: &mut Lock,
    key: String,
    progress: &mut dyn FnMut(&FetchProgress<'_>),
) -> Result<FetchedFile, Error> {
    let recorded = lock.find(&key).map(|entry| entry.sha256.clone());
    let expected = told.map(|digest| hex(&digest)).or_else(|| recorded.clone());
    let finish = |sha256: String, bytes, fetched| FetchedFile {
        file: download.file.to_owned(),
        sha256,
        bytes,
        first: expected.is_none(),
        fetched,
    };
    if let (true, Some(expected)) = (target.is_file(), &expected) {
        let (sha256, bytes) = digest(target)?;
        if sha256 == *expected {
            return Ok(finish(sha256, bytes, false));
        }
    }
    download.run(progress)?;
    let (sha256, bytes) = digest(&download.part)?;
    if let Some(expected) = expected.as_ref().filter(|expected| **expected != sha256) {
        download.discard();
        let source_of =
            if told.is_some() { "that was told" } else { "of the first fetch (models.lock.json)" };
        let (url, expected) = (download.url.clone(), expected.clone());
        return Err(Error::Digest { url, got: sha256, expected, source_of });
    }
    download.keep(target)?;
    if recorded.as_ref() != Some(&sha256) {
        lock.record(key, Entry { sha256: sha256.clone(), bytes })?;
    }
    Ok(finish(sha256, bytes, true))
}

/// SHA-256 of a file in hexadecimal, and its length.
fn digest(path: &Path) -> Result<(String, u64), Error> {
    let io = |e| Error::io("reading", path)(e);
    let mut file = File::open(path).map_err(io)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(io)?;
        if read == 0 {
            return Ok((hex(&hash.finalize()), bytes));
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}

/// A client that trusts the system's certificate authorities, a hospital's own among them. A hub on this machine may go without
/// TLS.
fn agent(hub: &str) -> Result<Agent, Error> {
    let builder = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("blindscope/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_mins(1)));
    if is_local(hub) {
        return Ok(builder.proxy(None).build().into());
    }
    if !hub.starts_with("https://") {
        return Err(Error::Insecure { hub: hub.into() });
    }
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reason = found.errors.first().map_or_else(|| "none was found".into(), ToString::to_string);
        return Err(Error::NoAuthorities { reason });
    }
    let roots: Vec<Certificate<'static>> =
        found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    Ok(builder.https_only(true).tls_config(tls).build().into())
}

fn is_local(hub: &str) -> bool {
    let Some(rest) = hub.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for hub in ["http://localhost:8000", "http://127.0.0.1:9/x", "http://[::1]:80", "http://[::1]"] {
            assert!(is_local(hub), "{hub}");
        }
        for hub in [
            "http://localhost.example.org",
            "http://127.0.0.1@example.org",
            "https://localhost",
            "http://10.0.0.1",
        ] {
            assert!(!is_local(hub), "{hub}");
        }
        let message = agent("http://mirror.example.org").unwrap_err().to_string();
        assert!(message.contains("expected https://"), "{message}");
    }
}
