//! A small authority, and a coordinator that keeps blobs in memory.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, reason = "shared by the test files")]

use std::collections::HashMap;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ED25519,
};
use sha2::{Digest as _, Sha256};

use blindscope_transport::{
    Answer, Class, Client, ClientTls, Command, Credentials, Documents, Errand, Finishing, Handler, Intake,
    Join, Joined, Limits, Peer, PeerId, Refusal, Server, ServerTls, Source, Stop, Stream, Upload, Uptake,
};
use blindscope_wire::Digest;

/// An authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub struct Identity {
    pub certificate: String,
    pub key: String,
    pub id: PeerId,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate_for(&PKCS_ED25519).unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, usage: ExtendedKeyUsagePurpose, days: i64) -> Identity {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(rcgen::SanType::IpAddress([127, 0, 0, 1].into()));
        params.extended_key_usages = vec![usage];
        if days < 0 {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 1, 2);
        }
        let raw: [u8; 32] = key.public_key_raw().try_into().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Identity { certificate, key: key.serialize_pem(), id: PeerId::of_ed25519(&raw) }
    }

    pub fn server(&self) -> ServerTls {
        let own = self.issue(ExtendedKeyUsagePurpose::ServerAuth, 1);
        ServerTls::new(own.credentials(&self.pem())).unwrap()
    }

    pub fn client(&self) -> Identity {
        self.issue(ExtendedKeyUsagePurpose::ClientAuth, 1)
    }
}

impl Identity {
    pub fn credentials<'a>(&'a self, authority: &'a str) -> Credentials<'a> {
        Credentials {
            authority: authority.as_bytes(),
            certificate: self.certificate.as_bytes(),
            key: self.key.as_bytes(),
        }
    }

    pub fn tls(&self, authority: &Authority) -> ClientTls {
        ClientTls::new(self.credentials(&authority.pem())).unwrap()
    }
}

/// What the coordinator of the tests keeps.
#[derive(Default)]
pub struct Memory {
    pub blobs: Arc<Mutex<HashMap<[u8; 32], Vec<u8>>>>,
    pub begun: AtomicUsize,
    pub written: Arc<AtomicUsize>,
    /// The exact body length it takes; 0 for any.
    pub takes: u64,
    pub roster: Mutex<Vec<PeerId>>,
}

struct Into {
    blobs: Arc<Mutex<HashMap<[u8; 32], Vec<u8>>>>,
    written: Arc<AtomicUsize>,
    bytes: Vec<u8>,
}

impl Intake<Bytes> for Into {
    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        if bytes.starts_with(b"full") {
            return Err(Refusal::new(Class::Exhausted, "disk-full", "no space is left"));
        }
        self.written.fetch_add(bytes.len(), Ordering::SeqCst);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Finishing<Bytes> {
        Box::pin(async move {
            self.blobs.lock().unwrap().insert(Sha256::digest(&self.bytes).into(), self.bytes);
            Ok(Bytes::from_static(b"kept"))
        })
    }
}

#[tonic::async_trait]
impl Handler for Memory {
    async fn join(&self, peer: Peer, _: Join) -> Answer<Joined> {
        let roster = self.roster.lock().unwrap();
        if !roster.is_empty() && !roster.contains(&peer.id) {
            return Err(Refusal::new(Class::Unauthenticated, "not-in-study", "this key is in no roster"));
        }
        Ok(Joined { software: "test".into(), now_ms: 7, study: peer.id.0.to_vec().into() })
    }

    async fn next(&self, _: Peer, state: Bytes, wait: Duration) -> Answer<Option<Errand>> {
        if state.is_empty() {
            tokio::time::sleep(wait).await;
            return Ok(None);
        }
        let blobs = vec![Bytes::from_static(b"with it"), state.clone()];
        Ok(Some(Errand { task: state, blobs }))
    }

    async fn fetch(&self, _: Peer, digest: Digest, _: u64) -> Answer<Source> {
        let blobs = self.blobs.lock().unwrap();
        let missing = || Refusal::new(Class::Missing, "no-blob", "no such blob");
        let bytes = blobs.get(&digest.0).ok_or_else(missing)?.clone();
        Ok(Source { len: bytes.len() as u64, digest, bytes: Box::new(Cursor::new(bytes)) })
    }

    async fn submit(&self, _: Peer, upload: Upload) -> Answer<Uptake<Bytes>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if self.takes > 0 && upload.len != self.takes {
            let refusal = Refusal::new(Class::Invalid, "wrong-length", "another length is expected");
            return Err(refusal.fact("announced", upload.len).fact("expected", self.takes));
        }
        if self.blobs.lock().unwrap().contains_key(&upload.digest.0) {
            return Ok(Uptake::Already(Bytes::from_static(b"had it")));
        }
        let bytes = Vec::new();
        Ok(Uptake::Take(Box::new(Into { blobs: self.blobs.clone(), written: self.written.clone(), bytes })))
    }

    async fn command(&self, _: Peer, command: Command, document: Bytes) -> Answer<Bytes> {
        Ok(format!("{command:?} {}", String::from_utf8_lossy(&document)).into())
    }

    async fn stream(&self, _: Peer, _: Stream, document: Bytes) -> Answer<Documents> {
        let (out, documents) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for byte in document {
                let _ = out.send(Ok(Bytes::copy_from_slice(&[byte]))).await;
            }
        });
        Ok(documents)
    }
}

/// A running coordinator.
pub struct Running {
    pub address: SocketAddr,
    pub stop: Stop,
    pub done: tokio::task::JoinHandle<blindscope_transport::Result<()>>,
}

pub async fn start(authority: &Authority, memory: Arc<Memory>, limits: Limits) -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), authority.server(), limits).await.unwrap();
    let (address, stop) = (server.address(), Stop::new());
    let done = tokio::spawn(server.serve(memory, stop.clone()));
    Running { address, stop, done }
}

impl Running {
    pub fn client(&self, tls: ClientTls) -> Client {
        Client::new(&self.address.to_string(), tls, Limits::default()).unwrap()
    }
}

pub fn upload(body: &[u8]) -> Upload {
    Upload {
        header: Bytes::from_static(b"header"),
        len: body.len() as u64,
        digest: Digest(Sha256::digest(body).into()),
    }
}

pub fn reader(body: &[u8]) -> Box<dyn std::io::Read + Send> {
    Box::new(Cursor::new(body.to_vec()))
}
