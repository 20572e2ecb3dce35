//! A channel whose connections are TLS 1.3 of our own settings.

use std::io;
use std::sync::Arc;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::tls::ClientTls;

/// Bytes under way on one call and on one connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A channel to `HOST:PORT` that connects when it is used.
pub(super) fn channel(address: &str, tls: ClientTls, limits: &Limits) -> Result<Channel> {
    let wrong = || Error::Address { address: address.to_owned() };
    let uri: Uri = format!("http://{address}").parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
    uri.port_u16().ok_or_else(wrong)?;
    let name = ServerName::try_from(host).map_err(|_| wrong())?;
    let target: Arc<str> = address.into();
    let connector = TlsConnector::from(tls.0);
    let within = limits.handshake;
    let endpoint = Endpoint::from(uri)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
        let (target, connector, name) = (target.clone(), connector.clone(), name.clone());
        async move {
            let dialled = timeout(within, dial(&target, connector, name)).await;
            dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new)
        }
    })))
}

async fn dial(
    target: &str,
    connector: TlsConnector,
    name: ServerName<'static>,
) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(target).await?;
    tcp.set_nodelay(true)?;
    connector.connect(name, tcp).await
}
