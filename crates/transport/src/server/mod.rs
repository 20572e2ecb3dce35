//! The serving end: one port, one handler.

mod accept;
mod download;
mod service;
mod slots;
mod stop;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::{Error, Result};
use crate::handler::Handler;
use crate::limits::Limits;
use crate::message::PIECE;
use crate::server::service::Service;
use crate::stubs::admin::admin_server::AdminServer;
use crate::stubs::federation::federation_server::FederationServer;
use crate::stubs::health::health_server::HealthServer;
use crate::stubs::predict::predict_server::PredictServer;
use crate::tls::ServerTls;

pub use stop::Stop;

/// Bytes of all headers of one call.
const HEADERS: u32 = 16 << 10;
/// Bytes of a message beyond its contents or header.
const ENVELOPE: usize = 1 << 10;

/// A port that is listened on, and what will answer there.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: ServerTls,
    limits: Limits,
}

impl Server {
    /// Takes the port; nothing is answered before [`serve`](Self::serve).
    ///
    /// # Errors
    /// [`Error::Listen`] where the port cannot be had.
    pub async fn bind(address: SocketAddr, tls: ServerTls, limits: Limits) -> Result<Self> {
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listening.await.map_err(|cause| Error::Listen { address, cause })?;
        Ok(Self { listener, address, tls, limits })
    }

    /// Where it listens; the port that the system chose when 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`, then lets calls under way end within [`Limits::drain`].
    ///
    /// # Errors
    /// [`Error::Serve`] where the service ends by a failure.
    pub async fn serve(self, handler: Arc<dyn Handler>, stop: Stop) -> Result<()> {
        let Self { listener, tls, limits, .. } = self;
        let incoming =
            ReceiverStream::new(accept::accept(listener, tls, &limits, handler.clone(), stop.clone()));
        let longest = limits.header.max(PIECE) + ENVELOPE;
        let service = Arc::new(Service::new(handler, limits.clone(), stop.clone()));
        let serving = tonic::transport::Server::builder()
            .initial_stream_window_size(limits.window)
            .initial_connection_window_size(connection_window(&limits))
            .max_concurrent_streams(limits.calls)
            .http2_keepalive_interval(Some(limits.keepalive))
            .http2_keepalive_timeout(Some(limits.keepalive))
            .http2_max_header_list_size(HEADERS)
            .add_service(FederationServer::from_arc(service.clone()).max_decoding_message_size(longest))
            .add_service(AdminServer::from_arc(service.clone()).max_decoding_message_size(longest))
            .add_service(PredictServer::from_arc(service.clone()).max_decoding_message_size(longest))
            .add_service(HealthServer::from_arc(service).max_decoding_message_size(ENVELOPE))
            .serve_with_incoming_shutdown(incoming, stop.clone().stopped());
        let drained = async {
            stop.stopped().await;
            tokio::time::sleep(limits.drain).await;
        };
        tokio::select! {
            done = serving => done.map_err(|e| Error::Serve { cause: e.to_string() }),
            () = drained => Ok(()),
        }
    }
}

/// Bytes under way on one connection: an upload that waits for its turn holds its whole window, and must not starve the
/// one whose turn it is.
fn connection_window(limits: &Limits) -> u32 {
    let streams = u32::try_from(limits.uploads_each).unwrap_or(u32::MAX).saturating_add(2);
    // HTTP/2's largest window.
    limits.window.saturating_mul(streams).min((1 << 31) - 1)
}
