//! Strangers, liars and dawdlers: each gets a typed refusal, and nothing of it stays.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helper functions of tests"
)]

mod common;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use blindscope_transport::{Client, ClientTls, Credentials, Error, Join, Limits, Refusal};
use common::{Authority, Memory, reader, start, upload};

fn hello() -> Join {
    Join { software: "test".into(), study: None, has_study: false }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("not a refusal: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_certificates_of_the_authority_get_in() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let memory = Arc::new(Memory::default());
    let running = start(&authority, memory.clone(), Limits::default()).await;
    let address = running.address.to_string();

    let (stranger, own) = (foreign.client(), authority.pem());
    let foreign_client = ClientTls::new(stranger.credentials(&own)).unwrap();
    let expired = authority.issue(ExtendedKeyUsagePurpose::ClientAuth, -1).tls(&authority);
    let as_server = authority.issue(ExtendedKeyUsagePurpose::ServerAuth, 1).tls(&authority);
    for (what, tls) in [("foreign", foreign_client), ("expired", expired), ("not for clients", as_server)] {
        let error = Client::new(&address, tls, Limits::default()).unwrap().join(hello()).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{what}: {error}");
    }
    // A client does not talk to a server of another authority either.
    let foreign_view = running.client(foreign.client().tls(&foreign)).join(hello()).await.unwrap_err();
    assert!(foreign_view.to_string().contains("invalid peer certificate"), "{foreign_view}");

    // The roster is the handler's: a good certificate of somebody else is refused there, and told so.
    let listed = authority.client();
    memory.roster.lock().unwrap().push(listed.id);
    assert!(running.client(listed.tls(&authority)).join(hello()).await.is_ok());
    let unlisted = running.client(authority.client().tls(&authority)).join(hello()).await.unwrap_err();
    assert_eq!(refusal(unlisted).code, "not-in-study");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_certificate_no_call() {
    let authority = Authority::new();
    let running = start(&authority, Arc::new(Memory::default()), Limits::default()).await;
    let mut roots = rustls::RootCertStore::empty();
    let pem = authority.pem();
    let der = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
        pem.as_bytes(),
    );
    roots.add(der.unwrap()).unwrap();
    for version in [&rustls::version::TLS13] {
        let config =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
        let tcp = tokio::net::TcpStream::connect(running.address).await.unwrap();
        let name = "127.0.0.1".try_into().unwrap();
        let mut tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let _ = tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let error = tls.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains("CertificateRequired"), "{error}");
    }
    let broken = Credentials { authority: b"", certificate: b"", key: b"" };
    assert!(matches!(ClientTls::new(broken), Err(Error::Tls { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lengths_and_digests_are_held_against_the_head() {
    let authority = Authority::new();
    let memory = Arc::new(Memory { takes: 1000, ..Memory::default() });
    let running = start(&authority, memory.clone(), Limits { header: 1 << 10, ..Limits::default() }).await;
    let client = running.client(authority.client().tls(&authority));

    let body = vec![1; 1000];
    let mut long = upload(&body);
    long.len = 1001;
    let refused = refusal(client.submit(long, reader(&[1; 1001])).await.unwrap_err());
    assert_eq!(refused.code, "wrong-length");
    assert_eq!(refused.facts, [("announced".into(), 1001), ("expected".into(), 1000)]);

    let mut lying = upload(&body);
    lying.digest.0[0] ^= 1;
    assert_eq!(refusal(client.submit(lying, reader(&body)).await.unwrap_err()).code, "wrong-digest");

    let mut bulky = upload(&body);
    bulky.header = Bytes::from(vec![0; 1025]);
    assert_eq!(refusal(client.submit(bulky, reader(&body)).await.unwrap_err()).code, "too-long");

    let mut full = body.clone();
    full[..4].copy_from_slice(b"full");
    assert_eq!(refusal(client.submit(upload(&full), reader(&full)).await.unwrap_err()).code, "disk-full");

    // The source itself ends early: the site learns its own mistake.
    let short = client.submit(upload(&body), reader(&body[..10])).await.unwrap_err();
    assert!(matches!(short, Error::File { .. }), "{short}");
    assert!(memory.blobs.lock().unwrap().is_empty(), "nothing of any of them stays");
    assert_eq!(client.submit(upload(&body), reader(&body)).await.unwrap(), "kept");
}

/// Gives a byte now and then.
struct Trickle(Duration);

impl Read for Trickle {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(self.0);
        out[0] = 1;
        Ok(1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_upload_is_cut_and_an_honest_one_goes_on() {
    let authority = Authority::new();
    let memory = Arc::new(Memory::default());
    let limits = Limits { grace: Duration::from_millis(400), rate: 1 << 20, ..Limits::default() };
    let running = start(&authority, memory.clone(), limits).await;
    let slow = running.client(authority.client().tls(&authority));
    let announced = blindscope_transport::Upload { len: 60, ..upload(&[1; 60]) };
    let begun = Instant::now();
    let refused =
        refusal(slow.submit(announced, Box::new(Trickle(Duration::from_millis(50)))).await.unwrap_err());
    assert_eq!(refused.code, "too-slow");
    assert!(refused.retry.is_some() && begun.elapsed() < Duration::from_secs(2));

    let honest = running.client(authority.client().tls(&authority));
    let body = vec![3; 2_000_000];
    assert_eq!(honest.submit(upload(&body), reader(&body)).await.unwrap(), "kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_strangers_give_way_to_honest_callers() {
    let authority = Authority::new();
    let limits =
        Limits { handshakes: 32, handshake: Duration::from_mins(1), connections: 2, ..Limits::default() };
    let running = start(&authority, Arc::new(Memory::default()), limits).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(tokio::net::TcpStream::connect(running.address).await.unwrap());
    }
    let identity = authority.client();
    let tls = identity.tls(&authority);
    let (first, second, third) =
        (running.client(tls.clone()), running.client(tls.clone()), running.client(tls));
    assert!(first.healthy().await.unwrap() && second.healthy().await.unwrap());
    // One certificate cannot take all connections either.
    assert!(matches!(third.healthy().await, Err(Error::Unreachable { .. })));
    drop(first);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(third.healthy().await.unwrap());
    // The oldest strangers were closed.
    let closed = tokio::time::timeout(Duration::from_secs(5), idle[0].read(&mut [0; 1])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_one_certificate_are_counted() {
    let authority = Authority::new();
    let memory = Arc::new(Memory::default());
    let running = start(&authority, memory.clone(), Limits { uploads_each: 1, ..Limits::default() }).await;
    let client = running.client(authority.client().tls(&authority));
    let announced = blindscope_transport::Upload { len: 20, ..upload(&[1; 20]) };
    let first = tokio::spawn({
        let (client, announced) = (client.clone(), announced.clone());
        async move { client.submit(announced, Box::new(Trickle(Duration::from_millis(60)))).await }
    });
    while memory.begun.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = refusal(client.submit(upload(&[2; 9]), reader(&[2; 9])).await.unwrap_err());
    assert_eq!(refused.code, "too-many-uploads");
    assert_eq!(first.await.unwrap().unwrap(), "kept");
    assert_eq!(client.submit(upload(&[2; 9]), reader(&[2; 9])).await.unwrap(), "kept");
}
