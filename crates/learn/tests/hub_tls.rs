//! Fetching over https from a hub whose certificate a hospital's own authority signed.
//!
//! `SSL_CERT_FILE` names the authorities, as for other programs; it belongs to a process, so each case runs this test again
//! as a process of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use blindscope_learn::models::{FetchRequest, Fetched, ModelName, Store, fetch};

/// An authority of its own and a hub with its certificate for `localhost`: the hub's URL and the authority in PEM.
fn hub() -> (String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let server = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that trusts nobody hangs up here.
            drop(answer(StreamOwned::new(server, stream.unwrap())));
        }
    });
    (format!("https://localhost:{port}"), authority.pem())
}

fn answer(stream: StreamOwned<ServerConnection, std::net::TcpStream>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut rest = String::new();
    while reader.read_line(&mut rest)? > 2 {
        rest.clear();
    }
    let (status, body) = match line.split(' ').nth(1) {
        Some("/owner/name/resolve/main/model.safetensors") => ("200 OK", "weights over TLS"),
        _ => ("404 Not Found", "no"),
    };
    let mut stream = reader.into_inner();
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("blindscope-tls-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn run(hub: &str, store: &Store) -> Result<Fetched, blindscope_learn::models::Error> {
    let name = ModelName::new("owner/name").unwrap();
    let request = FetchRequest { hub: hub.into(), name, sha256: None, most_bytes: 1 << 20, token: None };
    fetch(&request, store, &mut |_| {}, &AtomicBool::new(false))
}

/// Runs `test` alone, in a process where `SSL_CERT_FILE` names `authorities`, against `hub`.
fn again(test: &str, authorities: &str, hub: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .envs([("SSL_CERT_FILE", authorities), ("BLINDSCOPE_TEST_HUB", hub)])
        .env_remove("SSL_CERT_DIR")
        .status();
    assert!(status.unwrap().success(), "{test} under SSL_CERT_FILE={authorities}");
}

#[test]
fn a_hospitals_own_authority_is_trusted_through_ssl_cert_file() {
    let Ok(hub_url) = std::env::var("BLINDSCOPE_TEST_HUB") else {
        let ((url, authority), folder) = (hub(), folder("authority"));
        let file = folder.join("authorities.pem");
        std::fs::write(&file, authority).unwrap();
        again("a_hospitals_own_authority_is_trusted_through_ssl_cert_file", file.to_str().unwrap(), &url);
        std::fs::remove_dir_all(folder).unwrap();
        return;
    };
    let store = Store::new(folder("trusted"));
    let fetched = run(&hub_url, &store).unwrap();
    assert_eq!(std::fs::read(fetched.folder.join("model.safetensors")).unwrap(), b"weights over TLS");
    // The name must be the certificate's, not only the authority known.
    let other = Store::new(folder("name"));
    let refused = run(&hub_url.replace("localhost", "127.0.0.1"), &other).unwrap_err();
    assert!(matches!(refused, blindscope_learn::models::Error::Certificate { .. }), "{refused}");
    std::fs::remove_dir_all(other.folder()).unwrap();
    std::fs::remove_dir_all(store.folder()).unwrap();
}

#[test]
fn an_unknown_authority_is_refused_with_what_to_do() {
    let Ok(hub_url) = std::env::var("BLINDSCOPE_TEST_HUB") else {
        let ((url, _), (_, stranger), folder) = (hub(), hub(), folder("stranger"));
        let file = folder.join("authorities.pem");
        std::fs::write(&file, stranger).unwrap();
        again("an_unknown_authority_is_refused_with_what_to_do", file.to_str().unwrap(), &url);
        std::fs::write(&file, "no certificate").unwrap();
        again("no_authority_at_all_is_named", file.to_str().unwrap(), &url);
        std::fs::remove_dir_all(folder).unwrap();
        return;
    };
    let store = Store::new(folder("untrusted"));
    let refused = run(&hub_url, &store).unwrap_err();
    assert!(matches!(refused, blindscope_learn::models::Error::Certificate { .. }), "{refused}");
    let message = refused.to_string();
    println!("{message}");
    assert!(message.contains("not trusted") && message.contains("SSL_CERT_FILE"), "{message}");
    assert!(!store.folder().join("owner--name@main/model.safetensors").exists());
    std::fs::remove_dir_all(store.folder()).unwrap();
}

/// Run by the test above, with a file that holds none.
#[test]
fn no_authority_at_all_is_named() {
    let Ok(hub_url) = std::env::var("BLINDSCOPE_TEST_HUB") else { return };
    let store = Store::new(folder("none"));
    let refused = run(&hub_url, &store).unwrap_err();
    assert!(matches!(refused, blindscope_learn::models::Error::NoAuthorities { .. }), "{refused}");
    std::fs::remove_dir_all(store.folder()).unwrap();
}
