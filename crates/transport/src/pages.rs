//! HTTP/1 for monitors and browsers: a listener of its own, whose router says what is answered.
//!
//! Nothing of the study's own port goes through here. What a stranger can hold is bounded: connections, the bytes and the time of a
//! request's head, and how long a connection may last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::server::Stop;

/// Connections at a time; more wait until one ends.
const CONNECTIONS: usize = 64;
/// How long a request's head may take, and a connection stay silent.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head, and of what is read ahead.
const BUFFER: usize = 64 << 10;
/// How long a connection may last, whatever comes over it.
const LIFE: Duration = Duration::from_mins(10);
/// Wait after a failed accept; the usual reason is that no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// A port that is listened on for HTTP/1.
pub struct Pages {
    listener: TcpListener,
    address: SocketAddr,
}

impl Pages {
    /// Takes the port; nothing is answered before [`serve`](Self::serve).
    ///
    /// # Errors
    /// [`Error::Listen`] where the port cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listening.await.map_err(|cause| Error::Listen { address, cause })?;
        Ok(Self { listener, address })
    }

    /// Where it listens; the port that the system chose when 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`. Connections that are open then are closed.
    pub async fn serve(self, router: Router, stop: Stop) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.clone().stopped() => return,
            };
            let tcp = match accepted {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // The semaphore is never closed.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (router, stop) = (router.clone(), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = answer(tcp, router) => {}
                    () = tokio::time::sleep(LIFE) => {}
                    () = stop.stopped() => {}
                }
                drop(place);
            });
        }
    }
}

/// One connection, until it ends.
async fn answer(tcp: TcpStream, router: Router) {
    // Small pages are not held back for more to come.
    let _ = tcp.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let served = http.serve_connection(TokioIo::new(tcp), TowerToHyperService::new(router)).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of a browser or monitor broke");
    }
}
