//! A server that speaks S3 over a folder, on loopback: what tests and trials of an object store are held against.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

/// Key and secret that it takes.
pub const KEYS: (&str, &str) = ("test", "not-a-secret");

/// The server, on threads of its own, until it is dropped.
#[derive(Debug)]
pub struct ObjectServer {
    address: SocketAddr,
    /// Its threads; they end with it.
    runtime: Option<tokio::runtime::Runtime>,
}

impl ObjectServer {
    /// Serves the folders below `root`, each a bucket, at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(root: &Path, address: SocketAddr) -> io::Result<Self> {
        let files = s3s_fs::FileSystem::new(root).map_err(|e| io::Error::other(format!("{e:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEYS.0, KEYS.1));
        let service = builder.build();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        #[allow(clippy::disallowed_methods, reason = "a server for tests")]
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        runtime.spawn(accept(listener, service));
        Ok(Self { address, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client's environment has to say to reach it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", KEYS.0),
            ("AWS_SECRET_ACCESS_KEY", KEYS.1),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: std::net::TcpListener, service: S3Service) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            // One message, one packet: clients wait for the answer.
            let _ = socket.set_nodelay(true);
            let http = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
            // A client that goes away is no matter.
            let _ = http.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
